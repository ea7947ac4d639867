# SPDX-License-Identifier: MIT
"""The examples: our programs and others', run in a guest and beside it on the host, and the page about them."""
