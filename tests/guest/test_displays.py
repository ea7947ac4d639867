# SPDX-License-Identifier: MIT
"""A guest whose display goes to an SDL window and to VNC at the same time, as well as to screendump."""

import os
import tempfile
import time
from pathlib import Path

import guest as vm
import host
import vnc
from test_guest import assert_same_picture, screen, wait_in_guest

GUEST = None  # each test makes its own
SIZE = (800, 600)


def test_sdl_and_vnc():
    """An SDL window, VNC and screendump show the same vkcube (virtio-vga-venus)"""
    with host.Xvfb(1024, 768) as xvfb, tempfile.TemporaryDirectory() as folder:
        socket = Path(folder, "vnc")
        env = {"DISPLAY": xvfb.display, "SDL_VIDEODRIVER": "x11", "SDL_RENDER_DRIVER": "software"}
        with vm.Guest(device="virtio-vga-venus", resolution=SIZE, display="sdl,gl=off", env=env,
                      qemu_args=["-vnc", f"unix:{socket}"]) as guest:
            job = guest.spawn(f"wl --kiosk {vm.frames_environment('/tmp/vkcube', 30)} "
                              "vkcube --wsi wayland --width 800 --height 600")
            wait_in_guest(guest, "test -s /tmp/vkcube", 120, "vkcube's frame 30")
            time.sleep(2)
            dump = screen(guest)
            assert (dump.width, dump.height) == SIZE, f"the screen has {dump.width}x{dump.height} pixels"
            assert dump.colours() > 1000, f"the screen has {dump.colours()} colours, so no textured cube"
            assert_same_picture(vnc.look(socket), dump, "vnc")
            window = xvfb.picture()
            # Without a window manager the window is somewhere: look for the dump's middle rows.
            place = find(window, dump)
            assert place, "the SDL window does not show what screendump shows"
            assert_same_picture(window.crop(*place, *SIZE), dump, "sdl")
            job.signal(9)


def find(window, dump):
    """Where a picture is inside a larger one."""
    y = dump.height // 2
    row = dump.rgb[3 * dump.width * y:3 * dump.width * (y + 1)]
    for top in range(window.height - dump.height + 1):
        at = window.rgb.find(row, 3 * window.width * (top + y), 3 * window.width * (top + y + 1))
        if at >= 0 and at % 3 == 0:
            return (at // 3) % window.width, top
    return None


def test_private_memory():
    """With guest memory that is not shared and no OpenGL libraries on the host, it works as well"""
    with vm.Guest(in_root=["--without-egl"], memory_share="off") as guest:
        text = guest.run("VK_DRIVER_FILES=/usr/share/vulkan/icd.d/virtio_icd.json vulkaninfo --summary").output
        assert "venus" in text, text
        there = guest.run_json("VK_DRIVER_FILES=/usr/share/vulkan/icd.d/virtio_icd.json frame")
        here = host.program("frame")
        assert there["crc32"] == here["crc32"], f"guest {there['crc32']}, host {here['crc32']}"
