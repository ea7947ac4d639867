# SPDX-License-Identifier: MIT
"""What a long run's samples say: flat, grown, or too few; and the picture of them."""

import unittest
import xml.etree.ElementTree as xml

from venusvm import soak


def samples(count, memory=lambda i: 80.0, descriptors=lambda i: 92):
    return [{"seconds": 10 * i, "memory": memory(i), "descriptors": descriptors(i), "threads": 15} for i in range(count)]


class Grown(unittest.TestCase):
    def test_flat(self):
        self.assertEqual(soak.grown(samples(100)), [])

    def test_what_comes_and_goes_is_flat(self):
        self.assertEqual(soak.grown(samples(100, lambda i: 80 + i % 3)), [])

    def test_the_first_minutes_do_not_count(self):
        self.assertEqual(soak.grown(samples(100, lambda i: 40 + min(40, 4 * i))), [])

    def test_a_leak_of_memory(self):
        self.assertRegex(soak.grown(samples(100, lambda i: 80 + 0.05 * i))[0], "^MiB .*: 8.* in the last quarter")

    def test_a_leak_of_descriptors(self):
        found = soak.grown(samples(100, descriptors=lambda i: 92 + i // 20))
        self.assertEqual([line.split(":")[0] for line in found], ["descriptors"])

    def test_less_is_no_fault(self):
        self.assertEqual(soak.grown(samples(100, lambda i: 80 - 0.1 * i)), [])

    def test_a_short_run_says_nothing(self):
        self.assertIn("too few", soak.grown(samples(15))[0])


class Picture(unittest.TestCase):
    def test_it_is_an_svg_with_three_curves_and_each_fault(self):
        text = soak.picture(samples(30), [(12.5, "kill a process"), (40, "a <reset>")], "30 rounds & more")
        tree = xml.fromstring(text)
        name = "{http://www.w3.org/2000/svg}"
        self.assertEqual(len(tree.findall(f"{name}polyline")), 3)
        self.assertEqual([line.find(f"{name}title").text for line in tree.findall(f"{name}line")], ["kill a process", "a <reset>"])
        self.assertEqual(len(tree.find(f"{name}polyline").get("points").split()), 30)

    def test_one_sample(self):
        xml.fromstring(soak.picture(samples(1), [], "one"))


if __name__ == "__main__":
    unittest.main()
