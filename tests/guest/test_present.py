# SPDX-License-Identifier: MIT
"""present=swapchain: what the guest shows is put on the host's screen by the host's own Vulkan.

Guests of their own, with QEMU's window on an X server in memory or a window of the library's on a Wayland
compositor with no display. Pictures of the host's screen are compared with the guest's scanout (QEMU's
screendump reads that very memory); the counters say how each frame came there.
"""

import re
import signal
import time

from venusvm.harness import VENUS, expect, guests, host_tools, json_on_host
from venusvm.host_screen import SDL, HostScreen
from venusvm.presenting import (SIZE, SWAPCHAIN, Weston, expect_no_complaint, hold_cube, present_counts,
                                wait_until_shown, xdotool)
from venusvm.screen import pattern, standin
from venusvm.unmodified import end

CHILD = "virtio-gpu-venus"  # the name of the window that covers QEMU's


def keys_in_guest(guest, seconds):
    """Starts to read all keyboards; the job prints the codes of keys that were pressed."""
    return guest.spawn("for device in /dev/input/event*; do "
                       f"timeout {seconds} cat $device | od -v -An -w24 -tu2 & done; wait")


def pressed(job):
    """The codes of struct input_event (24 bytes): type 1 (EV_KEY), value 1."""
    codes = []
    for line in job.output.splitlines():
        words = line.split()
        if len(words) == 12 and words[8] == "1" and words[10] == "1":
            codes.append(int(words[9]))
    return codes


def check_tier(counts, tier):
    expect(counts[f"present-{tier}"] == counts["present-frames"] > 0, f"every frame by {tier}", counts)
    expect(counts["present-staging"] == counts["present-staging-bytes"] == 0, "no staging copy", counts)


def test_x11(case):
    """QEMU's SDL window is covered by Vulkan's: the cube is seen, a key goes through, its end is survived"""
    with HostScreen(1024, 768) as host:
        with case.another_guest(device="virtio-vga-venus", resolution=SIZE, display="sdl,gl=off",
                                properties=SWAPCHAIN, env={"DISPLAY": host.display, **SDL}) as guest:
            job = hold_cube(case, guest, 30)
            wait_until_shown(case, host.picture, guest, "x11")
            check_tier(present_counts(guest), "host-pointer")

            child = xdotool(host, "search", "--onlyvisible", "--name", f"^{CHILD}$")
            expect(re.fullmatch(r"\d+", child), "one window that covers QEMU's", child)
            keys = keys_in_guest(guest, 6)
            time.sleep(1)  # cat has opened them all
            # There is no window manager that would give QEMU's window the focus.
            xdotool(host, "windowfocus", "--sync", xdotool(host, "search", "--name", "^QEMU").split()[0])
            xdotool(host, "mousemove", "--window", child, 300, 200)
            for _ in range(5):
                xdotool(host, "key", "k")
            keys.wait(30)
            expect(37 in pressed(keys), "KEY_K (37) in the guest", pressed(keys))

            # Somebody kills our window; QEMU's own, below it, takes over, and the guest goes on.
            end(job)
            job = guest.spawn("wl --kiosk vkcube --wsi wayland --width 800 --height 600 --c 100000")
            before = guest.stat("present-frames")
            case.wait_for(lambda: (guest.stat("present-frames") > before + 30, "fewer"), "30 frames")
            xdotool(host, "windowkill", child)
            case.wait_for(lambda: ("is gone" in guest.qemu_log(), guest.qemu_log()),
                          "a line that the window is gone")
            frames, flushes = guest.stat("present-frames"), guest.stat("flushes")
            case.wait_for(lambda: (guest.stat("flushes") > flushes + 30, "fewer"), "30 flushes more")
            expect(guest.stat("present-frames") == frames, "no frame presented any more",
                   guest.stat("present-frames"))
            end(job)
            lines = [line for line in guest.qemu_log().splitlines() if "output 0" in line]
            expect(len(lines) == 1, "one line about output 0", guest.qemu_log())
            case.note(lines[0])
            end(guest.spawn("true"))
            hold = hold_cube(case, guest, 40)
            wait_until_shown(case, host.picture, guest, "x11-fallback")
            end(hold)


def test_zero_copy(case):
    """what Vulkan draws in the guest is presented from its dma-bufs, imported once each"""
    with case.another_guest(preload=standin(), resolution=(1000, 600),
                            properties={**SWAPCHAIN, "present-target": "headless"}) as guest:
        early = present_counts(guest)
        job = guest.spawn(f"{VENUS} exec kms_zero_copy --frames 300 --hold")
        case.wait_for(lambda: (job.output.endswith("}\n") or job.status is not None,
                               job.output + job.errors), "the last frame", timeout=120)
        expect(job.status is None, "kms_zero_copy to hold its last frame", job.output + job.errors)
        late = present_counts(guest)
        moved = {name: late[name] - early[name] for name in late}
        case.note({name: count for name, count in moved.items() if count})
        expect(moved["present-dma-buf"] > 100, "more than 100 frames from a dma-buf", moved)
        expect(moved["present-imports"] <= 3, "an import for each of two buffers", moved)
        expect(moved["present-staging"] == 0, "no staging copy", moved)
        dump = case.screen("scanout", guest)
        expect(dump.rgb == pattern(1000, 600, 299).rgb, "the pattern of frame 299", dump)
        end(job)


def test_wayland(case):
    """a window of its own on a Wayland compositor shows the cube, and the compositor's end is survived"""
    with Weston(*SIZE) as host:
        with case.another_guest(resolution=SIZE, env=host.environment,
                                properties={**SWAPCHAIN, "present-target": "wayland"}) as guest:
            job = hold_cube(case, guest, 30)
            wait_until_shown(case, host.picture, guest, "wayland", at=(0, 0))
            check_tier(present_counts(guest), "host-pointer")
            end(job)
            job = guest.spawn("wl --kiosk vkcube --wsi wayland --width 800 --height 600 --c 100000")
            host.end()
            case.wait_for(lambda: ("is gone" in guest.qemu_log(), guest.qemu_log()),
                          "a line that the window is gone")
            flushes = guest.stat("flushes")
            case.wait_for(lambda: (guest.stat("flushes") > flushes + 30, "fewer"), "30 flushes more")
            end(job)


def test_wayland_input(case):
    """keys and clicks in the window on Wayland reach the guest"""
    with HostScreen(*SIZE) as screen, Weston(*SIZE, screen) as host:
        with case.another_guest(resolution=SIZE, env=host.environment,
                                properties={**SWAPCHAIN, "present-target": "wayland"}) as guest:
            job = hold_cube(case, guest, 30)
            wait_until_shown(case, screen.picture, guest, "wayland-input", at=(0, 0))
            keys = keys_in_guest(guest, 6)
            time.sleep(1)  # cat has opened them all
            xdotool(screen, "mousemove", 300, 200, "click", 1)
            for _ in range(5):
                xdotool(screen, "key", "k")
            keys.wait(30)
            expect({37, 0x110} <= set(pressed(keys)), "KEY_K (37) and BTN_LEFT (272) in the guest",
                   pressed(keys))
            end(job)


def test_latency(case):
    """at 1280x800, with vkcube on two busy processors, frames are shown soon after their flush"""
    size = (1280, 800)
    with HostScreen(1400, 900) as host:
        with case.another_guest(resolution=size, display="sdl,gl=off", properties=SWAPCHAIN,
                                env={"DISPLAY": host.display, **SDL}) as guest:
            job = guest.spawn("wl --kiosk vkcube --wsi wayland --width 1280 --height 800 --c 100000")
            case.wait_for(lambda: (guest.stat("present-frames") > 60, "fewer"), "60 frames", timeout=60)
            before = guest.stats()
            time.sleep(10)
            after = guest.stats()
            end(job)
    frames = after["present-frames"] - before["present-frames"]
    median, p99 = (guests.latency_percentile(before, after, share) for share in (0.5, 0.99))
    case.note(f"{frames / 10:.1f} frames/s presented, "
              f"{after['present-dropped'] - before['present-dropped']} dropped; flush to shown: median "
              f"{median / 1000:.2f} ms, 99th percentile {p99 / 1000:.2f} ms")
    expect(frames > 100, "more than 100 frames presented in ten seconds", frames)


def check_mode(case, mode, target):
    """Some seconds of vkcube, presented in that mode; then another, to see that all is well."""
    size, seconds = (640, 480), 4
    properties = {"present": "swapchain", "present-mode": mode, "present-target": target}
    with HostScreen(700, 500) as host:
        window = {"display": "sdl,gl=off", "env": {"DISPLAY": host.display, **SDL}} if target == "x11" else {}
        with case.another_guest(resolution=size, properties=properties, **window) as guest:
            job = guest.spawn("wl --kiosk vkcube --wsi wayland --width 640 --height 480 --c 100000")
            case.wait_for(lambda: (guest.stat("present-frames") > 30, "fewer"), "30 frames", timeout=60)
            before = guest.stats()
            time.sleep(seconds)
            after = guest.stats()
            expect(job.status is None, "vkcube to draw on", job.output + job.errors)
            job.signal(signal.SIGSTOP)
            if target == "x11":
                wait_until_shown(case, host.picture, guest, f"{mode}-x11")
            end(job)
            # The guest's kernel would complain about a flush that is never answered, and stand still.
            guest.run("wl --kiosk vkcube --wsi wayland --width 640 --height 480 --c 20")
            lines = guest.run("dmesg --level=emerg,alert,crit,err,warn").output
            expect("timed out" not in lines and "drm" not in lines, "no complaint of the guest's", lines)
            total = guest.stats()
            expect_no_complaint(guest)
    moved = {name: (after[name] - before[name]) / seconds for name in after}
    case.note(f"{mode}, {target}: {moved['flushes']:.1f} flushes, {moved['present-frames']:.1f} frames a "
              f"second, {moved['present-dropped']:.1f} dropped")
    expect(moved["present-frames"] > 8, f"more than 8 frames a second with {mode} on {target}", moved)
    expect(total["present-staging"] == 0, "no staging copy", total)


def test_modes(case):
    """fifo and mailbox, in a window and headless: frames are presented, every flush is answered"""
    for target in ("x11", "headless"):
        for mode in ("fifo", "mailbox"):
            check_mode(case, mode, target)


def test_off(case):
    """present=off: Vulkan computes as ever, and what the guest shows goes nowhere"""
    with case.another_guest(resolution=(640, 480), properties={"present": "off"}) as guest:
        summary = guest.run(f"{VENUS} vulkaninfo --summary").output
        expect("DRIVER_ID_MESA_VENUS" in summary, "Venus in vulkaninfo", summary[-1500:])
        seen, wanted = guest.run_json(f"{VENUS} frame")["crc32"], json_on_host([host_tools() / "frame"])["crc32"]
        expect(seen == wanted, f"the host's frame, checksum {wanted}", seen)
        hold_cube(case, guest, 60, (640, 480))
        counts = present_counts(guest)
        expect(not any(counts.values()), "no frame presented", counts)
        dump = case.screen("screen", guest)
        expect(dump.colours() < 10, "QEMU's own words on its screen, not the cube", dump)
        expect_no_complaint(guest)


def test_auto(case):
    """present=auto, the default: no GPU, so QEMU's own window shows the frames, and no word is lost on it"""
    with HostScreen(1024, 768) as host:
        with case.another_guest(resolution=SIZE, display="sdl,gl=off", env={"DISPLAY": host.display, **SDL},
                                properties={"vulkan-device": "llvmpipe"}) as guest:
            hold_cube(case, guest, 30)
            wait_until_shown(case, host.picture, guest, "auto")
            counts = present_counts(guest)
            # Of those that came while it was found out, one may have waited.
            expect(not any(count for name, count in counts.items() if name != "present-dropped"),
                   "no frame presented", counts)
            expect(guest.stat("flushes") > 30, "more than 30 flushes", guest.stats())
            expect(not xdotool(host, "search", "--name", f"^{CHILD}$"), "no window of Vulkan's",
                   xdotool(host, "search", "--name", f"^{CHILD}$"))
            expect_no_complaint(guest)
