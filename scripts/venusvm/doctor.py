# SPDX-License-Identifier: MIT
"""What venus-gpu-doctor says when QEMU or the device does not start: what is wrong with this host, and what helps."""

import json
import subprocess
import sys

from venusvm.guest import GuestError, SCRIPTS, made_by
from venusvm.host import STOCK_QEMU

BOUND = 120  # seconds; it has bounds of its own


def findings(qemu, in_root=()):
    """All that the doctor finds, in the root that QEMU runs in; nothing if it cannot be asked."""
    try:
        doctor = made_by("build-lib.sh", *(option for option in in_root if option == STOCK_QEMU)) / "bin" / "venus-gpu-doctor"
        done = subprocess.run([SCRIPTS / "in-root.sh", "--die-with-parent", *in_root, "--", doctor, "--json",
                               "--qemu", qemu], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=BOUND, check=False)
        return json.loads(done.stdout)["findings"]
    except (GuestError, OSError, subprocess.SubprocessError, ValueError, KeyError):
        return []


def advice(found):
    """Lines for a person: what keeps the device from starting or, if nothing does, what could be better."""
    for status, heading in (("error", "venus-gpu-doctor found what keeps the device from running:"),
                            ("warning", "venus-gpu-doctor found nothing that keeps the device from running, but:")):
        lines = []
        for finding in found:
            if finding["status"] == status:
                about = f" ({finding['subject']})" if finding["subject"] else ""
                lines += [f"  {finding['id']}{about}: {finding['reason']}", f"    {finding['remedy']}"]
        if lines:
            return [heading, *lines]
    return []


def explain(qemu, in_root=()):
    """Asks the doctor, and prints what it advises."""
    for line in advice(findings(qemu, in_root)):
        print(line, file=sys.stderr, flush=True)
