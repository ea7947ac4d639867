#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the examples and writes docs/examples.md: venusvm.examples.catalogue says how."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from venusvm.examples import catalogue  # noqa: E402
from venusvm.program import run  # noqa: E402

if __name__ == "__main__":
    run(catalogue.main)
