# SPDX-License-Identifier: MIT
"""Programs that know nothing of us, in the guest: how each is started and stopped, and what it said.

They run under weston (guest/wl), in a window of Wayland's or through Xwayland. guest/frame_layer.c, a Vulkan
layer, counts a program's frames and can make it stand still after one, which then stays on the screen.
"""

import json
import re

from venusvm import picture
from venusvm.expect import Failed, expect, wait_for
from venusvm.guest import frames_environment
from venusvm.host import on_host
from venusvm.host_screen import host_vkcube, window_of_vkcube
from venusvm.screen import dump

LAVAPIPE = "VK_DRIVER_FILES=/usr/share/vulkan/icd.d/lvp_icd.json"  # the guest's own, after "wl env"
# OpenGL by Vulkan. Zink leaves a Vulkan device that is a processor alone unless it is told to take one.
ZINK = "MESA_LOADER_DRIVER_OVERRIDE=zink LIBGL_ALWAYS_SOFTWARE=1"
# Mesa's Venus (26.1) leaves a thread something to call at its end, which is gone if the loader has unloaded the
# driver by then: without this mpv ends with a segmentation fault when all is done.
KEEP = "VK_LOADER_DISABLE_DYNAMIC_LIBRARY_UNLOADING=1"
# gpu-sw: as Zink, mpv wants no processor for a GPU. No texts over the picture, no sound.
MPV = f"env {KEEP} mpv --no-config --no-audio --no-osc --osd-level=0 --gpu-sw=yes --vo=gpu-next"
MPV_VULKAN = f"{MPV} --gpu-api=vulkan --gpu-context=waylandvk"
MPV_OPENGL = f"{MPV} --gpu-api=opengl --gpu-context=wayland"
# Every picture, as fast as it can, also when the compositor has not asked for another one in time.
MPV_ALL = "--untimed --framedrop=no --wayland-internal-vsync=no"
CLIP = "/tmp/clip.mkv"
CLIP_SIZE, CLIP_RATE = (640, 360), 30
GEARS = 300  # the width and height of their window


def counted(guest, before, command, timeout=120):
    """Runs a program to its end: how many frames it presented, and in how many seconds."""
    log = "/tmp/counted.json"
    guest.run(f"rm -f {log}; {before} wl {frames_environment(log=log)} {command}", timeout)
    drawn = json.loads(guest.run(f"cat {log}").output)
    return drawn["frames"], drawn["seconds"]


class Held:
    """A program that stands still after its frame of that number (1 is the first), for a with statement."""

    def __init__(self, guest, before, command, frame, timeout=240):
        log = "/tmp/held.json"
        guest.run(f"rm -f {log}")
        self.job = guest.spawn(f"{before} wl {frames_environment(log=log, hold=frame)} {command}")

        def question():
            if self.job.status is not None:
                raise Failed(f"expected '{command}' to stand still at frame {frame}\n    seen status "
                             f"{self.job.status}: {(self.job.output + self.job.errors)[-1500:]}")
            return guest.run(f"test -s {log}", check=False).status == 0, "none yet"

        wait_for(question, f"frame {frame} of '{command}'", timeout)
        drawn = json.loads(guest.run(f"cat {log}").output)
        self.rate = (drawn["frames"] - 1) / drawn["seconds"] if drawn["seconds"] else 0.0  # frames per second

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.job)


def end(job):
    """Ends a program that would go on."""
    if job.status is None:
        job.signal(9)
        job.wait(20)


def settled(guest, look, expected, timeout=30):
    """What look makes of the screen, as soon as two looks in a row are the same, and not None."""
    last = None

    def question():
        nonlocal last
        before, last = last, look(dump(guest))
        return last and before and last.rgb == before.rgb, last

    wait_for(question, expected, timeout)
    return last


def vkcube_version(run):
    """Of the package that vkcube is in, by a function that runs a command; empty where it is not Debian's."""
    return run("dpkg-query -W -f '${source:Upstream-Version}' vulkan-tools 2>/dev/null || true").strip()


def wanted_vkcube(guest, frame, size):
    """What vkcube shows as its frame of that number: the host's own vkcube's or, if the guest's is of another version,
    whose light may be another, what that draws with the guest's own processor."""
    theirs = vkcube_version(lambda command: guest.run(command).output)
    ours = vkcube_version(lambda command: on_host(["sh", "-c", command]))
    if not (theirs and ours) or theirs == ours:
        return host_vkcube(frame, size, size)

    def look(screen):
        try:
            return window_of_vkcube(screen, size, size)
        except (Failed, ValueError):
            return None

    with Held(guest, "", f"env {LAVAPIPE} vkcube --wsi wayland --width {size} --height {size} --c {frame + 10}", frame):
        return settled(guest, look, "vkcube's window")


def gears(screen):
    """The window of es2gears or glxgears: its first row is black. None if there is no such window yet."""
    at = screen.find_row((0, 0, 0), GEARS)
    try:
        window = screen.crop(*at, GEARS, GEARS) if at else None
    except ValueError:
        return None
    return window if window and window.colours() > 20 else None


def check_gears(window):
    """Red, green and blue gears on black, as many pixels of each as there must be."""
    for name, channel in (("red", 0), ("green", 1), ("blue", 2)):
        own = sum(pixel == max(pixel, *others) and pixel > 100 and pixel > 1.5 * max(others) for pixel, *others in
                  zip(window.rgb[channel::3], window.rgb[(channel + 1) % 3::3], window.rgb[(channel + 2) % 3::3]))
        share = own / (GEARS * GEARS)
        expect(share > 0.01, f"a {name} gear, more than 1 % of the window", f"{100 * share:.2f} %")
    expect(window.share((0, 0, 0)) > 0.3, "a black ground, more than 30 % of the window", window)


def make_clip(guest, seconds):
    """Makes a clip of ffmpeg's test picture in the guest: MPEG-4, 4:2:0, CLIP_RATE frames a second."""
    width, height = CLIP_SIZE
    guest.run(f"ffmpeg -loglevel error -y -f lavfi -i testsrc2=size={width}x{height}:rate={CLIP_RATE} -t {seconds} "
              f"-c:v mpeg4 -q:v 3 {CLIP}", timeout=180)


def frame_of_clip(guest, number):
    """A frame of the clip (0 is the first) as ffmpeg's own scaler makes it R, G, B."""
    pixels = guest.run(rf"ffmpeg -loglevel error -i {CLIP} -vf select='eq(n\,{number})' -frames:v 1 -sws_flags "
                       "bicubic+full_chroma_int+accurate_rnd -f rawvideo -pix_fmt rgb24 -").stdout
    return picture.Picture(*CLIP_SIZE, pixels)


def mpv_still(guest, before, command, number, timeout=60):
    """mpv, paused at a frame of the clip: what it shows, a pixel for a pixel, in the middle of the screen."""
    job = guest.spawn(f"{before} wl {command} --pause --start={number / CLIP_RATE} --hr-seek=yes --fs "
                      f"--video-unscaled=yes {CLIP}")

    def look(screen):
        if job.status is not None:
            raise Failed(f"expected mpv to show a frame\n    seen status {job.status}: "
                         f"{(job.output + job.errors)[-1500:]}")
        x, y = (screen.width - CLIP_SIZE[0]) // 2, (screen.height - CLIP_SIZE[1]) // 2
        around = screen.find_row((0, 0, 0), screen.width)
        return screen.crop(x, y, *CLIP_SIZE) if around == (0, 0) and screen.colours() > 100 else None

    try:
        return settled(guest, look, "mpv's picture on black", timeout)
    finally:
        end(job)


def scenes_of(text, name):
    """(scene with its options, frames per second) of each that vkmark or glmark2 ran, and its score."""
    scenes = [(f"{scene} {options}".replace(" <default>", ""), int(fps)) for scene, options, fps in
              re.findall(r"^\[([\w-]+)\] (\S+): FPS: *(\d+)", text, re.MULTILINE)]
    score = re.search(rf"{name} Score: *(\d+)", text)
    return scenes, int(score[1]) if score else None


def vkmark_scenes(text):
    return scenes_of(text, "vkmark")


def glmark2_scenes(text):
    return scenes_of(text, "glmark2")


def glmark2_validate(guest, *scenes):
    """What glmark2 finds when it reads back what it drew: (scene with its options, Success or Unknown). Of all its
    scenes if none is named. A picture that is wrong is a failure."""
    named = " ".join(f"-b {scene}" for scene in scenes)
    job = guest.run(f"{ZINK} wl glmark2-es2-wayland --validate {named}", 300, check=False)
    answers = [(f"{name} {options}".replace(" <default>", ""), answer) for name, options, answer in
               re.findall(r"^\[([\w-]+)\] (\S+): Validation: (\w+)", job.output, re.MULTILINE)]
    expect(job.status == 0 and "zink" in job.output and len(answers) >= max(1, len(scenes)) and
           {answer for _, answer in answers} <= {"Success", "Unknown"}, "glmark2 to find all its pictures right",
           f"status {job.status}: {(job.output + job.errors)[-2000:]}")
    return answers


def gl_renderer(guest):
    """What OpenGL calls itself."""
    text = guest.run(f"{ZINK} wl eglinfo -B -p wayland").output
    found = re.search(r"OpenGL ES profile renderer: (.*)", text)
    version = re.search(r"OpenGL ES profile version: (.*)", text)
    core = re.search(r"OpenGL core profile version: (\S+)", text)
    expect(found and version and core, "eglinfo to name OpenGL's renderer and version", text[-1500:])
    return found[1], version[1], core[1]
