#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows again what bench.py measured: see report.py --help."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from venusvm.bench import report  # noqa: E402
from venusvm.program import run  # noqa: E402

if __name__ == "__main__":
    run(report.main)
