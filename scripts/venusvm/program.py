# SPDX-License-Identifier: MIT
"""How a program ends: with a status of its own, with a line that says what is wrong, or by Ctrl-C."""

import sys
from pathlib import Path

from venusvm.guest import GuestError


def run(main, name=None, failures=(GuestError,)):
    """Runs a program's main() and exits with the status that it returns.

    name: as it is called in messages, if not by its file's name. failures: which exceptions are messages.
    """
    try:
        sys.exit(main())
    except failures as failure:
        sys.exit(f"{name or Path(sys.argv[0]).name}: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
