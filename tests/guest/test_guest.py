# SPDX-License-Identifier: MIT
"""A guest with one display, without a window on the host: programs, pictures, and a reboot."""

import re
import time

import guest as vm
import host
import picture

SIZE = (1280, 800)
GUEST = {"resolution": SIZE, "qemu_args": ["-d", "guest_errors"]}

# The host's and the guest's picture come from the same driver, so most frames are equal to the bit.
# What may differ is the rounding on the edges of triangles: a mean of 1 of 255, and 1 channel in 1000
# that is visibly off.
MEAN_TOLERANCE, SHARE_TOLERANCE = 1.0, 0.001

VENUS = "VK_DRIVER_FILES=/usr/share/vulkan/icd.d/virtio_icd.json"


def assert_same_picture(seen, expected, name):
    mean, share = picture.difference(seen, expected)
    if mean > MEAN_TOLERANCE or share > SHARE_TOLERANCE:
        import run
        seen.save(run.OUT / f"{name}-guest.png")
        expected.save(run.OUT / f"{name}-host.png")
        raise AssertionError(f"the pictures differ: mean {mean:.3f} of 255 (at most {MEAN_TOLERANCE}), "
                             f"{share:.2%} of the channels by more than 8 (at most "
                             f"{SHARE_TOLERANCE:.1%}); see {run.OUT}/{name}-*.png")


def screen(guest):
    """What the display shows."""
    path = guest.screendump(f"{guest.folder.name}/screen.ppm", "ppm")
    return picture.read_ppm(path)


def wait_in_guest(guest, condition, timeout, what):
    deadline = time.monotonic() + timeout
    while guest.run(condition, check=False).status:
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen in {timeout} s")
        time.sleep(0.3)


def test_kernel_messages(guest):
    """The guest's kernel has no complaint about the device"""
    complaints = guest.run("dmesg | grep -iE 'virtio_gpu|drm' | grep -iE 'error|fail|warn' || true").output
    assert not complaints, f"the guest's kernel says:\n{complaints}"
    ours = [line for line in guest.qemu_log().splitlines() if "virtio-gpu-venus:" in line]
    assert not ours, "QEMU says:\n" + "\n".join(ours)


def test_vulkaninfo(guest):
    """vulkaninfo finds the Venus driver on the host's device"""
    text = guest.run(f"{VENUS} vulkaninfo --summary").output
    assert re.search(r"driverName\s*= venus", text), f"no Venus driver in:\n{text}"
    assert guest.renderer() in text, f"the host renders with {guest.renderer()}, the guest has:\n{text}"


def test_frame(guest):
    """An offscreen frame in the guest has the same bits as on the host"""
    for size in ((640, 480), (333, 77)):
        options = f"--width {size[0]} --height {size[1]}"
        here = host.program("frame", *options.split())
        there = guest.run_json(f"{VENUS} frame {options}")
        assert there["crc32"] == here["crc32"], f"at {size}: guest {there['crc32']}, host {here['crc32']}"


def test_blob_cycle(guest):
    """Blobs are created, mapped, written, read, unmapped, with 0 and 200 others mapped"""
    before = guest.stat("blobs")
    for others in (0, 200):
        result = guest.run_json(f"blob_cycle --rounds 50 --others {others}")
        assert result["cycle_ms"]["count"] == 50, result
    assert guest.stat("blobs") == before, f"{guest.stat('blobs')} blobs are left, {before} were there"
    assert guest.stat("maps-fixed") > 250, f"{guest.stat('maps-fixed')} were placed by their descriptor"


def test_fences(guest):
    """Fences on ring 0 signal, one at a time and many in flight"""
    for depth in (1, 16):
        result = guest.run_json(f"fence_ring --rounds 200 --depth {depth}")
        assert result["round_trip_ms"]["count"] >= 200 // depth, result


def test_queue_sync(guest):
    """vkQueueSubmit and waiting work, with fences and with sync files"""
    result = guest.run_json(f"{VENUS} queue_sync --rounds 200")
    assert result["wait_ms"]["count"] == 200, result


def test_vkcube(guest):
    """vkcube's 100th frame, on the display, is the one that the host renders"""
    frame = 100
    job = guest.spawn(f"wl --kiosk {vm.frames_environment('/tmp/vkcube', frame)} "
                      f"vkcube --wsi wayland --width {SIZE[0]} --height {SIZE[1]}")
    wait_in_guest(guest, "test -s /tmp/vkcube", 90, f"vkcube's frame {frame}")
    time.sleep(1)  # the compositor shows it within a frame
    seen = screen(guest)
    job.signal(9)
    assert seen.colours() > 1000, f"the display shows {seen.colours()} colours, so no textured cube"
    assert_same_picture(seen, host.vkcube(*SIZE, frame), "vkcube")


def test_vkmark(guest):
    """vkmark runs its scenes and has a score"""
    scenes = "-b vertex:duration=2 -b texture:duration=2 -b cube:duration=2"
    text = guest.run(f"wl vkmark --winsys wayland --size 640x480 {scenes} 2>&1", timeout=120).output
    score = re.search(r"vkmark Score: (\d+)", text)
    assert score and int(score[1]) > 0, f"no score in:\n{text}"


def test_contexts_end(guest):
    """Nothing of the programs is left when they have ended"""
    for _ in range(50):
        stats = guest.stats()
        if stats["blobs"] == 0 and stats["fences-pending"] == 0:
            break
        time.sleep(0.1)
    assert stats["blobs"] == 0 and stats["mapped"] == 0 and stats["fences-pending"] == 0, stats
    assert stats["contexts-lost"] == 0 and stats["command-errors"] == 0, stats


def test_reset(guest):
    """A reset in the middle of vkcube clears the device, and the guest boots and renders again"""
    guest.spawn(f"wl {vm.frames_environment('/tmp/running', 60)} vkcube --wsi wayland")
    wait_in_guest(guest, "test -s /tmp/running", 90, "vkcube's frame 60")
    busy = guest.stats()
    assert busy["contexts"] > 1 and busy["blobs"] > 0, f"vkcube runs, but the device has {busy}"
    guest.reset()
    stats = guest.stats()
    assert stats["resets"] > busy["resets"], f"{stats['resets']} resets"
    assert stats["blobs"] == 0 and stats["mapped"] == 0, f"after the reset there are left: {stats}"
    test_vulkaninfo(guest)
    test_frame(guest)


def test_two_apps(guest):
    """Two programs at once both render, each in a context of its own"""
    guest.run("wl")
    time.sleep(1)
    before = guest.stat("contexts")
    jobs = [guest.spawn(f"wl {vm.frames_environment(f'/tmp/two{i}')} vkcube --wsi wayland --c 200 "
                        "--width 300 --height 300") for i in range(2)]
    most = 0
    while any(job.status is None for job in jobs):
        most = max(most, guest.stat("contexts") - before)
        time.sleep(0.1)
        guest.check_alive()
    for i, job in enumerate(jobs):
        assert job.status == 0, f"program {i} ended with status {job.status}: {job.output}{job.errors}"
        frames = guest.run_json(f"cat /tmp/two{i}")["frames"]
        assert frames == 200, f"program {i} showed {frames} frames of 200"
    # Each has one for the compositor's display as well as its own, or shares that; two at least are Venus.
    assert most >= 2, f"{most} contexts at a time"
