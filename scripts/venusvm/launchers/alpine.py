# SPDX-License-Identifier: MIT
"""The launcher of Alpine and other distributions' images: see run-alpine.sh --help."""

import os
import sys
from pathlib import Path

from venusvm import guest as vm
from venusvm.launchers import common

DESCRIPTION = """\
Installs Alpine Linux, or another distribution, on a disk of yours and boots it, with a
virtio-gpu-venus device and UEFI. Vulkan in it needs Mesa's Venus driver."""

EPILOG = """\
examples:
  run-alpine.sh install --iso alpine-virt.iso --disk alpine.img --window
  run-alpine.sh run --disk alpine.img --window --hostmem 4G
  run-alpine.sh run --disk alpine.img          no window: log in here, or with ssh -p 2222
  run-alpine.sh run --disk debian-arm64.qcow2 --arch aarch64

Install makes the disk if there is none, boots the ISO from a virtual DVD, and has the disk beside it;
run boots the disk. The firmware and its variables are kept beside the disk, as DISK.code.fd and
DISK.vars.fd. ACCEL=tcg, kvm or hvf chooses the accelerator, as --accel does; FIRMWARE_DIRS, a list
with colons, says where else firmware is. Our own guest is run-guest.sh's. On a Mac QEMU is the one that
build-macos.sh builds (docs/macos.md)."""


def parse(arguments, host):
    parser = common.Parser(prog="run-alpine.sh", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("mode", choices=["install", "run"], help="install from an ISO, or run what there is")
    parser.add_argument("--disk", metavar="FILE", required=True, help="the machine's disk, raw or qcow2")
    parser.add_argument("--iso", metavar="FILE", help="what to install from")
    parser.add_argument("--disk-size", type=common.size, metavar="SIZE",
                        help="with install: of the disk, if there is none (8G)")
    parser.add_argument("--arch", choices=["x86_64", "aarch64"],
                        help="of the machine; this one's if not given")
    parser.add_argument("--ssh", type=common.port, metavar="PORT", default=2222,
                        help="port of this machine that leads to the guest's ssh, or off (2222)")
    common.add_options(parser, "2G")
    options = parser.parse_args(arguments)
    options.arch = options.arch or (host.arch if host.arch in common.MACHINE else "x86_64")
    if options.mode == "install":
        check_install(parser, options)
    else:
        if options.iso:
            parser.error("--iso goes with install")
        if options.disk_size:
            parser.error("--disk-size goes with install")
        if not Path(options.disk).is_file():
            parser.error(f"there is no disk {options.disk}: make one with run-alpine.sh install --iso FILE")
    options.disk = Path(options.disk).resolve()
    if options.disk.is_file() and common.is_iso(options.disk):
        parser.error(f"{options.disk} is an ISO, no disk: give it with install --iso")
    common.check_display(parser, options, host)
    options.firmware = common.find_firmware(parser, options.arch, options.firmware, host, options.qemu)
    return options


def check_install(parser, options):
    if not options.iso:
        parser.error("install needs --iso FILE, such as Alpine's alpine-virt ISO")
    if options.snapshot:
        parser.error("--snapshot would forget what is installed: it goes with run")
    options.iso = common.existing(parser, options.iso, "ISO")
    if not common.is_iso(options.iso):
        parser.error(f"{options.iso} is no ISO")
    if Path(options.disk).is_file() and options.disk_size:
        parser.error(f"{options.disk} is there already: leave --disk-size out to install on it")
    if not Path(options.disk).resolve().parent.is_dir():
        parser.error(f"there is no directory {Path(options.disk).resolve().parent} for the disk")


def in_bytes(text):
    """A size such as 8G; plain numbers are MiB, as QEMU takes them."""
    unit = "KMGT".find(text[-1])
    return int(text.rstrip("KMGT")) << (20 if unit < 0 else 10 * (unit + 1))


def main(arguments=None, host=common.HERE):
    options = parse(sys.argv[1:] if arguments is None else arguments, host)
    vm.end_on_signals()
    disk = options.disk
    kind = common.disk_format(disk) if disk.is_file() else "raw"
    machine = common.Launch(options, options.arch, host)
    # A VGA display until the guest's driver starts, where machines have such.
    machine.machine("virtio-vga-venus" if options.arch == "x86_64" else "virtio-gpu-venus-pci")
    machine.firmware(options.firmware, disk)
    machine.network("virtio-net-pci", options.ssh)
    machine.words += ["-device", "virtio-rng-pci", "-device", "virtio-keyboard-pci",
                      "-device", "virtio-tablet-pci"]
    machine.words += common.drive("disk", disk, f"format={kind}",
                                  *(["snapshot=on"] if options.snapshot else []))
    machine.words += ["-device", "virtio-blk-pci,drive=disk,bootindex=1"]
    if options.iso:
        machine.words += common.drive("iso", options.iso, "format=raw", "media=cdrom", "readonly=on")
        machine.words += ["-device", "virtio-scsi-pci", "-device", "scsi-cd,drive=iso,bootindex=0"]
    if options.mode == "install" and not disk.exists() and not options.dry_run:
        with open(disk, "wb") as file:
            os.truncate(file.fileno(), in_bytes(options.disk_size or "8G"))
    return machine.run("run-alpine.sh", disk.parent, options.ssh)
