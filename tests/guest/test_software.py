# SPDX-License-Identifier: MIT
"""Unmodified programs in short: vkcube for X, mpv, OpenGL through Zink. venusvm.examples.software has them in full.

What is compared with what:
- vkcube through Xwayland with the host's own, or the guest's without Venus, as test_vkcube.py does it.
- mpv's picture of a frame with what ffmpeg's scaler makes of the frame, which is another one's work: a mean
  difference of at most 3/255.
- The first frame of es2gears, which depends on no clock, with Zink's on the guest's own lavapipe.
The host has no mpv and no OpenGL.
"""

from venusvm.harness import Failed, expect, picture
from venusvm.host_screen import window_of_vkcube
from venusvm.unmodified import (CLIP, CLIP_RATE, LAVAPIPE, MPV_ALL, MPV_VULKAN, ZINK, Held, check_gears, counted,
                                frame_of_clip, gears, gl_renderer, glmark2_validate, make_clip, mpv_still, settled,
                                vkmark_scenes, wanted_vkcube)

SIZE = 500


def close(seen, wanted, mean, share_near):
    """Two pictures that are the same but for little; returns how little."""
    found = picture.Difference(seen, wanted)
    expect(found.mean <= mean and found.share_near >= share_near,
           f"a mean difference of at most {mean}/255, and {100 * share_near:.1f} % of the pixels within 8", found)
    return found


def test_vkcube_on_x11(case):
    """vkcube's 30th frame through X11 on QEMU's screen is the one that the host draws"""
    wanted = wanted_vkcube(case.guest, 30, SIZE)
    wanted.write_png(case.file("host.png"))

    def look(screen):
        try:
            return window_of_vkcube(screen, SIZE, SIZE)
        except (Failed, ValueError):
            return None

    with Held(case.guest, "", f"vkcube --wsi xcb --width {SIZE} --height {SIZE} --c 40", 30):
        seen = settled(case.guest, look, "vkcube's window")
        case.screen("guest")
    case.note(close(seen, wanted, 2, 0.999))


def test_vkmark_default_list(case):
    """vkmark runs its whole default list of scenes, a moment each"""
    case.need("vkmark")
    job = case.guest.run("wl vkmark --winsys wayland -s 400x300 -b :duration=0.3", timeout=240)
    scenes, score = vkmark_scenes(job.output)
    case.note(f"score {score}; " + ", ".join(f"{name}: {fps}" for name, fps in scenes))
    expect(score and len(scenes) >= 13 and min(fps for _, fps in scenes) > 0, "13 scenes with frames, and a score",
           job.output[-2000:])


def test_mpv(case):
    """mpv plays every picture of a clip with Vulkan, and shows one nearly as ffmpeg's own scaler makes it"""
    pictures = 36
    make_clip(case.guest, pictures / CLIP_RATE)
    frames, seconds = counted(case.guest, "", f"{MPV_VULKAN} {MPV_ALL} {CLIP}")
    case.note(f"{frames} frames in {seconds:.2f} s, as fast as it can")
    expect(frames >= pictures, f"all {pictures} pictures presented", frames)
    seen, wanted = mpv_still(case.guest, "", MPV_VULKAN, 30), frame_of_clip(case.guest, 30)
    seen.write_png(case.file("mpv.png"))
    wanted.write_png(case.file("ffmpeg.png"))
    case.note(close(seen, wanted, 3, 0.9))
    early = picture.Difference(seen, frame_of_clip(case.guest, 15))
    expect(early.mean > 3, "another picture than half a second earlier", early)


def test_zink(case):
    """OpenGL through Zink on Venus draws gears as Zink does on lavapipe alone"""
    name, version, _ = gl_renderer(case.guest)
    case.note(f"{name}; {version}")
    expect("zink" in name and "Virtio-GPU Venus" in name, "Zink on Venus", name)
    windows = []
    for driver in ("", f"env {LAVAPIPE} "):
        with Held(case.guest, ZINK, f"{driver}es2gears_wayland", 1):
            windows.append(settled(case.guest, gears, "gears in a window"))
            windows[-1].write_png(case.file(f"{'lavapipe' if driver else 'venus'}.png"))
            if not driver:
                case.screen("guest")
    check_gears(windows[0])
    case.note(close(*windows, 0.5, 0.999))


def test_glmark2(case):
    """what glmark2 draws through Zink and reads back is what it expects, with pow() in shaders and mapped buffers"""
    scenes = ("build:use-vbo=true", "texture:texture-filter=mipmap", "shading:shading=phong",
              "bump:bump-render=height", "desktop:effect=shadow:windows=4", "buffer:update-method=map")
    answers = glmark2_validate(case.guest, *scenes)
    expect([answer for _, answer in answers] == ["Success"] * len(scenes), "each found right", answers)
