# SPDX-License-Identifier: ISC
"""Sockets: delivery to a room of 1,000 against nchan, and what an idle socket costs."""

import json
import os
import threading
import time

import load
import peers_run
from lab import CONTENT
from procs import Meter, memory_bytes, anonymous_bytes
from table import Row, compare, limit, rounds

LISTENERS, SENDERS, IDLE, FRAME_BYTES = 1000, 16, 10000, 300
STORM, SETTLE = 5000, 4
SUBSCRIBE = json.dumps({"type": "subscribe", "topic": "room:{room}"})


def fan_round(lab, port, pid, **how):
    def run():
        sockets = load.Load(lab.wsload, port=port, subs=LISTENERS, pubs=SENDERS, seconds=lab.seconds, **how)
        time.sleep(0.3)
        with Meter(daemon=pid, postgres=lab.pg_pid) as meter:
            got = sockets.go()
        if got["errors"] or got["closed"] or not got["delivered"]:
            raise RuntimeError(f"port {port}: {got}")
        return {"rate": got["delivered"] / got["seconds"], "cpu": meter["daemon"] / got["delivered"] * 1e6,
                "sent": got["published"] / got["seconds"], "bytes": got["bytes"] / got["delivered"],
                "share": got["delivered"] / got["published"] / LISTENERS,
                "client": got["client_cpu_s"] / got["seconds"]}
    return run


def fan(lab):
    """Measures messages to 1,000 sockets each. Ours are committed first; nchan keeps its messages in memory. One worker
    each."""
    nchan = peers_run.take(lab, "nchan", peers_run.nchan)
    with lab.daemon(workers=1) as daemon:
        ours = fan_round(lab, daemon.port, daemon.pid, tokens="@" + lab.tokens_file, rooms=lab.rooms[:1], native=True,
                         sub="/ws", hello=SUBSCRIBE, deliver='"type":"message"', pub="/api/rooms/{room}/messages",
                         body=json.dumps({"content": CONTENT}))
        size = round(ours()["bytes"])		# an uncounted first round measures the length of our frame
        theirs = nchan and fan_round(lab, nchan.port, nchan.pid, sub="/sub/room", pub="/pub/room",
                                     body="x" * max(64, min(size, 2 * FRAME_BYTES) - 4))
        medians = rounds(lab, {"parlour": ours, "nchan": theirs})
    peers_run.drop(lab, "nchan")
    return [compare("room of 1,000, delivered", "msg/s", medians, "rate", {"nchan": (">=", 2)}),
            compare("room of 1,000, daemon CPU", "us/delivery", medians, "cpu"),
            compare("room of 1,000, messages", "msg/s", medians, "sent"),
            compare("room of 1,000, bytes each", "bytes", medians, "bytes"),
            compare("room of 1,000, generator CPU", "cores", medians, "client")]


def worker_memory(daemon):
    found = [memory_bytes(pid, "memfd:") for pid in daemon.workers().values()]
    return [sum(values) for values in zip(*found)]


def idle(lab):
    """Measures the memory of the workers per authenticated socket that subscribes to one room and is idle.

    The shared segment has a fixed size, of which traffic touches more and more: it is shown separately.
    """
    count = 2000 if lab.args.quick else IDLE
    how = {"tokens": "@" + lab.tokens_file, "rooms": lab.rooms, "native": True, "sub": "/ws", "hello": SUBSCRIBE}
    with lab.daemon(workers=2) as daemon:
        first = load.Load(lab.wsload, port=daemon.port, subs=256, **how)
        time.sleep(1.5)
        before, began = worker_memory(daemon), time.monotonic()
        many = load.Load(lab.wsload, port=daemon.port, subs=count, **how)
        took = time.monotonic() - began
        time.sleep(3)
        after = worker_memory(daemon)
        many.close()
        first.close()
    own, shared = [b - a for a, b in zip(before, after)]
    return [limit(f"memory of an idle socket ({count:,})", "bytes", own / count, 1024),
            Row("shared segment, newly touched meanwhile", "kB", shared / 1024),
            Row("opened, authenticated and subscribed", "sockets/s", count / took)]


class Peak(threading.Thread):
    """The largest sum of the private memory of the workers during the block."""

    def __init__(self, daemon):
        super().__init__()
        self.pids, self.bytes, self.over = list(daemon.workers().values()), 0, threading.Event()

    def run(self):
        while not self.over.wait(0.02):
            self.bytes = max(self.bytes, sum(anonymous_bytes(pid) for pid in self.pids))

    def stop(self):
        self.over.set()
        self.join()
        return self.bytes


def storm(lab):
    """Measures the memory that workers take and return while sockets connect, authenticate, subscribe, send, and
    disconnect."""
    count = 1000 if lab.args.quick else STORM
    how = {"tokens": "@" + lab.tokens_file, "rooms": lab.rooms, "native": True, "sub": "/ws", "hello": SUBSCRIBE,
           "pub": "/ws", "pub_ws": True, "deliver": '"type":"ack"',
           "body": json.dumps({"type": "send", "topic": "room:{room}", "content": CONTENT})}
    with lab.daemon(workers=2, log_level="debug") as daemon:
        pids = list(daemon.workers().values())
        load.Load(lab.wsload, port=daemon.port, subs=64, pubs=4, seconds=1, **how).go()
        time.sleep(2)
        before, peak = sum(map(anonymous_bytes, pids)), Peak(daemon)
        peak.start()
        sockets = load.Load(lab.wsload, port=daemon.port, subs=count - count // 5, pubs=count // 5, opening=count,
                            seconds=lab.seconds, **how)
        joined = peak.bytes
        time.sleep(SETTLE)
        settled = sum(map(anonymous_bytes, pids))
        sockets.go()
        busiest = peak.stop()
        time.sleep(SETTLE)
        left = sum(map(anonymous_bytes, pids))
        trims = [int(r["us"]) for r in daemon.records() if r.get("msg") == "memory given back"]
    return [Row(f"storm of {count:,}: workers before", "MB", before / 2**20),
            Row("storm: joining, peak for each socket", "bytes", (joined - before) / count),
            Row("storm: joined and settled, for each socket", "bytes", (settled - before) / count),
            Row("storm: while a fifth of them send, peak of the workers", "MB", busiest / 2**20),
            Row(f"storm: memory given back {len(trims)} times, longest", "ms", max(trims, default=0) / 1e3),
            limit("storm: after all have left, more than before", "MB", (left - before) / 2**20, 8)]


def raise_file_limit():
    """Raises the limit of open files as far as the system permits: 10,000 sockets at each end."""
    import resource
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < 11000 and os.geteuid() == 0:
        resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
    return soft, hard
