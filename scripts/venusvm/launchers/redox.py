# SPDX-License-Identifier: MIT
"""The launcher of Redox OS: see run-redox.sh --help."""

import sys

from venusvm import guest as vm
from venusvm.launchers import common

DESCRIPTION = """\
Boots a Redox OS image of yours with a virtio-gpu-venus device. Redox' driver uses 2D only: it shows
pictures, without Vulkan."""

EPILOG = """\
examples:
  run-redox.sh redox_desktop_x86_64_harddrive.img --window
  run-redox.sh redox_desktop_x86_64_livedisk.iso --vnc 5901 --resolution 1920x1080
  run-redox.sh harddrive.img --snapshot        leave the image as it is

Images are Redox' own, for x86_64: a hard disk (.img), or a live disk (.iso). They start by a BIOS, or
with --uefi by UEFI, which is then kept beside the image as IMAGE.code.fd and IMAGE.vars.fd. ACCEL=tcg,
kvm or hvf chooses the accelerator, as --accel does; FIRMWARE_DIRS, a list with colons, says where else
firmware is."""


def parse(arguments):
    parser = common.Parser(prog="run-redox.sh", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("image", metavar="IMAGE", help="Redox' disk")
    parser.add_argument("--uefi", action="store_true", help="start it by UEFI instead of a BIOS")
    common.add_options(parser, "2G")
    options = parser.parse_args(arguments)
    options.image = common.existing(parser, options.image, "image")
    common.check_display(parser, options)
    if options.firmware and not options.uefi:
        parser.error("--firmware goes with --uefi")
    if options.uefi:
        options.firmware = common.find_firmware(parser, "x86_64", options.firmware)
    return options


def main():
    options = parse(sys.argv[1:])
    vm.end_on_signals()
    machine = common.Launch(options)
    # Its driver wants the modern virtio device, which the VGA one is too; the boot loader wants VGA.
    machine.machine("virtio-vga-venus")
    if options.uefi:
        machine.firmware(options.firmware, options.image)
    machine.network("e1000", None)
    machine.words += ["-device", "qemu-xhci", "-device", "usb-tablet"]
    if common.is_iso(options.image):
        machine.words += common.drive("disk", options.image, "format=raw", "media=cdrom", "readonly=on")
        machine.words += ["-device", "ide-cd,drive=disk,bootindex=0"]
    else:
        machine.words += common.drive("disk", options.image, f"format={common.disk_format(options.image)}",
                                      *(["snapshot=on"] if options.snapshot else []))
        machine.words += ["-device", "nvme,drive=disk,serial=redox,bootindex=0"]
    return machine.run("run-redox.sh", options.image.parent)
