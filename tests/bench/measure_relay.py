# SPDX-License-Identifier: ISC
"""Answers of models: how much later a word reaches the viewer than the provider wrote it."""

import json
import subprocess
import sys

import load
import peers_run
from lab import HERE
from procs import Meter
from table import compare, rounds

STREAMS, PACE_MS, WORDS = 32, 25, 60


class Upstream:
    """peers/upstream.py as a process."""

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
        viewers = load.Load(lab.wsload, port=port, subs=STREAMS, marks=True, seconds=WORDS * PACE_MS / 1000 + 1, **how)
        with Meter(daemon=pid, postgres=lab.pg_pid) as meter:
            got = viewers.go()
        if got["mark_count"] < STREAMS * WORDS * 0.98:
            raise RuntimeError(f"port {port}: {STREAMS * WORDS} words were sent: {got}")
        return {"p50": got["mark_p50_us"] / 1e3, "p99": got["mark_p99_us"] / 1e3,
                "cpu": meter["daemon"] / got["mark_count"] * 1e6}
    return run


def make_rooms(lab, daemon):
    """One room with one role for every stream, and everybody who looks on."""
    owner = daemon.login(lab.names[0])
    role = owner.role(f"Teller{lab.fresh_id()}", upstream="bench")
    rooms = []
    for i in range(STREAMS):
        room = owner.room(f"relay{lab.fresh_id()}-{i}", role_ids=[role["id"]], reply_policy="all")
        rooms.append(room["id"])
    return rooms, owner.access


def relay(lab):
    """32 streams of 40 words/s each; ours through a role to sockets, theirs as event streams. Two workers each."""
    fastapi = peers_run.take(lab, "fastapi", peers_run.fastapi, 2, lab.upstream_port)
    node = peers_run.take(lab, "node", peers_run.node, 2, lab.upstream_port)
    upstream = {"bench": {"url": f"http://127.0.0.1:{lab.upstream_port}/v1", "model": "m", "key": "k"}}
    their = {"stream": True, "tokens": "@" + lab.peer_tokens_file, "sub": "/api/chat",
             "hello": json.dumps({"message": "go"})}
    with lab.daemon(upstreams=upstream, workers=2, llm_delta="0s", llm_default="bench") as daemon:
        rooms, token = make_rooms(lab, daemon)
        ours = {"tokens": token, "rooms": rooms, "native": True, "sub": "/ws",
                "hello": json.dumps({"type": "subscribe", "topic": "room:{room}"}), "pubs": STREAMS, "once": True,
                "pub": "/api/rooms/{room}/messages", "body": json.dumps({"content": "go {n}"})}
        medians = rounds(lab, {
            "parlour": relay_round(lab, daemon.port, daemon.pid, **ours),
            "fastapi": fastapi and relay_round(lab, fastapi.port, fastapi.pid, **their),
            "node": node and relay_round(lab, node.port, node.pid, **their),
        })
    return [compare("relay, added delay of a word, p50", "ms", medians, "p50"),
            compare("relay, added delay of a word, p99", "ms", medians, "p99"),
            compare("relay, daemon CPU", "us/word", medians, "cpu")]
