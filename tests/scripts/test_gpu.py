# SPDX-License-Identifier: MIT
"""What the payload for a GPU reads: ggml's words, nvidia-smi's, TAP; and the archive and the table that it writes."""

import tempfile
import unittest
from pathlib import Path

from venusvm.gpu import clocks, machine, measures, place, table

GGML = """ggml_vulkan: Found 1 Vulkan devices:
ggml_vulkan: 0 = Some GPU (driver) | uma: 0 | fp16: 1 | matrix cores: KHR_coopmat
  MUL_MAT(type_a=f16,type_b=f32,m=4096,n=512,k=14336,bs=[1,1],nr=[1,1]):   \x1b[1;34m  802 runs -  1247.30 us/run -  60.13 GFLOP/run -  48.21 TFLOPS\x1b[0m
"""
TAP = "1..4\nok 1 - one\nnot ok 2 - two\n# why\nok 3 - three # SKIP no such thing\nok 4 - four\n"


def item(**sides):
    return {"what": "a thing", "unit": "ms", "ratio": 0.5, **sides}


class Reads(unittest.TestCase):
    def test_ggml(self):
        cases, device = measures.ggml_cases(GGML)
        self.assertEqual(cases, {"MUL_MAT f16 m=4096 n=512 k=14336": (802, 1247.3)})
        self.assertEqual(device, "Some GPU (driver) | uma: 0 | fp16: 1 | matrix cores: KHR_coopmat")
        self.assertEqual(measures.ggml_cases("no device"), ({}, None))

    def test_tap(self):
        self.assertEqual(measures.tap_counts(TAP), (2, ["two"], 1))

    def test_clocks(self):
        self.assertEqual(clocks.parse_nvidia("1980, 3201, [N/A], 120.5"), {"sm": 1980.0, "mem": 3201.0, "power_draw": 120.5})
        self.assertIsNone(clocks.parse_nvidia("[Not Supported], 1, 2, 3"))
        self.assertIsNone(clocks.parse_nvidia("Unable to determine the device handle"))

    def test_versions_compare_as_numbers(self):
        self.assertLess(place.version("2.9"), place.GLIBC_LEAST)
        self.assertFalse(place.version("2.41-12+deb13u5") < place.GLIBC_LEAST)


class Writes(unittest.TestCase):
    def test_archive(self):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "program")
            source.write_bytes(b"12345")
            machine.archive(Path(folder, "cpio"), {"opt/ggml/program": source})
            data, at, seen = Path(folder, "cpio").read_bytes(), 0, {}
            while at < len(data):
                self.assertEqual(data[at:at + 6], b"070701")
                field = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
                name = data[at + 110:at + 109 + field[11]].decode()
                content = (at + 110 + field[11] + 3) // 4 * 4
                seen[name] = (field[1], data[content:content + field[6]])
                at = (content + field[6] + 3) // 4 * 4
        self.assertEqual(seen, {"opt": (0o40755, b""), "opt/ggml": (0o40755, b""), "TRAILER!!!": (0, b""),
                                "opt/ggml/program": (0o100755, b"12345")})

    def test_table(self):
        side = {"median": 1.25, "p99": 2500.0, "clocks": {"sm": 1980.0}, "gpu_ms": 1.0}
        self.assertEqual(table.row(item(host=side, guest=None)),
                         ["a thing", "ms", "1.25", "2500", "1", "1980", "-", "-", "-", "-", "0.50"])


if __name__ == "__main__":
    unittest.main()
