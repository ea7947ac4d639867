# SPDX-License-Identifier: MIT
"""Guests, their host and their pictures: what the programs of scripts/, bench/, examples/ and tests/ have in common.

Python 3.9 or newer and its standard library; nothing is installed. The package is beside the programs of scripts/,
which is where Python looks for it. A program elsewhere says in one line where that is; modules and tests never do:
scripts/check.py runs the tests, and by hand they want PYTHONPATH=scripts.
"""
