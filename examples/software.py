# SPDX-License-Identifier: MIT
"""Software that nobody changed for this, as Debian ships it: what it needs in the guest, and what it does there."""

import json
import re
import time

import picture
import vkcube
from entry import Entry, Result
from expect import expect, wait_for
from guest import frames_environment
from screen import VENUS

# Zink takes Vulkan for a processor's, which Venus on lavapipe says it is, only if it is told to.
ZINK = "LIBGL_ALWAYS_SOFTWARE=1 MESA_LOADER_DRIVER_OVERRIDE=zink"
NAMES_ZINK = re.compile(r"GL_RENDERER: +zink .*Venus")

CLIP = (640, 360)
# gpu-sw: mpv, too, leaves a processor's Vulkan alone otherwise. For the preloaded driver see docs/limitations.md.
MPV = "env LD_PRELOAD=libvulkan_virtio.so mpv --no-config --gpu-sw --vo=gpu-next --gpu-api=vulkan --gpu-context=waylandvk --no-audio --no-osc --osd-level=0"
FILM = "av://lavfi:testsrc2=size={}x{}:rate=25".format(*CLIP)
FILM_TOLERANCE = "a mean of 2/255 and 90 % within 8/255"


def score(text, name, benches):
    """What vkmark or glmark2 prints: {scene with its options: frames per second}, its score."""
    seen = {re.sub(r"(:|^)duration=[\d.]+(:|$)", r"\1", scene).strip(): int(fps)
            for scene, fps in re.findall(r"^(\[.*?\] .*?): FPS: *(\d+)", text, re.MULTILINE)}
    final = re.search(rf"{name} Score: *(\d+)", text)
    expect(final and len(seen) >= benches and min(seen.values()) > 0,
           f"{benches} scenes or more with frames in each, and a score", text[-1500:])
    return seen, int(final[1])


def validate(guest, scenes=""):
    """glmark2's own look at its pictures, through Zink: how many are right, and how many it cannot judge."""
    text = guest.run(f"{ZINK} wl glmark2-es2-wayland --validate {scenes} 2>&1", 300, check=False).output
    expect(NAMES_ZINK.search(text), "OpenGL by Zink on Venus", text[-1500:])
    seen = re.findall(r"Validation: (\w+)", text)
    expect(seen and set(seen) <= {"Success", "Unknown"} and "Aborted" not in text, "no picture that is wrong",
           text[-1500:])
    return seen.count("Success"), seen.count("Unknown")


def film_frame(guest, screen, second, target):
    """mpv, standing still: its frame on the screen against the same one, converted by mpv's processor code.

    Returns how the two differ and the frame as it was seen.
    """
    guest.run(f"rm -rf /tmp/film; mpv --no-config --vo=image --vo-image-format=png --vo-image-outdir=/tmp/film "
              f"--no-audio --start={second} --frames=1 {FILM}")
    target.write_bytes(guest.run("cat /tmp/film/00000001.png").stdout)
    wanted = picture.read_png(target)
    job = guest.spawn(f"wl {MPV} --fullscreen --video-unscaled=yes --start={second} --pause {FILM}")
    seen = closest = None

    def question():
        nonlocal seen, closest
        whole = screen()
        seen = whole.crop((whole.width - CLIP[0]) // 2, (whole.height - CLIP[1]) // 2, *CLIP)
        closest = picture.Difference(seen, wanted)
        expect(job.status is None, "mpv to stand still", f"status {job.status}: {(job.output + job.errors)[-1500:]}")
        return closest.mean <= 2 and closest.share_near >= 0.9, closest

    wait_for(question, f"the film's frame at {second} s within {FILM_TOLERANCE}, compared with {target}", 90)
    job.signal(15)
    job.wait(20)
    return closest, seen


def frames_of(guest, command, timeout=180):
    """A Vulkan program to its end: frames per second from its first frame to its last."""
    log = "/tmp/frames.json"
    guest.run(f"rm -f {log}; wl {frames_environment(log=log)} {command}", timeout)
    drawn = json.loads(guest.run(f"cat {log}").output)
    expect(drawn["frames"] > 1, "frames", drawn)
    return drawn["frames"], (drawn["frames"] - 1) / drawn["seconds"]


def vulkaninfo(stage, entry):
    found = dict(re.findall(r"^\s*(\w+)\s*= (.*?)\s*$", stage.guest().run(f"{VENUS} {entry.command}").output,
                            re.MULTILINE))
    expect(found.get("driverID") == "DRIVER_ID_MESA_VENUS", "the driver Venus", found)
    host = dict(re.findall(r"^\s*(\w+)\s*= (.*?)\s*$", stage.on_host(["vulkaninfo", "--summary"]), re.MULTILINE))
    expect(host["deviceName"] in found["deviceName"], f"{host['deviceName']} in the device's name", found["deviceName"])
    return Result([("device", found["deviceName"], host["deviceName"]),
                   ("driver", found["driverInfo"], host["driverInfo"]),
                   ("Vulkan", found["apiVersion"], host["apiVersion"])])


def cube(wsi):
    def run(stage, entry):
        guest = stage.guest()
        job = vkcube.hold(guest, 100, wsi)
        closest, seen = vkcube.compare(100, job, lambda: stage.screen(guest, entry.name),
                                       stage.file(f"host-{entry.name}.png"))
        seen.write_png(stage.file(f"{entry.name}.png"))
        frames, fps = frames_of(guest, entry.command.removeprefix("wl "))
        return Result([("frames per second", f"{fps:.0f}"), ("frames", str(frames))],
                      stage.file(f"{entry.name}.png"), f"the 100th frame on the guest's screen is the host's "
                      f"{vkcube.TOLERANCE} (seen: {closest})")
    return run


def seen_while(stage, guest, name, command, seconds, timeout):
    """Runs a program to its end, with a look at the screen on the way; returns what it printed."""
    job = guest.spawn(f"{command} 2>&1")
    time.sleep(seconds)
    shown = stage.screen(guest, name)
    job.wait(timeout)
    expect(job.status == 0, f"{command} to end with status 0", f"{job.status}: {job.output[-1500:]}")
    expect(shown.colours() > 1000, "more than 1000 colours on the screen", shown)
    return job.output


def vkmark(stage, entry):
    text = seen_while(stage, stage.guest(), entry.name, entry.command, 16, 300)
    seen, total = score(text, "vkmark", 13)
    return Result([("score", str(total)), *((scene, f"{fps} frames/s") for scene, fps in seen.items())],
                  stage.file(f"{entry.name}.png"), "it checks nothing; the picture is one of its shading scenes")


def mpv(stage, entry):
    guest = stage.guest()
    guest.run("wl")
    closest, seen = film_frame(guest, lambda: stage.screen(guest, entry.name), 2, stage.file("film-wanted.png"))
    seen.write_png(stage.file(f"{entry.name}.png"))
    frames, fps = frames_of(guest, entry.command.removeprefix("wl "))
    return Result([("frames per second", f"{fps:.1f}"), ("frames", str(frames))],
                  stage.file(f"{entry.name}.png"), f"the frame at 2 s on the guest's screen is what mpv's own "
                  f"conversion without Vulkan gives within {FILM_TOLERANCE} (seen: {closest})")


def opengl(stage, entry):
    guest = stage.guest()
    right, unknown = validate(guest)
    text = seen_while(stage, guest, entry.name, entry.command, 30, 400)
    expect(NAMES_ZINK.search(text), "OpenGL by Zink on Venus", text[-1500:])
    seen, total = score(text, "glmark2", 30)
    slowest, fastest = min(seen, key=seen.get), max(seen, key=seen.get)
    return Result([("score", str(total)), ("scenes", str(len(seen))),
                   (f"fastest: {fastest}", f"{seen[fastest]} frames/s"),
                   (f"slowest: {slowest}", f"{seen[slowest]} frames/s"),
                   ("pictures that glmark2 finds right", f"{right}; {unknown} it cannot judge")],
                  stage.file(f"{entry.name}.png"), "glmark2 --validate reads its pictures back and finds none wrong")


def simple_egl(stage, entry):
    stopped = entry.command.replace(" wl ", " timeout 20 wl stdbuf -oL ")
    text = seen_while(stage, stage.guest(), entry.name, f"({stopped} || test $? = 124)", 12, 60)
    rates = [float(rate) for rate in re.findall(r": ([\d.]+) fps", text)]
    expect(rates and max(rates) > 1, "frames per second", text[-1500:])
    return Result([("frames per second", f"{max(rates):.0f}")], stage.file(f"{entry.name}.png"),
                  "the picture was looked at, nothing else")


def entry(name, title, text, command, function):
    made = Entry(name, title, text, command, lambda stage: function(stage, made))
    return made


WINDOWS = ("MESA_VK_WSI_DEBUG=sw, which wl sets: images of window systems in shared memory, as this host's lavapipe has "
           "no dma-bufs.")
ENTRIES = [
    entry("vulkaninfo", "vulkaninfo", "Debian's vulkan-tools. Needs nothing but VK_DRIVER_FILES, which the shell has "
          "set, so that lavapipe in the guest is not listed as well.", "vulkaninfo --summary", vulkaninfo),
    entry("vkcube", "vkcube on Wayland", f"Debian's vulkan-tools, under weston. Needs {WINDOWS}",
          "wl vkcube --wsi wayland --width 500 --height 500 --c 600", cube("wayland")),
    entry("vkcube-x11", "vkcube on X11", f"The same as an X11 program, by way of Xwayland. Needs {WINDOWS}",
          "wl vkcube --wsi xcb --width 500 --height 500 --c 600", cube("xcb")),
    entry("vkmark", "vkmark, its whole list", f"All scenes that vkmark has if none is named, 2 seconds each. Needs {WINDOWS}",
          "wl vkmark --winsys wayland -b :duration=2", vkmark),
    entry("mpv", "mpv plays a film by Vulkan", "mpv's gpu-next (libplacebo) shows a clip that its own test source makes "
          "as it is played. Needs --gpu-sw where the host's Vulkan is a processor's; LD_PRELOAD=libvulkan_virtio.so, "
          f"or Mesa's Venus makes it crash at its end (docs/limitations.md says why); and {WINDOWS}",
          f"wl {MPV} --untimed --framedrop=no --length=12 {FILM}", mpv),
    entry("glmark2", "OpenGL in the guest: glmark2 through Zink", "The guest has OpenGL ES although the host has "
          "no OpenGL: Mesa's Zink makes Vulkan of it, and Venus takes that to the host. Needs "
          "MESA_LOADER_DRIVER_OVERRIDE=zink, LIBGL_ALWAYS_SOFTWARE=1 where the host's Vulkan is a processor's, and "
          f"{WINDOWS} One second for each scene.",
          f"{ZINK} wl glmark2-es2-wayland -b :duration=1", opengl),
    entry("simple-egl", "OpenGL in the guest: weston-simple-egl", "weston's smallest OpenGL program, with the same settings.",
          f"{ZINK} wl weston-simple-egl", simple_egl),
]
