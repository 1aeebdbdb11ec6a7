# SPDX-License-Identifier: ISC
"""What processes cost: CPU seconds and memory of a process and all that descend from it, from /proc."""

import os

TICK = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rsplit(")", 1)[1].split()


def tree(pid):
    """pid and its living descendants."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parents.setdefault(int(_stat(entry)[1]), []).append(int(entry))
            except OSError:
                continue
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo += parents.get(found[-1], [])
    return found


def cpu_seconds(pid):
    """User and system time of the tree, that of its dead members included."""
    ticks = 0
    for member in tree(pid):
        try:
            ticks += sum(int(field) for field in _stat(member)[11:15])
        except OSError:
            continue
    return ticks / TICK


def memory_bytes(pid, shared):
    """(PSS of its own mappings, PSS of those whose name holds `shared`) of one process."""
    own = other = 0
    inside = False
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as file:
        for line in file:
            words = line.split()
            if not words[0].endswith(":"):
                inside = shared in line
            elif words[0] == "Pss:" and inside:
                other += int(words[1]) * 1024
            elif words[0] == "Pss:":
                own += int(words[1]) * 1024
    return own, other


def anonymous_bytes(pid):
    """What the process has for itself alone: neither the shared segment nor files."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        return sum(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon:"))


class Meter:
    """CPU used by named trees while the block ran: meter["daemon"]."""

    def __init__(self, **pids):
        self.pids, self.used = pids, {}

    def __enter__(self):
        self.begin = {name: cpu_seconds(pid) for name, pid in self.pids.items()}
        return self

    def __exit__(self, *_):
        self.used = {name: cpu_seconds(pid) - self.begin[name] for name, pid in self.pids.items()}

    def __getitem__(self, name):
        return self.used[name]
