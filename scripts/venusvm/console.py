# SPDX-License-Identifier: MIT
"""A guest that is driven by a root shell on its serial port, which is QEMU's input and output.

It takes no agent, no socket and nothing of this system but pipes, so it is for hosts that venusvm.guest does not
know: macos-report.sh uses it. The guest is ours (guest/init), told to give a shell.
"""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time

PROMPT = "guest# "


class Ended(Exception):
    """QEMU has ended."""


class TooLong(Exception):
    """What was waited for did not come in time."""


class Console:
    """QEMU, from its start to its end; all that it has printed is in text."""

    def __init__(self, command):
        self.text, self.ended, self.changed, self.count = "", False, threading.Condition(), 0
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, start_new_session=True)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        while True:
            some = os.read(self.process.stdout.fileno(), 65536)
            with self.changed:
                self.text += some.decode("utf-8", "replace").replace("\r", "")
                self.ended = not some
                self.changed.notify_all()
            if not some:
                return

    def wait_for(self, pattern, begin, limit):
        """The match of a pattern in what comes after that place in the text."""
        end = time.monotonic() + limit
        with self.changed:
            while True:
                found = re.compile(pattern).search(self.text, begin)
                if found:
                    return found
                if self.ended:
                    raise Ended
                left = end - time.monotonic()
                if left <= 0:
                    raise TooLong
                self.changed.wait(left)

    def send(self, line):
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise Ended from error

    def boot(self, limit):
        """Waits for the shell, and has it say nothing but what its commands print."""
        self.wait_for(PROMPT, 0, limit)
        self.send("stty -echo; PS1=; PS2=")
        self.run("true", limit)

    def run(self, command, limit):
        """A command's exit status, and what it printed. One that takes too long gets Ctrl-C."""
        self.count += 1
        begin = len(self.text)
        self.send(f"{command}; echo venus-end-{self.count} $?")
        try:
            found = self.wait_for(rf"venus-end-{self.count} (\d+)\n", begin, limit)
        except TooLong:
            self.send("\x03")
            raise
        return int(found[1]), self.text[begin:found.start()].replace(PROMPT, "")

    def close(self):
        """Ends QEMU and what it has started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(10)
                break
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        self.process.wait()
        self.reader.join(10)
        with contextlib.suppress(OSError):  # what it has not read
            self.process.stdin.close()
        if not self.reader.is_alive():
            self.process.stdout.close()
