# SPDX-License-Identifier: MIT
"""Expectations that say what they saw when they are not met."""

import time


class Failed(Exception):
    """An expectation was not met: what was expected and what was seen."""


def expect(condition, expected, seen):
    if not condition:
        raise Failed(f"expected {expected}\n    seen {seen}")


def wait_for(question, expected, timeout=30):
    """Asks until the answer is true; fails with the last answer's words if it never is.

    The question returns (answer, what was seen).
    """
    deadline = time.monotonic() + timeout
    while True:
        answer, seen = question()
        if answer:
            return
        if time.monotonic() > deadline:
            raise Failed(f"expected within {timeout} s: {expected}\n    seen {seen}")
        time.sleep(0.2)
