# SPDX-License-Identifier: MIT
"""What an example is, for the catalogue: how it is run, and what came of it.

A module of examples has a list ENTRIES of Entry. Its functions run on a Stage, which has the guests, the
host and a folder for files; what they return is shown in docs/examples.md as it is.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Optional


@dataclass
class Result:
    """What an example did. Numbers are (what, in the guest) or (what, in the guest, on the host), as text,
    in the order in which they are to be read; the first one stands in the table of all examples."""
    numbers: list = field(default_factory=list)
    picture: Optional[Path] = None  # a PNG of what the guest drew or showed
    against_host: str = ""          # how it compares with the same on the host, with the tolerance
    wrong: str = ""                 # why it does not work; empty if it does


@dataclass
class Entry:
    """An example: name is also its picture's, text says what it shows or what it needed."""
    name: str
    title: str
    text: str
    command: str                    # as typed into the guest's shell
    run: Callable                   # takes the Stage, returns a Result; raises Failed or GuestError
    guest: str = "plain"            # or "dmabuf": a host whose Vulkan has dma-bufs, or a stand-in for them


def entry(name, title, text, command, function, guest="plain"):
    """An Entry whose function is told which one it is."""
    made = Entry(name, title, text, command, lambda stage: function(stage, made), guest)
    return made
