# SPDX-License-Identifier: MIT
"""Unmodified programs, as Debian has them, in the guest: each in full length.

The host can run vulkaninfo and vkcube itself, to compare with. It has no mpv and no OpenGL: what OpenGL draws is
compared with what it draws on the guest's own lavapipe, that is, without the device; mpv's picture with ffmpeg's.
"""

import re
import time

from venusvm import picture
from venusvm.examples.entry import Result, entry
from venusvm.expect import Failed, expect
from venusvm.host_screen import host_vkcube, window_of_vkcube
from venusvm.surroundings import summary_fields
from venusvm.unmodified import (CLIP, CLIP_RATE, LAVAPIPE, MPV_ALL, MPV_OPENGL, MPV_VULKAN, ZINK, Held, check_gears,
                                counted, end, frame_of_clip, gears, gl_renderer, glmark2_scenes, glmark2_validate,
                                make_clip, mpv_still, settled, vkmark_scenes)

CUBE = 500          # vkcube's window
CUBE_FRAME = 100    # the one that is compared
CLIP_SECONDS = 5
STILL = 30          # the frame of the clip at which mpv is paused
GEARS_FRAMES = 200  # over which their speed is measured
WSI = ("MESA_VK_WSI_DEBUG=sw, which wl sets: the window system's images are shared memory, since lavapipe on a host "
       "without /dev/udmabuf has no dma-bufs")


def near(seen, wanted, mean, share):
    """Two pictures that are the same but for little; says how little, and how much is allowed."""
    found = picture.Difference(seen, wanted)
    limit = f"a mean difference of at most {mean}/255, and {100 * share:g} % of the pixels within {found.near}/255"
    expect(found.mean <= mean and found.share_near >= share, limit, found)
    return f"{found} (allowed is {limit})"


def vulkaninfo(stage, entry):
    """Its picture is a terminal's, which shows the summary."""
    guest = stage.guest(entry.guest)
    here = summary_fields(guest.run("wl vulkaninfo --summary").output)
    there = summary_fields(stage.on_host(["vulkaninfo", "--summary"]))
    expect(here["driverID"] == "DRIVER_ID_MESA_VENUS" and there["deviceName"] in here["deviceName"],
           f"Venus, with the host's {there['deviceName']} in its name", here)
    whole = guest.run("wl vulkaninfo").output, stage.on_host(["vulkaninfo"])
    # Layers have such a line too, with 0 mostly.
    extensions = [max(map(int, re.findall(r"Device Extensions: count = (\d+)", text)), default=0) for text in whole]
    expect(all(extensions), "vulkaninfo to count the device's extensions", whole[0][-1000:])
    guest.run("printf '#!/bin/sh\\nvulkaninfo --summary\\nsleep 600\\n' >/tmp/show && chmod 755 /tmp/show")
    job = guest.spawn("wl weston-terminal --maximized --shell=/tmp/show")
    try:
        settled(guest, lambda screen: screen if screen.share((0, 0, 0)) > 0.5 and screen.colours() > 50 else None,
                "a terminal", 60)
        stage.screen(guest, entry.name)
    finally:
        end(job)
    return Result([("driver", f"{here['driverName']}, {here['driverInfo']}",
                    f"{there['driverName']}, {there['driverInfo']}"),
                   ("device", here["deviceName"], there["deviceName"]),
                   ("Vulkan", here["apiVersion"], there["apiVersion"]),
                   ("extensions of the device", *map(str, extensions))],
                  stage.file(f"{entry.name}.png"), "the device's name has the host's own in it")


def vkcube(stage, entry):
    """Frames per second, then one frame, at which it is stopped."""
    guest = stage.guest(entry.guest)
    wsi = re.search(r"--wsi (\w+)", entry.command)[1]
    frames, seconds = counted(guest, "", entry.command.removeprefix("wl "), 300)
    wanted = host_vkcube(CUBE_FRAME, CUBE, CUBE)
    wanted.write_png(stage.file(f"host-{entry.name}.png"))

    def look(screen):
        try:
            return window_of_vkcube(screen, CUBE, CUBE)
        except (Failed, ValueError):
            return None

    command = f"vkcube --wsi {wsi} --width {CUBE} --height {CUBE} --c {CUBE_FRAME + 10}"
    with Held(guest, "", command, CUBE_FRAME):
        seen = settled(guest, look, "vkcube's window")
        stage.screen(guest, entry.name)
    return Result([("frames per second", f"{(frames - 1) / seconds:.0f}"), ("frames", str(frames))],
                  stage.file(f"{entry.name}.png"),
                  f"frame {CUBE_FRAME} with the host's own: {near(seen, wanted, 2, 0.999)}")


def vkmark(stage, entry):
    """The picture is of one of its scenes, stopped at a frame."""
    guest = stage.guest(entry.guest)
    job = guest.run(entry.command, 600)
    scenes, score = vkmark_scenes(job.output)
    expect(score and len(scenes) >= 13 and min(fps for _, fps in scenes) > 0, "13 scenes with frames, and a score",
           job.output[-2000:])
    with Held(guest, "", "vkmark --winsys wayland -b shading:shading=phong", 60):
        settled(guest, lambda screen: screen if screen.colours() > 500 else None, "vkmark's cat")
        stage.screen(guest, entry.name)
    return Result([("score", str(score)), *((f"{name}: frames per second", str(fps)) for name, fps in scenes)],
                  stage.file(f"{entry.name}.png"),
                  f"all {len(scenes)} scenes have frames. What they show depends on the clock, so it is not compared")


def mpv(stage, entry):
    """The clip at its speed, then every picture as fast as it can, then paused at one."""
    guest = stage.guest(entry.guest)
    before, program = (ZINK, MPV_OPENGL) if "opengl" in entry.command else ("", MPV_VULKAN)
    make_clip(guest, CLIP_SECONDS)
    whole = CLIP_SECONDS * CLIP_RATE
    played, _ = counted(guest, before, f"{program} {CLIP}")
    frames, seconds = counted(guest, before, f"{program} {MPV_ALL} {CLIP}", 300)
    expect(frames >= whole, f"all {whole} frames presented", frames)
    seen, wanted = mpv_still(guest, before, program, STILL), frame_of_clip(guest, STILL)
    seen.write_png(stage.file(f"{entry.name}.png"))
    wanted.write_png(stage.file(f"ffmpeg-{entry.name}.png"))
    return Result([("frames per second, as fast as it can", f"{(frames - 1) / seconds:.1f}"),
                   (f"pictures shown in {CLIP_SECONDS} s, of {whole}; mpv leaves out the others", str(played))],
                  stage.file(f"{entry.name}.png"),
                  f"frame {STILL} with what ffmpeg's own scaler makes of it: {near(seen, wanted, 3, 0.9)}")


def zink(stage, entry):
    guest = stage.guest(entry.guest)
    renderer, version, core = gl_renderer(guest)
    expect("zink" in renderer and "Virtio-GPU Venus" in renderer, "Zink on Venus", renderer)
    program = entry.command.split()[-1]
    windows = []
    for name, driver in ((entry.name, ""), (f"lavapipe-{entry.name}", f"env {LAVAPIPE} ")):
        with Held(guest, ZINK, f"{driver}{program}", 1):
            windows.append(settled(guest, gears, "gears in a window"))
            stage.screen(guest, name)
    check_gears(windows[0])
    with Held(guest, ZINK, program, GEARS_FRAMES, 120) as held:
        rate = held.rate
    return Result([("frames per second", f"{rate:.0f}"), ("OpenGL's renderer", renderer),
                   ("OpenGL, OpenGL ES", f"{core}, {version}")],
                  stage.file(f"{entry.name}.png"),
                  f"the first frame with Zink's on the guest's own lavapipe: {near(*windows, 0.5, 0.999)}")


def glmark2(stage, entry):
    """Its own look at what it draws, then its speed; the picture is of one of its scenes, on the way."""
    guest = stage.guest(entry.guest)
    answers = [answer for _, answer in glmark2_validate(guest)]
    job = guest.spawn(entry.command)
    time.sleep(30)
    shown = stage.screen(guest, entry.name)
    job.wait(400)
    scenes, score = glmark2_scenes(job.output)
    expect(job.status == 0 and score and len(scenes) >= 30 and min(fps for _, fps in scenes) > 0,
           "30 scenes with frames, and a score", f"status {job.status}: {(job.output + job.errors)[-2000:]}")
    expect(shown.colours() > 500, "a picture of more than 500 colours", shown)
    (slowest, least), (fastest, most) = (choose(scenes, key=lambda scene: scene[1]) for choose in (min, max))
    return Result([("score", str(score)), ("scenes", str(len(scenes))),
                   (f"fastest, {fastest}: frames per second", str(most)),
                   (f"slowest, {slowest}: frames per second", str(least)),
                   ("pictures that glmark2 finds right", f"{answers.count('Success')} of {len(answers)}; "
                    f"{answers.count('Unknown')} it cannot judge")],
                  stage.file(f"{entry.name}.png"), "glmark2 reads back what it drew, and finds nothing wrong")


ENTRIES = [
    entry("vulkaninfo", "vulkaninfo", "What the guest's Vulkan says of itself. Needs nothing; the picture is of a "
          "terminal under weston.", "vulkaninfo --summary", vulkaninfo),
    entry("vkcube-wayland", "vkcube on Wayland", f"Khronos' cube under weston. Needs {WSI}.",
          f"wl vkcube --wsi wayland --present_mode 1 --width {CUBE} --height {CUBE} --c 600", vkcube),
    entry("vkcube-x11", "vkcube on X11", f"The same through Xwayland, which weston starts. Needs {WSI}.",
          f"wl vkcube --wsi xcb --width {CUBE} --height {CUBE} --c 600", vkcube),
    entry("vkmark", "vkmark", f"Its whole default list of scenes, 10 seconds each. Needs {WSI}.",
          "wl vkmark --winsys wayland", vkmark),
    entry("mpv", "mpv", "Plays a clip (MPEG-4, 640x360, 30 frames a second, decoded by the guest's processors; "
          "made by ffmpeg -f lavfi -i testsrc2=size=640x360:rate=30 -t 5 -c:v mpeg4 -q:v 3 /tmp/clip.mkv) "
          "through libplacebo. Needs --gpu-sw=yes, as the host's Vulkan device is a processor; the loader's variable, "
          f"since a bug of Mesa's would end it with a segmentation fault when all is done; and {WSI}.",
          f"wl {MPV_VULKAN} {CLIP}", mpv),
    entry("zink-wayland", "OpenGL ES on Wayland", "Mesa's gears through Zink, OpenGL by Vulkan. Needs "
          "LIBGL_ALWAYS_SOFTWARE=1, without which Zink takes no Vulkan device that is a processor, as the host's is "
          f"here; and {WSI}.", f"{ZINK} wl es2gears_wayland", zink),
    entry("zink-x11", "OpenGL on X11", "The same with GLX and OpenGL through Xwayland. Needs the same.",
          f"{ZINK} wl glxgears", zink),
    entry("glmark2", "glmark2", "OpenGL ES through Zink, its whole list of scenes, a second each, after it has looked at its "
          "own pictures (--validate). Needs the same, and a render server that finds libm: "
          "limitations.md says why.",
          f"{ZINK} wl glmark2-es2-wayland -b :duration=1", glmark2),
    entry("mpv-opengl", "mpv with OpenGL", "The same clip through Zink. Needs the same as the two above.",
          f"{ZINK} wl {MPV_OPENGL} {CLIP}", mpv),
]
