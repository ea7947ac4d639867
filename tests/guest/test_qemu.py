# SPDX-License-Identifier: MIT
"""The QEMU program itself: what it needs, and what it says to a person who got something wrong."""

import json
import re
import shlex
import subprocess

import messages
from venusvm.harness import (ARCHIVED, ARCHIVED_DEVICES, TOP, expect, guests, in_root, need_patch, offered_devices,
                             on_host, own_qemu, qemu_of, root_of, without_egl)

FOREIGN = re.compile(r"lib(EGL|GL|GLX|GLESv2|OpenGL|gbm|epoxy)\b")
DEVICE = "virtio-gpu-venus-pci"


def needed(path):
    return re.findall(r"\(NEEDED\).*\[(.*)\]", on_host(["readelf", "-d", path]))


def start(case, *options, root=None, environment=()):
    """Starts QEMU with a machine that does not run, and tells its monitor to quit."""
    command = [*in_root(*(root_of(case) if root is None else root)), "env", *environment, str(qemu_of(case)),
               "-nodefaults", "-M", "q35", "-accel", "tcg", "-display", "none", "-S", "-monitor", "stdio", *options]
    return subprocess.run(command, input="quit\n", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=60, check=False)


def test_libraries(case):
    """QEMU and libvenusgpu need no library of OpenGL, EGL or GBM of their own"""
    qemu = own_qemu(case)
    library = guests.made_by("build-lib.sh") / "lib" / "libvenusgpu.so"
    expect(any(name.startswith("libvenusgpu") for name in needed(qemu)), "libvenusgpu among what "
           "QEMU needs", needed(qemu))
    for path in (qemu, library):
        found = [name for name in needed(path) if FOREIGN.match(name)]
        expect(not found, f"none of them needed by {path.name}", found)


def test_without_egl(case):
    """QEMU starts with the device where there is no libEGL and no libGL"""
    done = start(case, "-device", DEVICE, root=without_egl(case))
    expect(done.returncode == 0, "status 0", f"{done.returncode}: {done.stderr}")


def test_mistakes(case):
    """a wrong option gets a line that says what is wrong and what to do"""
    for options, wanted in (
            (["-device", f"{DEVICE},hostmem=300M"], "use 256M or 512M"),
            (["-device", f"{DEVICE},max_outputs=17"], "use 1 to 16"),
            (["-device", f"{DEVICE},render-server=/nowhere"], "virgl_render_server"),
            (["-device", f"{DEVICE},present=maybe"], "use auto, surface, swapchain or off"),
            (["-device", f"{DEVICE},present-mode=slow"], "use fifo, mailbox or immediate"),
            (["-device", f"{DEVICE},present=swapchain,present-target=tv"], "headless, x11, wayland or metal"),
            (["-device", f"{DEVICE},present-target=x11"], "use present=swapchain"),
            (["-device", DEVICE, "-device", DEVICE], "max_outputs")):
        done = start(case, *options)
        said = done.stderr.strip()
        expect(done.returncode != 0, f"{' '.join(options)} to be refused", "status 0")
        expect(wanted in said and len(said.splitlines()) <= 2,
               f"one or two lines with '{wanted}' for {' '.join(options)}", said)


def test_messages(case):
    """what docs/messages.md has to be tried with an option of QEMU's gets that message, of one or two lines"""
    page = messages.PAGE.read_text(encoding="utf-8")
    tries = messages.tries(page, "An option of the device") + messages.tries(page, "The device does not start")
    expect(len(tries) > 10, "more than ten to try", tries)
    for message, options in tries:
        done = start(case, *shlex.split(options))
        said = done.stderr.strip()
        expect(done.returncode != 0 and messages.pattern(message).search(said) and len(said.splitlines()) <= 2,
               f"{options} to be refused with one or two lines: {message}", f"status {done.returncode}: {said}")


def test_default_window(case):
    """the window is as large as the README says, if nothing else is asked for"""
    said = re.search(r"^\| `hostmem` \| (\d+)G \|", (TOP / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    expect(said, "hostmem and its default in README.md", None)
    for device in (DEVICE, "virtio-vga-venus"):
        offered = on_host([qemu_of(case), "-device", f"{device},help"], root=root_of(case))
        found = re.search(r"hostmem=.*\(default: (\d+)\)", offered)
        expect(found and int(found[1]) == int(said[1]) << 30, f"hostmem={said[1]}G of {device}", found and found[1])
        done = start(case, "-device", device)
        expect(done.returncode == 0, f"QEMU to start with {device} as it is", f"{done.returncode}: {done.stderr}")


def test_too_large_for_sdl(case):
    """a picture that is larger than SDL's largest texture: a line says so, and QEMU goes on"""
    need_patch(case, "ui/sdl2: say why a picture is not shown")
    preload = guests.made_by("build-lib.sh", "--build-dir") / "tests" / "standin" / "libstandin-small-textures.so"
    done = start(case, "-device", f"{DEVICE},xres=1920", "-display", "sdl,gl=off",
                 environment=[f"LD_PRELOAD={preload}", "SDL_VIDEODRIVER=dummy", "SDL_RENDER_DRIVER=software"])
    expect(done.returncode == 0, "status 0", f"{done.returncode}: {done.stderr}")
    expect(re.search(r"SDL cannot show a picture of \d+x\d+ pixels: at most 512x512", done.stderr),
           "a line that says what cannot be shown", done.stderr)


def test_nothing_archived(case):
    """QEMU has no object of the archived OpenGL device, and does not offer it, unless it was asked for"""
    qemu, build = own_qemu(case), own_qemu(case, "--build-dir")
    commands = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    compiled = [item["output"] for item in commands]
    objects = [str(path.relative_to(build)) for path in build.rglob("*.o")]
    for names, what in ((compiled, "compiled"), (objects, "an object file")):
        expect(any("virtio-gpu-venus" in name for name in names), f"virtio-gpu-venus to be {what}", "not")
        found = [name for name in names if ARCHIVED.search(name)]
        expect(not found, f"nothing of the archive to be {what}", found)
    offered = offered_devices(qemu)
    expect(DEVICE in offered and not offered & ARCHIVED_DEVICES, f"{DEVICE} and none of {ARCHIVED_DEVICES}",
           {name for name in offered if name.startswith("virtio-")})
    for name in sorted(ARCHIVED_DEVICES):
        done = start(case, "-device", name)
        expect(done.returncode != 0 and "is not a valid device model name" in done.stderr,
               f"{name} to be refused as unknown", f"{done.returncode}: {done.stderr}")
