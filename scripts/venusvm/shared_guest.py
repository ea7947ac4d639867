# SPDX-License-Identifier: MIT
"""A guest that several share, one after the other: booted when the first one wants it, and again if it is gone."""

import time

from venusvm import guest as guests
from venusvm.screen import HELD


class SharedGuest:
    def __init__(self, options):
        self.options, self.guest = options, None
        arch = options.get("arch", "x86_64")
        self.prefix = "" if arch == "x86_64" else f"{arch}-"  # of the files that tests leave

    def get(self):
        if not self.guest:
            begin = time.monotonic()
            guest = guests.Guest(**{"qemu_args": ["-d", "guest_errors"], **self.options})
            try:
                guest.start().wait_for_agent()
            except BaseException:
                guest.close()
                raise
            self.guest = guest
            print(f"# booted in {time.monotonic() - begin:.1f} s, {guest.accel}, "
                  f"QEMU {guest.qemu_version()}, {guest.renderer()}", flush=True)
        return self.guest

    def tidy(self, failed=False):
        """Ends the programs that somebody left running; says if the machine itself has ended. failed: it is looked at
        whether the device has, too; then the next one gets a new guest, and only this one has failed by it."""
        guest = self.guest
        if not guest:
            return None
        if guest.process.poll() is None:
            running = [job for job in guest.jobs.values() if job.status is None]
            for job in running:
                job.signal(9)
            for job in running:
                job.wait(20)
            if running:
                self.settle()
            ended = guest.standstill() if failed else None
            if not ended:
                return None
            words = f"{ended}\n{guest.last_words()}"
            self.close()
            return words
        words = f"QEMU ended with status {guest.process.returncode}\n{guest.last_words()}"
        self.close()
        return words

    def settle(self, timeout=10):
        """Waits until the device gives no more back: programs have ended before all that they held is."""
        deadline, before = time.monotonic() + timeout, None
        while time.monotonic() < deadline:
            now = {name: self.guest.stat(name) for name in HELD}
            if now == before:
                return
            before = now
            time.sleep(1)

    def close(self):
        if self.guest:
            self.guest.close()
            self.guest = None
