# SPDX-License-Identifier: MIT
"""Desktops that the host's Vulkan draws, as docs/desktops.md says how: that page's variables are used here.

labwc is a compositor of wlroots, which draws with Vulkan; weston and kmscube draw with OpenGL ES, which Zink makes Vulkan
of. All draw into buffers that the kernel then shows, which takes dma-bufs of the host: these guests' QEMU
has a stand-in for /dev/udmabuf (tests/standin/udmabuf.c).
"""

import re

from venusvm.harness import TOP, VENUS, expect, picture
from venusvm.screen import fetch, standin, wait_until_held

SIZE = (800, 600)
GREY = (128, 128, 128)  # what kmscube clears the screen with
ZINK = ("MESA_LOADER_DRIVER_OVERRIDE", "LIBGL_ALWAYS_SOFTWARE", "VK_DRIVER_FILES")
SESSION = "XDG_RUNTIME_DIR=/run/desktop LIBSEAT_BACKEND=seatd"
PROGRAM = (f"env {VENUS} /opt/venus/wl_cube --frames 20 --size 320x240 --background 203048 --hold --png /tmp/cube.png")
# Nothing but windows on one colour.
WESTON = """[core]
idle-time=0
require-input=false
shell=desktop
[shell]
locking=false
startup-animation=none
panel-position=none
background-color=0xff808080
"""


def variables(*names):
    """What docs/desktops.md tells to set, as shell words; the names are there to be found."""
    blocks = re.findall(r"^```ini\n(.*?)^```", (TOP / "docs" / "desktops.md").read_text(encoding="utf-8"),
                        re.MULTILINE | re.DOTALL)
    found = dict(line.split("=", 1) for block in blocks if "[" not in block for line in block.splitlines())
    expect(set(names) <= set(found), f"{names} in docs/desktops.md", found)
    return " ".join(f"{name}={found[name]}" for name in names)


def start_session(guest):
    """What a compositor finds where somebody has logged in."""
    guest.run("mkdir -p -m 700 /run/desktop; SEATD_VTBOUND=0 setsid seatd >/run/seatd.log 2>&1 & "
              "until [ -S /run/seatd.sock ]; do sleep 0.1; done")


def wait_for_window(case, guest, job, name):
    """Waits until a window of PROGRAM's stands on the screen exactly as it was drawn. job: whose output says that it stays."""
    expect(wait_until_held(guest, job), "a window that stays", (job.output + job.errors)[-2000:])
    wanted = picture.read_png(fetch(guest, "/tmp/cube.png", case.file("wanted.png")))

    def question():
        seen = case.screen(name, guest)
        place = seen.find_row(wanted.pixel(0, 0), wanted.width)
        return place and seen.crop(*place, wanted.width, wanted.height).rgb == wanted.rgb, \
            f"{seen}, the window at {place}; see {case.file(f'{name}.png')}"

    case.wait_for(question, "the window, exactly as it was drawn", timeout=60)
    stats = guest.stats()
    expect(stats["contexts-lost"] == 0 and stats["shares-refused"] == 0, "nothing lost or refused", stats)


def test_labwc(case):
    """labwc draws with the host's Vulkan, and its window shows what the program in it has drawn"""
    with case.another_guest(preload=standin(), resolution=SIZE) as guest:
        start_session(guest)
        job = guest.spawn(f"export {SESSION} {variables('WLR_RENDERER')}; exec labwc -d -s '{PROGRAM}'")
        wait_for_window(case, guest, job, "labwc")
        expect(guest.stat("shares") > 0, "screen buffers in Vulkan's hands", guest.stats())
        expect("Created GBM allocator" in job.errors and "vulkan create_render_buffer" in job.errors,
               "labwc to say that Vulkan draws", job.errors[-2000:])


def test_weston(case):
    """weston draws with OpenGL ES by Zink, on the host's Vulkan, and its window shows what the program in it has drawn"""
    with case.another_guest(preload=standin(), resolution=SIZE) as guest:
        start_session(guest)
        guest.run("cat >/run/weston.ini", stdin=WESTON.encode())
        weston = guest.spawn(f"export {SESSION} {variables(*ZINK)}; exec weston --config=/run/weston.ini --backend=drm "
                             "--renderer=gl --continue-without-input --socket=wayland-1 2>&1")
        guest.run("for i in $(seq 600); do [ -S /run/desktop/wayland-1 ] && exit; sleep 0.1; done; exit 1", check=False)
        job = guest.spawn(f"export {SESSION} WAYLAND_DISPLAY=wayland-1; exec {PROGRAM}")
        wait_for_window(case, guest, job, "weston")
        words = re.search(r"GL renderer: (.*)", weston.output)
        expect(words and "zink" in words[1] and "Virtio-GPU Venus" in words[1], "Zink and Venus in the renderer's name",
               words[1] if words else weston.output[-2000:])
        case.note(words[1])


def cube_shown(screen):
    """Grey in the corners, and a cube of many colours between them."""
    corners = {screen.pixel(x, y) for x in (0, screen.width - 1) for y in (0, screen.height - 1)}
    return corners == {GREY} and screen.colours() > 1000


def test_kmscube(case):
    """kmscube draws with OpenGL ES by Zink on the bare display, and it is the host's Vulkan that draws"""
    with case.another_guest(preload=standin(), resolution=SIZE) as guest:
        before = guest.stats()
        # It ends when its standard input does.
        job = guest.spawn(f"sleep infinity | env {variables(*ZINK)} kmscube")

        def question():
            seen = case.screen("kmscube", guest)
            return job.status is not None or cube_shown(seen), f"{seen}; {job.errors[-500:]}"

        case.wait_for(question, "a cube on grey", timeout=120)
        words = re.search(r'renderer: "(.*)"', job.output)
        expect(words and "zink" in words[1] and "Virtio-GPU Venus" in words[1],
               "Zink and Venus in the renderer's name", words and words[1])
        stats = guest.stats()
        case.note(f"{words[1]}: {stats['flushes'] - before['flushes']} flushes")
        expect(stats["contexts-lost"] == 0, "no context lost", stats)
        job.signal(15)
        job.wait(30)
