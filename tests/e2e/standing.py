# SPDX-License-Identifier: ISC
"""Detects whether a process with an event loop sleeps anywhere but in epoll_wait().

On a busy machine, a loop that is ready to run is delayed, and a test that measures time cannot distinguish that from a
blocked loop. The kernel can: a process that waits for a processor is in state R. This module therefore samples the
state, the system call, and the number of voluntary switches; two samples with the same number belong to one sleep.
"""

import platform
import threading
import time

WAITS = {"x86_64": {"232", "281", "441"}, "aarch64": {"22", "441"}}.get(platform.machine())


def readable(pid):
    """Returns whether this machine can tell. It cannot for a process that hides its memory from this user."""
    try:
        with open(f"/proc/{pid}/syscall", encoding="ascii") as file:
            return WAITS is not None and bool(file.read())
    except OSError:
        return False


def sleep_of(pid):
    """Returns (system call, number of the sleep) of a process that sleeps outside epoll_wait(); None: it does not."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    with open(f"/proc/{pid}/syscall", encoding="ascii") as file:
        call = file.read().split()[0]
    if status["State"].strip()[0] not in "SD" or call in WAITS or call in ("running", "-1"):
        return None
    return call, status["voluntary_ctxt_switches"].strip()


class Watch:
    """Measures the longest sleep of each process inside the block; `worst` has it in seconds, with its system call."""

    def __init__(self, *pids):
        self.worst, self.over = {pid: (0.0, None) for pid in pids}, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        since = {}
        while not self.over.wait(0.005):
            for pid in self.worst:
                try:
                    seen, now = sleep_of(pid), time.monotonic()
                except (OSError, IndexError, KeyError):
                    continue
                if seen is None:
                    since.pop(pid, None)
                    continue
                if since.get(pid, (None,))[0] != seen:
                    since[pid] = (seen, now)
                self.worst[pid] = max(self.worst[pid], (now - since[pid][1], seen[0]), key=lambda one: one[0])

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *why):
        self.over.set()
        self.thread.join()
