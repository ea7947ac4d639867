# SPDX-License-Identifier: MIT
"""What processes of this machine hold: QEMU, and the render server that it starts."""

import os
import re
from collections import Counter
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


def render_servers(pid):
    """The processes of the render server that a QEMU has, itself and one for each context, the oldest first."""
    found = []
    for member in family(pid):
        try:
            name = Path(f"/proc/{member}/comm").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it has ended meanwhile
        if name.startswith("virgl_render"):
            found.append(member)
    return sorted(found)


def kinds_of_memory(smaps):
    """KiB in a /proc/PID/smaps by kind, what processes share counted once (PSS):

    guest        the guest's own memory
    translated   the guest's code, as QEMU's emulated processors run it
    private      what malloc() gives, threads' stacks, and what was written to in a mapped file
    shared       memory shared with other processes: memfds and the like
    files        files as they are on the disk. How much it is depends on which others have them mapped, too.
    """
    kinds, kind, pss = Counter(), "files", 0
    for line in smaps.splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            fields = line.split(maxsplit=5)
            name = fields[5] if len(fields) > 5 else ""
            if "memory-backend-memfd" in name:
                kind = "guest"
            elif name.startswith(("/memfd:", "/dev/", "/SYSV", "/anon_hugepage")):
                kind = "shared"
            elif name.startswith("/"):
                kind = "files"
            else:
                kind = "translated" if "x" in fields[1] and "w" in fields[1] else "private"
        elif line.startswith("Pss:"):
            pss = int(line.split()[1])
            kinds[kind] += pss
        elif line.startswith("Anonymous:") and kind == "files":
            written = min(pss, int(line.split()[1]))
            kinds["files"] -= written
            kinds["private"] += written
    return kinds


def memory_of(pid):
    """MiB of each kind that a process and its descendants take."""
    kinds = Counter()
    for member in family(pid):
        try:
            kinds += kinds_of_memory(Path(f"/proc/{member}/smaps").read_text(encoding="ascii", errors="replace"))
        except OSError:
            pass  # it has ended meanwhile
    return {kind: kib / 1024 for kind, kib in kinds.items()}


def memory(pid):
    """MiB that a process and its descendants take, less a guest's own memory."""
    return sum(mib for kind, mib in memory_of(pid).items() if kind != "guest")


def descriptors(pid):
    """What a process and its descendants have open: for each the name of its program, how many by what they are."""
    held = {}
    for member in family(pid):
        try:
            name = Path(f"/proc/{member}/comm").read_text(encoding="utf-8", errors="replace").strip()
            links = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{member}/fd")]
        except OSError:
            continue  # it has ended meanwhile
        held[member] = (name, Counter(re.sub(r":\[\d+\]$", "", link) for link in links))
    return held


def waits(pid):
    """Where the threads of a process and of its descendants are, as lines: "3 x NAME: S PLACE IN THE KERNEL"."""
    seen = Counter()
    for task in (task for member in family(pid) for task in Path(f"/proc/{member}/task").glob("*")):
        try:
            stat = (task / "stat").read_text(encoding="ascii", errors="replace")
            wait = (task / "wchan").read_text(encoding="ascii")
        except OSError:  # it has ended meanwhile
            continue
        name, state = re.search(r"\((.*)\) (.)", stat).groups()
        seen[f"{name}: {state} {wait}"] += 1
    return [f"{count} x {line}" for line, count in sorted(seen.items())]
