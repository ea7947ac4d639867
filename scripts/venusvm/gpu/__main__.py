# SPDX-License-Identifier: MIT
"""The payload's program: see run, which calls it, and docs/gpus.md."""

import argparse
import json
import os
import platform
import re
import shlex
import signal
import sys
import time
from pathlib import Path

from venusvm.guest import GuestError
from venusvm.gpu import measures, table
from venusvm.gpu.clocks import Clocks
from venusvm.gpu.machine import GpuGuest
from venusvm.gpu.place import Missing, Place

IN_GUEST = "VK_DRIVER_FILES=/usr/share/vulkan/icd.d/virtio_icd.json"
LAST_SECONDS = 2  # of a program, in which its clocks are looked at: then it measures


def options():
    parser = argparse.ArgumentParser(
        prog="run", description="Runs the renderer tests on this machine's Vulkan driver, then the same programs on it and in a "
        "guest; prints a table, and writes gpu.json. Nothing else is written but to a temporary folder, which goes at the end.")
    parser.add_argument("top", help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="in small: whether it works, no figures worth anything")
    parser.add_argument("--out", metavar="FILE", default="gpu.json", help="where the results go (gpu.json)")
    parser.add_argument("--driver", metavar="FILE", help="the .json of the Vulkan driver to use, if there are several")
    parser.add_argument("--accel", choices=("kvm", "tcg"), help="instead of what works here")
    parser.add_argument("--memory", default="4G", help="the guest's (4G)")
    parser.add_argument("--only", metavar="PART", action="append", choices=("suites", "programs", "figures", "ggml"),
                        help="suites, programs, figures or ggml; may be given several times")
    parser.add_argument("--own-c-library", action="store_true", help="as on a host whose C library is too old")
    parser.add_argument("--guest-environment", metavar="NAME=VALUE ...", default="", help="for the programs in the guest")
    return parser.parse_args()


class Run:
    """One run: what it found goes into `found`, which is what gpu.json holds."""

    def __init__(self, place, asked):
        self.place, self.asked, self.guest = place, asked, None
        self.clocks = Clocks()
        self.found = {"format": 1, "payload": json.loads((place.top / "about.json").read_text(encoding="utf-8")),
                      "quick": asked.quick, "host": self.host(), "guest": {"environment": asked.guest_environment},
                      "suites": [], "programs": [], "figures": [], "ggml": [], "failures": []}

    def host(self):
        model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.M)
        return {"kernel": platform.release(), "processor": model[1] if model else "?", "processors": os.cpu_count(),
                "glibc": self.place.glibc, "own_c_library": self.place.own_c, "lent_libraries": self.place.lent,
                "drm_nodes": [path.name for path in Path("/dev/dri").glob("*")] if Path("/dev/dri").is_dir() else [],
                "udmabuf": os.access("/dev/udmabuf", os.R_OK | os.W_OK)}

    def fail(self, what, why):
        line = " ".join(str(why).split())[-600:]
        self.found["failures"].append({"what": what, "why": line})
        print(f"  FAILED {what}: {line}", flush=True)

    def wants(self, part):
        return not self.asked.only or part in self.asked.only

    # --- the two sides. Each returns (status, stdout, stderr).

    def on_host(self, command, timeout=180):
        return self.host_program("programs", command, timeout)

    def host_program(self, folder, command, timeout, environment=None):
        name, *words = command.split(" ")
        path = self.place.top / folder
        return self.place.run([*self.place.command(path / name, ours=False), *words], timeout,
                              env=environment, cwd=path)

    def ggml_on_host(self, command, timeout=180):
        return self.host_program("ggml", command, timeout, measures.LIKE_WITH_LIKE)

    def ggml_in_guest(self, command, timeout=300):
        variables = " ".join(f"{name}={value}" for name, value in measures.LIKE_WITH_LIKE.items())
        name, *words = (shlex.quote(word) for word in command.split(" "))
        return self.in_guest(f"{variables} LD_LIBRARY_PATH=/opt/ggml sh -c 'cd /opt/ggml; exec \"$@\"' sh "
                             f"./{name} {' '.join(words)}", timeout)

    def in_guest(self, command, timeout=300):
        job = self.guest.spawn(f"export {IN_GUEST} {self.asked.guest_environment}; {command}")
        try:
            job.wait(timeout)
        except GuestError as why:
            if self.guest.process.poll() is not None:
                raise
            job.signal(9)
            return None, job.output, f"{job.errors} {str(why).splitlines()[0]}"
        return job.status, job.output, job.errors

    def both(self, command, timeout=180, runners=None):
        """A program on the host, then in the guest: for each the object that it printed, or None; with its clocks."""
        sides = {}
        for side, runs in (runners or {"host": self.on_host, "guest": self.in_guest}).items():
            begin = time.monotonic()
            status, out, err = runs(command, timeout)
            end = time.monotonic()
            try:
                said = json.loads(out.strip().splitlines()[-1]) if status == 0 else None
            except (IndexError, ValueError):
                said = None
            if said is None:
                late = f"it ran for more than {timeout} s; " if status is None else f"status {status}; "
                self.fail(f"{command} ({side})", late + err)
            sides[side] = (said, self.clocks.between(max(begin, end - LAST_SECONDS), end))
        return sides

    # --- the parts

    def suites(self):
        env = {"CMOCKA_MESSAGE_OUTPUT": "TAP", "VK_LOADER_DISABLE_DYNAMIC_LIBRARY_UNLOADING": "1",
               "RENDER_SERVER_EXEC_PATH": str(self.place.server),
               "STANDIN_UDMABUF": str(self.place.top / "tests" / "libstandin-udmabuf.so")}
        tests = sorted((self.place.top / "tests").glob("test-renderer-*"))
        for path in tests[:3] if self.asked.quick else tests:
            status, out, err = self.place.run(self.place.command(path), 300, env=env)
            passed, failed, skipped = measures.tap_counts(out)
            name = path.name[len("test-renderer-"):]
            self.found["suites"].append({"name": name, "passed": passed, "failed": failed, "skipped": skipped, "status": status})
            print(f"  {name}: {passed} passed, {len(failed)} failed, {skipped} skipped", flush=True)
            if status != 0 or failed:
                notes = [line for line in out.splitlines() if line.startswith("#") or line.startswith("not ok")]
                self.fail(f"test {name}", f"status {status}: {'; '.join(failed)} {' '.join(notes[-8:])} {err[-300:]}")

    def boot(self):
        self.guest = GpuGuest(self.place, memory=self.asked.memory, accel=self.asked.accel)
        print(f"guest: {self.guest.accel} ({self.guest.accel_why})", flush=True)
        begin = time.monotonic()
        self.guest.start().wait_for_agent()
        about = self.found["guest"]
        about.update(accel=self.guest.accel, accel_why=self.guest.accel_why, booted_s=round(time.monotonic() - begin, 1),
                     kernel=self.guest.run("uname -r").output.strip(), qemu=self.guest.qemu_version(),
                     renderer=self.guest.renderer())
        self.describe("guest", self.in_guest("vulkaninfo --summary")[1])
        print(f"guest: booted in {about['booted_s']} s; {about.get('vulkan')}", flush=True)

    def describe(self, side, summary):
        """What `vulkaninfo --summary` says of the first device."""
        about = {name: (re.search(rf"^\s*{name}\s*= (.*)$", summary, re.M) or [None, None])[1]
                 for name in ("deviceName", "apiVersion", "driverName", "driverInfo", "driverVersion", "deviceType")}
        self.found[side]["vulkan"] = about

    def programs(self):
        for command in measures.PROGRAMS:
            sides = self.both(command)
            host, guest = sides["host"][0], sides["guest"][0]
            same = None
            if host and guest and "crc32" in host:
                same = host["crc32"] == guest.get("crc32")
                if not same:
                    self.fail(command, f"the guest's picture is {guest.get('crc32')}, the host's {host['crc32']}")
            self.found["programs"].append({"command": command, "host": bool(host), "guest": bool(guest), "same_picture": same})
            print(f"  {command}: " + ("ran on both" if host and guest else "see above") + (", same picture" if same else ""),
                  flush=True)
            for side, said in (("host", host), ("guest", guest)):
                if said:
                    self.found[side].setdefault("device", said.get("device"))
                    self.found[side].setdefault("driver", said.get("driver"))

    def figures(self):
        self.measure(measures.FIGURES)

    def measure(self, figures, runners=None):
        for figure in figures:
            command = figure.quick if self.asked.quick else figure.command
            sides = self.both(command, runners=runners)
            item = {"what": figure.what + (", in small" if self.asked.quick else ""), "command": command, "unit": figure.unit}
            for side, (said, clocks) in sides.items():
                samples = said.get(figure.member) if said else None
                if not samples or not samples.get("count"):
                    item[side] = None
                    continue
                item[side] = {name: samples[name] for name in ("count", "median", "p99", "min")}
                for extra in ("gpu_ms", "record_ms"):
                    if said.get(extra, {}).get("count"):
                        item[side][extra] = said[extra]["median"]
                item[side]["clocks"] = clocks
            self.add_ratio(item)
            self.found["figures"].append(item)
            print("  " + table.line(item), flush=True)

    @staticmethod
    def add_ratio(item):
        host, guest = item.get("host"), item.get("guest")
        item["ratio"] = round(host["median"] / guest["median"], 3) if host and guest and guest["median"] else None

    def ggml(self):
        self.measure(measures.GRAPHS, {"host": self.ggml_on_host, "guest": self.ggml_in_guest})
        parameters = "nothing" if self.asked.quick else measures.GGML_PARAMETERS
        cases = {}
        for side, runs in (("host", self.ggml_on_host), ("guest", self.ggml_in_guest)):
            status, out, err = runs(f"test-backend-ops perf -o MUL_MAT -b Vulkan0 -p {parameters}", 400)
            cases[side], device = measures.ggml_cases(out + err)
            self.found[side]["ggml"] = device
            print(f"  ggml, {side}: {device}", flush=True)
            if status != 0 or device is None:
                self.fail(f"ggml's test-backend-ops ({side})", f"status {status}: {(out + err)[-500:]}")
        for name in cases["host"]:
            item = {"what": f"test-backend-ops {name}", "unit": "us"}
            for side in ("host", "guest"):
                if name in cases[side]:
                    runs, microseconds = cases[side][name]
                    item[side] = {"count": runs, "median": microseconds, "p99": None}
            self.add_ratio(item)
            self.found["ggml"].append(item)
            print("  " + table.line(item), flush=True)

    def all(self):
        print("this machine:", self.found["host"]["processor"], flush=True)
        if self.wants("suites"):
            print("renderer tests, over virglrenderer " + self.found["payload"]["virglrenderer"], flush=True)
            self.suites()
        if any(map(self.wants, ("programs", "figures", "ggml"))):
            self.boot()
            for part in ("programs", "figures", "ggml"):
                if self.wants(part):
                    print(part, flush=True)
                    getattr(self, part)()
            self.found["device_counters"] = {name: value for name, value in self.guest.stats().items() if value}

    def close(self):
        if self.guest:
            self.guest.close()
        self.clocks.close()


def main():
    asked = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    try:
        place = Place(asked.top, asked.driver, asked.own_c_library)
    except Missing as why:
        sys.exit(f"run: {why}")
    run = None
    try:
        out = open(asked.out, "w", encoding="utf-8")
        run = Run(place, asked)
        try:
            run.all()
        except GuestError as why:
            run.fail("the guest", why)
        print(table.whole(run.found))
        with out:
            json.dump(run.found, out, indent=1)
            out.write("\n")
        print(f"{asked.out} has all of it")
        return 1 if run.found["failures"] else 0
    except KeyboardInterrupt:
        return 130
    except OSError as why:
        sys.exit(f"run: {why}")
    finally:
        if run:
            run.close()
        place.close()


if __name__ == "__main__":
    sys.exit(main())
