# SPDX-License-Identifier: MIT
"""Guests of their own: one on an SDL window and VNC at once, one on a host with no OpenGL at all."""

import tempfile
import time
from pathlib import Path

from venusvm import vnc
from venusvm.harness import VENUS, expect, guests, host_tools, json_on_host, picture, without_egl
from venusvm.host_screen import SDL, HostScreen

SIZE = (800, 600)


def test_sdl_and_vnc(case):
    """an SDL window, VNC and screendump show the same frame of vkcube, with virtio-vga-venus"""
    with HostScreen(1024, 768) as host, tempfile.TemporaryDirectory(prefix="venus-vnc-") as folder:
        socket = Path(folder, "vnc")
        environment = {"DISPLAY": host.display, **SDL}
        with case.another_guest(device="virtio-vga-venus", resolution=SIZE, display="sdl,gl=off",
                                env=environment, qemu_args=["-vnc", f"unix:{socket}"]) as guest:
            layer = guests.frames_environment(log="/tmp/frames", hold=30)
            guest.spawn(f"wl --kiosk {layer} vkcube --wsi wayland --width 800 --height 600")
            case.wait_for(lambda: (guest.run("test -s /tmp/frames", check=False).status == 0, "none"),
                          "vkcube's frame 30", timeout=120)
            time.sleep(1)  # the compositor shows it within a frame
            dump = case.screen("dump", guest)
            expect((dump.width, dump.height) == SIZE and dump.colours() > 500,
                   f"a cube on a display of {SIZE}", dump)
            seen = vnc.look(socket)
            seen.write_png(case.file("vnc.png"))
            expect(seen.rgb == dump.rgb, "the screendump's picture over VNC",
                   picture.Difference(seen, dump))
            window = host.settled()
            window.write_png(case.file("sdl.png"))
            expect(window.find(dump), "the screendump's picture in the SDL window",
                   f"it nowhere in {window}; see {case.file('sdl.png')}")


def test_private_memory(case):
    """with guest memory that is not shared, and no OpenGL libraries on the host, it works too"""
    with case.another_guest(in_root=without_egl(case), memory_share="off") as guest:
        summary = guest.run(f"{VENUS} vulkaninfo --summary").output
        expect("DRIVER_ID_MESA_VENUS" in summary, "Venus in vulkaninfo", summary[-1500:])
        seen = guest.run_json(f"{VENUS} frame")["crc32"]
        wanted = json_on_host([host_tools() / "frame"])["crc32"]
        expect(seen == wanted, f"the host's frame, checksum {wanted}", seen)
        guest.run("wl vkcube --wsi wayland --c 60")
