# SPDX-License-Identifier: MIT
"""What holds on to something is noticed: the measuring behind venusvm.examples.endurance, on processes here."""

import os
import subprocess
import sys
import tempfile
import types
import unittest
from collections import Counter
from unittest import mock

from venusvm import processes
from venusvm.examples import endurance
from venusvm.expect import Failed


def held(memory=100.0, blobs=3, processes_open=None, errors=0):
    """Holdings that nobody measured."""
    made = endurance.Holdings.__new__(endurance.Holdings)
    made.stats = {**dict.fromkeys(endurance.ALIVE, 0), "blobs": blobs}
    made.errors, made.memory, made.kinds = errors, memory, {"private": memory}
    made.open = processes_open or {7: ("qemu", Counter({"socket": 2}))}
    return made


class Comparing(unittest.TestCase):
    def test_the_same_is_not(self):
        self.assertEqual(held().unlike(held()), "")

    def test_a_blob_is(self):
        self.assertIn("blobs: 4, not 3", held(blobs=4).unlike(held()))

    def test_a_descriptor_is(self):
        more = held(processes_open={7: ("qemu", Counter({"socket": 2, "/memfd:x": 1}))})
        self.assertIn("/memfd:x", more.unlike(held()))

    def test_a_process_is(self):
        more = held(processes_open={**held().open, 8: ("server", Counter())})
        self.assertIn("a new process 8, server", more.unlike(held()))
        self.assertIn("process 8 has ended", held().unlike(more))


class Settling(unittest.TestCase):
    def settle(self, *seen, wanted=None):
        with mock.patch.object(endurance, "Holdings", side_effect=seen), mock.patch("time.sleep"):
            return endurance.settled(None, wanted)

    def test_waits_until_nothing_changes(self):
        last = held(blobs=5)
        self.assertIs(self.settle(held(), held(blobs=4), held(blobs=5), last), last)

    def test_waits_for_what_is_wanted(self):
        last = held()
        self.assertIs(self.settle(held(blobs=4), held(blobs=4), last, wanted=held()), last)


class Enduring(unittest.TestCase):
    """endure() with a guest that only says how much it did."""

    def run_with(self, *after, things=1000000):
        guest = types.SimpleNamespace(run_json=lambda *_, **__: {"driver": "venus", "made": things})
        with mock.patch.object(endurance, "settled", side_effect=[held(), *after]):
            return endurance.endure(guest, "churn", "made", 1, 1)[1]

    def test_chance_passes(self):
        self.assertEqual(len(self.run_with(held(memory=100 + endurance.SLACK))), 2)

    def test_growth_that_stops_passes(self):
        self.assertEqual([one.memory for one in self.run_with(held(memory=108), held(memory=108.5))], [100, 108, 108.5])

    def test_growth_that_goes_on_does_not(self):
        with self.assertRaisesRegex(Failed, "after one of 3 runs"):
            self.run_with(*(held(memory=100 + (endurance.SLACK + 1) * run) for run in (1, 2, 3)))

    def test_too_little_to_tell_does_not(self):
        with self.assertRaisesRegex(Failed, "could not be overlooked"):
            self.run_with(held(), things=1000)

    def test_a_busy_machine_gets_longer(self):
        asked = []

        def run_json(command, **_):
            asked.append(int(command.rpartition(" ")[2]))
            return {"driver": "venus", "made": 2000 * asked[-1]}

        guest = types.SimpleNamespace(run_json=run_json)
        with mock.patch.object(endurance, "settled", side_effect=[held(), held()]):
            result, _ = endurance.endure(guest, "churn", "made", 1, 1)
        self.assertEqual(result["ran_for"], 4)
        self.assertEqual(asked, [1, 1, 2, 4])  # the first warms up; more than 4096 were wanted

    def test_refused_commands_do_not(self):
        with self.assertRaisesRegex(Failed, "no command refused"):
            self.run_with(held(errors=1))


class Measuring(unittest.TestCase):
    def test_memory_of_a_descendant(self):
        before = processes.memory_of(os.getpid())["private"]
        code = "import sys; kept = bytearray(b'x') * (32 << 20); print(flush=True); sys.stdin.read()"
        with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            child.stdout.readline()
            self.assertGreater(processes.memory_of(os.getpid())["private"], before + 30)
            child.stdin.close()

    def test_a_descriptor_left_open(self):
        def mine():
            return processes.descriptors(os.getpid())[os.getpid()][1]

        before = mine()
        with tempfile.NamedTemporaryFile() as file:
            self.assertEqual(mine() - before, Counter({os.path.realpath(file.name): 1}))
        self.assertEqual(mine(), before)


if __name__ == "__main__":
    unittest.main()
