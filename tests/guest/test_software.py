# SPDX-License-Identifier: MIT
"""Unmodified software beyond vkcube and vkmark, in short: examples/software.py has it in full length."""

import sys

from harness import TOP, Failed, expect

sys.path.insert(0, str(TOP / "examples"))

import software  # noqa: E402

# Of glmark2, each with a picture that it knows.
SCENES = ("build:use-vbo=true", "texture:texture-filter=mipmap", "shading:shading=phong", "bump:bump-render=height",
          "desktop:effect=shadow:windows=4", "buffer:update-method=map", "conditionals:fragment-steps=5:vertex-steps=0")


def test_film(case):
    """mpv's gpu-next shows a film's frame as mpv's own conversion has it, and another frame is told from it"""
    case.guest.run("wl")
    closest, seen = software.film_frame(case.guest, lambda: case.screen("screen"), 2, case.file("wanted.png"))
    seen.write_png(case.file("seen.png"))
    case.note(closest)
    case.guest.run(f"mpv --no-config --vo=image --vo-image-format=png --vo-image-outdir=/tmp/other --no-audio "
                   f"--start=1 --frames=1 {software.FILM}")
    other = software.picture.read_png(case.fetch("/tmp/other/00000001.png", "other.png"))
    apart = software.picture.Difference(seen, other)
    expect(apart.mean > 2 or apart.share_near < 0.9, "the frame a second earlier to differ by more", apart)


def test_opengl(case):
    """OpenGL through Zink: what glmark2 reads back is what it expects, pow() in shaders and mapped buffers included"""
    right, unknown = software.validate(case.guest, " ".join(f"-b {scene}" for scene in SCENES))
    case.note(f"{right} right, {unknown} that glmark2 cannot judge")
    expect(right == len(SCENES), "all of them found right", right)


def test_opengl_frames(case):
    """an OpenGL program draws frame after frame in its window"""
    text = case.guest.run(f"{software.ZINK} timeout 12 wl stdbuf -oL weston-simple-egl 2>&1 || test $? = 124").output
    if "fps" not in text:
        raise Failed(f"expected frames per second\n    seen {text[-1500:]}")
    case.note(text.splitlines()[-1])
