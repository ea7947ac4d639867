# SPDX-License-Identifier: MIT
"""Debian's own QEMU with the device as a module: how it gets in, and who is turned away.

There are two doors: an object that is preloaded into QEMU, as the script qemu-system-x86_64-venus does, and modules
with the names of QEMU's own for OpenGL, from a directory of their own (QEMU_MODULE_DIR).
"""

import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

from venusvm.harness import VENUS, expect, guests, in_root, offered_devices, on_host, qemu_of, root_of
from venusvm.processes import family

STOCK = "qemu-system-x86_64"
OURS = {"virtio-gpu-venus-pci", "virtio-gpu-venus-device", "virtio-vga-venus"}
MASKS = {"virtio-gpu-gl-pci", "virtio-vga-gl"}
FOREIGN = re.compile(r"lib(EGL|GL|GLX|GLESv2|OpenGL|gbm|epoxy)\b")
BUILD = guests.SCRIPTS / "build-module.sh"


def modules():
    return guests.made_by("build-module.sh", "--modules")


def run(*command, **options):
    return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=300, check=False, **options)


def test_without_it(case):
    """QEMU by itself has none of the devices: what the others see is the module's doing"""
    found = offered_devices(STOCK, root_of(case))
    expect("virtio-gpu-pci" in found and not found & OURS, "virtio-gpu-pci and none of ours",
           sorted(name for name in found if "gpu" in name or "vga" in name))


def test_libraries(case):
    """the modules need no library of OpenGL, EGL or GBM, and the preloaded object needs libc alone"""
    for module in sorted(modules().glob("*.so")):
        needs = re.findall(r"\(NEEDED\).*\[(.*)\]", on_host(["readelf", "-d", module]))
        found = [name for name in needs if FOREIGN.match(name)]
        expect(not found, f"none of them needed by {module.name}", found)
        expect(module.name != "preload.so" or needs == ["libc.so.6"], "libc alone for preload.so", needs)
    expect(len(list(modules().glob("*.so"))) == 6, "five modules and preload.so", sorted(modules().iterdir()))


def test_no_qemu(case):
    """where QEMU is not installed, the wrapper says so"""
    done = run(*in_root(*root_of(case)), "env", "QEMU_SYSTEM_X86_64=/nowhere", qemu_of(case), "-M", "none")
    expect(done.returncode == 1 and "there is no /nowhere; install QEMU" in done.stderr, "a line that says so",
           done.stderr)


def test_preloaded(case):
    """by the wrapper: all three devices, and those that have the names of virtio-gpu-gl's"""
    found = offered_devices(qemu_of(case), root_of(case))
    expect(OURS | MASKS <= found, f"{sorted(OURS | MASKS)}", sorted(found & (OURS | MASKS)))


def test_masked(case):
    """by QEMU_MODULE_DIR alone: virtio-gpu-gl-pci and virtio-vga-gl are this device"""
    for device in sorted(MASKS):
        offered = on_host([STOCK, "-device", f"{device},help"], root=root_of(case), QEMU_MODULE_DIR=str(modules()))
        expect("present-target=" in offered and "hostmem=" in offered, f"our properties of {device}", offered[-1500:])


def test_masked_options(case):
    """what virtio-gpu-gl is told to do Venus is taken there too, and nothing that would turn it off"""
    for options, wanted in (("blob=on,venus=on", None), ("venus=off", "leave it out")):
        done = subprocess.run([*in_root(*root_of(case)), STOCK, "-M", "q35", "-display", "none", "-S",
                               "-monitor", "stdio", "-nodefaults", "-device", f"virtio-gpu-gl-pci,hostmem=64M,{options}"], input="quit\n",
                              capture_output=True, text=True, timeout=60, check=False,
                              env={**os.environ, "QEMU_MODULE_DIR": str(modules())})
        expect((wanted in done.stderr if wanted else done.returncode == 0 and not done.stderr),
               f"{wanted or 'no complaint'} for {options}", f"{done.returncode}: {done.stderr}")


def test_leaves_environment(case):
    """what QEMU starts does not have the preloaded object, and keeps what else is preloaded"""
    mark = "/usr/lib/x86_64-linux-gnu/libm.so.6"
    with case.another_guest(preload=mark) as guest:
        guest.run(f"{VENUS} vulkaninfo --summary")
        servers = family(guest.process.pid) - {guest.process.pid}
        looked = 0
        for server in servers:
            try:
                environment = Path(f"/proc/{server}/environ").read_text(encoding="utf-8")
            except (FileNotFoundError, ProcessLookupError):
                continue  # the process of the program that has just ended
            looked += 1
            found = re.findall(r"(?:^|\0)(LD_PRELOAD=[^\0]*)", environment)
            expect(found and "preload.so" not in found[0] and mark in found[0], f"LD_PRELOAD with {mark} alone", found)
        expect(looked, "a render server", "none")


def test_harmless_elsewhere(case):
    """other programs live with the preloaded object"""
    for command in (["sh", "-c", "echo lives"], ["ls", "/"], ["python3", "-c", "print('lives')"]):
        said = on_host(["env", f"LD_PRELOAD={modules()}/preload.so", *command], root=root_of(case))
        expect(said.strip(), f"{command[0]} to say something", said)


def test_vga(case):
    """with virtio-vga-venus the wrapper keeps QEMU from adding a second VGA, unless told which"""
    for options, wanted in (([], 1), (["-vga", "std"], 2)):
        command = [*in_root(*root_of(case)), qemu_of(case), "-M", "q35", "-display", "none", "-S", "-monitor", "stdio",
                   "-serial", "none", "-device", "virtio-vga-venus,hostmem=64M,addr=0x10", *options]
        done = subprocess.run([str(word) for word in command], input="info pci\nquit\n", capture_output=True, text=True,
                              timeout=60, check=False)
        expect(done.stdout.count("VGA controller") == wanted, f"{wanted} VGA controllers with {options}",
               done.stdout[-1500:] + done.stderr)


def test_refuses_others(case):
    """for a QEMU that is not Debian's 10.0 the module is not built: one line says so, and what to do"""
    with tempfile.TemporaryDirectory(prefix="venus-module-") as folder:
        other = Path(folder, "qemu-system-x86_64")
        for says, wanted in (("QEMU emulator version 10.0.13", "build-qemu.sh"),
                             ("QEMU emulator version 11.1.3 (Debian 1:11.1.3+ds-1~bpo13+1)", "build-qemu.sh"),
                             ("QEMU emulator version 10.0.2 (Fedora 10.0.2-1)", "build-qemu.sh"),
                             ("QEMU emulator version 10.0.13 (Debian 1:10.0.13+ds-0+deb13u1)",
                              "install Debian's package")):
            other.write_text(f"#!/bin/sh\necho '{says}'\necho 'Copyright'\n", encoding="utf-8")
            other.chmod(0o755)
            done = run(BUILD, "--qemu", other)
            lines = done.stderr.strip().splitlines()
            expect(done.returncode == 3 and not done.stdout and len(lines) == 1 and wanted in lines[0],
                   f"one line with '{wanted}' for {says}", f"{done.returncode}: {done.stdout}{done.stderr}")
        done = run(BUILD, "--qemu", "/nowhere")
        expect(done.returncode == 3 and "/nowhere does not run" in done.stderr, "one that is not there to be refused",
               done.stderr)


def test_other_qemu_at_run_time(case):
    """a QEMU that the module was not built for ends with one message, which names the one that it is for"""
    with tempfile.TemporaryDirectory(prefix="venus-module-") as folder:
        wrapper = Path(qemu_of(case))
        folder = Path(folder)
        (folder / "bin").mkdir()
        (folder / "bin" / wrapper.name).write_bytes(wrapper.read_bytes())
        (folder / "bin" / wrapper.name).chmod(0o755)
        place = folder / "lib" / "qemu-venus"
        place.mkdir(parents=True)
        for module in modules().iterdir():
            # The stamp of another build: the name of a function.
            text = module.read_bytes()
            stamp = re.search(rb"qemu_stamp_[0-9a-f]{40}", text)
            (place / module.name).write_bytes(text.replace(stamp[0], stamp[0][:-4] + b"0000") if stamp else text)
        done = run(*in_root(*root_of(case)), folder / "bin" / wrapper.name, "-M", "none", "-display", "none", "-S",
                   "-device", "virtio-gpu-venus-pci")
        expect(done.returncode == 1 and re.search(r"was built for Debian's QEMU 1:10\.0\.", done.stderr) and
               len(done.stderr.strip().splitlines()) == 2, "two lines that name the QEMU",
               f"{done.returncode}: {done.stderr}")


def test_regions_warn(case):
    """with memory regions under TCG, which this QEMU's cannot stand for long, a line says so, once"""
    with case.another_guest(accel="tcg", properties={"x-window-regions": "on"}) as guest:
        # It may never end: what this QEMU cannot stand loses notifications of the guest's, now and then.
        guest.spawn("blob_cycle --rounds 1 --others 2")
        case.wait_for(lambda: ("memory regions come and go" in guest.qemu_log(), guest.qemu_log()), "a line on memory regions")
        time.sleep(1)  # for another one
        said = [line for line in guest.qemu_log().splitlines() if "memory regions come and go" in line]
        expect(len(said) == 1 and "use KVM" in said[0], "one such line", guest.qemu_log())


def test_guest_of_mask(case):
    """a guest with virtio-vga-gl, by QEMU_MODULE_DIR alone, has Venus"""
    with case.another_guest(qemu=STOCK, device="virtio-vga-gl", env={**os.environ, "QEMU_MODULE_DIR": str(modules())}) \
            as guest:
        summary = guest.run(f"{VENUS} vulkaninfo --summary").output
        expect("DRIVER_ID_MESA_VENUS" in summary, "Venus", summary[-1000:])
        result = guest.run_json("blob_cycle --rounds 20 --others 64")
        expect(result["cycle_ms"]["count"] == 20, "20 rounds with blobs", result)
