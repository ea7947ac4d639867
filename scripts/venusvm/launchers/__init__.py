# SPDX-License-Identifier: MIT
"""The launchers: each boots one kind of system for a person."""
