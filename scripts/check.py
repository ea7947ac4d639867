#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the test suites and sums them up.

Each suite has a function below that returns its results. One that cannot start, or that runs no test,
counts as a failure, and the others run all the same. What a suite printed is in out/check/SUITE.log,
which begins with the processor that it ran on. The last line is always "N passed, N failed, N skipped"; the
exit status is 0 if none failed.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

from venusvm.guest import SCRIPTS, TOP
from venusvm.sanitized import LIST as SANITIZERS
from venusvm.surroundings import machine

OUT = TOP / "out" / "check"

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
CANNOT_INSTALL = 4  # a set-up script's status
MOST_DETAILS = 12  # lines of a failure, in the summary; all of them are in the log

children = set()  # process groups that run now, for stop()

# Of the guest tests, what the suite module runs: the ways in, each part of the device, and pictures.
MODULE_TESTS = ("module.", "qemu.", "vulkaninfo.", "device.", "frame.", "vkcube.", "regions.", "micro.")


# What runs while sanitizers watch: the same, and those in which a guest or its host does what is wrong.
ASAN_TESTS = ("sanitized.", *MODULE_TESTS, "hostile.", "faults.", "reset.", "state.")
# Of the guest tests, what runs with the next virglrenderer: what is known of the device, compute, and a picture.
NEXT_TESTS = ("vulkaninfo.", "device.", "examples.compute", "vkcube.")
# And where the guest's pages are larger than the host's: what has memory of the host's in it.
PAGES_TESTS = ("aarch64.", "vulkaninfo.", "device.", "frame.", "vkcube.", "two_apps.", "regions.")


class CannotStart(Exception):
    """A suite could not be run at all; says why in one line."""


class CannotInstall(CannotStart):
    """What is newer than the Debian of the tests does not go with it."""


class Result:
    """What became of one test, and why in one line; details are more lines, those that it failed with."""

    def __init__(self, name, status, why="", details=()):
        self.name, self.status, self.why, self.details = name, status, why, list(details)


def run(command, log, limit, env=None, cwd=TOP):
    """Runs a command with its output in a log file. Returns its exit status.

    limit: how long it may print nothing, in seconds; in all it may take five times that. Each test has a bound of its own,
    and how many of them a busy machine gets through in a time says nothing of them.
    """
    command = [str(word) for word in command]
    with open(log, "a", encoding="utf-8", errors="replace") as file:
        file.write("$ " + " ".join(command) + "\n")
        file.flush()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file,
                                 stderr=subprocess.STDOUT, cwd=cwd, env=env,
                                 start_new_session=True)
        children.add(child.pid)
        try:
            begin = heard = time.monotonic()
            size = 0
            while (now := time.monotonic()) - begin < 5 * limit and now - heard < limit:
                try:
                    return child.wait(min(1, limit / 10))
                except subprocess.TimeoutExpired:
                    if os.fstat(file.fileno()).st_size != size:
                        size, heard = os.fstat(file.fileno()).st_size, time.monotonic()
            file.write(f"\nstopped: it printed nothing for {limit} s, or ran for {5 * limit} s\n")
            return 124
        finally:
            end(child)


def end(child):
    """Ends a child's whole process group: politely, then for good."""
    for signum, patience in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
        try:
            os.killpg(child.pid, signum)
            child.wait(patience)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    children.discard(child.pid)


def stop(signum, _frame):
    for group in list(children):
        try:
            os.killpg(group, signal.SIGTERM)
        except ProcessLookupError:
            pass
    signal.signal(signum, signal.SIG_DFL)
    os.kill(os.getpid(), signum)


def made_by(script, *options):
    """What a set-up script made (it prints the path); its progress goes to our stderr."""
    child = subprocess.Popen([str(SCRIPTS / script), *options], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, text=True, start_new_session=True)
    children.add(child.pid)
    printed = child.communicate()[0].strip()
    children.discard(child.pid)
    if child.returncode == CANNOT_INSTALL:
        raise CannotInstall(f"{script} {' '.join(options)}: it does not install here; the lines above say why")
    if child.returncode != 0:
        raise CannotStart(f"{script} {' '.join(options)} failed".replace("  ", " "))
    return Path(printed)


# --- The Test Anything Protocol ------------------------------------------------------------------

POINT = re.compile(r"^(not )?ok\b\s*(\d+)?\s*(?:-\s*)?(.*?)\s*(?:#\s*(skip|todo)\b\s*(.*))?$",
                   re.IGNORECASE)
PLAN = re.compile(r"^1\.\.(\d+)")


def tap_results(text, prefix=""):
    """The results in a program's TAP output, and whether there was any TAP in it."""
    results, planned, bailed, failure = [], None, None, None
    for line in text.splitlines():
        plan = PLAN.match(line)
        point = POINT.match(line)
        if plan:
            planned = (planned or 0) + int(plan[1])
        elif line.startswith("Bail out!"):
            bailed = line
        elif point:
            failed, number, name, directive, why = point.groups()
            name = prefix + (name or why or f"test {number}")
            if directive and directive.lower() == "skip":
                results.append(Result(name, SKIPPED, why if point[3] else ""))
            else:
                results.append(Result(name, FAILED if failed else PASSED))
            failure = results[-1] if failed else None
        elif failure and line.startswith("#"):
            failure.details.append(line[1:].strip())
    if bailed:
        results.append(Result(prefix + bailed, FAILED))
    elif planned is not None and planned > len(results):
        results.append(Result(f"{prefix}{planned - len(results)} planned tests did not run", FAILED))
    return results, planned is not None or bool(results)


def tap_program(command, log, limit, **options):
    before = log.stat().st_size  # what others wrote there is not ours
    status = run(command, log, limit, **options)
    results, _ = tap_results(log.read_bytes()[before:].decode(errors="replace"))
    if status != 0 and not any(result.status == FAILED for result in results):
        results.append(Result(f"{Path(str(command[-1])).name} ended with status {status}", FAILED))
    return results


# --- The suites ----------------------------------------------------------------------------------

def meson_suites(suites, sanitize, log, *options, in_root=()):
    """The library's own tests, by meson, in a build of their own for each sanitizer, or with other options."""
    if sanitize:
        options = (*options, f"--sanitize={sanitize}")
    build = made_by("build-lib.sh", *options, "--build-dir")
    command = [SCRIPTS / "in-root.sh", *in_root]
    if sanitize == "thread" and subprocess.run(["setarch", "-R", "true"], check=False,
                                               stderr=subprocess.DEVNULL).returncode == 0:
        command += ["setarch", "-R"]  # its shadow memory and a much randomised layout do not mix
    records = build / "meson-logs" / "testlog.json"
    results = []
    for suite in suites:
        records.unlink(missing_ok=True)
        status = run([*command, "meson", "test", "-C", build, "--no-rebuild", "--suite", suite], log,
                     limit=1200)
        found = []
        if records.exists():
            for line in records.read_text(encoding="utf-8", errors="replace").splitlines():
                found += meson_results(json.loads(line), log)
        if not found or (status != 0 and not any(result.status == FAILED for result in found)):
            found.append(Result(f"meson test --suite {suite}", FAILED,
                                f"it ran {len(found)} tests and ended with status {status}"))
        results += found
    return results


def with_next_virglrenderer(suite):
    """What a suite finds with the next Debian's virglrenderer, a function of its root's path; by names that say which."""
    name = "the next virglrenderer"
    try:
        root = made_by("host-root.sh", "--next-virglrenderer")
        name = "virglrenderer " + (root / "virglrenderer-version").read_text(encoding="utf-8").strip()
        results = suite(root)
    except CannotInstall as why:
        results = [Result("the whole suite", SKIPPED, str(why))]
    except CannotStart as why:
        results = [Result("the whole suite", FAILED, str(why))]
    for result in results:
        result.name = f"with {name}: {result.name}"
    return results


def meson_results(record, log):
    """The results in one of meson's records: its TAP lines if it has some, else the program as one."""
    name = record["name"].split(" / ")[-1].split(":")[-1]
    with open(log, "a", encoding="utf-8") as file:
        file.write(f"\n==== {name}: {record['result']}, status {record.get('returncode')}\n")
        file.write(record.get("stdout") or "")
        file.write(record.get("stderr") or "")
    meson_says = {"OK": PASSED, "SKIP": SKIPPED, "EXPECTEDFAIL": PASSED}.get(record["result"], FAILED)
    results, is_tap = tap_results(record.get("stdout") or "", f"{name}: ")
    if not is_tap:
        return [Result(name, meson_says)]
    if meson_says == FAILED and not any(result.status == FAILED for result in results):
        results.append(Result(f"{name}: {record['result']}, status {record.get('returncode')}",
                              FAILED))
    return results


def strict(_log):
    """The library and its tests compile without a warning, and what reads the tree finds no mistake in it."""
    results = []
    for compiler in ("gcc", "clang"):
        try:
            made_by("build-lib.sh", f"--strict={compiler}")
            results.append(Result(f"no warnings by {compiler}", PASSED))
        except CannotStart as why:
            results.append(Result(f"no warnings by {compiler}", FAILED, str(why)))
    for what, *command in (("arrows between the library's floors point down", "floors.py", "check"),
                           ("docs/environment.md lists what is read from the environment", "environment.py"),
                           ("docs/messages.md lists what a person is told", "messages.py")):
        done = subprocess.run([SCRIPTS / command[0], *command[1:]], text=True, capture_output=True, check=False)
        results.append(Result(what, FAILED if done.returncode else PASSED, "", (done.stdout + done.stderr).splitlines()))
    analyzed = subprocess.run([SCRIPTS / "analyze.py"], text=True, capture_output=True, check=False)
    results.append(Result("gcc's analyzer finds nothing", FAILED if analyzed.returncode else PASSED, "",
                          (analyzed.stdout + analyzed.stderr).splitlines()))
    tidy = subprocess.run([SCRIPTS / "tidy.sh"], text=True, capture_output=True, check=False)
    lines = (tidy.stdout + tidy.stderr).splitlines()
    results.append(Result("clang-tidy finds nothing", FAILED if tidy.returncode else PASSED, "",
                          [line for line in lines if " error: " in line] or lines[-MOST_DETAILS:]))
    return results


class Unittests(unittest.TestResult):
    """What unittest says of each test, as our results."""

    def __init__(self, log):
        super().__init__()
        self.log, self.results = log, []

    def note(self, test, status, why=""):
        with open(self.log, "a", encoding="utf-8") as file:
            file.write(f"{test.id()}: {status}\n{why}")
        self.results.append(Result(test.id(), status, why.strip().splitlines()[-1] if why else ""))

    def addSuccess(self, test):
        self.note(test, PASSED)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.note(test, FAILED, self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self.note(test, FAILED, self.errors[-1][1])

    def addSkip(self, test, reason):
        self.note(test, SKIPPED, reason)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self.note(subtest, FAILED, (self.failures or self.errors)[-1][1])


def scripts(log):
    """What is written in Python: the benchmark's report, the examples' page, the scripts."""
    seen = Unittests(log)
    for folder in ("bench", "examples", "scripts"):
        if (TOP / "tests" / folder).is_dir():
            unittest.TestLoader().discover(str(TOP / "tests" / folder), pattern="test_*.py").run(seen)
    return seen.results


def samples(log):
    """The samples: built with the library installed, run, and what they show compared."""
    seen = Unittests(log)
    unittest.TestLoader().discover(str(TOP / "tests" / "samples"), pattern="test_*.py").run(seen)
    return seen.results


def packages(log):
    """Debian's packages, in a fresh Debian 13, and the tarball of a release."""
    seen = Unittests(log)
    unittest.TestLoader().discover(str(TOP / "tests" / "packages"), pattern="test_*.py").run(seen)
    times = OUT / "packages-times.txt"
    if times.exists():
        with open(log, "a", encoding="utf-8") as file:
            file.write(times.read_text(encoding="utf-8"))
    return seen.results


def unit(log):
    return meson_suites(["unit"], None, log)


def renderer(log):
    """With Debian 13's virglrenderer, and with the next one: the same programs."""
    return meson_suites(["renderer"], None, log) + \
        with_next_virglrenderer(lambda _root: meson_suites(["renderer"], None, log, in_root=["--next-virglrenderer"]))


def asan(log):
    return meson_suites(["unit", "renderer", "present"], "address,undefined", log)


def tsan(log):
    return meson_suites(["unit", "renderer", "present"], "thread", log)


# How long each target runs. A person has "make fuzz".
FUZZ_SECONDS = 60


def fuzz(log):
    """The targets of fuzz/: their seeds, and what a random number that is always the same makes of them."""
    place = OUT / "fuzz"
    shutil.rmtree(place, ignore_errors=True)
    before = log.stat().st_size
    status = run([SCRIPTS / "fuzz.py", "--seconds", FUZZ_SECONDS, "--seed", 1, "--place", place, "--no-coverage"], log, 1200)
    said = log.read_bytes()[before:].decode(errors="replace")
    results = [Result(f"{name}: {runs} executions", FAILED if why or not int(runs) else PASSED, why)
               for name, runs, why in re.findall(r"^([\w-]+) +(\d+) executions in +\d+ s(?:, FAILED: (.*))?$", said, re.M)]
    if status != 0 and not any(result.status == FAILED for result in results):
        results.append(Result(f"fuzz.py ended with status {status}", FAILED))
    return results


def checkpatch(program, log):
    """What QEMU's own script says of the patches meant for QEMU, and of our files in its tree."""
    try:
        # Debian's smallest perl lacks a module that it loads; prove comes with all of them.
        made_by("host-tools.sh", "prove:perl")
    except CannotStart:
        return [Result("checkpatch", FAILED, "it needs perl with its usual modules")]
    overlay = TOP / "qemu"
    results = []
    for name, how, pattern in (("patches for QEMU", [], "patches/upstream/*.patch"),
                               ("files", ["--file"], "**/*.[ch]")):
        found = sorted(path.relative_to(overlay) for path in overlay.glob(pattern))
        before = log.stat().st_size
        status = run(["perl", program, "--no-tree", "--quiet", "--terse", *how, *found], log, limit=300,
                     cwd=overlay)
        results.append(Result(f"checkpatch: {name}", PASSED if found and status == 0 else FAILED))
        said = log.read_bytes()[before:].decode(errors="replace").splitlines()
        results[-1].details += [line for line in said if re.search("ERROR:|WARNING:", line)]
    return results


def qtest(log):
    test = made_by("build-qemu.sh", "--qtest")
    build = made_by("build-qemu.sh", "--build-dir")
    env = dict(os.environ, QTEST_QEMU_BINARY=str(build / "qemu-system-x86_64"),
               VENUS_RENDERD=str(made_by("build-lib.sh") / "bin" / "venus-gpu-renderd"))
    results = checkpatch(build.parent / "src" / "scripts" / "checkpatch.pl", log)
    for program in (test, test.with_name("virtio-gpu-venus-redox-test")):
        results += tap_program([SCRIPTS / "in-root.sh", program, "--tap", "-k"], log, 1200, env=env,
                               cwd=build)
    return results


def guest_program(log, *options, variant=()):
    made_by("build-qemu.sh")
    made_by("guest-image.sh", *variant)
    options += variant
    return tap_program([sys.executable, TOP / "tests" / "guest" / "run.py", *options], log, 2400)


def guest(log):
    """With Debian 13's virglrenderer; and with the next one, whether programs of each kind run."""
    return guest_program(log) + with_next_virglrenderer(lambda root: guest_program(
        log, "--qemu", made_by("build-qemu.sh"), "--root", root, *NEXT_TESTS))


def module_program(log, *options):
    """Guests in Debian's own QEMU, which has the device as a module."""
    made_by("build-module.sh")
    made_by("guest-image.sh")
    return tap_program([sys.executable, TOP / "tests" / "guest" / "run.py", "--module", *options], log, 2400)


def module(log):
    """The device as a module: how it gets into Debian's QEMU, and whether a guest has all of it there."""
    return module_program(log, *MODULE_TESTS)


def guest_asan(log):
    """The device and the library under AddressSanitizer and UndefinedBehaviorSanitizer in Debian's own QEMU."""
    made_by("build-module.sh", f"--sanitize={SANITIZERS}")
    made_by("guest-image.sh")
    return tap_program([sys.executable, TOP / "tests" / "guest" / "run.py", "--sanitized", *ASAN_TESTS], log, 7200)


def gpu(log):
    """What a person with a GPU is given, unpacked where nothing else is, in small and on lavapipe."""
    packed = made_by("gpu-payload.sh")
    with tempfile.TemporaryDirectory(prefix="venus-gpu-check-") as folder:
        subprocess.run(["tar", "-C", folder, "-xf", packed], check=True)
        return tap_program([sys.executable, TOP / "tests" / "gpu" / "run.py", folder], log, 600)


def guest_module(log):
    """All that the suites guest and present run, in Debian's QEMU."""
    return module_program(log) + module_program(log, "--present")


def present(log):
    """Presenting: the library's own tests, then guests on an X server and on a Wayland compositor."""
    return meson_suites(["present"], None, log) + guest_program(log, "--present")


def newer_guest(log, name):
    """Both suites with a guest, one that is newer than Debian 13's."""
    variant = ("--variant", name)
    return guest_program(log, variant=variant) + guest_program(log, "--present", variant=variant)


def guest_backports(log):
    """Debian 13 with the kernel of its backports."""
    return newer_guest(log, "backports")


def guest_forky(log):
    """The next Debian, as it is today."""
    return newer_guest(log, "forky")


def guest_aarch64(log):
    """A Linux guest for another processor, emulated, with its own QEMU."""
    made_by("build-qemu.sh", "--arch", "aarch64")
    made_by("guest-image.sh", "--arch", "aarch64")
    return tap_program([sys.executable, TOP / "tests" / "guest" / "run.py", "--aarch64"], log, 2400)


def guest_16k(log):
    """A guest whose pages are larger than the host's."""
    made_by("build-qemu.sh", "--arch", "aarch64")
    made_by("guest-image.sh", "--arch", "aarch64", "--variant", "16k")
    return tap_program([sys.executable, TOP / "tests" / "guest" / "run.py", "--aarch64", "--variant", "16k",
                        *PAGES_TESTS], log, 2400)


def host_16k(log):
    """The library's own tests in an emulated aarch64 machine with pages of 16 KiB, as a host."""
    told = OUT / "host-16k.json"
    told.unlink(missing_ok=True)
    status = run([SCRIPTS / "host-16k.sh", "--results", told], log, limit=7200)
    lines = told.read_text(encoding="utf-8", errors="replace").splitlines() if told.exists() else []
    return host_16k_results(lines, status, log)


def host_16k_results(lines, status, log):
    """The results in what tests/host-16k/run-tests.py told: the machine, then each test, as far as it came."""
    whole = [json.loads(line) for line in lines if line.endswith("}")]  # the last may be cut
    if not whole:
        raise CannotStart(f"host-16k.sh ended with status {status}, and its machine told nothing")
    machine, *records = whole
    results = [Result("pages of 16 KiB on aarch64, by {kernel}".format(**machine),
                      PASSED if (machine["page_size"], machine["processor"]) == (16384, "aarch64") else FAILED)]
    tests = [record for record in records if "name" in record]
    for record in tests:
        results += meson_results(record, log)
    if status != 0 or len(tests) != machine["tests"]:
        results.append(Result("all tests ran", FAILED, f"{len(tests)} of {machine['tests']} did, and it ended with status {status}"))
    return results


def polled(log):
    """Fences that are asked for, as on macOS: the library's tests and a guest's."""
    os.environ["VENUS_GPU_POLL_FENCES"] = "1"
    try:
        return meson_suites(["unit", "renderer"], None, log) + guest_program(log)
    finally:
        del os.environ["VENUS_GPU_POLL_FENCES"]


def darwin_ways(log):
    """All that macOS forces upon the library, on Linux: its tests, those over virglrenderer on pages of 16 KiB, and a guest's.

    A guest with pages of 4 KiB has no Vulkan on a host whose pages are larger, so that one gets the host's own."""
    ways = {"VENUS_GPU_POLL_FENCES": "1", "VENUS_GPU_SHM_ONLY": "1", "VENUS_GPU_WINDOW_REGIONS": "1"}
    os.environ.update(ways)
    try:
        results = meson_suites(["unit"], None, log)
        os.environ["VENUS_GPU_PAGE_SIZE"] = "16384"
        results += meson_suites(["renderer"], None, log, "--test-page=16384")
        del os.environ["VENUS_GPU_PAGE_SIZE"]
        return results + guest_program(log)
    finally:
        for way in (*ways, "VENUS_GPU_PAGE_SIZE"):
            os.environ.pop(way, None)


def faults_of(report, file):
    """What valgrind says of a file's own code: uses of memory that is gone, and leaks. Others have theirs."""
    blocks = re.split(r"^==\d+== \n", report, flags=re.M)
    return [block for block in blocks if re.search(rf"\({re.escape(file)}:\d+\)", block)
            and "__objc_gnu_init" not in block and re.search(r"Invalid|uninit|lost in loss record", block)]


def appkit(log):
    """What is Objective-C, in GNUstep's AppKit on an X server: by itself, and watched by valgrind."""
    program = made_by("build-gnustep.sh")
    on_screen = [SCRIPTS / "in-root.sh", "--gnustep", "--", "xvfb-run", "-a"]
    results = tap_program([*on_screen, program], log, 300)
    report = OUT / "darwin-valgrind.log"
    report.unlink(missing_ok=True)
    status = run([*on_screen, "valgrind", "--leak-check=full", "--show-leak-kinds=definite", f"--log-file={report}", program],
                 log, 600)
    said = report.read_text(encoding="utf-8", errors="replace") if report.exists() else ""
    faults = [block for file in sorted((TOP / "src" / "present").glob("*.m")) for block in faults_of(said, file.name)]
    ended = status == 0 and "LEAK SUMMARY" in said
    results.append(Result("valgrind finds no fault of the presenter's Objective-C", PASSED if ended and not faults else FAILED,
                          "" if ended else f"it ended with status {status}",
                          [line for block in faults for line in block.splitlines()]))
    return results


def darwin(log):
    """What is for macOS: it compiles by a compiler with its C library's headers, and the Objective-C runs in GNUstep."""
    exported = re.findall(r"^ *(venus_gpu_\w+);", (TOP / "src" / "venusgpu.map").read_text(encoding="utf-8"), re.M)
    results = []
    for arch in ("aarch64", "x86_64"):
        built = made_by("build-darwin.sh", "--arch", arch)
        results.append(Result(f"no warnings for macOS on {arch}; the library and the samples link", PASSED))
        symbols = subprocess.run([SCRIPTS / "in-root.sh", "--", "llvm-nm", "--extern-only", "--defined-only",
                                  built / "src" / "libvenusgpu.dylib"], text=True, capture_output=True, check=False)
        lacks = [name for name in exported if not re.search(rf" _{name}$", symbols.stdout, re.M)]
        results.append(Result(f"the library for {arch} has every function of src/venusgpu.map",
                              FAILED if lacks or not exported else PASSED, ", ".join(lacks)))
        results += tap_program([SCRIPTS / "build-darwin-qemu.py", "--arch", arch], log, 1200)
    return results + appkit(log)


def libvirt(log):
    """Domains of Debian's libvirt: both ways to the device, in Debian's own QEMU."""
    made_by("host-root.sh", "--libvirt")
    made_by("build-module.sh")
    made_by("guest-image.sh")
    return tap_program([sys.executable, TOP / "tests" / "guest" / "run.py", "--libvirt"], log, 2400)


def legacy(log):
    """The archived OpenGL device, in a QEMU of its own."""
    made_by("build-qemu.sh", "--legacy")
    made_by("guest-image.sh")
    return tap_program([sys.executable, TOP / "tests" / "guest" / "run.py", "--legacy"], log, 1200)


SUITES = {suite.__name__.replace("_", "-"): suite for suite in
          (strict, scripts, unit, renderer, samples, qtest, guest, present, module, gpu, packages, asan, tsan, fuzz,
           guest_aarch64, guest_16k, guest_backports, guest_forky, guest_module, guest_asan, host_16k, libvirt, polled,
           darwin, darwin_ways, legacy)}
# Those that run only if they are named; .github/workflows/check.yml does so once a week.
ON_REQUEST = {"guest-aarch64", "guest-16k", "guest-backports", "guest-forky", "guest-module", "guest-asan", "host-16k",
              "libvirt", "polled", "darwin", "darwin-ways", "legacy"}
# The guest images that suites need.
IMAGES = {**dict.fromkeys(("guest", "present", "module", "packages", "guest-module", "guest-asan", "libvirt", "polled",
                           "darwin-ways", "legacy"), ()),
          "guest-aarch64": ("--arch", "aarch64"), "guest-16k": ("--arch", "aarch64", "--variant", "16k"),
          "guest-backports": ("--variant", "backports"), "guest-forky": ("--variant", "forky"),
          "host-16k": ("--arch", "aarch64", "--variant", "host-16k")}


def check(name):
    log = OUT / f"{name}.log"
    log.write_text(f"on {machine()}\n", encoding="utf-8")
    print(f"==> check {name} ...", flush=True)
    begin = time.monotonic()
    try:
        results = SUITES[name](log)
        if not results:
            raise CannotStart("it ran no test")
    except CannotStart as why:
        results = [Result("the suite itself", FAILED, str(why))]
    count = {status: sum(result.status == status for result in results)
             for status in (PASSED, FAILED, SKIPPED)}
    print("    {}: {} in {:.0f} s".format(
        name, ", ".join(f"{n} {status}" for status, n in count.items()), time.monotonic() - begin))
    for result in results:
        if result.status != PASSED:
            why = f" ({result.why})" if result.why else ""
            print(f"    {result.status.upper()} {result.name}{why}")
            for line in result.details[:MOST_DETAILS]:
                print(f"        {line}")
    if count[FAILED]:
        print(f"    log: {log}")
    sys.stdout.flush()
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("suite", nargs="*", help=f"of {', '.join(SUITES)}; if none is given, all but "
                             f"{', '.join(sorted(ON_REQUEST))}")
    suites = parser.parse_args().suite or [name for name in SUITES if name not in ON_REQUEST]
    for name in suites:
        if name not in SUITES:
            parser.error(f"there is no suite {name}; choose of {', '.join(SUITES)}")
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, stop)
    OUT.mkdir(parents=True, exist_ok=True)

    print(f"on {machine()}", flush=True)
    # An image takes a minute of mostly waiting, so begin it while the library and QEMU are built.
    for options in {IMAGES[name] for name in suites if name in IMAGES}:
        threading.Thread(target=begin, args=["guest-image.sh", *options], daemon=True).start()
    total = {PASSED: 0, FAILED: 0, SKIPPED: 0}
    for name in suites:
        for status, count in check(name).items():
            total[status] += count
    print(", ".join(f"{count} {status}" for status, count in total.items()), flush=True)
    return 1 if total[FAILED] else 0


def begin(*script):
    try:
        made_by(*script)
    except CannotStart:
        pass  # the guest suite will try again, and say so


if __name__ == "__main__":
    sys.exit(main())
