# SPDX-License-Identifier: MIT
"""What is run, the same on the host and in the guest."""

import re


class Figure:
    """One line of the table: a program, and which of its samples. quick: other arguments, for a slow machine."""

    def __init__(self, what, command, quick, member, unit="ms"):
        self.what, self.command, self.quick, self.member, self.unit = what, command, quick, member, unit


def throughput(what, kind, quick, more=""):
    return Figure(what, f"throughput --what {kind}{more}", f"throughput --what {kind}{more} --warmup-seconds 0 --seconds 1 {quick}",
                  "round_ms")


FIGURES = (
    Figure("submit and wait", "queue_sync --rounds 20000 --seconds 6", "queue_sync --rounds 200", "wait_ms"),
    Figure("64 KiB allocated, mapped, touched, freed", "vk_memory --rounds 300 --seconds 10", "vk_memory --rounds 50", "cycle_ms"),
    throughput("200 fills of 64 MiB", "fills", "--count 4 --size 16"),
    throughput("10,000 fills of 256 bytes", "little", "--count 500"),
    throughput("10,000 draws, 1 frame in flight", "draws", "--count 200"),
    throughput("10,000 draws, 2 frames in flight", "draws", "--count 200", " --in-flight 2"),
    throughput("10,000 draws, 3 frames in flight", "draws", "--count 200", " --in-flight 3"),
    throughput("a product of 2048 x 2048", "product", "--size 128"),
    throughput("ten such products at once", "product", "--size 128", " --count 10"),
    throughput("256 MiB to the device", "up", "--size 8"),
    throughput("256 MiB back", "down", "--size 8"),
)

# Those that check themselves, and those whose pictures must be the same.
PROGRAMS = ("frame", "triangle --frames 60", "gears --frames 20", "compute --size 16 --matrix 128 --count 300001",
            "fence_stress --frames 500", "resource_churn --frames 300 --alive 40", "multi_context --contexts 4 --frames 30",
            "format_draw", "coherency --rounds 10", "vk_start")

GGML_PARAMETERS = "type_a=(f16|q4_0),type_b=f32,m=4096,n=(1|512),k=14336,"
CASE = re.compile(r"^\s*(\w+)\((.*?)\):\s+(\d+) runs -\s+([\d.]+) us/run.*?([\d.]+) (TFLOPS|GFLOPS|GB/s)", re.M)
DEVICE = re.compile(r"^ggml_vulkan: \d+ = (.*)$", re.M)
COLOUR = re.compile(r"\x1b\[[\d;]*m")


def ggml_cases(text):
    """{case: (runs, microseconds a run)} and the device's line, out of what test-backend-ops printed."""
    text = COLOUR.sub("", text)
    cases = {}
    for operation, parameters, runs, microseconds, *_ in CASE.findall(text):
        short = re.search(r"type_a=(\w+),type_b=\w+,m=(\d+),n=(\d+),k=(\d+)", parameters)
        name = "{} m={} n={} k={}".format(*short.groups()) if short else parameters
        cases[f"{operation} {name}"] = (int(runs), float(microseconds))
    device = DEVICE.search(text)
    return cases, device[1] if device else None


# ggml's graphs, with one product for each wait and with many, as a model has them. Venus passes no NV_cooperative_matrix2
# on, so the host does without it too.
LIKE_WITH_LIKE = {"GGML_VK_VISIBLE_DEVICES": "0", "GGML_VK_DISABLE_COOPMAT2": "1"}
GRAPHS = tuple(Figure(f"ggml {name} n={n}, {count} in a graph", f"ggml_products --type {name} --n {n} --products {count}",
                      f"ggml_products --type {name} --n 1 --products 1 --warmup-seconds 0 --seconds 0", "round_ms")
               for name, n, count in (("f16", 512, 1), ("f16", 512, 100), ("q4_0", 512, 1), ("q4_0", 512, 100),
                                      ("f16", 1, 1), ("f16", 1, 500)))


def tap_counts(text):
    """(passed, the failed ones' names, skipped) of a program's TAP."""
    points = re.findall(r"^(not )?ok\b\s*\d*\s*(?:-\s*)?(.*)$", text, re.M)
    skipped = [name for failed, name in points if not failed and re.search(r"#\s*skip", name, re.I)]
    failed = [name for failed, name in points if failed]
    return len(points) - len(failed) - len(skipped), failed, len(skipped)
