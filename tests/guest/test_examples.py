# SPDX-License-Identifier: MIT
"""The example programs of guest/, in short: each runs, and what it draws is what the host draws.

The same program runs on the host with the driver that the guest's Vulkan ends in, so there is no
tolerance: not a bit may differ. Programs that show something are also held against QEMU's screen. Those
that draw nothing check themselves and end with a reason if something is wrong; here is seen that
everything that they took is given back.

These want the display for themselves: no compositor may run yet. The last test starts one.
"""

import json

from venusvm.harness import VENUS, Skipped, expect, host_tools, json_on_host, picture
from venusvm.screen import (KERNEL_SHOWS, Shown, both_shown, fetch, pattern, same, standin,
                            wait_until_given_back, wait_until_held)

SIZE = (800, 600)


def run(case, command, guest=None):
    """Runs a program in the guest to its end, after which it holds nothing any more."""
    guest = guest or case.guest
    before = guest.stats()
    result = guest.run_json(f"{VENUS} {command}", timeout=120)
    wait_until_given_back(guest, before)
    return result


def compare(case, name, arguments, host_arguments=None, guest=None):
    """Runs a program in the guest and on the host; both have the same to show and to say of it."""
    ours, theirs = case.file(f"host-{name}.png"), f"/tmp/{name}.png"
    said = run(case, f"{name} {arguments} --png {theirs}", guest)
    host = json_on_host([host_tools() / name, *(host_arguments or arguments).split(), "--png", ours])
    wanted = picture.read_png(ours)
    expect(wanted.colours() > 500, "a picture of more than 500 colours on the host", wanted)
    drawn = fetch(guest or case.guest, theirs, case.file(f"guest-{name}.png"))
    same(picture.read_png(drawn), wanted, f"the host's {ours}")
    expect(said["driver"] == "venus" and said.get("crc32") == host.get("crc32"), host, said)
    return said


def check_cube(case, scanout, guest=None):
    """The 60th frame of vkcube_anim: on the screen, in its own picture, and on the host."""
    ours = case.file(f"host-{scanout}.png")
    json_on_host([host_tools() / "vkcube_anim", "--scanout", "none", "--size", "800x600",
                  "--frames", 60, "--png", ours])
    wanted = picture.read_png(ours)
    guest = guest or case.guest
    with Shown(guest, f"vkcube_anim --scanout {scanout} --size 800x600 --frames 60") as shown:
        result = shown.result
        same(shown.picture(case.file(f"{scanout}-wanted.png")), wanted, f"the host's {ours}")
        same(case.screen(scanout, guest), wanted, f"the host's {ours} on the screen")
    case.note(f"800x600, {scanout}: {result['fps']:.0f} frames/s; a frame "
              f"{result['frame_ms']['median']:.1f} ms (99th percentile {result['frame_ms']['p99']:.1f}), "
              f"of it {result['flip_ms']['median']:.1f} ms in the flip")
    expect(result["frames"] == 60 and result["fps"] > 0, "60 frames", result)


def check_formats(case, scanout, guest=None):
    """Each format that the kernel takes is shown right; what it does not take it refuses with a reason."""
    guest = guest or case.guest
    names = [item["format"] for item in run(case, f"format_test --scanout {scanout}", guest)["formats"]]
    expect(len(names) == 8 and KERNEL_SHOWS in names, "the eight formats of virtio-gpu", names)
    works = []
    for name in names:
        with Shown(guest, f"format_test --format {name} --scanout {scanout}") as shown:
            answer = shown.result["formats"][0][scanout]
            if answer == "works":
                works.append(name)
                wanted = pattern(shown.result["width"], shown.result["height"], 1)
                same(shown.picture(case.file(f"{name}-wanted.png")), wanted, "the pattern")
                same(case.screen(name, guest), wanted, f"the pattern on the screen, from {name}")
            else:
                expect(answer.startswith("refused: ") and answer.split()[-1].startswith("E"),
                       f"{name} shown, or refused with the kernel's error", answer)
    expect(KERNEL_SHOWS in works, f"at least {KERNEL_SHOWS} shown", works)
    case.note(f"{scanout}: the kernel shows {', '.join(works)}")


def check_resize(case, scanout, guest=None):
    """The last of 20 modes, and the part of a larger picture that it shows."""
    guest = guest or case.guest
    for seed in (1, 4):  # with the one the last picture is as large as the screen, with the other larger
        with Shown(guest, f"rapid_resize --modes 20 --scanout {scanout} --seed {seed} --size 800x600") as shown:
            result = shown.result
            full = pattern(SIZE[0] + result["x"], SIZE[1] + result["y"], result["modes"] - 1)
            wanted = full.crop(result["x"], result["y"], *SIZE)
            same(shown.picture(case.file(f"{scanout}-{seed}-wanted.png")), wanted, "the part of the pattern")
            same(case.screen(f"{scanout}-{seed}", guest), wanted, "the part of the pattern on the screen")
        case.note(f"{scanout}: {result['modes']} changes among {result['of']} modes, "
                  f"{result['larger']} larger pictures, the last from {result['x']},{result['y']}; "
                  f"a change {result['change_ms']['median']:.1f} ms")


def test_triangle(case):
    """the triangle's 60th turn is the host's, bit by bit"""
    compare(case, "triangle", "--frames 60")


def test_gears(case):
    """three gears, drawn by three pipelines with a depth image, are the host's"""
    compare(case, "gears", "--frames 20")


def test_compute(case):
    """a matrix product, running sums and a buffer there and back are what the CPU says"""
    result = compare(case, "compute", "--size 16 --matrix 128 --count 300001")
    expect((result["mib"], result["matrix"], result["count"]) == (16, 128, 300001),
           "all that was asked for", result)


def test_fences(case):
    """a thousand submits tied together by timelines, waited for in every way, each done when it says so"""
    result = run(case, "fence_stress --frames 1000")
    expect(result["submits"] >= 1000 and result["gates"] > 0 and result["sync_files"],
           "1000 submits, some of them behind the CPU's gate, some waited for by sync files", result)
    case.note(f"{result['queues']} queue(s); 32 submits and the waits for them "
              f"{result['batch_ms']['median']:.1f} ms")


def test_churn(case):
    """600 memories, buffers and images made and freed at random hold what they were given"""
    result = run(case, "resource_churn --frames 600 --alive 60")
    expect(result["made"] == 600 and min(result[kind] for kind in (
        "memories", "mapped", "addressed", "images")) > 50, "600 things, of all kinds", result)
    case.note(f"{result['mib']:.0f} MiB; to make one {result['make_ms']['median']:.1f} ms, "
              f"to check and free it {result['free_ms']['median']:.1f} ms")


def test_contexts(case):
    """six processes and threads at once, each with a context of its own, see nothing of each other"""
    before, most = case.guest.stats(), 0
    job = case.guest.spawn(f"{VENUS} multi_context --contexts 6 --frames 60")
    while job.status is None:
        case.guest.check_alive()
        most = max(most, case.guest.stat("contexts") - before["contexts"])
    expect(job.status == 0, "multi_context to end with status 0", job.output + job.errors)
    result = json.loads(job.output.splitlines()[-1])
    expect(result["shared"] == 0 and result["least"] == 60,
           "60 pieces of memory for each, none with another's words in it", result)
    expect(most >= 6, "at least six contexts more than before at some time", most)
    wait_until_given_back(case.guest, before)


def test_drawn_formats(case):
    """every colour format that can be drawn in holds the right bits, the same formats as on the host"""
    guest = run(case, "format_draw")
    host = json_on_host([host_tools() / "format_draw"])
    expect(guest["drawn"] >= 30, "at least the 30 formats or so that every driver has", guest)
    expect((guest["drawn"], guest["not_drawable"]) == (host["drawn"], host["not_drawable"]), host, guest)


def test_cube(case):
    """the animated cube's 60th frame, through dumb buffers, is the host's on the screen"""
    check_cube(case, "dumb")


def test_formats(case):
    """a dumb buffer in whatever format the kernel takes is shown right"""
    check_formats(case, "dumb")


def test_resize(case):
    """after twenty changes of mode and size while it draws, the screen shows the last picture"""
    check_resize(case, "dumb")


def test_blobs(case):
    """the same three with Vulkan's memory scanned out in place"""
    with case.another_guest(preload=standin(), resolution=SIZE) as guest:
        if "no" in guest.run_json(f"{VENUS} format_test --format XRGB8888")["formats"][0]["blob"].split():
            raise Skipped("the host's driver exports no dma-bufs")
        check_cube(case, "blob", guest)
        check_formats(case, "blob", guest)
        check_resize(case, "blob", guest)
        expect(guest.stat("command-errors") == 0, "no command refused", guest.stats())


def test_compositor(case):
    """two Vulkan programs under weston, one in front of the other, each show their last frame"""
    case.guest.run("wl")
    before = case.guest.stat("contexts")
    job = case.guest.spawn("mkdir -p /tmp/two; exec compositor --frames 60 --png /tmp/two --hold")
    result = wait_until_held(case.guest, job)
    expect(result, "compositor to keep both windows", job.output + job.errors)
    expect(case.guest.stat("contexts") - before >= 2, "a context for each window",
           case.guest.stat("contexts"))
    large = picture.read_png(case.fetch("/tmp/two/large.png", "large.png"))
    small = picture.read_png(case.fetch("/tmp/two/small.png", "small.png"))
    closest = None

    def question():
        nonlocal closest
        closest = both_shown(case.screen("both"), large, small)
        return closest is True, closest

    case.wait_for(question, f"{case.file('large.png')} and {case.file('small.png')} in front of it",
                  timeout=10)
    case.note("frames/s: " + ", ".join(f"{result[name]['width']}x{result[name]['height']} "
                                       f"{result[name]['fps']:.0f}" for name in ("large", "small")))
    job.signal(15)
    job.wait(20)
    case.wait_for(lambda: (case.guest.stat("contexts") <= before, case.guest.stat("contexts")), f"stat-contexts <= {before}")
