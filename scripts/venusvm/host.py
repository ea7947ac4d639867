# SPDX-License-Identifier: MIT
"""Programs on the host, in the root that host-root.sh chose and with lavapipe: what the guest's are held against."""

import json
import os
import subprocess

from venusvm.expect import Failed
from venusvm.guest import TOP, made_by

LAVAPIPE = {"VK_DRIVER_FILES": "/usr/share/vulkan/icd.d/lvp_icd.json"}
IN_ROOT = [str(TOP / "scripts" / "in-root.sh"), "--die-with-parent", "--"]
STOCK_QEMU = "--stock-qemu"  # an option of in-root.sh: the same root, with Debian's own QEMU


def host_tools():
    """Where the guest's programs are on the host."""
    return made_by("tools-disk.sh", "--dir")


def in_root(*options):
    """What runs a command in a variant of the host's root."""
    return [*IN_ROOT[:-1], *options, "--"]


def on_host(command, timeout=120, root=(), **environment):
    """Runs a program in the host's root with lavapipe, and returns what it printed."""
    done = subprocess.run([*in_root(*root), *map(str, command)], timeout=timeout, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env={**os.environ, **LAVAPIPE, **environment})
    if done.returncode:
        raise Failed(f"expected {command[0]} to succeed on the host\n"
                     f"    seen status {done.returncode}: {(done.stdout + done.stderr)[-1500:]}")
    return done.stdout


def json_on_host(command, **options):
    """What a program of guest/ prints: one JSON object on its last line."""
    return json.loads(on_host(command, **options).strip().splitlines()[-1])
