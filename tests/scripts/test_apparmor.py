# SPDX-License-Identifier: MIT
"""What the text of an AppArmor profile says of files."""

import unittest

from venusvm import apparmor

PROFILE = """profile p {
  # a comment
  /{usr/,}bin/{dirname,readlink} rmix,
  /usr/lib/@{multiarch}/**.so*   mr,
  owner /var/lib/domain-*/.cache/** rwk,
  /dev/dri/ r,
  "/var/log/**/venus.log" w,
  /sys/cpu[0-9]*/capacity r,
  deny /etc/secret r,
  network inet stream,
}
"""
TRACE = """\
12 execve("/usr/bin/dirname", ["dirname", "/"], 0x7f /* 9 vars */) = 0
12 openat(AT_FDCWD, "/etc/nothing", O_RDONLY) = -1 ENOENT (No such file or directory)
13 openat(AT_FDCWD, "/dev/dri", O_RDONLY|O_NONBLOCK|O_CLOEXEC|O_DIRECTORY) = 5
13 openat(AT_FDCWD, "/tmp/file", O_RDWR|O_CREAT, 0600) = 6
13 connect(7, {sa_family=AF_UNIX, sun_path="/run/socket"}, 110) = 0
"""


class Rules(unittest.TestCase):
    def test_what_is_allowed(self):
        rules = apparmor.rules(PROFILE)
        for path, wanted in (("/bin/dirname", "x"), ("/usr/bin/readlink", "r"),
                             ("/usr/lib/x86_64-linux-gnu/a/b.so.1", "r"), ("/dev/dri/", "r"),
                             ("/var/lib/domain-1-a/.cache/b/c", "w"), ("/var/log/a/b/venus.log", "w"),
                             ("/sys/cpu0/capacity", "r"), ("/sys/cpu12/capacity", "r")):
            self.assertTrue(apparmor.is_allowed(rules, path, wanted), (path, wanted))

    def test_what_is_not(self):
        rules = apparmor.rules(PROFILE)
        for path, wanted in (("/bin/cat", "x"), ("/bin/dirname", "w"), ("/dev/dri/card0", "r"),
                             ("/etc/secret", "r"), ("/usr/lib/a.so", "r"), ("/sys/cpux/capacity", "r"),
                             ("/var/lib/domain-1/a/.cache/b", "w")):
            self.assertFalse(apparmor.is_allowed(rules, path, wanted), (path, wanted))

    def test_what_a_trace_says(self):
        self.assertEqual(apparmor.opened(TRACE), {("/usr/bin/dirname", "x"), ("/dev/dri/", "r"), ("/tmp/file", "w"),
                                                  ("/run/socket", "w")})


if __name__ == "__main__":
    unittest.main()
