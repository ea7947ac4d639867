# SPDX-License-Identifier: MIT
"""Our own programs, guest/ has their sources: each in full length, beside the same on the host.

The host's lavapipe is what the guest's Vulkan ends in, so no picture may differ in a bit. Where a picture
is on the guest's display, it is QEMU's screendump that is held against it.
"""

import json
import time

from venusvm import picture
from venusvm.examples.entry import Result, entry
from venusvm.expect import expect, wait_for
from venusvm.screen import (KERNEL_SHOWS, VENUS, Shown, both_shown, pattern, same, wait_until_given_back,
                            wait_until_held)

SIZE = (800, 600)
EXACT = "the same picture, bit by bit"
LEAST_FPS = 47  # what vkcube_anim is asked for, at 800x600


def count(number):
    return f"{number:,}"


def ms(samples):
    return f"{samples['median']:.2f} ms, {samples['p99']:.2f} ms"


def rate(samples):
    return f"{1e3 / samples['mean']:.0f}"


def row(what, show, guest, host=None):
    """A line of numbers."""
    return (what, show(guest)) if host is None else (what, show(guest), show(host))


def run(guest, command, timeout=600):
    """A program to its end, after which it holds nothing of the device any more."""
    before = guest.stats()
    result = guest.run_json(f"{VENUS} {command}", timeout)
    wait_until_given_back(guest, before)
    expect(result["driver"] == "venus", "the device to be Venus", result)
    return result


def on_host(stage, command):
    name, *arguments = command.split()
    return stage.host_json([stage.tool(name), *arguments], timeout=600)


def drawn(stage, entry):
    """Runs a program that draws offscreen here and there; returns what both say. Their pictures are the same."""
    name, guest = entry.name, stage.guest(entry.guest)
    seen = run(guest, f"{entry.command} --png /tmp/{name}.png")
    ours = stage.file(f"host-{name}.png")
    host = on_host(stage, f"{entry.command} --png {ours}")
    wanted = picture.read_png(ours)
    expect(wanted.colours() > 500, "a picture of more than 500 colours on the host", wanted)
    same(picture.read_png(stage.fetch(guest, f"/tmp/{name}.png", f"{name}.png")), wanted, f"the host's {ours}")
    return seen, host


def frames(stage, entry):
    """triangle, gears: a picture that turns."""
    seen, host = drawn(stage, entry)
    return Result([row("frames per second", rate, seen["frame_ms"], host["frame_ms"]),
                   row("a frame: median, 99 %", ms, seen["frame_ms"], host["frame_ms"])],
                  stage.file(f"{entry.name}.png"), f"{EXACT}, after {count(seen['frame_ms']['count'])} frames")


def cube(stage, entry):
    """vkcube_anim: the last frame is the host's, in the program's own picture and on the screen."""
    guest, ours = stage.guest(entry.guest), stage.file(f"host-{entry.name}.png")
    host = on_host(stage, f"vkcube_anim --scanout none --size {SIZE[0]}x{SIZE[1]} --frames 600 --png {ours}")
    wanted = picture.read_png(ours)
    with Shown(guest, entry.command) as shown:
        seen = shown.result
        same(shown.picture(stage.file(f"{entry.name}-drawn.png")), wanted, f"the host's {ours}")
        same(stage.screen(guest, entry.name), wanted, f"the host's {ours} on the screen")
    numbers = [(f"frames per second (at least {LEAST_FPS} are asked for)", f"{seen['fps']:.0f}",
                f"{host['fps']:.0f}"),
               row("a frame: median, 99 %", ms, seen["frame_ms"], host["frame_ms"]),
               row("of it waiting for the drawing", ms, seen["wait_for_drawing_ms"], host["wait_for_drawing_ms"])]
    if seen["copy_ms"]["count"]:
        numbers.append(row("of it copying into the display's buffer", ms, seen["copy_ms"]))
    numbers.append(row("of it waiting for the flip", ms, seen["flip_ms"]))
    return Result(numbers, stage.file(f"{entry.name}.png"),
                  f"{EXACT}, on the screen after {count(seen['frames'])} frames; the host draws with no display")


def compute(stage, entry):
    seen, host = drawn(stage, entry)

    def through(round_trip):
        return f"{2 * seen['mib'] / 1024 / (round_trip['median'] / 1e3):.2f} GiB/s"

    return Result([row(f"{seen['mib']} MiB to the device and back", through, seen["round_trip_ms"],
                       host["round_trip_ms"]),
                   row("that takes: median, 99 %", ms, seen["round_trip_ms"], host["round_trip_ms"]),
                   row(f"product of two matrices, {seen['matrix']}x{seen['matrix']}", ms, seen["product_ms"],
                       host["product_ms"]),
                   row(f"running sums of {count(seen['count'])} numbers", ms, seen["sum_ms"], host["sum_ms"])],
                  stage.file(f"{entry.name}.png"),
                  f"every number is what the CPU says; of the product, a pixel a number, {EXACT}")


def fences(stage, entry):
    seen, host = run(stage.guest(entry.guest), entry.command), on_host(stage, entry.command)
    expect(seen["submits"] >= 20000 and seen["gates"], "20,000 submits, some of them behind the CPU's gate", seen)
    return Result([("submits, each done when it says so", count(seen["submits"]), count(host["submits"])),
                   ("of their batches, behind a gate that the CPU opens", count(seen["gates"]), count(host["gates"])),
                   ("queues", str(seen["queues"]), str(host["queues"])),
                   ("sync files are among what is waited for", *("yes" if one["sync_files"] else "no"
                                                                 for one in (seen, host))),
                   row("a submit: median, 99 %", ms, seen["submit_ms"], host["submit_ms"]),
                   row("32 submits and the waits for them", ms, seen["batch_ms"], host["batch_ms"])],
                  against_host="each submit's result is checked; the same here and there")


def churn(stage, entry):
    seen, host = run(stage.guest(entry.guest), entry.command), on_host(stage, entry.command)
    kinds = ("memories", "mapped", "addressed", "images")
    expect(seen["made"] == 10000 and [seen[kind] for kind in kinds] == [host[kind] for kind in kinds],
           f"the 10,000 things that the host makes, {host}", seen)
    return Result([("made, used, checked and freed", count(seen["made"]), count(host["made"])),
                   ("memories, mapped buffers, buffers used by address, images",
                    ", ".join(count(seen[kind]) for kind in kinds)),
                   ("all together", f"{seen['mib']:.0f} MiB"),
                   row("to make and fill one: median, 99 %", ms, seen["make_ms"], host["make_ms"]),
                   row("to check and free one", ms, seen["free_ms"], host["free_ms"])],
                  against_host="each holds until its end what it was given; the same things here and there")


def contexts(stage, entry):
    guest = stage.guest(entry.guest)
    before, most = guest.stats(), 0
    job = guest.spawn(f"{VENUS} exec {entry.command}")
    while job.status is None:
        guest.check_alive()
        most = max(most, guest.stat("contexts") - before["contexts"])
        time.sleep(0.1)
    expect(job.status == 0, "multi_context to end with status 0", job.output + job.errors)
    seen, host = json.loads(job.output.splitlines()[-1]), on_host(stage, entry.command)
    expect(seen["shared"] == 0 and most >= seen["contexts"],
           f"{seen['contexts']} contexts at once, and no memory with another's words in it", seen)
    wait_until_given_back(guest, before)
    return Result([("pieces of memory taken, none with another's words", count(seen["pieces"]),
                    count(host["pieces"])),
                   ("processes, threads", f"{seen['processes']}, {seen['threads']}",
                    f"{host['processes']}, {host['threads']}"),
                   ("the device's contexts at once", str(most)),
                   ("all that took", f"{seen['seconds']:.1f} s", f"{host['seconds']:.1f} s")],
                  against_host="each word of each piece is looked at, here and there")


def formats_drawn(stage, entry):
    seen, host = run(stage.guest(entry.guest), entry.command), on_host(stage, entry.command)
    expect(seen["drawn"] >= 30, "at least the 30 formats or so that every driver has", seen)
    expect((seen["drawn"], seen["not_drawable"]) == (host["drawn"], host["not_drawable"]), host, seen)
    return Result([("formats drawn in, every bit right", str(seen["drawn"]), str(host["drawn"])),
                   ("formats that cannot be drawn in", str(len(seen["not_drawable"])),
                    str(len(host["not_drawable"])))],
                  against_host="the same formats, with the same bits")


def formats_shown(stage, entry):
    """Each format that the kernel takes is shown right; what it does not take it refuses with a reason."""
    guest = stage.guest(entry.guest)
    scanout = entry.command.split()[-1]
    numbers, works = [], []
    for item in run(guest, entry.command)["formats"]:
        name, answer = item["format"], item[scanout]
        if answer == "works":
            with Shown(guest, f"{entry.command} --format {name}") as shown:
                wanted = pattern(shown.result["width"], shown.result["height"], 1)
                same(shown.picture(stage.file(f"{entry.name}-drawn.png")), wanted, "the pattern")
                same(stage.screen(guest, entry.name), wanted, f"the pattern on the screen, from {name}")
            works.append(name)
        numbers.append((f"{name} (virtio's {item['virtio']})",
                        "shown" if answer == "works" else answer.replace("refused: ", "refused by the kernel: ")))
    expect(KERNEL_SHOWS in works, f"at least {KERNEL_SHOWS} shown", works)
    return Result([("formats shown right, of virtio-gpu's eight", str(len(works))), *numbers],
                  stage.file(f"{entry.name}.png"), f"what is shown is the pattern that it should be, {EXACT}")


def resize(stage, entry):
    guest = stage.guest(entry.guest)
    with Shown(guest, entry.command, timeout=300) as shown:
        seen = shown.result
        full = pattern(SIZE[0] + seen["x"], SIZE[1] + seen["y"], seen["modes"] - 1)
        wanted = full.crop(seen["x"], seen["y"], *SIZE)
        same(shown.picture(stage.file(f"{entry.name}-drawn.png")), wanted, "the part of the pattern")
        same(stage.screen(guest, entry.name), wanted, "the part of the pattern on the screen")
    return Result([(f"changes, among {seen['of']} modes", str(seen["modes"])),
                   ("of them to a part of a larger picture", str(seen["larger"])),
                   row("a change: median, 99 %", ms, seen["change_ms"]),
                   row("waiting for the drawing", ms, seen["wait_for_drawing_ms"])],
                  stage.file(f"{entry.name}.png"), f"the last picture's part is what it should be, {EXACT}")


def zero_copy(stage, entry):
    """Nothing is copied, transferred or mapped anew for a flip."""
    guest = stage.guest(entry.guest)
    before = guest.stats()
    job = guest.spawn(f"{VENUS} exec {entry.command} --hold")
    seen = wait_until_held(guest, job)
    expect(seen, "kms_zero_copy to hold its last frame", job.output + job.errors)
    after = guest.stats()
    same(stage.screen(guest, entry.name), pattern(seen["width"], seen["height"], seen["frames"] - 1),
         "the pattern of the last frame on the screen")
    job.signal(15)
    job.wait(20)
    wait_until_given_back(guest, before)
    grown = {name: after[name] - before[name] for name in ("flushes", "transfers", "guest-copies", "command-errors")}
    expect(grown["flushes"] >= seen["frames"], "a flush for each frame", grown)
    expect(grown["guest-copies"] == grown["command-errors"] == 0, "no copies and no errors", grown)
    return Result([("frames per second", f"{seen['fps']:.0f}"), row("drawing: median, 99 %", ms, seen["draw_ms"]),
                   row("a flip", ms, seen["flip_ms"]), ("flushes", count(grown["flushes"])),
                   ("transfers of pixels, before the first frame", count(grown["transfers"])),
                   ("copies of pixels by the device", count(grown["guest-copies"]))],
                  stage.file(f"{entry.name}.png"), f"the last frame on the screen is what it should be, {EXACT}")


def compositor(stage, entry):
    guest = stage.guest(entry.guest, fresh=True)
    guest.run("wl")
    before = guest.stat("contexts")
    job = guest.spawn(entry.command)
    seen = wait_until_held(guest, job, timeout=300)
    expect(seen, "compositor to keep both windows", job.output + job.errors)
    held = guest.stat("contexts") - before
    expect(held >= 2, "a context for each window", held)
    large, small = (picture.read_png(stage.fetch(guest, f"/tmp/two/{name}.png", f"compositor-{name}.png"))
                    for name in ("large", "small"))

    def question():
        closest = both_shown(stage.screen(guest, entry.name), large, small)
        return closest is True, closest

    wait_for(question, "both windows' pictures on the screen", timeout=10)
    job.signal(15)
    job.wait(20)
    wait_for(lambda: (guest.stat("contexts") == before, guest.stat("contexts")), f"{before} contexts again", 10)
    return Result([("frames per second, both together", f"{seen['large']['fps'] + seen['small']['fps']:.0f}"),
                   *((f"{one['width']}x{one['height']}: frames per second", f"{one['fps']:.0f}")
                     for one in (seen["large"], seen["small"])),
                   *((f"{one['width']}x{one['height']}, a frame: median, 99 %", ms(one["frame_ms"]))
                     for one in (seen["large"], seen["small"]))],
                  stage.file(f"{entry.name}.png"),
                  "each window shows what its program drew, bit by bit, where the other does not cover it")


SIZED = f"{SIZE[0]}x{SIZE[1]}"

ENTRIES = [
    entry("triangle", "Triangle", "The first steps: a pipeline, an image, commands, the wait. Drawn offscreen, "
          "640x480, each frame waited for.", "triangle --frames 1000", frames),
    entry("gears", "Gears", "Several pipelines in one picture, push constants, a depth image. Drawn offscreen, "
          "640x480, each frame waited for.", "gears --frames 500", frames),
    entry("cube-dumb", "Animated cube", "On the display with no window system, copied by the guest's processor "
          "into dumb buffers: works with every driver.",
          f"vkcube_anim --scanout dumb --size {SIZED} --frames 600", cube),
    entry("compute", "Computing", "A product of matrices, running sums, and a buffer of 256 MiB that goes to the "
          "device and comes back changed; every number is checked against the CPU.",
          "compute --frames 3", compute),
    entry("fence_stress", "Fences", "Submits to all queues, tied together by timeline semaphores, waited for in "
          "every order and by every means.", "fence_stress --frames 20000", fences),
    entry("resource_churn", "Resources", "Memories, buffers and images made, used and freed at random; what they "
          "hold is checked.", "resource_churn --frames 10000", churn),
    entry("multi_context", "Many contexts", "Processes and threads, each with an instance and a device of its own: "
          "none sees another's memory.", "multi_context --contexts 32 --frames 200", contexts),
    entry("format_draw", "Drawn formats", "Draws in every colour format and looks at each bit.", "format_draw",
          formats_drawn),
    entry("format-dumb", "Shown formats", "Which of virtio-gpu's formats the guest's kernel shows, from dumb "
          "buffers. Linux' driver knows one, and refuses the others itself.",
          "format_test --scanout dumb", formats_shown),
    entry("resize-dumb", "Changing modes", "Changes of mode and size while the next picture is being drawn.",
          f"rapid_resize --modes 200 --size {SIZED} --scanout dumb", resize),
    entry("compositor", "Two windows", "A Wayland compositor (weston, which draws with the processor) and two "
          "Vulkan programs at once, through swapchains.",
          "mkdir -p /tmp/two && compositor --frames 600 --png /tmp/two --hold", compositor),
    entry("cube-blob", "Animated cube, in place", "With Vulkan's memory scanned out where it is: no copy by "
          "anybody. Needs a host driver that exports dma-bufs.",
          f"vkcube_anim --scanout blob --size {SIZED} --frames 600", cube, "dmabuf"),
    entry("kms_zero_copy", "Flips with no copy", "The display flips between two images that Vulkan draws on. "
          "The device's counters say that nothing was copied.", "kms_zero_copy --frames 600", zero_copy, "dmabuf"),
    entry("format-blob", "Shown formats, in place", "Which of virtio-gpu's formats the guest's kernel shows from "
          "memory of Vulkan's.",
          "format_test --scanout blob", formats_shown, "dmabuf"),
    entry("resize-blob", "Changing modes, in place", "The same changes, with pictures that are scanned out where "
          "Vulkan draws them.",
          f"rapid_resize --modes 200 --size {SIZED} --scanout blob", resize, "dmabuf"),
]
