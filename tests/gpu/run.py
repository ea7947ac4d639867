#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The payload for a machine with a GPU, in a folder where nothing else is: run it in small, on lavapipe, and look at
what it found. Prints TAP.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
IN_ROOT = [TOP / "scripts" / "in-root.sh", "--die-with-parent", "--"]
LAVAPIPE = "/usr/share/vulkan/icd.d/lvp_icd.json"


def run(folder, *options):
    """The payload's program, from an empty folder; returns what it left there, its status and what it printed."""
    with tempfile.TemporaryDirectory(prefix="venus-gpu-run-") as empty, \
            tempfile.TemporaryDirectory(prefix="venus-gpu-tmp-") as temporary:
        done = subprocess.run([*IN_ROOT, folder / "venus-gpu" / "run", *options], cwd=empty, text=True, check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=500,
                              env={**os.environ, "TMPDIR": temporary})
        left = [path.name for path in (*Path(temporary).iterdir(), *Path(empty).iterdir()) if path.name != "gpu.json"]
        found = Path(empty, "gpu.json")
        text = found.read_text(encoding="utf-8") if found.exists() else ""
        return (json.loads(text) if text.strip() else None), done.returncode, done.stdout + done.stderr, left


def whole(folder):
    """with --quick it tests, measures on both sides, prints a table and leaves gpu.json alone"""
    found, status, said, left = run(folder, "--quick", "--driver", LAVAPIPE)
    assert status == 0 and found and not found["failures"], said[-3000:]
    assert "host: median" in said and "renderer tests:" in said, said[-2000:]
    assert not left, left
    assert sum(suite["passed"] for suite in found["suites"]) > 15 and not any(suite["failed"] for suite in found["suites"])
    assert len(found["programs"]) >= 10 and all(item["host"] and item["guest"] for item in found["programs"]), found["programs"]
    assert sum(item["same_picture"] is True for item in found["programs"]) >= 3, found["programs"]
    for item in found["figures"]:
        assert item["ratio"] and all(item[side]["median"] > 0 and item[side]["p99"] > 0 for side in ("host", "guest")), item
    for side in ("host", "guest"):
        assert "llvmpipe" in found[side]["ggml"], found[side]
    assert found["guest"]["vulkan"]["driverName"] == "venus" and found["payload"]["commit"], found["guest"]


def own_c_library(folder):
    """it runs with its own C library too, as it does where the host's is too old"""
    found, status, said, left = run(folder, "--quick", "--driver", LAVAPIPE, "--only", "programs", "--own-c-library")
    assert status == 0 and all(item["host"] and item["guest"] for item in found["programs"]), said[-3000:]
    assert not left, left


def without_driver(folder):
    """what is missing it says in one line"""
    found, status, said, left = run(folder, "--driver", "/nowhere.json")
    assert status == 1 and said == "run: there is no file /nowhere.json, which --driver names\n", said
    assert found is None and not left, (found, left)


def main():
    parser = argparse.ArgumentParser(description="Runs the payload for a machine with a GPU in small, and looks at what it found.")
    parser.add_argument("folder", help="the payload is unpacked in it")
    folder, failed, tests = Path(parser.parse_args().folder).resolve(), 0, (whole, own_c_library, without_driver)
    print(f"1..{len(tests)}")
    for number, test in enumerate(tests, 1):
        try:
            test(folder)
            print(f"ok {number} - {test.__doc__}", flush=True)
        except (AssertionError, subprocess.TimeoutExpired) as why:
            failed += 1
            print(f"not ok {number} - {test.__doc__}")
            print("\n".join("# " + line for line in str(why).splitlines()), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
