# SPDX-License-Identifier: MIT
"""Unmodified vkcube under weston, as QEMU's screendump shows it, against the host's own vkcube.

vkcube turns by a fixed angle each frame, so a frame's number says what it looks like. The layer in
guest/frame_layer.c makes it stand still after one, in the guest and on the host. The host's is drawn by
lavapipe itself for an X server in memory; the guest's went through Venus, the guest's window system, the
compositor, the scanout and QEMU. Tolerance: a mean difference of at most 2/255, and 99.9 % of the pixels
within 8/255. (What is seen is no difference at all.) A vkcube of another version than the host's, as forky has, is
held against itself, drawn by the guest's own lavapipe.
"""

import shlex

from venusvm.harness import Failed, expect, guests, picture
from venusvm.host_screen import window_of_vkcube
from venusvm.unmodified import wanted_vkcube

SIZE = 500


def hold(case, frame):
    """Runs vkcube in the guest up to a frame; returns the job, which stands still."""
    log = f"/tmp/held-{frame}.json"
    layer = guests.frames_environment(log=log, hold=frame)
    job = case.guest.spawn(f"rm -f {log}; wl {layer} vkcube --wsi wayland --width {SIZE} "
                           f"--height {SIZE} --c {frame + 10}")

    def question():
        if job.status is not None:
            raise Failed(f"expected vkcube to stand still at frame {frame}\n    seen it end with "
                         f"status {job.status}: {(job.output + job.errors)[-1500:]}")
        there = case.guest.run(f"test -s {shlex.quote(log)}", check=False).status == 0
        return there, "none yet"

    case.wait_for(question, f"frame {frame}", timeout=60)
    return job


def compare(case, frame, job, wanted):
    wanted.write_png(case.file(f"host-{frame}.png"))
    closest = None

    def question():
        # The frame is on its way through the compositor for a moment after vkcube has handed it over.
        nonlocal closest
        seen = window_of_vkcube(case.screen(f"guest-{frame}"), SIZE, SIZE)
        closest = picture.Difference(seen, wanted)
        return closest.mean <= 2 and closest.share_near >= 0.999, closest

    expect(wanted.colours() > 500, "a picture with more than 500 colours on the host", wanted)
    case.wait_for(question, f"frame {frame} within a mean of 2/255 and 99.9 % within 8/255, "
                            f"compared with {case.file(f'host-{frame}.png')}", timeout=10)
    case.note(f"frame {frame}: {closest}")
    job.signal(9)
    job.wait(20)


def test_first_turn(case):
    """vkcube's 30th frame on QEMU's screen is the one that the host draws"""
    wanted = wanted_vkcube(case.guest, 30, SIZE)
    compare(case, 30, hold(case, 30), wanted)


def test_second_turn(case):
    """vkcube's 100th frame, too, and it is another picture than the 30th"""
    wanted = wanted_vkcube(case.guest, 100, SIZE)
    compare(case, 100, hold(case, 100), wanted)
    early = picture.Difference(wanted, wanted_vkcube(case.guest, 30, SIZE))
    expect(early.mean > 2, "two frames that differ by more than the tolerance", early)
