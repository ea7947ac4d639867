# SPDX-License-Identifier: MIT
"""What the guest's Vulkan draws is scanned out where it was drawn: guest/kms_zero_copy.c on QEMU's screen.

The program flips the guest kernel's display between two linear images, with no compositor; each flip
reaches the device as SET_SCANOUT_BLOB and RESOURCE_FLUSH of a host blob. Its last frame stays up and is
compared with the pattern that its shader computes: every pixel is the same, or it fails. The screen is so
wide that rows do not lie side by side in memory. The counters show that while it flips nothing was
copied or transferred and no memory mapped for a flip, and that afterwards all memory is given back.

That takes a host driver that exports dma-bufs. lavapipe wants a /dev/udmabuf for it, which many machines
lack; so this guest's QEMU preloads a stand-in for it (tests/standin/udmabuf.c says what that cannot
show). Of a real GPU's dma-bufs this says nothing unless the host has one.
"""

from venusvm.harness import VENUS, Skipped, expect, picture
from venusvm.screen import pattern, standin, wait_until_given_back, wait_until_held

SIZE = (1000, 600)  # lavapipe's rows are multiples of 64 bytes: 4032, not 4000
FRAMES = 600
# Nothing of this may happen while it flips.
STILL = ("transfers", "transfer-bytes", "guest-copies", "guest-aliases", "contexts-created", "command-errors")
# Nor this for a flip; but the guest's Venus takes another piece of memory for its commands now and then.
RARE, MOST = ("blobs-created", "maps-fixed", "maps-alias", "maps-vulkan", "maps-region"), 5


def start(guest, arguments):
    return guest.spawn(f"{VENUS} exec kms_zero_copy {arguments} --hold")


def compare(case, guest, frame, suffix):
    """The screen is the pattern of this frame, and not that of the one before."""
    seen, wanted = case.screen(suffix, guest), pattern(*SIZE, frame)
    wanted.write_png(case.file(f"{suffix}-wanted.png"))
    expect((seen.width, seen.height) == SIZE, f"a screen of {SIZE}", seen)
    expect(seen.rgb == wanted.rgb, f"exactly the pattern of frame {frame}",
           picture.Difference(seen, wanted))
    early = picture.Difference(seen, pattern(*SIZE, frame - 1))
    expect(early.share_same < 0.01, "another picture than the frame before", early)


def end(guest, job, before):
    """Ends the program: its contexts and all their memory go."""
    job.signal(15)
    job.wait(20)
    wait_until_given_back(guest, before)


def check_flips(case, guest):
    before = guest.stats()
    job = start(guest, f"--frames {FRAMES}")

    def question():
        flushes = guest.stat("flushes") - before["flushes"]
        return flushes > 20 or job.status is not None, f"{flushes} flushes"

    case.wait_for(question, "the first frames", timeout=60)
    early = guest.stats()
    result = wait_until_held(guest, job)
    if not result and "dma-buf" in job.errors and "llvmpipe" not in guest.renderer():
        raise Skipped(job.errors.strip())
    expect(result, "kms_zero_copy to hold its last frame", job.output + job.errors)
    late = guest.stats()
    case.note(f"{result['width']}x{result['height']}, stride {result['stride']}: {result['fps']:.0f} "
              f"frames/s; drawing {result['draw_ms']['median']:.2f} ms, a flip "
              f"{result['flip_ms']['median']:.2f} ms (99th percentile {result['flip_ms']['p99']:.2f})")
    compare(case, guest, FRAMES - 1, "flips")
    flushes = late["flushes"] - before["flushes"]
    expect(flushes >= FRAMES, f"a flush for each of {FRAMES} frames", flushes)
    expect(late["flushes"] > early["flushes"], "flips between two looks at the counters", early)
    moved = {name: (early[name], late[name]) for name in STILL if early[name] != late[name]}
    expect(not moved, "no copies and no transfers while it flips", moved)
    moved = {name: (early[name], late[name]) for name in RARE if late[name] - early[name] > MOST}
    expect(not moved, f"at most {MOST} new blobs and maps in {late['flushes'] - early['flushes']} flips",
           moved)
    end(guest, job, before)


def check_format(case, guest, name):
    """Linux' driver shows one format; whatever it takes must be right, the rest be refused in a line."""
    before = guest.stats()
    job = start(guest, f"--frames 3 --format {name}")
    if wait_until_held(guest, job):
        compare(case, guest, 2, name)
        case.note(f"{name}: shown")
        end(guest, job, before)
        return
    words = job.errors.strip()
    expect(job.status == 1 and "kernel" in words and "\n" not in words,
           "one line that says what the kernel refuses", f"status {job.status}: {words}")
    case.note(f"{name}: {words}")


def test_zero_copy(case):
    """what Vulkan draws in the guest is scanned out in place, to the last bit, and nothing is copied"""
    with case.another_guest(preload=standin(), resolution=SIZE) as guest:
        check_flips(case, guest)
        for name in ("XRGB8888", "ARGB8888", "XBGR8888", "ABGR8888"):
            check_format(case, guest, name)
        expect(guest.stat("command-errors") == 0, "no command refused", guest.stats())
