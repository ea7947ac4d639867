# SPDX-License-Identifier: MIT
"""The guest on this machine: QEMU out of the payload, and ggml's programs beside the micro guest's own."""

import contextlib
import os
import shutil
import stat
from pathlib import Path

from venusvm.guest import MACHINES, Guest, kernel_runs

GGML = "opt/ggml"


def archive(path, files):
    """Writes a cpio archive as the kernel takes it: files, {name in the guest: path on the host}."""
    folders = {str(parent) for name in files for parent in Path(name).parents if str(parent) != "."}
    entries = [(name, stat.S_IFDIR | 0o755, None) for name in sorted(folders)]
    entries += [(name, stat.S_IFREG | 0o755, source) for name, source in sorted(files.items())]
    with open(path, "wb") as out:
        for number, (name, mode, source) in enumerate([*entries, ("TRAILER!!!", 0, None)], 1):
            size = source.stat().st_size if source else 0
            fields = (number, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(name) + 1, 0)
            out.write(b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0")
            out.write(b"\0" * (-out.tell() % 4))
            if source:
                with open(source, "rb") as content:
                    shutil.copyfileobj(content, out)
            out.write(b"\0" * (-out.tell() % 4))


def pick_accel(place):
    """The accelerator, and why it is that."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg", "there is no /dev/kvm that we may open"
    qemu = [*place.command(place.top / "bin" / "qemu-system-x86_64"), "-L", place.top / "firmware"]
    if kernel_runs(qemu, place.top / "boot" / "vmlinuz", "kvm", MACHINES["x86_64"]):
        return "kvm", "KVM runs the guest's kernel"
    return "tcg", "there is KVM, but it does not run the guest's kernel"


class GpuGuest(Guest):
    """A guest of the payload's."""

    def __init__(self, place, memory="4G", accel=None):
        self.place = place
        qemu, image = place.top / "bin" / "qemu-system-x86_64", place.top / "boot"
        self.runs_qemu = [*place.command(qemu, preload=[place.top / "modules" / "preload.so"])]
        accel, why = (accel, "as asked for") if accel else pick_accel(place)
        super().__init__(qemu=qemu, image=image, memory=memory, hostmem="8G", smp=2, accel=accel,
                         properties={"present": "off", "render-server": str(place.server)})
        self.env = {**place.environment, "QEMU_MODULE_DIR": str(place.top / "modules")}
        self.accel_why, self.preload = why, []
        self.initrd = place.tmp / "initrd.img"
        self.make_initrd()

    def make_initrd(self):
        """The micro guest's, and an archive after it of ggml and of what that needs besides."""
        top = self.place.top
        files = {f"{GGML}/{path.name}": path for path in (top / "ggml").iterdir()}
        for name in ("libstdc++.so.6", "libgcc_s.so.1", "libgomp.so.1"):
            files[f"{GGML}/{name}"] = top / "lib-system" / name
        files[f"{GGML}/libm.so.6"] = top / "lib-c" / "libm.so.6"
        extra = self.place.tmp / "extra.cpio"
        archive(extra, files)
        with open(self.initrd, "wb") as out:
            for path in (self.image / "initrd.img", extra):
                with open(path, "rb") as content:
                    shutil.copyfileobj(content, out)
                out.write(b"\0" * (-out.tell() % 4))
        extra.unlink()

    def prefix(self):
        return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []

    def command_line(self):
        words = super().command_line()
        at = words.index(self.qemu)
        words[at:at + 1] = [*self.runs_qemu, "-L", self.place.top / "firmware"]
        words[words.index(self.image / "initrd.img")] = self.initrd
        return words

    def close(self):
        super().close()
        with contextlib.suppress(OSError):
            self.initrd.unlink()
