# SPDX-License-Identifier: MIT
"""The benchmark: the old device and the new one side by side."""
