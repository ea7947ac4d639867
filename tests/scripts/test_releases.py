# SPDX-License-Identifier: MIT
"""Everything that says which release this is says the same; a release that has a date is saved as it is."""

import re
import unittest

from venusvm.guest import TOP


def text(name):
    return (TOP / name).read_text(encoding="utf-8")


class Releases(unittest.TestCase):
    def setUp(self):
        self.version = re.search(r"version: '([\d.]+)'", text("meson.build"))[1]

    def test_header_says_the_version(self):
        header = text("include/venus-gpu.h")
        said = [re.search(rf"^#define VENUS_GPU_{part} (\d+)$", header, re.M)[1]
                for part in ("MAJOR", "MINOR", "MICRO")]
        self.assertEqual(".".join(said), self.version)

    def test_changes_begin_with_it(self):
        self.assertEqual(re.search(r"^## ([\d.]+)", text("CHANGELOG.md"), re.M)[1], self.version)

    def test_packages_are_of_it(self):
        self.assertEqual(re.match(r"virtio-gpu-venus \(([\d.]+)[~)]", text("packaging/debian/changelog"))[1], self.version)

    def test_packages_list_what_the_library_exports(self):
        listed = re.findall(r"^ (venus_gpu_\w+)@(\S+) ", text("packaging/debian/libvenusgpu0.symbols"), re.M)
        exported = [(name, node) for node, names in re.findall(r"^(\w+(?:\.\w+)*) \{(.*?)^\}", text("src/venusgpu.map"), re.M | re.S)
                    for name in re.findall(r"^ +(venus_gpu_\w+);", names, re.M)]
        self.assertEqual(sorted(listed), sorted(exported))

    def test_a_release_is_saved(self):
        saved = sorted(path.name for path in (TOP / "tests/abi").glob("[0-9]*"))
        self.assertIn(self.version, saved)
        changes = dict(re.findall(r"^## ([\d.]+)(.*)$", text("CHANGELOG.md"), re.M))
        self.assertEqual(saved, sorted(changes))
        if "not released" not in changes[self.version]:
            for name, home in (("venus-gpu.h", "include"), ("venusgpu.map", "src")):
                self.assertEqual(text(f"tests/abi/{self.version}/{name}"), text(f"{home}/{name}"),
                                 f"{self.version} has a date in CHANGELOG.md, so {home}/{name} is what it was then")


if __name__ == "__main__":
    unittest.main()
