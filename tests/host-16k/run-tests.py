#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the tests of a build of meson's where meson is not, on a processor that is emulated.

usage: run-tests.py BUILD RESULTS [NAME...]     all tests of the suites unit and renderer, or those of these names

A line of JSON for each test goes to RESULTS as soon as it ended, with meson's own words for it ("name", "result",
"returncode", "stdout", "stderr", "duration"); the first line says of what machine, the last that no more comes. What each
test may take is what meson.build says, many times, as an emulated processor is slow.
"""

import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SUITES = ("unit", "renderer")
SLOWER = 20  # than the processors that the limits in meson.build were written for
SKIPPED = 77  # the exit status by which a test says so


def chosen(build, names):
    """The tests in the order in which they run: of each suite first those that may run beside each other."""
    tests = json.loads((build / "meson-info" / "intro-tests.json").read_text(encoding="utf-8"))
    for test in tests:
        test["suites"] = [suite.split(":")[-1] for suite in test["suite"]]
    tests = [test for suite in SUITES for test in tests if suite in test["suites"]]
    return [test for test in tests if not names or test["name"] in names]


def run(build, test):
    """Runs one, for as long as it may."""
    begin = time.monotonic()
    child = subprocess.Popen(test["cmd"], cwd=test["workdir"] or build, env=dict(os.environ, **test["env"]), text=True, errors="replace",
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    try:
        out, err = child.communicate(timeout=test["timeout"] * SLOWER)
        result = {0: "OK", SKIPPED: "SKIP"}.get(child.returncode, "FAIL")
    except subprocess.TimeoutExpired:
        result = "TIMEOUT"
        os.killpg(child.pid, signal.SIGKILL)
        out, err = child.communicate()
    return {"name": test["name"], "result": result, "returncode": child.returncode, "stdout": out, "stderr": err,
            "duration": time.monotonic() - begin}


def main():
    build, results, names = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    tests = chosen(build, names)
    lock = threading.Lock()
    with open(os.open(results, os.O_WRONLY), "wb", buffering=0) as port:  # which makes no file where there is no port
        def tell(record):
            line = memoryview((json.dumps(record) + "\n").encode())
            while line:
                line = line[port.write(line):]

        def run_and_tell(test):
            record = run(build, test)
            with lock:
                print(f"{record['duration']:8.1f} s  {record['result']:8}{record['name']}", flush=True)
                tell(record)

        machine = {"kernel": platform.release(), "processor": platform.machine(), "page_size": os.sysconf("SC_PAGESIZE"),
                   "tests": len(tests)}
        print(machine, flush=True)
        tell(machine)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(run_and_tell, [test for test in tests if test["is_parallel"]]))
        for test in tests:
            if not test["is_parallel"]:
                run_and_tell(test)
        tell({"ended": True})


if __name__ == "__main__":
    main()
