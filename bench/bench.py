#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares the new device with QEMU's OpenGL one: venusvm.bench.compare says how."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from venusvm.bench import compare  # noqa: E402
from venusvm.program import run  # noqa: E402

if __name__ == "__main__":
    run(compare.main)
