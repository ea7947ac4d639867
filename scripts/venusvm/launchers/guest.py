# SPDX-License-Identifier: MIT
"""The launcher for a person: see run-guest.sh --help."""

import sys
import threading
import time

from venusvm import doctor, guest as vm, which_qemu
from venusvm.launchers.common import Parser, check_display, existing, resolution, size
from venusvm.screen import VENUS

DESCRIPTION = """\
Boots a Linux guest with a virtio-gpu-venus device: Vulkan in the guest, no OpenGL on the host."""

EPILOG = """\
examples:
  run-guest.sh --window --app 'vkcube --wsi wayland'   a window with vkcube in it
  run-guest.sh --shell         a root shell in this terminal; "wl vkcube --wsi wayland" runs a program
  run-guest.sh --app 'vkmark --winsys wayland'   no window; prints what the program prints
  run-guest.sh --vnc 5901 --resolution 1920x1080
  run-guest.sh --window --present swapchain --stats --app 'vkcube --wsi wayland'
  run-guest.sh --window --image my-disk.qcow2 --memory 8G --hostmem 4G
  run-guest.sh --micro --shell            a guest of 19 MB with our programs and no more
  run-guest.sh --arch aarch64 --shell             an aarch64 guest, emulated
  run-guest.sh --qemu-arg=-device --qemu-arg=virtio-net-pci

What is missing is made first (see make demo). ACCEL=tcg, kvm or hvf chooses the accelerator, as
--accel does; QEMU_SRC and GUEST_IMAGE choose other sources and another guest. The guest's disk is
never written to."""


def parse():
    parser = Parser(prog="run-guest.sh", description=DESCRIPTION, epilog=EPILOG)
    display = parser.add_argument_group("where the picture goes").add_mutually_exclusive_group()
    display.add_argument("--window", action="store_true", help="an SDL window; needs a display")
    display.add_argument("--vnc", metavar="PORT", type=int, help="a VNC server on this machine only")
    display.add_argument("--no-window", action="store_true", help="nowhere; that is the default")
    how = parser.add_argument_group("how it gets there")
    how.add_argument("--present", choices=["auto", "surface", "swapchain", "off"],
                     help="by the host's Vulkan (swapchain), by QEMU (surface), by the former where it can "
                          "do that in QEMU's window (auto, the default), or not at all")
    how.add_argument("--present-mode", choices=["fifo", "mailbox", "immediate"],
                     help="with Vulkan: each frame at a refresh of the display (fifo, the default), the "
                          "newest frame at a refresh, or each frame at once")
    how.add_argument("--stats", action="store_true",
                     help="print once a second how many frames were shown, and how")

    what = parser.add_argument_group("what runs")
    what.add_argument("--app", metavar="COMMAND", help="run a program under weston (with --micro by itself), print its output, end")
    what.add_argument("--shell", action="store_true", help="a root shell of the guest in this terminal")
    what.add_argument("--screenshot", metavar="FILE.png", help="with --app: save the screen before it ends")
    smaller = what.add_mutually_exclusive_group()
    smaller.add_argument("--small", dest="guest", action="store_const", const="small",
                         help="the guest of make demo: weston, vkcube, vkmark; half a minute to make")
    smaller.add_argument("--micro", dest="guest", action="store_const", const="micro",
                         help="a guest without weston and without a disk, in seconds: our own programs and vulkaninfo")
    what.add_argument("--image", metavar="FILE",
                      help="boot your own disk image instead; it needs Linux and Mesa's Venus driver")

    machine = parser.add_argument_group("the machine")
    machine.add_argument("--arch", choices=["x86_64", "aarch64"], default="x86_64",
                         help="its processors; for aarch64 a QEMU is built, which takes minutes (x86_64)")
    which_qemu.add_options(machine)
    machine.add_argument("--memory", type=size, default="2G", help="of the guest (2G)")
    machine.add_argument("--hostmem", type=size, default="1G",
                         help="window for the host's Vulkan memory, a power of two (1G)")
    machine.add_argument("--resolution", type=resolution, metavar="WxH", default=(1280, 800),
                         help="of the first output (1280x800)")
    machine.add_argument("--outputs", type=int, metavar="N", default=1, help="1 to 16 (1)")
    machine.add_argument("--cpus", type=int, metavar="N", default=2, help="virtual processors (2)")
    machine.add_argument("--device", default="virtio-gpu-venus-pci",
                         choices=["virtio-gpu-venus-pci", "virtio-vga-venus"],
                         help="virtio-gpu-venus-pci or virtio-vga-venus; with --image the latter")
    machine.add_argument("--accel", choices=["kvm", "hvf", "tcg"], help="found by trying if not given")
    machine.add_argument("--qemu-arg", action="append", default=[], metavar="ARG",
                         help="one more word for QEMU's command line")
    machine.add_argument("--dry-run", action="store_true", help="print QEMU's command line and end")
    return check(parser, parser.parse_args())


def check(parser, options):
    if not 1 <= options.outputs <= 16:
        parser.error(f"--outputs is 1 to 16, not {options.outputs}")
    if not 1 <= options.cpus <= 64:
        parser.error(f"--cpus is 1 to 64, not {options.cpus}")
    if options.vnc is not None and not 5900 <= options.vnc <= 5999:
        parser.error(f"--vnc is a port from 5900 to 5999, not {options.vnc}")
    if options.screenshot and not options.app:
        parser.error("--screenshot goes with --app")
    if options.app and options.shell:
        parser.error("--app and --shell exclude each other: run the program from the shell")
    if options.image:
        if options.app or options.shell:
            parser.error("--app and --shell need our own guest; in your image, use its own terminal")
        image = existing(parser, options.image, "image")
        if options.arch != "x86_64":
            parser.error("--image boots by a BIOS: run-alpine.sh boots an image for aarch64")
        options.device = "virtio-vga-venus"
        options.image = image
    if options.guest and (options.image or options.arch != "x86_64"):
        parser.error(f"--{options.guest} is a guest for x86_64, and no other image")
    if options.device == "virtio-vga-venus" and options.arch != "x86_64":
        parser.error(f"{options.arch} machines have no VGA: use virtio-gpu-venus-pci")
    check_display(parser, options)
    return options


def run_app(guest, options):
    """Runs the program and prints what it prints; returns its exit status."""
    job = guest.spawn(f"{VENUS} {options.app}" if guest.micro else f"wl {options.app}")
    shown = [0, 0]
    while True:
        ended = job.ended.wait(0.1)
        for i, (text, stream) in enumerate(((job.stdout, sys.stdout), (job.stderr, sys.stderr))):
            stream.buffer.write(text[shown[i]:])
            stream.flush()
            shown[i] = len(text)
        if ended:
            break
        guest.check_alive()
        if options.screenshot:
            guest.screendump(options.screenshot)
            time.sleep(1)
    return job.status


TIERS = {"present-dma-buf": "from dma-bufs", "present-opaque-fd": "from opaque descriptors",
         "present-host-pointer": "from host pointers", "present-staging": "through a copy"}


def what_changed(before, after, seconds):
    """One line about the time between two readings of the counters; empty if nothing happened."""
    def grown(name):
        return after.get(name, 0) - before.get(name, 0)

    def rate(name):
        return f"{grown(name) / seconds:.1f}"

    words = []
    if grown("flushes"):
        words.append(f"{rate('flushes')} flushes/s")
    if grown("present-frames"):
        tiers = [text for name, text in TIERS.items() if grown(name)]
        words.append(f"{rate('present-frames')} shown/s {' and '.join(tiers)}".rstrip())
    if grown("present-dropped"):
        words.append(f"{rate('present-dropped')} dropped/s")
    median, most = (vm.latency_percentile(before, after, share) for share in (0.5, 0.99))
    if median is not None:
        words.append(f"latency {median / 1000:.2f} ms, 99 % {most / 1000:.2f} ms")
    if grown("present-staging"):
        size = grown("present-staging-bytes") / seconds / 1e6
        words.append(f"{rate('present-staging')} staging copies/s, {size:.1f} MB/s")
    if grown("present-imports"):
        words.append(f"{grown('present-imports')} imports")
    return ", ".join(words)


def print_stats(guest):
    """Prints once a second what changed, until QEMU ends; a thread of its own."""
    try:
        before, then = guest.stats(), time.monotonic()
        while True:
            time.sleep(1)
            after, now = guest.stats(), time.monotonic()
            line = what_changed(before, after, now - then)
            if line:
                print(line, file=sys.stderr, flush=True)
            before, then = after, now
    except (vm.GuestError, OSError, ValueError):
        pass  # QEMU has ended, and others say so


def main():
    options = parse()
    vm.end_on_signals()
    arguments = list(options.qemu_arg)
    display = "none"
    if options.window:
        display = "sdl,gl=off"
    if options.vnc is not None:
        arguments += ["-vnc", f"127.0.0.1:{options.vnc - 5900}"]
    present = {"present": options.present, "present-mode": options.present_mode}
    chosen = which_qemu.choose(options, options.arch, options.guest)
    print(f"QEMU: {chosen.words}", file=sys.stderr)
    if chosen.kind == "module" and options.window and options.outputs > 1 and options.present != "surface":
        print("it shows outputs after the first by its own display; a QEMU of --built can present them too",
              file=sys.stderr)
    guest = vm.Guest(**chosen.options(), device=options.device, memory=options.memory, hostmem=options.hostmem,
                     properties={name: value for name, value in present.items() if value},
                     resolution=options.resolution, outputs=options.outputs, smp=options.cpus,
                     accel=options.accel, display=display, shell=options.shell, disk=options.image,
                     qemu_args=arguments, arch=options.arch)
    print(f"accelerator {guest.accel_why}", file=sys.stderr)
    if options.dry_run:
        print(guest.shell_words())
        return 0
    try:
        try:
            guest.start()
        except vm.GuestError:
            doctor.explain(guest.qemu, guest.in_root)
            raise
        if options.stats:
            threading.Thread(target=print_stats, args=(guest,), daemon=True).start()
        if options.vnc is not None:
            print(f"the picture is at vnc://127.0.0.1:{options.vnc}", file=sys.stderr)
        if options.app:
            guest.wait_for_agent()
            return run_app(guest, options)
        if not options.shell:
            print("the guest runs until you close it or press Ctrl-C", file=sys.stderr)
            if not options.image and not guest.micro and (options.window or options.vnc is not None):
                guest.wait_for_agent().run("wl")
        return guest.process.wait()
    finally:
        guest.close()
