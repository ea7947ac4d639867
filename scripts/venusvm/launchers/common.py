# SPDX-License-Identifier: MIT
"""What the launchers share: how options are read; and those of other systems: firmware, and QEMU's words.

These boot what a person brings: a disk, an ISO. Our own guest is venusvm.guest's. With --dry-run nothing is built,
made or booted: QEMU is then named as such, and an accelerator that would be tried is taken to work.
"""

import argparse
import os
import platform
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from venusvm import arm_window, doctor, guest as vm

# Where distributions put UEFI firmware, as (code, variables); the first that is there is taken.
FIRMWARE = {
    "x86_64": [("OVMF/OVMF_CODE_4M.fd", "OVMF/OVMF_VARS_4M.fd"),                       # Debian, Ubuntu
               ("edk2/ovmf/OVMF_CODE.fd", "edk2/ovmf/OVMF_VARS.fd"),                   # Fedora
               ("edk2/x64/OVMF_CODE.4m.fd", "edk2/x64/OVMF_VARS.4m.fd"),               # Arch
               ("OVMF/OVMF_CODE.fd", "OVMF/OVMF_VARS.fd"),                             # Alpine, older Debian
               ("qemu/edk2-x86_64-code.fd", "qemu/edk2-i386-vars.fd")],                # QEMU's own
    "aarch64": [("AAVMF/AAVMF_CODE.fd", "AAVMF/AAVMF_VARS.fd"),                        # Debian, Fedora
                ("edk2/aarch64/QEMU_EFI-pflash.raw", "edk2/aarch64/vars-template-pflash.raw"),
                ("edk2/aarch64/QEMU_CODE.fd", "edk2/aarch64/QEMU_VARS.fd"),            # Arch
                ("AAVMF/QEMU_EFI.fd", "AAVMF/QEMU_VARS.fd"),                           # Alpine
                ("qemu/edk2-aarch64-code.fd", "qemu/edk2-arm-vars.fd")],
}
PLACES = "/usr/share:/usr/local/share"
# Homebrew's QEMU, linked and not, on Apple's processors and on Intel's.
PLACES_ON_A_MAC = ("/opt/homebrew/share:/usr/local/share:/opt/homebrew/opt/qemu/share:/usr/local/opt/qemu/share")
PACKAGES = {"x86_64": "ovmf (Fedora: edk2-ovmf)", "aarch64": "qemu-efi-aarch64 (Fedora: edk2-aarch64)"}
PFLASH = {"aarch64": 64 << 20}  # the size of QEMU's flash there; a smaller file is padded
MACHINE = {"x86_64": "q35", "aarch64": "virt"}
SOON = 30  # seconds; a QEMU that has ended with an error by then did not start


class Host(NamedTuple):
    """The machine that the launchers run on."""

    mac: bool
    arch: str


HERE = Host(platform.system() == "Darwin", vm.OURS)


def mac_prefix():
    """Where build-macos.sh installs."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache, "virtio-gpu-venus", "macos", "prefix")


class Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog):
        super().__init__(prog, max_help_position=26, width=100)


class Parser(argparse.ArgumentParser):
    """One that says what is wrong in one line, and where to look."""

    def __init__(self, **options):
        super().__init__(formatter_class=Formatter, allow_abbrev=False, **options)

    def error(self, message):
        program = self.prog.split()[0]
        sys.exit(f"{program}: {message}; see {program} --help")


def size(text):
    if not re.fullmatch(r"[1-9]\d*[KMGT]?", text):
        raise argparse.ArgumentTypeError(f"'{text}' is no size: write 512M or 4G")
    return text


def hostmem(text):
    number = int(size(text).rstrip("KMGT"))
    if number & (number - 1) or text[-1] not in "MGT":
        raise argparse.ArgumentTypeError(f"'{text}' is no power of two: write 1G, 2G or 4G")
    return text


def mebibytes(size_of_window):
    """A size such as 4G, as hostmem() takes it."""
    return int(size_of_window[:-1]) << 10 * "MGT".index(size_of_window[-1])


def resolution(text):
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    if not found or not (64 <= int(found[1]) <= 16384 and 64 <= int(found[2]) <= 16384):
        raise argparse.ArgumentTypeError(f"'{text}' is no resolution: write 1280x800")
    return int(found[1]), int(found[2])


def port(text):
    if text == "off":
        return None
    if not text.isdigit() or not 1024 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"'{text}' is no port: write 1024 to 65535, or off")
    return int(text)


def cpus(text):
    if not text.isdigit() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of processors: write 1 to 64")
    return int(text)


def vnc(text):
    if not text.isdigit() or not 5900 <= int(text) <= 5999:
        raise argparse.ArgumentTypeError(f"'{text}' is no port of VNC's: write 5900 to 5999")
    return int(text)


def add_options(parser, memory):
    """The options that every launcher of another system has."""
    where = parser.add_argument_group("where the picture goes").add_mutually_exclusive_group()
    where.add_argument("--window", action="store_true", help="a window, of SDL or on a Mac of Cocoa; needs a display")
    where.add_argument("--vnc", metavar="PORT", type=vnc, help="a VNC server on this machine only")
    where.add_argument("--no-window", action="store_true", help="nowhere; that is the default")
    machine = parser.add_argument_group("the machine")
    machine.add_argument("--memory", type=size, default=memory, help=f"of the guest ({memory})")
    machine.add_argument("--hostmem", type=hostmem,
                         help="window for the host's Vulkan memory, a power of two (1G; on a Mac 256M where no more fits)")
    machine.add_argument("--resolution", type=resolution, metavar="WxH", default=(1280, 800),
                         help="of the display (1280x800)")
    machine.add_argument("--cpus", type=cpus, metavar="N", default=2, help="virtual processors (2)")
    machine.add_argument("--accel", choices=["kvm", "hvf", "tcg"], help="found by trying if not given")
    machine.add_argument("--snapshot", action="store_true", help="write nothing to the disk")
    machine.add_argument("--qemu", metavar="PROGRAM", help="a QEMU of your own that has the device")
    machine.add_argument("--firmware", metavar="CODE:VARS",
                         help="UEFI firmware; found in the usual places if not given")
    machine.add_argument("--qemu-arg", action="append", default=[], metavar="ARG",
                         help="one more word for QEMU's command line")
    machine.add_argument("--dry-run", action="store_true", help="print QEMU's command line and end")


def check_display(parser, options, host=HERE):
    if options.window and not host.mac and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        parser.error("--window needs a display, and neither DISPLAY nor WAYLAND_DISPLAY is set: "
                     "use --vnc 5900")


def existing(parser, path, what):
    """A file that must be there, as an absolute path."""
    if not Path(path).is_file():
        parser.error(f"there is no {what} {path}")
    return Path(path).resolve()


def is_iso(path):
    with open(path, "rb") as file:
        file.seek(0x8001)
        return file.read(5) == b"CD001"


def disk_format(path):
    with open(path, "rb") as file:
        return "qcow2" if file.read(4) == b"QFI\xfb" else "raw"


def find_firmware(parser, arch, given, host=HERE, qemu=None):
    """UEFI firmware as (code, variables). qemu: the one that was asked for; on a Mac it brings firmware along."""
    if given:
        parts = given.split(":")
        if len(parts) != 2:
            parser.error(f"--firmware is two files, CODE:VARS, not {given}")
        return tuple(existing(parser, part, "firmware") for part in parts)
    prefixes = [*([Path(shutil.which(qemu) or qemu).resolve().parent.parent] if qemu else []), mac_prefix()]
    usual = ":".join([*(f"{prefix}/share" for prefix in prefixes), PLACES_ON_A_MAC]) if host.mac else PLACES
    places = os.environ.get("FIRMWARE_DIRS", usual).split(":")
    for place in places:
        for names in FIRMWARE[arch]:
            code, variables = (Path(place, name) for name in names)
            if code.is_file() and variables.is_file():
                return code, variables
    package = "qemu (brew install qemu)" if host.mac else PACKAGES[arch]
    return parser.error(f"there is no UEFI firmware for {arch} in {' or '.join(places)}: install "
                        f"{package}, or give --firmware CODE:VARS")


def accelerator(arch, given, qemu, dry, host=HERE):
    """The accelerator and, for a person, why."""
    wanted = given or os.environ.get("ACCEL")
    if wanted:
        return wanted, f"{wanted}: as asked for"
    if arch != host.arch:
        return "tcg", f"tcg: {arch} is emulated on {host.arch} (slow)"
    if host.mac:
        return "hvf", "hvf: this is a Mac"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg", "tcg: there is no /dev/kvm that we may open (slow)"
    if dry or arch != "x86_64":
        return "kvm", "kvm: /dev/kvm opens (not tried)"
    return vm.pick_accel(qemu, vm.made_by("guest-image.sh"))


def quoted(path):
    """A file's name inside one of QEMU's options."""
    return str(path).replace(",", ",,")


def drive(name, path, *more):
    return ["-drive", ",".join(["if=none", f"id={name}", f"file={quoted(path)}", *more])]


class Launch:
    """QEMU's command line, put together and run."""

    def __init__(self, options, arch="x86_64", host=HERE):
        self.options, self.arch, self.host, self.copies = options, arch, host, []
        self.in_root = not options.qemu and not host.mac
        if options.qemu:
            self.qemu = options.qemu
        elif options.dry_run:
            self.qemu = f"qemu-system-{arch}"
        elif host.mac:
            self.qemu = str(mac_prefix() / "bin" / f"qemu-system-{arch}")
            if not os.access(self.qemu, os.X_OK):
                raise vm.GuestError(f"there is no {self.qemu}: run scripts/build-macos.sh, or give --qemu")
        else:
            self.qemu = str(vm.made_by("build-qemu.sh", "--arch", arch))
        self.accel, self.why = accelerator(arch, options.accel, self.qemu, options.dry_run, host)
        # Where the guest's addresses end is the processor's affair on a Mac, not 4 GiB.
        self.kind = f"{MACHINE[arch]},highmem=on" if host.mac and arch == "aarch64" else MACHINE[arch]
        self.cpu = vm.MACHINES[arch]["emulated"] if self.accel.startswith("tcg") else "host"
        self.hostmem, self.words = self.window(), []

    def window(self):
        """The size of the window: what was asked for, or what there is a place for."""
        wanted = self.options.hostmem
        if self.accel != "hvf" or self.arch != "aarch64" or self.options.dry_run or wanted == arm_window.SMALL or (
                arm_window.is_large([self.qemu], self.kind, self.accel, self.cpu)):
            return wanted or "1G"
        if wanted and mebibytes(wanted) > mebibytes(arm_window.SMALL):
            raise vm.GuestError(f"there is no place for --hostmem {wanted}, as this Mac gives a guest addresses of less than "
                                f"40 bits: use {arm_window.SMALL}")
        print(f"hostmem is {wanted or arm_window.SMALL}: this Mac gives a guest no addresses for more than {arm_window.SMALL}",
              file=sys.stderr)
        return wanted or arm_window.SMALL

    def machine(self, device):
        """The machine, its memory, its display, and what every guest has."""
        options = self.options
        width, height = options.resolution
        display = ("cocoa" if self.host.mac else "sdl,gl=off") if options.window else "none"
        # A Mac has no memfd.
        memory = "memory-backend-shm" if self.host.mac else "memory-backend-memfd"
        self.words += [
            "-nodefaults", "-no-user-config", "-M", f"{self.kind},memory-backend=mem",
            "-accel", "tcg,thread=multi" if self.accel == "tcg" else self.accel,
            "-cpu", self.cpu,
            "-smp", str(options.cpus), "-m", options.memory,
            "-object", f"{memory},id=mem,size={options.memory},share=on",
            "-device", f"{device},id=gpu,hostmem={self.hostmem},xres={width},yres={height}",
            "-display", display, "-serial", "mon:stdio"]
        if options.vnc:
            self.words += ["-vnc", f"127.0.0.1:{options.vnc - 5900}"]

    def firmware(self, found, disk):
        """UEFI, copied beside the disk: it remembers what to boot for as long as there is the disk."""
        for index, (origin, kind) in enumerate(zip(found, ("code", "vars"))):
            # Firmware is no good to QEMU where it is: the root that it runs in has another /usr.
            copy = disk.with_name(f"{disk.name}.{kind}.fd")
            self.copies.append((origin, copy))
            readonly = ",readonly=on" if kind == "code" else ""
            self.words += ["-drive", f"if=pflash,unit={index},format=raw,file={quoted(copy)}{readonly}"]

    def network(self, device, ssh):
        forward = f",hostfwd=tcp:127.0.0.1:{ssh}-:22" if ssh else ""
        self.words += ["-netdev", f"user,id=net{forward}", "-device", f"{device},netdev=net"]

    def command(self):
        root = [str(vm.SCRIPTS / "in-root.sh"), "--die-with-parent", "--"] if self.in_root else []
        return [*root, self.qemu, *self.words, *self.options.qemu_arg]

    def run(self, program, folder, ssh=None):
        """Prints the command line, or runs it to its end; returns the exit status."""
        print(f"accelerator {self.why}", file=sys.stderr)
        if self.options.dry_run:
            print(shlex.join(self.command()))
            return 0
        if ssh and not port_is_free(ssh):
            sys.exit(f"{program}: port {ssh} is in use on this machine: use --ssh with another, or off")
        for origin, copy in self.copies:
            if not copy.exists():
                shutil.copyfile(origin, copy)
                if copy.stat().st_size < PFLASH.get(self.arch, 0):
                    os.truncate(copy, PFLASH[self.arch])
        if ssh:
            print(f"ssh to it: ssh -p {ssh} USER@127.0.0.1", file=sys.stderr)
        if self.options.vnc:
            print(f"the picture is at vnc://127.0.0.1:{self.options.vnc}", file=sys.stderr)
        print("its serial port is this terminal; Ctrl-A X ends it", file=sys.stderr)
        # The root that QEMU runs in has another /var, but for where we stand.
        folder = folder if self.in_root and folder.is_relative_to("/var") else None
        begin = time.monotonic()
        with subprocess.Popen(self.command(), cwd=folder) as child:
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, lambda *_: child.terminate())
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the guest
            status = child.wait()
        if status > 0 and self.in_root and time.monotonic() - begin < SOON:
            doctor.explain(self.qemu)
        return status


def port_is_free(number):
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", number))
        except OSError:
            return False
        return True
