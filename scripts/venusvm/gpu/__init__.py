# SPDX-License-Identifier: MIT
"""What `run` of the payload for a machine with a GPU does: the same tests and programs on the host and in a guest."""
