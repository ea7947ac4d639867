# SPDX-License-Identifier: MIT
"""The samples, built as samples/README.md says with the library installed, and what they show."""

import struct
import subprocess
import tempfile
import unittest
import zlib
from pathlib import Path

from venusvm.guest import SCRIPTS, TOP
from venusvm.picture import read_png

SAMPLES = TOP / "samples"
WIDTH, HEIGHT = 320, 200
# The pictures are compared to the last bit, so no warning is too small either.
STRICT = ["-Wall", "-Wextra", "-Werror"]


def chunks(data):
    """A PNG's chunks, with their checksums looked at."""
    at = 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8:at + 8 + length]
        if struct.unpack_from(">I", data, at + 8 + length)[0] != zlib.crc32(kind + body):
            raise ValueError(f"the checksum of {kind} is wrong")
        yield kind
        at += 12 + length


class Samples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        built = subprocess.run([SCRIPTS / "build-lib.sh"], stdout=subprocess.PIPE, text=True, check=True)
        cls.lib = Path(built.stdout.strip()) / "lib"
        (TOP / "out").mkdir(exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=TOP / "out")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)

    def run_in_root(self, *command):
        command = [SCRIPTS / "in-root.sh", "env", f"PKG_CONFIG_PATH={self.lib}/pkgconfig",
                   f"LD_LIBRARY_PATH={self.lib}", *command]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def flags(self):
        return self.run_in_root("pkg-config", "--cflags", "--libs", "venusgpu").split()

    def test_first_frame(self):
        self.run_in_root("cc", *STRICT, SAMPLES / "first-frame.c", *self.flags(), "-o", "first-frame")
        said = self.run_in_root("./first-frame", "picture.png")
        self.assertEqual([line.split()[1] for line in said.splitlines()], ["0x1100"] * 5)
        path = self.folder / "picture.png"
        self.assertEqual(list(chunks(path.read_bytes())), [b"IHDR", b"IDAT", b"IEND"])
        picture = read_png(path)
        self.assertEqual((picture.width, picture.height), (WIDTH, HEIGHT))
        expected = b"".join(bytes((x * 255 // (WIDTH - 1), y * 255 // (HEIGHT - 1), (x ^ y) % 256))
                            for y in range(HEIGHT) for x in range(WIDTH))
        self.assertTrue(picture.rgb == expected, "other pixels than the guest wrote")

    def test_first_frame_without_a_place_for_its_picture(self):
        self.run_in_root("cc", SAMPLES / "first-frame.c", *self.flags(), "-o", "first-frame")
        done = subprocess.run([SCRIPTS / "in-root.sh", "env", f"LD_LIBRARY_PATH={self.lib}", "./first-frame",
                               "no/such/folder.png"], cwd=self.folder, capture_output=True, text=True,
                              timeout=120, check=False)
        self.assertEqual((done.returncode, done.stderr), (1, "first-frame: cannot write no/such/folder.png\n"))

    def test_display_info(self):
        said = self.run_in_root("python3", SAMPLES / "display-info.py", self.lib / "libvenusgpu.so.0")
        first, *outputs = said.splitlines()
        self.assertRegex(first, r"\Alibvenusgpu \d+\.\d+\.\d+, .+")
        self.assertEqual(outputs, ["output 0: 1920 x 1080 at 0, 0", "output 1: 1280 x 1024 at 1920, 0"])

    def test_header_is_cplusplus_too(self):
        (self.folder / "front-end.cc").write_text(
            '#include <venus-gpu.h>\nint main() { return *venus_gpu_version() ? 0 : 1; }\n', encoding="utf-8")
        self.run_in_root("clang", *STRICT, "-pedantic", "front-end.cc", *self.flags(), "-o", "front-end")
        self.run_in_root("./front-end")


if __name__ == "__main__":
    unittest.main()
