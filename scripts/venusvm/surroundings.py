# SPDX-License-Identifier: MIT
"""What figures depend on besides the code: the machine, its kernel, the versions of what is used."""

import os
import platform
import re
import subprocess
from pathlib import Path

from venusvm import guest as guests
from venusvm.screen import VENUS


def processor():
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        return re.search(r"model name\s*:\s*(.*)", text)[1]
    except (OSError, TypeError):
        return platform.machine()


def machine():
    """The processors, in words: what tests and figures ran on."""
    return f"{processor()}, {os.cpu_count()} cores"


def virglrenderer(in_root=()):
    """The version of virglrenderer in the root that QEMU runs in."""
    done = subprocess.run([guests.SCRIPTS / "in-root.sh", *in_root, "--", "pkg-config", "--modversion", "virglrenderer"],
                          stdout=subprocess.PIPE, text=True, check=False)
    return done.stdout.strip() or "unknown"


def commit():
    done = subprocess.run(["git", "-C", guests.TOP, "describe", "--always", "--dirty", "--exclude=*"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return done.stdout.strip() or "unknown"


def summary_fields(summary):
    """What vulkaninfo --summary says of the one device, by name."""
    return dict(re.findall(r"^\s*(\w+)\s*= (.*?)\s*$", summary, re.MULTILINE))


def driver_info(summary, name):
    """The driver of the first device of vulkaninfo --summary, after a name that a person knows."""
    found = re.search(r"driverInfo\s*=\s*(.*)", summary)
    return f"{name}, {found[1].strip()}" if found else "unknown"


def of_host():
    return {"machine": machine(), "kernel": platform.release(),
            "commit": commit(), "virglrenderer": virglrenderer()}


def of_guest(guest):
    """Of a running one, and of the QEMU that it runs in."""
    summary = guest.run(f"{VENUS} vulkaninfo --summary").output
    return {"accelerator": guest.accel_why, "QEMU": guest.qemu_version(), "renderer": guest.renderer(),
            "guest kernel": guest.run("uname -r").output.strip(),
            "guest driver": driver_info(summary, "Venus")}
