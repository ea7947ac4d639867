# SPDX-License-Identifier: MIT
"""Unmodified vkcube under weston, as QEMU's screendump shows it, against the host's own: see scripts/vkcube.py."""

import vkcube
from harness import expect, picture


def check(case, frame, wsi="wayland"):
    job = vkcube.hold(case.guest, frame, wsi)
    closest, _ = vkcube.compare(frame, job, lambda: case.screen(f"guest-{frame}"), case.file(f"host-{frame}.png"))
    case.note(f"frame {frame}: {closest}")


def test_first_turn(case):
    """vkcube's 30th frame on QEMU's screen is the one that the host draws"""
    check(case, 30)


def test_second_turn(case):
    """vkcube's 100th frame, too, and it is another picture than the 30th"""
    check(case, 100)
    early = picture.Difference(picture.read_png(case.file("host-100.png")),
                               vkcube.host_vkcube(30, vkcube.SIZE, vkcube.SIZE))
    expect(early.mean > 2, "two frames that differ by more than the tolerance", early)


def test_x11(case):
    """vkcube's 30th frame as an X11 program, by way of Xwayland"""
    check(case, 30, "xcb")
