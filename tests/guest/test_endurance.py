# SPDX-License-Identifier: MIT
"""After programs that take and give back a great deal, QEMU and the render server hold what they held before.

The short form of what `make examples` does for a minute each; venusvm.examples.endurance says how growth is
told from what is none. In so few seconds a page of memory lost for each thing is noticed where there are enough
things; lost descriptors, processes, blobs and mappings are always.
"""

from venusvm.examples.endurance import endure

SECONDS = 6


def check(case, command, things, times):
    result, held = endure(case.guest, command, things, SECONDS, SECONDS, times)
    case.note(f"{result[things]} {things}; before and after: {', '.join(f'{one.memory:.1f}' for one in held)} MiB; "
              f"{held[-1].descriptors()} descriptors")


def test_contexts(case):
    """eight processes and threads that come and go leave nothing behind"""
    check(case, "multi_context --contexts 8", "pieces", 0)


def test_churn(case):
    """nor do memories, buffers and images"""
    check(case, "resource_churn", "made", 1)


def test_fences(case):
    """nor thousands of submits"""
    check(case, "fence_stress", "submits", 1)
