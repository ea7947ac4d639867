# SPDX-License-Identifier: MIT
"""What scripts/renderd_calls.py makes of counts, and the lists that it compares them with."""

import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

import renderd_calls
from venusvm.guest import SCRIPTS

TEXT = """\
/* ---- seen ---- */
/* A reason. */
ALLOWED(read)
ALLOWED(write)
/* ---- margin ---- */
/* Another,
 * of two lines. */
ALLOWED(readv)
/* ---- denied ---- */
/* Others. */
DENIED(ptrace)
"""


def counts(calls, requests=()):
    numbers = [0] * (renderd_calls.CALLS + renderd_calls.REQUESTS)
    for number, count in calls.items():
        numbers[number] = count
    numbers[renderd_calls.CALLS:renderd_calls.CALLS + len(requests)] = requests
    return struct.pack(f"<{len(numbers)}I", *numbers)


class Calls(unittest.TestCase):
    def setUp(self):
        self.lists = renderd_calls.Lists(TEXT)
        self.seen = renderd_calls.Seen({0: "read", 1: "write", 2: "readv", 3: "ptrace"})

    def compare(self):
        lines, stopped = renderd_calls.compare(self.lists, self.seen)
        return "\n".join(lines), stopped

    def test_groups(self):
        self.assertEqual(self.lists.groups, [("seen", "A reason.", ["read", "write"]), ("margin", "Another, of two lines.", ["readv"]),
                                             ("denied", "Others.", ["ptrace"])])

    def test_what_is_allowed(self):
        self.seen.add(counts({0: 3}, [0x1234]))
        self.seen.add(counts({0: 4, 1: 1}))
        said, stopped = self.compare()
        self.assertEqual(stopped, [])
        for line in ("seen: 2 calls", "        7 read", "requests of ioctl: 0x1234",
                     "allowed, and not seen: 1 calls", "  Another, of two lines.", "    readv", "the filter would stop: nothing"):
            self.assertIn(line, said)

    def test_what_is_not(self):
        self.seen.add(counts({2: 1, 3: 1, 900: 2}))
        said, stopped = self.compare()
        self.assertEqual(stopped, ["900", "ptrace"])
        for line in ("listed as seen, and not seen this time: read write", "seen, and listed as margin: readv",
                     "the filter would stop: 900 ptrace"):
            self.assertIn(line, said)

    def test_our_lists_know_all_calls(self):
        """of this system's headers, but for those that no kernel has had for long"""
        gone = {"_sysctl", "afs_syscall", "create_module", "epoll_ctl_old", "epoll_wait_old", "get_kernel_syms", "getpmsg",
                "nfsservctl", "putpmsg", "query_module", "security", "sysfs", "tuxcall", "uselib", "ustat", "vserver",
                "get_thread_area", "set_thread_area", "arch_specific_syscall", "syscalls"}
        lists = renderd_calls.Lists(renderd_calls.LISTS.read_text(encoding="utf-8"))
        names = lists.names("seen", "margin", "denied")
        self.assertEqual(len(names), len(set(names)))
        # What is newer than the lists is denied, as it is in none; what they had to know was there with Linux 6.1.
        known = {name for number, name in renderd_calls.all_names().items() if number <= 450}
        self.assertEqual(known - set(names) - gone, renderd_calls.ASKED_FOR)

    def test_it_counts(self):
        build = subprocess.run([SCRIPTS / "build-lib.sh", "--build-dir"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "counts")
            for _ in range(2):
                done = renderd_calls.in_root(f"{build}/tests/renderd/renderd-seen", file, "/bin/sh", "-c", "echo here; exit 3",
                                             stdout=subprocess.PIPE, text=True)
                self.assertEqual((done.returncode, done.stdout), (3, "here\n"))
            seen = renderd_calls.Seen(renderd_calls.all_names())
            seen.add(file.read_bytes())
        self.assertEqual((seen.counts["execve"], seen.counts["write"], seen.counts["exit_group"]), (2, 2, 2))
        self.assertNotIn("ptrace", seen.counts)


if __name__ == "__main__":
    unittest.main()
