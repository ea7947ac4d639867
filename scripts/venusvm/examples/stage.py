# SPDX-License-Identifier: MIT
"""Where the examples run: the guests, the host beside them, and a folder for what comes of it."""

from venusvm import host, surroundings
from venusvm import screen as screens
from venusvm.guest import TOP
from venusvm.shared_guest import SharedGuest

OUT = TOP / "out" / "examples"


class Stage:
    """There are two guests, which differ in what their host's Vulkan can do: that of "plain" is lavapipe as it is,
    that of "dmabuf" has dma-bufs, for which something stands in for /dev/udmabuf (tests/standin). One runs at
    a time, so that what one does is not in the other's figures."""

    def __init__(self, accel=None, qemu=None, seconds=60):
        self.options = {"accel": accel, "qemu": qemu}
        self.seconds = seconds  # how long those of endurance.py run
        self.kind = self.shared = None
        self.environment = {}
        OUT.mkdir(parents=True, exist_ok=True)

    def guest(self, kind="plain", fresh=False):
        """A running Guest of this kind. fresh: just booted, so no window system has its display yet."""
        if fresh or kind != self.kind or not self.shared.guest or self.shared.guest.process.poll() is not None:
            self.close()
            preload = {"plain": lambda: None, "dmabuf": screens.standin}[kind]()
            self.kind, self.shared = kind, SharedGuest({**self.options, "preload": preload})
        guest = self.shared.get()
        if not self.environment:
            self.environment = {**surroundings.of_host(), **surroundings.of_guest(guest)}
        return guest

    @staticmethod
    def file(name):
        """A file that stays."""
        return OUT / name

    def screen(self, guest, name, output=0):
        """What an output of the guest shows, as a Picture; kept as NAME.png too."""
        shown = screens.dump(guest, output)
        shown.write_png(self.file(f"{name}.png"))
        return shown

    def fetch(self, guest, path, name):
        """Copies a file out of the guest: the copy's Path."""
        return screens.fetch(guest, path, self.file(name))

    @staticmethod
    def tool(name):
        """A program of guest/, as it is on the host."""
        return host.host_tools() / name

    @staticmethod
    def on_host(command, timeout=300, **environment):
        """What a command, a list of words, prints on the host, with lavapipe; more environment if given."""
        return host.on_host(command, timeout, **environment)

    @staticmethod
    def host_json(command, timeout=300, **environment):
        """The JSON object on the last line that it prints."""
        return host.json_on_host(command, timeout=timeout, **environment)

    def tidy(self):
        """Ends what an example left running; says if QEMU itself has ended."""
        return self.shared.tidy() if self.shared else None

    def close(self):
        if self.shared:
            self.shared.close()
        self.kind = self.shared = None
