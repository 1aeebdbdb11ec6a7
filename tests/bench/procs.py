# SPDX-License-Identifier: ISC
"""Costs of processes from /proc: CPU seconds and memory of a process and its descendants."""

import os

TICK = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rsplit(")", 1)[1].split()


def tree(pid):
    """Returns pid and its living descendants."""
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
    """Returns the user and system time of the tree, including its ended processes."""
    ticks = 0
    for member in tree(pid):
        try:
            ticks += sum(int(field) for field in _stat(member)[11:15])
        except OSError:
            continue
    return ticks / TICK


def memory_bytes(pid, shared):
    """Returns (PSS of private mappings, PSS of mappings whose name contains `shared`) of one process."""
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
    """Returns the private memory of the process, without the shared segment and files."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        return sum(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon:"))


class Meter:
    """CPU time of named process trees during the block: meter["daemon"]."""

    def __init__(self, **pids):
        self.pids, self.used = pids, {}

    def __enter__(self):
        self.begin = {name: cpu_seconds(pid) for name, pid in self.pids.items()}
        return self

    def __exit__(self, *_):
        self.used = {name: cpu_seconds(pid) - self.begin[name] for name, pid in self.pids.items()}

    def __getitem__(self, name):
        return self.used[name]
