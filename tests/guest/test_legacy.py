# SPDX-License-Identifier: MIT
"""The archived OpenGL device, in a QEMU that was built to hold it: it can be gone back to.

That QEMU is scripts/build-qemu.sh --legacy. The old device wants a display with OpenGL: an X server in
memory, on which Mesa's software renderer draws. What QEMU holds by default is in test_qemu.py.
"""

import json
import re
import shlex
import subprocess
import tempfile
from pathlib import Path

from venusvm.harness import ARCHIVED, ARCHIVED_DEVICES, IN_ROOT, VENUS, Failed, expect, guests, host_tools, \
    json_on_host, offered_devices, own_qemu, picture, qemu_of
from venusvm.host_screen import HostScreen, host_vkcube, window_of_vkcube
from venusvm.presenting import hold_cube
from venusvm.unmodified import end

OPTIONS = ["--enable-opengl", "--enable-virglrenderer", "--enable-build-legacy-virtio-gpu"]
LEGACY = "--enable-build-legacy-virtio-gpu"
SOURCES = {"virtio-gpu-gl.c", "virtio-gpu-virgl.c", "virtio-gpu-pci-gl.c", "virtio-vga-gl.c"}
SIZE = (800, 600)
CARD = re.compile(r"virtio-(gpu|vga)")


def legacy_build(case):
    return own_qemu(case, "--legacy", "--build-dir")


def legacy_qemu(case):
    return qemu_of(case, "--legacy")


def archived_sources(build):
    """The files of the archive that a build compiles, without their directories."""
    commands = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    files = [(Path(item["directory"]) / item["file"]).resolve() for item in commands]
    expect(any(file.name == "virtio-gpu.c" for file in files), "a build with a virtio-gpu", build)
    return {file.name for file in files if ARCHIVED.search(file.name)}


def configure(case, folder, leave_out):
    """Configures the patched QEMU in a folder as the build with the archive was, less some options."""
    build = legacy_build(case)
    first = (build / "config.log").read_text(encoding="utf-8").splitlines()
    words = shlex.split(next(line for line in first if "Configured with:" in line).split(":", 1)[1])
    expect(set(OPTIONS) <= set(words), f"{' '.join(OPTIONS)} among the options", words)
    words = [str(build.parent / "src" / "configure"),
             *(word for word in words[1:] if word not in leave_out)]
    packages = guests.made_by("build-lib.sh") / "lib" / "pkgconfig"
    return subprocess.run([*IN_ROOT, "env", f"PKG_CONFIG_PATH={packages}", *words], cwd=folder,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=300, check=False)


def test_built(case):
    """with the option QEMU has the old devices beside the new ones, and configure has warned"""
    build = legacy_build(case)
    expect(archived_sources(build) == SOURCES, SOURCES, archived_sources(build))
    offered = offered_devices(legacy_qemu(case))
    wanted = ARCHIVED_DEVICES | {"virtio-gpu-venus-pci", "virtio-vga-venus", "virtio-gpu-venus-device"}
    expect(wanted <= offered, wanted, {name for name in offered if CARD.match(name)})
    log = (build / "meson-logs" / "meson-log.txt").read_text(encoding="utf-8", errors="replace")
    warning = re.search(r"WARNING: build_legacy_virtio_gpu: .*", log)
    expect(warning, "a warning in meson's log", log[-1000:])
    case.note(warning[0])


def test_only_with_option(case):
    """OpenGL and virglrenderer without the option build nothing of the archive, and say nothing of it"""
    with tempfile.TemporaryDirectory(prefix="venus-configure-") as folder:
        done = configure(case, folder, [LEGACY])
        expect(done.returncode == 0, "configure to succeed", done.stdout[-1500:])
        for name in ("virglrenderer", "epoxy"):
            expect(re.search(rf"dependency {name} found: YES", done.stdout), f"{name} to be used",
                   done.stdout[-1500:])
        expect(not archived_sources(Path(folder)), "nothing of the archive", archived_sources(Path(folder)))
        expect("WARNING: build_legacy" not in done.stdout, "no warning", "it")


def test_option_alone(case):
    """the option without OpenGL is refused with what to do"""
    with tempfile.TemporaryDirectory(prefix="venus-configure-") as folder:
        done = configure(case, folder, ["--enable-opengl"])
        expect(done.returncode != 0, "configure to fail", "status 0")
        expect("configure with --enable-virglrenderer --enable-opengl" in done.stdout,
               "the options that are missing", done.stdout[-1500:])


def draw(case, guest):
    """The guest names Venus, and draws what the host draws."""
    summary = guest.run(f"{VENUS} vulkaninfo --summary").output
    found = dict(re.findall(r"^\s*(\w+)\s*= (.*?)\s*$", summary, re.MULTILINE))
    case.note(f"{found.get('deviceName')}, {found.get('driverInfo')}")
    expect(found.get("driverID") == "DRIVER_ID_MESA_VENUS", "driverID DRIVER_ID_MESA_VENUS", summary[-1500:])
    ours, theirs = case.file("host.png"), "/tmp/legacy.png"
    json_on_host([host_tools() / "frame", "--out", ours])
    guest.run(f"{VENUS} frame --out {theirs}", timeout=300)
    case.file("guest.png").write_bytes(guest.run(f"cat {theirs}").stdout)
    seen, wanted = picture.read_png(case.file("guest.png")), picture.read_png(ours)
    expect(seen.rgb == wanted.rgb, f"the host's frame ({ours})", picture.Difference(seen, wanted))


def show(case, guest, host, device):
    """vkcube is seen in QEMU's window as the host draws it."""
    wanted, job = host_vkcube(30, *SIZE), hold_cube(case, guest, 30, SIZE)
    closest = None

    def question():
        nonlocal closest
        screen = host.picture()
        screen.write_png(case.file(f"{device}-window.png"))
        try:
            closest = picture.Difference(window_of_vkcube(screen, *SIZE), wanted)
        except Failed as not_yet:
            return False, not_yet
        return closest.mean <= 2 and closest.share_near >= 0.999, closest

    case.wait_for(question, "vkcube's frame within a mean of 2/255 and 99.9 % within 8/255", timeout=20)
    case.note(f"vkcube in QEMU's window: {closest}")
    end(job)


def test_old_device_works(case):
    """the old device's guest has Venus, draws a frame as the host does, and shows vkcube in QEMU's window"""
    for device in ("virtio-gpu-gl-pci", "virtio-vga-gl"):
        with HostScreen(1024, 768) as host, \
                case.another_guest(qemu=legacy_qemu(case), device=device, display="sdl,gl=on",
                                   resolution=SIZE, properties={"blob": "on", "venus": "on"},
                                   env={"DISPLAY": host.display, "SDL_VIDEODRIVER": "x11"}) as guest:
            case.note(device)
            draw(case, guest)
            show(case, guest, host, device)


def test_new_device_works(case):
    """the new device in the same QEMU works as ever, with no display"""
    with case.another_guest(qemu=legacy_qemu(case)) as guest:
        draw(case, guest)
        expect(guest.stat("contexts-created") > 0, "contexts counted", guest.stats())


def test_old_device_says_what_it_lacks(case):
    """without OpenGL in the display the old device says so and QEMU ends"""
    command = [*IN_ROOT, str(legacy_qemu(case)), "-nodefaults", "-M", "q35", "-accel", "tcg", "-S", "-display",
               "none", "-monitor", "stdio", "-device", "virtio-gpu-gl-pci,hostmem=1G,blob=on,venus=on"]
    done = subprocess.run(command, input="quit\n", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=60, check=False)
    expect(done.returncode != 0 and "OpenGL" in done.stderr, "a line about OpenGL and a status other than 0",
           f"{done.returncode}: {done.stderr}")
