# SPDX-License-Identifier: MIT
"""The first run on a Mac, as a list of steps that each pass, fail or are skipped: see macos-report.sh --help.

A step is a function that gets the run and returns what it has found, in a line; it raises Failure or Skipped with a line
that says why. What its commands printed goes to the end of the report. Nothing here is for Macs only but the steps
that say so.
"""

import argparse
import datetime
import json
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

from venusvm import arm_window, program
from venusvm.console import Console, Ended, TooLong
from venusvm.guest import MACHINES, SCRIPTS, TOP, GuestError, Monitor, latency_percentile
from venusvm.launchers import common

DESCRIPTION = """\
Tries the device on this machine, meant for a Mac that nobody has tried: the build, what it has installed, guests, then the
library's tests. Prints a line for each step and writes a report to send back, also if you stop it by Ctrl-C."""

EPILOG = """\
examples:
  macos-report.sh                                    no guest: about 15 minutes, most of it building
  macos-report.sh --guest guest-16k --guest guest-4k
  macos-report.sh --no-build --guest guest-16k --limit 60

A guest is a folder with vmlinuz, initrd.img, disk.img and tools.img. docs/macos.md says how they are made, on Linux.
The report has no names of yours: your home is written as ~. The exit status is 0 if nothing failed."""

PACKAGES = ("meson ninja pkgconf glslang uthash libepoxy vulkan-headers vulkan-loader vulkan-tools molten-vk mesa "
            "glib pixman libslirp dtc libpng cmocka qemu").split()
MOST_LINES = 400  # of one command's output, in the report
VENUS = "VK_DRIVER_FILES=/usr/share/vulkan/icd.d/virtio_icd.json"
# Venus has the GPU tell a guest of what is done in memory that both have, and waits there without asking.
NO_FEEDBACK = ("VN_PERF=no_event_feedback,no_fence_feedback,no_semaphore_feedback,no_timeline_sem_feedback,"
               "no_query_feedback")
PASS, FAIL, SKIP = "PASS", "FAIL", "SKIP"


class Failure(Exception):
    """The step has failed; says why, in a line."""


class Skipped(Exception):
    """The step cannot be tried; says why, in a line."""


class Run:
    """The steps so far, and what they share."""

    def __init__(self, options, host):
        self.options, self.host = options, host
        self.results, self.details = [], []
        self.qemu = options.qemu or common.mac_prefix() / "bin" / f"qemu-system-{options.arch}"
        self.build = options.build_dir or common.mac_prefix().parent / "build" / "tests"
        self.guest, self.hostmem = None, "1G"

    def note(self, title, text):
        """Something for the end of the report."""
        lines = text.splitlines()
        cut = [f"({len(lines) - MOST_LINES} lines before)"] if len(lines) > MOST_LINES else []
        self.details.append([f"--- {title}", *cut, *lines[-MOST_LINES:]])

    def command(self, *words, limit=60, **environment):
        """A command's exit status and output, of which the report has the end."""
        words = [str(word) for word in words]
        title = " ".join(words)
        try:
            child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                     start_new_session=True, cwd=TOP, env={**os.environ, **environment})
        except OSError as error:
            raise (Failure if self.host.mac else Skipped)(f"{words[0]}: {error.strerror}") from error
        limit = min(limit, self.options.limit or limit)
        try:
            output = child.communicate(timeout=limit)[0]
        except BaseException as error:
            os.killpg(child.pid, signal.SIGKILL)
            output = child.communicate()[0]
            self.note(title, output.decode("utf-8", "replace"))
            if isinstance(error, subprocess.TimeoutExpired):
                raise Failure(f"{Path(words[0]).name} did not end in {limit} s") from error
            raise
        text = output.decode("utf-8", "replace")
        self.note(f"{title}: status {child.returncode}", text)
        return child.returncode, text

    def must(self, *words, **options):
        """The output of a command that is to succeed."""
        status, text = self.command(*words, **options)
        if status:
            last = text.strip().splitlines()[-1:] or ["nothing"]
            raise Failure(f"{Path(words[0]).name} ended with status {status}: {last[0]}")
        return text

    def in_guest(self, command, limit=60):
        """The output of a command that is to succeed in the guest."""
        if not self.guest:
            raise Skipped("there is no guest that runs")
        limit = min(limit, self.options.limit or limit)
        begin = len(self.guest.text)
        try:
            status, text = self.guest.run(command, limit)
        except TooLong as error:
            self.note(f"guest: {command}", self.guest.text[begin:])
            # A program that sleeps in the kernel cannot be ended, and its shell with it.
            try:
                self.guest.run("true", 20)
            except (TooLong, Ended):
                self.stop_guest()
            raise Failure(f"it did not end in {limit} s") from error
        except Ended as error:
            self.note(f"guest: {command}", self.guest.text[begin:])
            self.stop_guest()
            raise Failure("QEMU has ended") from error
        self.note(f"guest: {command}: status {status}", text)
        if status:
            last = text.strip().splitlines()[-1:] or ["nothing"]
            raise Failure(f"status {status}: {last[0]}")
        return text

    def measured(self, command, limit=60):
        """The JSON object that one of our programs prints in the guest, on its last line."""
        text = self.in_guest(f"{VENUS} {command}", limit)
        try:
            return json.loads(text.strip().splitlines()[-1])
        except (ValueError, IndexError) as error:
            last = text.strip().splitlines()[-1:] or ["nothing"]
            raise Failure(f"it printed no result, but: {last[0]}") from error

    def stop_guest(self):
        if self.guest:
            self.guest.close()
            self.guest = None

    def step(self, name, function):
        begin = time.monotonic()
        print(f"... {name}", file=sys.stderr, flush=True)
        try:
            status, text = PASS, function(self)
        except Failure as failure:
            status, text = FAIL, str(failure)
        except Skipped as skipped:
            status, text = SKIP, str(skipped)
        except (OSError, ValueError, KeyError, IndexError) as error:
            status, text = FAIL, f"{type(error).__name__}: {error}"
        line = f"{status} {name}: {text}".replace(str(Path.home()), "~")
        self.results.append((status, line))
        print(f"{line} ({time.monotonic() - begin:.0f} s)", flush=True)


def on_a_mac(function):
    """A step that needs a Mac."""
    def step(run):
        if not run.host.mac:
            raise Skipped("this is no Mac")
        return function(run)
    return step


# --- The machine ---------------------------------------------------------------------------------

@on_a_mac
def macos(run):
    version = " ".join(re.findall(r"(?m):\s*(.*)$", run.must("sw_vers")))
    run.command("uname", "-srvm")
    facts = {name: run.command("sysctl", "-n", name)[1].strip()
             for name in ("hw.model", "machdep.cpu.brand_string", "hw.memsize", "hw.pagesize", "hw.ncpu", "kern.hv_support")}
    if facts["kern.hv_support"] != "1":
        raise Failure(f"{version}: kern.hv_support is {facts['kern.hv_support']}, so there is no hypervisor")
    return f"{version}, {facts['machdep.cpu.brand_string']} ({facts['hw.model']}), pages of {facts['hw.pagesize']} bytes"


@on_a_mac
def homebrew(run):
    text = run.command("brew", "list", "--versions", *PACKAGES)[1]
    found = [line for line in text.splitlines() if line.split(" ")[0] in PACKAGES]
    run.command("clang", "--version")
    return ", ".join(found) or "none of the packages"


def manifests():
    """Where the library looks for Vulkan drivers on macOS."""
    text = (TOP / "src" / "platform" / "darwin.c").read_text(encoding="utf-8")
    return re.findall(r'"(/\S+\.json)"', text)


@on_a_mac
def drivers(run):
    found = [path for path in manifests() if os.access(path, os.R_OK)]
    if not found:
        raise Failure("no manifest of MoltenVK or KosmicKrisp is where Homebrew has them: brew install molten-vk")
    for path in found:
        run.note(path, Path(path).read_text(encoding="utf-8", errors="replace"))
    return ", ".join(found)


def vulkan(run):
    text = run.must("vulkaninfo", "--summary")
    names = re.findall(r"deviceName\s*=\s*(.*)", text)
    if not names:
        raise Failure("vulkaninfo names no device")
    run.command("vulkaninfo")
    return ", ".join(name.strip() for name in names)


# --- The build and its tests ---------------------------------------------------------------------

@on_a_mac
def build(run):
    if not run.options.build:
        raise Skipped("as asked for")
    run.must(SCRIPTS / "build-macos.sh", limit=3600)
    return "build-macos.sh"


@on_a_mac
def build_tests(run):
    if not run.options.build:
        raise Skipped("as asked for")
    run.must(SCRIPTS / "build-macos.sh", "--tests", limit=1800)
    return "build-macos.sh --tests"


@on_a_mac
def signature(run):
    text = run.must("codesign", "--display", "--entitlements", "-", run.qemu)
    if "com.apple.security.hypervisor" not in text:
        raise Failure("QEMU lacks the entitlement com.apple.security.hypervisor")
    return "com.apple.security.hypervisor"


def device(run):
    version = run.must(run.qemu, "--version").splitlines()[0]
    if '"virtio-gpu-venus-pci"' not in run.must(run.qemu, "-device", "help"):
        raise Failure(f"{version} has no virtio-gpu-venus-pci")
    return version


def machine(run):
    """QEMU's machine for a guest, its accelerator and its processor."""
    arch, mac = run.options.arch, run.host.mac
    accel = run.options.accel or ("hvf" if mac else "tcg")
    return ("virt,highmem=on" if mac and arch == "aarch64" else MACHINES[arch]["machine"], accel,
            MACHINES[arch]["emulated"] if accel.startswith("tcg") else "host")


def place_of_blobs(run):
    """How large a window for blobs guests get: it is less than usual where their addresses are short."""
    if run.options.arch == "aarch64" and not arm_window.is_large([run.qemu], *machine(run)):
        run.hostmem = arm_window.SMALL
        return f"hostmem={run.hostmem}, as guests here have addresses of less than 40 bits"
    return f"hostmem={run.hostmem}"


def suite(name, limit):
    def step(run):
        if not (Path(run.build) / "build.ninja").exists():
            raise Skipped("the library's tests were not built")
        status, text = run.command("meson", "test", "-C", run.build, "--no-rebuild", "--suite", name,
                                   "--timeout-multiplier", "3", "--print-errorlogs", limit=limit)
        counts = {key: int(number) for key, number in re.findall(r"(?m)^(Ok|Fail|Skipped|Timeout):\s+(\d+)", text)}
        said = ", ".join(f"{key} {number}" for key, number in counts.items()) or "no test ran"
        if status or not counts.get("Ok"):
            raise Failure(said)
        return said
    return step


# --- A guest --------------------------------------------------------------------------------------

def qemu_words(run, folder, monitor=None):
    """QEMU's command line for the guest in a folder, with a shell on its serial port; in a window if it gets a monitor."""
    kind, accel, cpu = machine(run)
    ours, mac = MACHINES[run.options.arch], run.host.mac
    memory = "memory-backend-shm" if mac else "memory-backend-memfd"
    window = ["-display", "cocoa", "-qmp", f"unix:{monitor},server=on,wait=off"] if monitor else ["-display", "none"]
    return [run.qemu, "-nodefaults", "-no-user-config", "-M", f"{kind},memory-backend=mem", "-accel", accel,
            "-cpu", cpu, "-smp", "2", "-m", "2G",
            "-object", f"{memory},id=mem,size=2G,share=on", *window, "-no-reboot",
            "-device", f"virtio-gpu-venus-pci,id=gpu,hostmem={run.hostmem}{',present=swapchain' if monitor else ''}",
            "-serial", "stdio", "-device", "virtio-keyboard-pci", "-device", "virtio-tablet-pci",
            "-kernel", folder / "vmlinuz", "-initrd", folder / "initrd.img",
            "-append", f"console={ours['console']} root=/dev/vda rw init=/sbin/venus-init quiet venus.shell "
                       f"{ours['boot']}".rstrip(),
            "-drive", f"file={common.quoted(folder / 'disk.img')},if=virtio,format=raw,snapshot=on",
            "-drive", f"file={common.quoted(folder / 'tools.img')},if=virtio,format=raw,readonly=on"]


def start(run, folder, words):
    """Boots the guest in a folder, until there is its shell."""
    missing = [name for name in ("vmlinuz", "initrd.img", "disk.img", "tools.img") if not (folder / name).is_file()]
    if missing:
        raise Skipped(f"{folder} has no {' and no '.join(missing)}")
    try:
        run.guest = Console(words)
    except OSError as error:
        raise Skipped(f"{words[0]}: {error.strerror}") from error
    limit = min(600, run.options.limit or 600)
    try:
        run.guest.boot(limit)
    except (Ended, TooLong) as error:
        ended = isinstance(error, Ended)
        run.note("QEMU", run.guest.text)
        run.stop_guest()
        raise Failure("QEMU has ended" if ended else f"no shell in {limit} s") from error
    run.note("QEMU", run.guest.text)


def boot(folder):
    def step(run):
        start(run, folder, qemu_words(run, folder))
        pages = int(run.in_guest("getconf PAGESIZE"))
        kernel = run.in_guest("uname -r").strip()
        run.in_guest("dmesg | grep -i -e drm -e virtio; cat /proc/iomem; true")
        return f"Linux {kernel}, pages of {pages} bytes"
    return step


def counts_of(found):
    return "; ".join(f"{name.replace('_', ' ')}: of {counts['pages']} pages {counts['stale']} stale, {counts['wrong']} wrong, "
                     f"{counts['later']} right 100 ms later"
                     for name, counts in found.items() if isinstance(counts, dict) and "pages" in counts)


def coherency(environment):
    """Whether guest and GPU see each other's writes: the program ends with status 1 if not, and says what it saw."""
    def step(run):
        found = run.measured(f"{environment} coherency --rounds 50 --seconds 40 || true".lstrip())
        said = counts_of(found)
        if not said or any(counts[key] for counts in found.values() if isinstance(counts, dict) and "pages" in counts
                           for key in ("stale", "wrong")):
            raise Failure(said or "it printed no counts")
        return said
    return step


def guest_vulkan(run):
    text = run.in_guest(f"{VENUS} vulkaninfo --summary")
    names = [name.strip() for name in re.findall(r"deviceName\s*=\s*(.*)", text)]
    if not any("Venus" in name for name in names):
        raise Failure(f"no device of Venus' among {', '.join(names) or 'none'}")
    return ", ".join(names)


def milliseconds(found, *names):
    return ", ".join(f"{name}: median {found[name]['median']:.3f}, 99 % {found[name]['p99']:.3f}" for name in names)


def fences(run):
    return milliseconds(run.measured("fence_ring --rounds 1000 --seconds 40"), "round_trip_ms")


def queues(run):
    found = run.measured("queue_sync --rounds 500 --seconds 40")
    return milliseconds(found, *(name for name in ("wait_ms", "sync_fd_ms") if isinstance(found.get(name), dict)))


def memory(others):
    def step(run):
        found = run.measured(f"vk_memory --rounds 100 --others {others} --seconds 40")
        if found["others_mapped"] != others:
            raise Failure(f"{found['others_mapped']} of {others} others were mapped in 40 s")
        return milliseconds(found, "cycle_ms", "map_ms")
    return step


def picture(run):
    """The same picture with and without feedback, and not one of nothing."""
    crcs = [run.measured(f"{environment} triangle --frames 60 --seconds 40 --size 640x480".lstrip())["crc32"]
            for environment in (NO_FEEDBACK, "", "")]
    if len(set(crcs)) > 1:
        raise Failure(f"the checksums of one picture differ: {', '.join(crcs)}")
    if int(crcs[0], 16) == zlib.crc32(bytes(640 * 480 * 4)):
        raise Failure("the picture is all zeros")
    return f"checksum {crcs[0]}, three times"


def computing(run):
    run.measured("compute --size 64 --seconds 40")
    return "products, sums and 64 MiB there and back are right"


def swapchain(run):
    if "VK_KHR_swapchain " not in run.in_guest(f"{VENUS} vulkaninfo"):
        raise Failure("the guest's Mesa offers no VK_KHR_swapchain on this host")
    found = run.measured("wl wl_cube --frames 120 --seconds 40", 90)
    return f"{found['frames']} frames of a window in the guest, {found['fps']:.1f} a second"


def bare_display(run):
    found = run.measured("vkcube_anim --frames 120 --seconds 40", 90)
    return f"{found['frames']} frames on the bare display, {found['fps']:.1f} a second"


def counters(monitor):
    """All of the device's, by name."""
    path = "/machine/peripheral/gpu/virtio-backend"
    names = [item["name"] for item in monitor.ask("qom-list", path=path)]
    return {name[5:]: monitor.ask("qom-get", path=path, property=name) for name in names if name.startswith("stat-")}


def shown(run, path):
    """What comes of many frames on the bare display in the window of the QEMU whose monitor is at that path."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(30)
        sock.connect(str(path))
        monitor = Monitor(sock)
        before = counters(monitor)
        found = run.measured("vkcube_anim --frames 600 --seconds 40", 90)
        after = counters(monitor)
        monitor.close()
    said = re.search(r"(?m)^.*virtio-gpu-venus: output.*$", run.guest.text)
    if said and "VENUS_GPU_IOSURFACE" in said[0]:
        raise Skipped(said[0])
    frames, dropped = (after[name] - before[name] for name in ("present-frames", "present-dropped"))
    if not frames:
        raise Failure(said[0] if said else "no frame was presented")
    times = [latency_percentile(before, after, share) or 0 for share in (0.5, 0.99)]
    return (f"{found['frames']} frames on the bare display, {found['fps']:.1f} a second; {frames} presented, {dropped} dropped; "
            f"until then, in ms: median {times[0] / 1000:.3f}, 99 % {times[1] / 1000:.3f}")


def window(folder, *environment):
    """A guest of its own, since how a window is painted is chosen at the start."""
    @on_a_mac
    def step(run):
        with tempfile.TemporaryDirectory(prefix="venus-") as place:
            path = Path(place) / "qmp"
            start(run, folder, ["env", *environment, *qemu_words(run, folder, path)])
            try:
                return shown(run, path)
            except GuestError as error:
                raise Failure(str(error)) from error
            finally:
                if run.guest:
                    run.note("QEMU in a window", run.guest.text)
                run.stop_guest()
    return step


GUEST_STEPS = (("coherency, without feedback", coherency(NO_FEEDBACK)), ("coherency", coherency("")),
               ("vulkaninfo", guest_vulkan), ("fences", fences), ("queues", queues), ("memory", memory(0)),
               ("memory, 64 more mapped", memory(64)), ("triangle", picture), ("compute", computing),
               ("display", bare_display), ("swapchain", swapchain))


def guest_steps(run, folder):
    """All of them, in the guest in a folder; one that has ended is booted again for the next."""
    run.step(f"{folder.name}: boot", boot(folder))
    boots = run.guest is not None
    for what, function in GUEST_STEPS:
        if boots and not run.guest:
            run.step(f"{folder.name}: boot again", boot(folder))
        run.step(f"{folder.name}: {what}", function)
    run.stop_guest()
    run.step(f"{folder.name}: window, by a swapchain", window(folder, "-u", "VENUS_GPU_IOSURFACE"))
    run.step(f"{folder.name}: window, by IOSurfaces", window(folder, "VENUS_GPU_IOSURFACE=1"))


# --- The report -----------------------------------------------------------------------------------

def write(run, path):
    done = subprocess.run(["git", "-C", str(TOP), "describe", "--always", "--dirty"], capture_output=True, text=True,
                          check=False)
    counts = [sum(status == which for status, _ in run.results) for which in (PASS, FAIL, SKIP)]
    summary = "{} passed, {} failed, {} skipped".format(*counts)
    lines = ["virtio-gpu-venus on a Mac: a report of macos-report.sh", "",
             f"date: {datetime.date.today()}", f"commit: {done.stdout.strip() or 'unknown'}",
             f"system: {platform.system()} {platform.release()} {platform.machine()}", "",
             *(line for _, line in run.results), "", summary, ""]
    for detail in run.details:
        lines += [*detail, ""]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines).replace(str(Path.home()), "~"), encoding="utf-8")
    print(f"\n{summary}\nThe report is {path}.\n"
          "Please send it: open an issue of the project with the title \"First run on a Mac\", and attach it.")
    return 1 if counts[1] else 0


def parse(arguments, host):
    parser = common.Parser(prog="macos-report.sh", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--guest", metavar="DIR", action="append", default=[], type=Path, help="a guest to try; several can be given")
    parser.add_argument("--no-build", dest="build", action="store_false", help="take what was built before")
    parser.add_argument("--output", metavar="FILE", type=Path, default=TOP / "out" / "macos-report.txt",
                        help="the report (out/macos-report.txt)")
    parser.add_argument("--limit", metavar="SECONDS", type=int, help="the most that any command may take")
    parser.add_argument("--qemu", metavar="PROGRAM", help="another QEMU than build-macos.sh's")
    parser.add_argument("--build-dir", metavar="DIR", type=Path, help="another build of the tests than build-macos.sh's")
    parser.add_argument("--accel", choices=["hvf", "kvm", "tcg"], help="hvf on a Mac, else tcg")
    parser.add_argument("--arch", choices=sorted(MACHINES), default=host.arch, help="of the guests; this machine's if not given")
    options = parser.parse_args(arguments)
    for folder in options.guest:
        if not folder.is_dir():
            parser.error(f"there is no folder {folder}")
    if options.limit is not None and options.limit < 1:
        parser.error(f"--limit is a number of seconds, not {options.limit}")
    return options


def main(arguments=None, host=common.HERE):
    options = parse(sys.argv[1:] if arguments is None else arguments, host)
    run = Run(options, host)
    stopped = False
    try:
        every_step(run)
    except KeyboardInterrupt:
        stopped = True
        run.results.append((FAIL, f"{FAIL} the report: stopped by Ctrl-C"))
    finally:
        run.stop_guest()
    status = write(run, options.output.resolve())
    return 130 if stopped else status


def every_step(run):
    """What only a Mac can tell comes first: the guests, and in each whether it sees what the GPU has written.

    Before them is the build, and before all that looks at what it has Homebrew install."""
    for name, function in (("macOS", macos), ("build", build), ("Homebrew", homebrew), ("Vulkan drivers", drivers),
                           ("vulkaninfo", vulkan), ("QEMU's signature", signature), ("QEMU's device", device),
                           ("place of blobs", place_of_blobs)):
        run.step(name, function)
    for folder in run.options.guest:
        guest_steps(run, folder.resolve())
    if not run.options.guest:
        run.step("guests", no_guest)
    for name, function in (("build of the tests", build_tests), ("unit tests", suite("unit", 600)),
                           ("renderer tests", suite("renderer", 900))):
        run.step(name, function)


def no_guest(_):
    raise Skipped("none was given (--guest)")


if __name__ == "__main__":
    program.run(main, "macos-report.sh")
