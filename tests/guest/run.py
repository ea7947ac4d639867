#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the tests of QEMU with a Linux guest, printing TAP.

usage: run.py [--present | --legacy | --aarch64 | --libvirt] [--list] [--accel ACCEL]
              [--qemu PROGRAM | --module | --sanitized] [--root DIRECTORY] [--variant VARIANT] [NAME...]
              NAME: part of a test's name, such as vkcube

A test is a function test_* of one of the modules below, in the order in which they stand there; its
first line of documentation is its name in the output. Where a test fails, what it expected and what it
saw follow. Most share one guest; if QEMU itself ends, that test fails and the others get a new one.
Pictures that were compared are in out/check/guest.
"""

import argparse
import importlib
import os
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from venusvm import guest as guests  # noqa: E402
from venusvm.expect import Failed  # noqa: E402
from venusvm.harness import OUT, STOCK_QEMU, Case, Skipped  # noqa: E402
from venusvm.libvirt import SharedLibvirt  # noqa: E402
from venusvm.program import run  # noqa: E402
from venusvm.sanitized import LIST, Reports  # noqa: E402
from venusvm.shared_guest import SharedGuest  # noqa: E402

# First what needs no guest, then all that share one, up to its reset; last those with one of their own.
MODULES = ("test_qemu", "test_agent", "test_vulkaninfo", "test_device", "test_frame", "test_validation",
           "test_endurance", "test_examples", "test_vkcube", "test_two_apps", "test_vkmark", "test_software",
           "test_clean", "test_hostile", "test_faults", "test_reset", "test_regions", "test_zero_copy", "test_kms_buffers",
           "test_desktops", "test_displays", "test_quirks", "test_sleep", "test_state", "test_xorg", "test_micro")
PRESENT = ("test_present", "test_outputs")  # with --present: a suite of its own
# With --aarch64: a guest for another processor, and all that does not ask for what only a PC has. Desktops were not
# tried there.
ONLY_PC = ("test_qemu", "test_desktops", "test_displays", "test_quirks", "test_sleep", "test_state", "test_micro")
AARCH64 = ("test_aarch64", *(name for name in MODULES if name not in ONLY_PC))
# With --module, that is, in Debian's QEMU with the device as a module: before all others.
MODULE, MODULE_PRESENT = ("test_module",), ("test_module_windows",)
SANITIZED = ("test_sanitized",)  # with --sanitized: before those
LEGACY = ("test_legacy",)  # with --legacy: another, which wants a QEMU of its own
LIBVIRT = ("test_libvirt",)  # with --libvirt: domains of Debian's libvirt, in Debian's QEMU with the module


def collect(wanted, modules):
    """All tests as (name, function), in order."""
    tests = []
    for module in map(importlib.import_module, modules):
        for name, function in vars(module).items():
            if name.startswith("test_") and callable(function):
                full = f"{module.__name__[5:]}.{name[5:]}"
                if not wanted or any(part in full for part in wanted):
                    tests.append((full, function))
    return tests


def run_one(shared, full, function, reports=None):
    """Runs one test; returns what kept it from passing: None, a Skipped or the text of a failure.

    reports: of sanitizers that watch QEMU. Whatever else became of a test, it has failed if they say something."""
    outcome = None
    try:
        function(Case(shared, shared.prefix + full.replace(".", "-")))
    except Skipped as skipped:
        outcome = skipped
    except (Failed, guests.GuestError) as failure:
        outcome = str(failure)
    except Exception:  # a mistake in a test must not end the others
        outcome = traceback.format_exc()
    try:
        gone = shared.tidy(isinstance(outcome, str))
    except guests.GuestError as failure:  # what it left cannot be ended: the next gets a new guest
        gone = str(failure)
        shared.close()
    found = "\n".join(filter(None, (gone, reports and reports.new())))
    return f"{outcome or ''}\n{found}".strip() if found else outcome


def report(number, full, function, outcome, seconds):
    title = f": {(function.__doc__ or full).strip().splitlines()[0]}" if function else ""
    line = f"ok {number} - {full}{title}"
    if isinstance(outcome, Skipped):
        print(f"{line} # SKIP {outcome}")
    elif outcome is None:
        print(f"{line}")
    else:
        print(f"not {line}")
        for text in outcome.splitlines():
            print(f"#   {text}")
    print(f"# {seconds:.1f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", nargs="*", help="run only tests with this in their name")
    parser.add_argument("--list", action="store_true", help="print the tests' names and end")
    parser.add_argument("--present", action="store_true", help="the tests of presenting instead")
    parser.add_argument("--legacy", action="store_true", help="the tests of the archived device instead")
    parser.add_argument("--aarch64", action="store_true", help="the tests of an aarch64 guest instead")
    parser.add_argument("--libvirt", action="store_true", help="the tests of libvirt instead")
    parser.add_argument("--accel", help="kvm, hvf or tcg instead of what works")
    parser.add_argument("--qemu", help="another QEMU than the one that scripts/build-qemu.sh makes")
    parser.add_argument("--root", help="with --qemu: the Debian 13 that the program is in, instead of host-root.sh's")
    parser.add_argument("--module", action="store_true",
                        help="Debian's own QEMU, with the device as scripts/build-module.sh makes it")
    parser.add_argument("--sanitized", action="store_true",
                        help="the same, with the device and the library watched by sanitizers")
    parser.add_argument("--variant", help="another guest: one of the variants of scripts/guest-image.sh")
    arguments = parser.parse_args()
    arguments.module |= arguments.sanitized
    first = () if not arguments.module else MODULE_PRESENT if arguments.present else MODULE
    first = (SANITIZED if arguments.sanitized else ()) + first
    tests = collect(arguments.name, first + (PRESENT if arguments.present else LEGACY if arguments.legacy
                                             else AARCH64 if arguments.aarch64
                                             else LIBVIRT if arguments.libvirt else MODULES))
    if not tests:
        parser.error(f"no test has {' or '.join(arguments.name)} in its name; see --list")
    if arguments.list:
        print("\n".join(full for full, _ in tests))
        return 0

    guests.end_on_signals()
    options = {"accel": arguments.accel, "qemu": arguments.qemu,
               "arch": "aarch64" if arguments.aarch64 else "x86_64"}
    reports = None
    if arguments.module:
        sanitize = [f"--sanitize={LIST}"] if arguments.sanitized else []
        options.update(qemu=guests.made_by("build-module.sh", *sanitize), in_root=[STOCK_QEMU])
    if arguments.sanitized:
        reports = Reports(OUT / "sanitizers")
        os.environ.update(reports.environment())
        guests.SECONDS_TO_END = 60  # leaks are looked for as QEMU ends
    if arguments.root:
        options["in_root"] = ["--root", arguments.root]
    if arguments.variant:
        options["image"] = guests.made_by("guest-image.sh", "--arch", options["arch"], "--variant", arguments.variant)
    print(f"1..{len(tests) + bool(reports)}", flush=True)
    shared, failed = SharedLibvirt() if arguments.libvirt else SharedGuest(options), 0
    try:
        for number, (full, function) in enumerate(tests, 1):
            begin = time.monotonic()
            outcome = run_one(shared, full, function, reports)
            failed += isinstance(outcome, str)
            report(number, full, function, outcome, time.monotonic() - begin)
    finally:
        shared.close()
    if reports:
        found = reports.new()
        failed += bool(found)
        report(len(tests) + 1, "sanitizers: nothing is reported of a QEMU that has ended", None, found, 0)
    return 1 if failed else 0


if __name__ == "__main__":
    run(main)
