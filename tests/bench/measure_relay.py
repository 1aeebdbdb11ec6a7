# SPDX-License-Identifier: ISC
"""Answers of models: the delay between the provider sending a word and the viewer receiving it."""

import json
import subprocess
import sys

import load
import peers_run
from lab import HERE
from procs import Meter
from table import compare, rounds

STREAMS, PACE_MS, WORDS, EDGE_MS, DEFAULT_DELTA = 32, 25, 60, 100, "40ms"
# Words written in the first and the last EDGE_MS of a round are counted separately, because all streams begin or end
# then. The last part is the time from the last word to the end of the stream. Targets are in ms.
PARTS = {"start": ("added delay of a word while streams begin", {"p99": 1.5}),
         "steady": ("added delay of a word", {"p50": 0.06, "p99": 0.5}),
         "end": ("added delay of a word while streams end", {"p99": 1.5}),
         "over": ("from the last word to `done`", {"p99": 5})}


class Upstream:
    """Runs peers/upstream.py as a process."""

    def __init__(self):
        self.process = subprocess.Popen(load.tied([sys.executable, HERE + "/peers/upstream.py", str(WORDS), str(PACE_MS)]),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()


def relay_round(lab, port, pid, **how):
    def run():
        viewers = load.Load(lab.wsload, port=port, subs=STREAMS, marks=True, edge_ms=EDGE_MS,
                            seconds=WORDS * PACE_MS / 1000 + 1, **how)
        with Meter(daemon=pid or lab.pg_pid, postgres=lab.pg_pid) as meter:
            got = viewers.go()
        if got["mark_count"] < STREAMS * WORDS * 0.98 or got["over_count"] < STREAMS:
            raise RuntimeError(f"port {port}: {STREAMS} streams of {WORDS} words were sent: {got}")
        figures = {"postgres": meter["postgres"] / got["mark_count"] * 1e6}
        if pid is not None:
            figures["cpu"] = meter["daemon"] / got["mark_count"] * 1e6
        for part in PARTS:
            figures.update({f"{part} {p}": got[f"{part}_{p}_us"] / 1e3 for p in ("p50", "p99")})
        return figures
    return run


def gathered(daemon, run):
    """Runs the same round with the default llm_delta."""
    def run_gathered():
        daemon.configure(llm_delta=DEFAULT_DELTA)
        daemon.reload()
        try:
            return run()
        finally:
            daemon.configure(llm_delta="0s")
            daemon.reload()
    return run_gathered


def make_rooms(lab, daemon):
    """Creates one room with one role for every stream, and its viewers."""
    owner = daemon.login(lab.names[0])
    role = owner.role(f"Teller{lab.fresh_id()}", upstream="bench")
    rooms = []
    for i in range(STREAMS):
        room = owner.room(f"relay{lab.fresh_id()}-{i}", role_ids=[role["id"]], reply_policy="all")
        rooms.append(room["id"])
    return rooms, owner.access


def contestants(lab, daemon):
    """Returns our server with both settings, the peers, and the upstream itself, which shows the cost of the
    measurement."""
    fastapi = peers_run.take(lab, "fastapi", peers_run.fastapi, 2, lab.upstream_port)
    node = peers_run.take(lab, "node", peers_run.node, 2, lab.upstream_port)
    their = {"stream": True, "tokens": "@" + lab.peer_tokens_file, "sub": "/api/chat", "over": "[DONE]",
             "hello": json.dumps({"message": "go"})}
    rooms, token = make_rooms(lab, daemon)
    ours = {"tokens": token, "rooms": rooms, "native": True, "sub": "/ws", "over": '"state":"done"',
            "hello": json.dumps({"type": "subscribe", "topic": "room:{room}"}), "pubs": STREAMS, "once": True,
            "pub": "/api/rooms/{room}/messages", "body": json.dumps({"content": "go {n}"})}
    parlour = relay_round(lab, daemon.port, daemon.pid, **ours)
    return {"parlour": parlour, "llm_delta": gathered(daemon, parlour),
            "fastapi": fastapi and relay_round(lab, fastapi.port, fastapi.pid, **their),
            "node": node and relay_round(lab, node.port, node.pid, **their),
            "direct": relay_round(lab, lab.upstream_port, None, **their)}


def relay(lab):
    """Measures 32 streams of 40 words/s each, ours through a role to sockets, the peers' as event streams; two workers
    each."""
    upstream = {"bench": {"url": f"http://127.0.0.1:{lab.upstream_port}/v1", "model": "m", "key": "k"}}
    with lab.daemon(upstreams=upstream, workers=2, llm_delta="0s", llm_default="bench") as daemon:
        medians = rounds(lab, contestants(lab, daemon))
    rows = []
    for part, (text, most) in PARTS.items():
        for p in ("p50", "p99"):
            row = compare(f"relay, {text}, {p}", "ms", medians, f"{part} {p}")
            if p in most:
                row.target, row.good = f"<= {most[p]:g} ms", row.value <= most[p]
            rows.append(row)
    return rows + [compare("relay, daemon CPU", "us/word", medians, "cpu", {"node": ("<=", 0.5)}),
                   compare("relay, PostgreSQL CPU", "us/word", medians, "postgres")]
