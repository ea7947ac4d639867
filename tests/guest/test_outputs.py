# SPDX-License-Identifier: MIT
"""present=swapchain with monitors that come, go and change: several at once, and one that is resized.

Outputs are plugged in and pulled out by the device's properties output0, output1 and so on, or resized by
whoever resizes QEMU's window; weston in the guest drives them. It takes a monitor's size only when that is
plugged in. To look at pictures, programs that draw are stopped.
"""

import os
import re
import signal
import time
from pathlib import Path

from venusvm.harness import as_long_as_weston_runs, complaints, expect, is_stock, need_patch
from venusvm.host_screen import SDL, HostScreen
from venusvm.presenting import SWAPCHAIN, Weston, hold_cube, present_counts, wait_until_shown, xdotool
from venusvm.unmodified import end

# Of three outputs: their sizes, where their windows are put, who draws there, with how many colours.
SIZES = [(800, 600), (640, 480), (400, 304)]
PLACES = [(0, 0), (820, 0), (820, 500)]
COLOURS = [100, 3, 100]
DRAWS = [None, "weston-simple-damage", "weston-simple-shm"]
APP_IDS = "--on Virtual-2=org.freedesktop.weston.simple-damage --on Virtual-3=org.freedesktop.weston.simple-shm"
SECOND_SIZE = (512, 384)


def connector(guest, output, name):
    """A line of what the guest's kernel says of an output."""
    return guest.run(f"head -n 1 /sys/class/drm/card*-Virtual-{output + 1}/{name}").output.strip()


def wait_for_connector(case, guest, output, name, value):
    def question():
        seen = connector(guest, output, name)
        return seen == value, seen
    case.wait_for(question, f"{name} of output {output} in the guest to be '{value}'", timeout=20)


def unplug(case, guest, output):
    guest.set_output(output, None)
    wait_for_connector(case, guest, output, "enabled", "disabled")


def plug_in(case, guest, output, size):
    guest.set_output(output, size)
    wait_for_connector(case, guest, output, "modes", "{}x{}".format(*size))
    wait_for_connector(case, guest, output, "enabled", "enabled")


def windows(host, name):
    return re.findall(r"^\d+$", xdotool(host, "search", "--onlyvisible", "--name", name), re.MULTILINE)


def place_window(case, host, output):
    """Moves QEMU's window of an output to where it covers no other. There is no window manager."""
    name = rf"^QEMU \(outputs-{output}\)"
    case.wait_for(lambda: (len(windows(host, name)) == 1, windows(host, name)), f"a window {name}")
    move_window(host, output)


def move_window(host, output):
    for window in windows(host, rf"^QEMU \(outputs-{output}\)"):
        xdotool(host, "windowmove", window, *PLACES[output])


def wait_for_frames(case, guest, count):
    begin = guest.stat("present-frames")
    case.wait_for(lambda: (guest.stat("present-frames") >= begin + count, "fewer"),
                  f"{count} more frames presented")


def draw_and_stop(case, guest, output):
    """Starts the output's program and stops it at some picture."""
    job = guest.spawn(f"wl --kiosk {DRAWS[output]}")
    wait_for_frames(case, guest, 20)
    job.signal(signal.SIGSTOP)
    return job


def check_outputs(case, host, guest, suffix, outputs):
    """Each window shows its output and no other's, since all are of other sizes."""
    sizes = set()

    def look():
        # A compositor that rearranges its outputs turns them off for a moment, and QEMU's window is a new one then.
        for output in outputs:
            move_window(host, output)
        return host.picture()

    for output in outputs:
        dump = wait_until_shown(case, look, guest, f"{suffix}-{output}", PLACES[output], output, COLOURS[output])
        sizes.add((dump.width, dump.height))
    return sizes


def test_outputs(case):
    """three outputs, two plugged in at run time, each in a window of its own, one exchanged for another"""
    need_patch(case, "ui/sdl2: publish the window id of each window")
    with HostScreen(1480, 900) as host:
        with case.another_guest(resolution=SIZES[0], outputs=3, display="sdl,gl=off", properties=SWAPCHAIN,
                                qemu_args=["-name", "outputs"],
                                env={"DISPLAY": host.display, **SDL}) as guest, \
                as_long_as_weston_runs(guest):
            guest.run(f"wl --kiosk {APP_IDS}")
            for output in (1, 2):  # one right after the other: the guest must not miss one
                guest.set_output(output, SIZES[output])
            for output in range(3):
                wait_for_connector(case, guest, output, "enabled", "enabled")
                wait_for_connector(case, guest, output, "modes", "{}x{}".format(*SIZES[output]))
                place_window(case, host, output)
            hold_cube(case, guest, 30)
            jobs = [draw_and_stop(case, guest, output) for output in (1, 2)]
            sizes = check_outputs(case, host, guest, "three", range(3))
            expect(sizes == set(SIZES), f"outputs of {SIZES}", sizes)

            # Pulled out while it draws; the others stay as they were.
            jobs[1].signal(signal.SIGCONT)
            unplug(case, guest, 2)
            end(jobs[1])
            case.wait_for(lambda: (not windows(host, r"^QEMU \(outputs-2\)"), "it"), "no window of output 2")
            expect(len(windows(host, "^virtio-gpu-venus$")) == 2, "two windows of Vulkan's",
                   windows(host, "^virtio-gpu-venus$"))
            sizes = check_outputs(case, host, guest, "two", range(2))
            expect(sizes == set(SIZES[:2]), f"outputs of {SIZES[:2]}", sizes)

            plug_in(case, guest, 2, SECOND_SIZE)
            place_window(case, host, 2)
            draw_and_stop(case, guest, 2)
            sizes = check_outputs(case, host, guest, "again", range(3))
            expect(sizes == {*SIZES[:2], SECOND_SIZE}, f"outputs of {SIZES[:2]} and {SECOND_SIZE}", sizes)

            counts = present_counts(guest)
            case.note({name: count for name, count in counts.items() if count})
            expect(counts["present-frames"] == counts["present-host-pointer"] > 60,
                   "more than 60 frames, all from host pointers", counts)
            expect(counts["present-staging"] == 0, "no staging copy", counts)
            expect(guest.stat("command-errors") == 0, "no command refused", guest.stats())
            expect(not complaints(guest), "no line of QEMU's", guest.qemu_log())


def used(guest):
    """What QEMU has of the host: open descriptors, threads, and MiB of memory of its own."""
    process = Path("/proc", str(guest.process.pid))
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    return {"descriptors": len(os.listdir(process / "fd")), "threads": int(status["Threads"]),
            "MiB": int(status["RssAnon"].split()[0]) // 1024}


def check_stopped(case, host, guest, job, suffix, size):
    """The picture at which vkcube is stopped, on the host's screen."""
    job.signal(signal.SIGSTOP)
    dump = wait_until_shown(case, host.picture, guest, suffix, at=(0, 0))
    expect((dump.width, dump.height) == size, f"a scanout of {size}", dump)
    job.signal(signal.SIGCONT)


def resize_window(case, host, guest, window, size):
    """The user resizes QEMU's window, in several steps; the guest hears of the last one."""
    for step in range(3, -1, -1):
        xdotool(host, "windowsize", window, size[0] - 10 * step, size[1] + 7 * step)
    wait_for_connector(case, guest, 0, "modes", "{}x{}".format(*size))


def test_resize(case):
    """the window and the guest's mode are resized while vkcube draws: right pictures, and nothing leaks"""
    with HostScreen(1100, 800) as host:
        with case.another_guest(resolution=SIZES[0], display="sdl,gl=off", properties=SWAPCHAIN,
                                qemu_args=["-name", "outputs"],
                                env={"DISPLAY": host.display, **SDL}) as guest, \
                as_long_as_weston_runs(guest):
            job = guest.spawn("wl --kiosk vkcube --wsi wayland --width 800 --height 600 --c 1000000")
            wait_for_frames(case, guest, 30)
            place_window(case, host, 0)
            window = windows(host, r"^QEMU \(outputs-0\)")[0]
            before, rounds, begin = None, 0, time.monotonic()
            while rounds < 13 or (time.monotonic() < begin + 50 and rounds < 40):
                size = (400 + 4 * (37 * rounds % 150), 301 + 53 * rounds % 450)
                if rounds % 4 == 0:
                    # The frame is scaled to the window until the guest follows.
                    resize_window(case, host, guest, window, size)
                    wait_for_frames(case, guest, 3)
                unplug(case, guest, 0)
                plug_in(case, guest, 0, size)
                wait_for_frames(case, guest, 3)
                if rounds % 8 == 0:
                    check_stopped(case, host, guest, job, "resize", size)
                rounds += 1
                if rounds == 8:  # by now all that is made once is there
                    before = used(guest)
            check_stopped(case, host, guest, job, "resize", size)
            after = used(guest)
            case.note(f"{rounds} sizes in {time.monotonic() - begin:.0f} s; after 8 of them {before}, "
                      f"at the end {after}")
            counts = present_counts(guest)
            case.note({name: count for name, count in counts.items() if count})
            expect(after["descriptors"] <= before["descriptors"] + 2, "as many descriptors as before", after)
            expect(after["threads"] <= before["threads"] + 4, "as many threads as before", after)
            expect(after["MiB"] < before["MiB"] + 40, "about as much memory as before", after)
            expect(counts["present-staging"] == 0, "no staging copy", counts)
            expect(job.status is None, "vkcube to draw on", job.output + job.errors)
            expect(not complaints(guest), "no line of QEMU's", guest.qemu_log())


def refresh(guest):
    """Frames a second of the first timing in the EDID that the guest's kernel has."""
    d = guest.run("cat /sys/class/drm/card*-Virtual-1/edid").stdout[54:72]
    clock = (d[0] | d[1] << 8) * 10000
    columns = d[2] + d[3] + ((d[4] & 0xf0) << 4) + ((d[4] & 0x0f) << 8)
    rows = d[5] + d[6] + ((d[7] & 0xf0) << 4) + ((d[7] & 0x0f) << 8)
    return clock / columns / rows


def test_refresh(case):
    """the guest is told the rate of the monitor that its window is on: by the library's window, and by SDL's"""
    ways = [{"properties": {**SWAPCHAIN, "present-target": "wayland"}}]
    if is_stock(case):
        case.note("Debian's SDL does not tell it: only the library's window is tried")
    else:
        ways.append({"display": "sdl,gl=off", "properties": {"present": "surface"}})
    with Weston(*SIZES[0], hertz=50) as host:
        for options in ways:
            environment = {**host.environment, "SDL_VIDEODRIVER": "wayland", "SDL_RENDER_DRIVER": "software"}
            with case.another_guest(resolution=SIZES[0], env=environment, **options) as guest:
                case.wait_for(lambda: (abs(refresh(guest) - 50) < 0.1, refresh(guest)), "a mode with 50 Hz")
                expect(connector(guest, 0, "modes") == "{}x{}".format(*SIZES[0]), f"a mode of {SIZES[0]}",
                       connector(guest, 0, "modes"))


class Manager:
    """A window manager that lets no window be larger than its screen; where Xvfb has none."""

    def __init__(self, host, window, most):
        self.host, self.window, self.most, self.acted = host, window, most, 0

    def manage(self):
        """Does what is to be done, and returns the window's size before that."""
        said = xdotool(self.host, "getwindowgeometry", self.window)
        size = tuple(int(side) for side in re.search(r"Geometry: (\d+)x(\d+)", said).groups())
        fitting = tuple(map(min, size, self.most))
        if fitting != size:
            xdotool(self.host, "windowsize", self.window, *fitting)
            self.acted += 1
        return size


def come_to_rest(case, guest, manager):
    """Until window and guest have been as they are for ten looks, a second apart."""
    before, looks = None, 0

    def question():
        nonlocal before, looks
        time.sleep(1)
        now = (manager.manage(), guest.output_property(0), connector(guest, 0, "modes"))
        looks = looks + 1 if now == before else 0
        before = now
        return looks >= 10, f"{now}; the window was made smaller {manager.acted} times"

    case.wait_for(question, "the window and the guest to come to rest", timeout=120)
    return before


def test_larger_than_screen(case):
    """a mode larger than the host's screen: the window is made smaller, the guest is told, and all is at rest"""
    most = (1000, 700)
    with HostScreen(1024, 768) as host:
        for resize in ("on", "off"):
            with case.another_guest(resolution=(1280, 800), display="sdl,gl=off", qemu_args=["-name", "outputs"],
                                    properties={"present": "surface", "resize": resize},
                                    env={"DISPLAY": host.display, **SDL}) as guest:
                wait_for_connector(case, guest, 0, "modes", "1280x800")
                name = r"^QEMU \(outputs-0\)"
                case.wait_for(lambda: (len(windows(host, name)) == 1, windows(host, name)), f"a window {name}")
                manager = Manager(host, windows(host, name)[0], most)
                rest = come_to_rest(case, guest, manager)
                case.note(f"resize={resize}: {rest}; the window was made smaller {manager.acted} times")
                size = "1000x700" if resize == "on" else "1280x800"
                expect(rest == (most, size, size), f"a window of {most}, and a guest that was told {size}", rest)
                expect(manager.acted < 4, "few changes of the window", manager.acted)
