#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What run-guest.sh, run-alpine.sh and run-redox.sh start: launch.py guest|alpine|redox [OPTION...]"""

import subprocess
import sys

from venusvm.guest import GuestError
from venusvm.launchers import alpine, guest, redox
from venusvm.program import run

SYSTEMS = {"guest": guest, "alpine": alpine, "redox": redox}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in SYSTEMS:
        sys.exit(f"usage: launch.py {'|'.join(SYSTEMS)} [OPTION...]")
    system = sys.argv.pop(1)
    run(SYSTEMS[system].main, f"run-{system}.sh", (GuestError, subprocess.SubprocessError))
