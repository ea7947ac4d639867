#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What macos-report.sh starts."""

from venusvm import mac_report
from venusvm.program import run

if __name__ == "__main__":
    run(mac_report.main, "macos-report.sh")
