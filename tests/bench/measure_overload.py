# SPDX-License-Identifier: ISC
"""Overload: five times what the daemon can serve, offered at a rate (open loop), between two phases of usual load.

The generator has the last processor for itself; daemon and PostgreSQL share the others. Usual load is 70 % of the rate
that 64 closed-loop clients reach. Targets: during the overload 80 % of that rate is served, the 99th percentile of
accepted work is at most twice the usual one, and refusals come within 100 ms; 5 s later everything is as before.
"""

import contextlib
import json
import os

import load
from lab import CONTENT, COUNTED
from procs import Meter
from table import Row, limit

USUAL, EXCESS = 0.7, 5
CONNS = {"read": 3000, "post": 3000, "socket": 256}


@contextlib.contextmanager
def processor(numbers):
    """Runs this process, and child processes that it starts meanwhile, on this processor only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, numbers & before or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def kinds(lab):
    """Returns {name: options of wsload}: a page of 50 messages, a message over REST, a message over a socket."""
    ours = {"tokens": "@" + lab.tokens_file, "rooms": lab.rooms}
    frame = {"type": "send", "id": "{due}", "topic": "room:{room}", "client_id": "o{n}", "content": CONTENT}
    return {
        "read": {**ours, "pub": "/api/rooms/{room}/messages?limit=50"},
        "post": {**ours, "pub": "/api/rooms/{room}/messages", "body": json.dumps({"content": CONTENT + "{n}"})},
        "socket": {**ours, "native": True, "pub_ws": True, "sub": "/ws", "body": json.dumps(frame, separators=(",", ":"))},
    }


def peak(lab, port, kind, options):
    """Returns the requests per second of 64 clients that wait for each reply."""
    if kind == "read":
        got = load.wrk(port, lab.seconds, 64, lab.tokens_file, [f"/api/rooms/{r}/messages?limit=50" for r in lab.rooms])
        return got["requests"] / got["seconds"]
    got = load.Load(lab.wsload, port=port, pubs=64, seconds=lab.seconds, **options).go()
    return got["published"] / got["seconds"]


def offer(lab, daemon, kind, options, phases, **more):
    """Returns the figures of the phases of wsload [(rate, seconds)], and the CPU time of the daemon and PostgreSQL."""
    with Meter(daemon=daemon.pid, postgres=lab.pg_pid) as meter:
        got = load.probe(lab.wsload, "offer", port=daemon.port, pubs=CONNS[kind],
                         phases=[f"{rate:.0f}x{seconds}" for rate, seconds in phases], **options, **more)
    got["cpu"] = {"daemon": meter["daemon"], "postgres": meter["postgres"]}
    return got


def one(lab, daemon, kind, options):
    most = peak(lab, daemon.port, kind, options)
    long = 2 * lab.seconds
    usual = offer(lab, daemon, kind, options, [(USUAL * most, long)])["phases"][0]
    usual_ms = usual["good_p99_us"] / 1e3
    got = offer(lab, daemon, kind, options, [(USUAL * most, 2), (EXCESS * most, long), (USUAL * most, 8)],
                slow_ms=max(20, int(2 * usual_ms)))
    lab.say(f"{kind}: {json.dumps({'peak': most, 'usual': usual, 'overload': got})}")
    excess, after = got["phases"][1], got["phases"][2]
    served = excess["accepted"] / excess["seconds"]
    goodput = Row(f"overload, {kind}: served of what closed-loop clients get", "", served / most, target=">= 0.8")
    goodput.good = goodput.value >= 0.8
    return [Row(f"overload, {kind}: closed-loop clients", "/s", most), goodput,
            Row(f"overload, {kind}: usual load, p99", "ms", usual_ms),
            limit(f"overload, {kind}: accepted, p99", "ms", excess["good_p99_us"] / 1e3, 2 * usual_ms),
            limit(f"overload, {kind}: refused, p99", "ms", excess.get("bad_p99_us", 0) / 1e3, 100),
            Row(f"overload, {kind}: refused, longest", "ms", excess.get("bad_max_us", 0) / 1e3),
            Row(f"overload, {kind}: not sent, all connections waited", "", excess["skipped"]),
            limit(f"overload, {kind}: as usual again after", "ms", after["recovered_ms"], 5000)]


def overload(lab):
    """Measures reads, messages over REST, and messages over sockets."""
    rows = []
    everywhere = os.sched_getaffinity(0)
    last = max(everywhere)
    server = everywhere - {last} or everywhere
    os.sched_setaffinity(lab.pg_pid, server)
    try:
        with processor(server):
            with lab.daemon(workers=2, **COUNTED) as daemon:
                os.sched_setaffinity(0, {last})
                for kind, options in kinds(lab).items():
                    rows += one(lab, daemon, kind, options)
    finally:
        os.sched_setaffinity(lab.pg_pid, everywhere)
    return rows
