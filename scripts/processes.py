# SPDX-License-Identifier: MIT
"""What processes of this machine hold: QEMU, and the render server that it starts."""

import os
import re
from pathlib import Path


def family(pid):
    """A process and all that descend from it."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path("/proc", entry, "stat").read_text(encoding="ascii", errors="replace")
            except OSError:
                continue
            parents[int(entry)] = int(stat.rpartition(")")[2].split()[1])
    members = {pid}
    while True:
        more = {child for child, parent in parents.items() if parent in members} - members
        if not more:
            return members
        members |= more


def own_memory(smaps):
    """KiB in a /proc/PID/smaps, but for the guest's memory. What processes share is counted once (PSS)."""
    total, counted = 0, True
    for line in smaps.splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            counted = "memory-backend-memfd" not in line
        elif counted and line.startswith("Pss:"):
            total += int(line.split()[1])
    return total


def memory(pid):
    """MiB that a process and its descendants take, less a guest's own memory."""
    total = 0
    for member in family(pid):
        try:
            total += own_memory(Path(f"/proc/{member}/smaps").read_text(encoding="ascii", errors="replace"))
        except OSError:
            pass  # it has ended meanwhile
    return total / 1024
