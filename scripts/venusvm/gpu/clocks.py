# SPDX-License-Identifier: MIT
"""The GPU's clocks while something runs: by nvidia-smi, or what the kernel says of AMD's and Intel's."""

import re
import shutil
import statistics
import subprocess
import threading
import time
from pathlib import Path

FIELDS = ("clocks.sm", "clocks.mem", "utilization.gpu", "power.draw")
PERIOD = 0.1


def of_nvidia():
    """A sample of nvidia-smi's, asked for once."""
    done = subprocess.run(["nvidia-smi", "--query-gpu=" + ",".join(FIELDS), "--format=csv,noheader,nounits", "-i", "0"],
                          capture_output=True, text=True, check=False, timeout=20)
    return parse_nvidia(done.stdout.splitlines()[0]) if done.returncode == 0 and done.stdout else None


def parse_nvidia(line):
    values = [word.strip() for word in line.split(",")]
    if len(values) != len(FIELDS) or not re.fullmatch(r"[\d.]+", values[0]):
        return None
    return {name.replace("clocks.", "").replace(".", "_"): float(value) for name, value in zip(FIELDS, values)
            if re.fullmatch(r"[\d.]+", value)}


def of_kernel():
    """A sample out of /sys, or None."""
    for card in sorted(Path("/sys/class/drm").glob("card[0-9]*")):
        for name in ("device/pp_dpm_sclk", "gt_act_freq_mhz", "gt/gt0/rps_act_freq_mhz"):
            try:
                text = (card / name).read_text(encoding="ascii")
            except OSError:
                continue
            if name == "device/pp_dpm_sclk":
                now = re.search(r"(\d+)Mhz \*", text, re.I)
                return {"sm": float(now[1])} if now else None
            return {"sm": float(text)}
    return None


class Clocks:
    """Samples from its begin to its end, on a thread."""

    def __init__(self):
        self.nvidia = shutil.which("nvidia-smi") is not None
        self.samples, self.process = [], None
        self.lock = threading.Lock()
        self.ends = threading.Event()
        if self.nvidia:
            self.process = subprocess.Popen(
                ["nvidia-smi", "--query-gpu=" + ",".join(FIELDS), "--format=csv,noheader,nounits", "-i", "0",
                 f"--loop-ms={int(1000 * PERIOD)}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True)
        self.thread = threading.Thread(target=self.sample, daemon=True)
        self.thread.start()

    def sample(self):
        if self.process:
            for line in self.process.stdout:
                self.add(parse_nvidia(line))
            return
        while not self.ends.wait(PERIOD):
            self.add(of_kernel())

    def add(self, sample):
        if sample:
            with self.lock:
                self.samples.append((time.monotonic(), sample))

    def between(self, begin, end):
        """Medians, and the lowest clock, of what was sampled then; None if nothing was."""
        with self.lock:
            seen = [sample for when, sample in self.samples if begin <= when <= end]
        if not seen:
            return None
        out = {name: statistics.median(values) for name in seen[0]
               if (values := [sample[name] for sample in seen if name in sample])}
        out["sm_least"] = min(sample["sm"] for sample in seen if "sm" in sample)
        out["samples"] = len(seen)
        return out

    def close(self):
        self.ends.set()
        if self.process:
            self.process.terminate()
            self.process.wait()
        self.thread.join(5)
