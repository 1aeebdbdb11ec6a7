# SPDX-License-Identifier: ISC
"""Durable messages: many senders over REST and sockets, and one message between two workers."""

import json

import load
import peers_run
from lab import COUNTED, CONTENT, fdatasync_us, median
from procs import Meter
from table import Row, compare, limit, rounds

SENDERS = 64


def send_round(lab, port, pid, **how):
    def run():
        senders = load.Load(lab.wsload, port=port, pubs=SENDERS, seconds=lab.seconds, **how)
        with Meter(daemon=pid, postgres=lab.pg_pid) as meter:
            got = senders.go()
        if got["errors"] or got["closed"] or not got["published"]:
            raise RuntimeError(f"port {port}: {got}")
        return {"rate": got["published"] / got["seconds"], "p50": got["send_p50_us"] / 1e3,
                "p99": got["send_p99_us"] / 1e3, "cpu": meter["daemon"] / got["published"] * 1e6,
                "pg_cpu": meter["postgres"] / got["published"] * 1e6}
    return run


def durable(lab):
    """Measures 64 senders in 8 rooms, each with one message in flight, acknowledged after the commit with fsync."""
    fastapi = peers_run.take(lab, "fastapi", peers_run.fastapi, 2, lab.upstream_port)
    node = peers_run.take(lab, "node", peers_run.node, 2, lab.upstream_port)
    syncs = []
    rest = {"pub": "/api/rooms/{room}/messages", "body": json.dumps({"content": CONTENT + "{n}"})}
    peer = {**rest, "tokens": "@" + lab.peer_tokens_file, "rooms": list(range(1, 9))}
    ours = {"tokens": "@" + lab.tokens_file, "rooms": lab.rooms}
    frame = json.dumps({"type": "send", "topic": "room:{room}", "client_id": "b{n}", "content": CONTENT})

    def sync():
        syncs.append(fdatasync_us(lab.pg_scratch))
        return {"p50": syncs[-1][0] / 1e3}

    with lab.daemon(workers=2, **COUNTED) as daemon:
        medians = rounds(lab, {
            "fdatasync": sync,
            "parlour": send_round(lab, daemon.port, daemon.pid, **ours, **rest),
            "socket": send_round(lab, daemon.port, daemon.pid, **ours, native=True, pub_ws=True, sub="/ws", body=frame),
            "fastapi": fastapi and send_round(lab, fastapi.port, fastapi.pid, **peer),
            "node": node and send_round(lab, node.port, node.pid, **peer),
        })
    sockets = {"parlour": medians.pop("socket")}
    sync_ms = medians.pop("fdatasync")["p50"]
    return [compare("durable send, REST", "msg/s", medians, "rate"),
            compare("durable send, REST, p50", "ms", medians, "p50"),
            compare("durable send, REST, p99", "ms", medians, "p99"),
            compare("durable send, REST, daemon CPU", "us/msg", medians, "cpu"),
            compare("durable send, REST, PostgreSQL CPU", "us/msg", medians, "pg_cpu"),
            compare("durable send, socket", "msg/s", sockets, "rate"),
            compare("durable send, socket, p50", "ms", sockets, "p50"),
            compare("durable send, socket, p99", "ms", sockets, "p99"),
            compare("durable send, socket, daemon CPU", "us/msg", sockets, "cpu"),
            Row("fdatasync of 8 KiB, p50, same run", "ms", sync_ms),
            Row("fdatasync of 8 KiB, p99, same run", "ms", median([s[1] for s in syncs]) / 1e3)]


def pair(lab):
    """Measures one message at a time between sockets on different workers, with an fdatasync() after each."""
    count = 300 if lab.args.quick else 1000
    with lab.daemon(workers=2) as daemon:
        got = load.probe(lab.wsload, "pair", port=daemon.port, tokens="@" + lab.tokens_file, rooms=lab.rooms[:1],
                         native=True, sub="/ws", count=count, dir=lab.pg_scratch,
                         hello=json.dumps({"type": "subscribe", "topic": "room:{room}"}),
                         body=json.dumps({"type": "send", "topic": "room:{room}", "client_id": "p{n}",
                                          "content": CONTENT}))
    sync = got["sync_p50_us"] / 1e3
    return [limit("other worker, send to delivery, p50", "ms", got["message_p50_us"] / 1e3, 1 + sync),
            Row("other worker, send to delivery, p99", "ms", got["message_p99_us"] / 1e3),
            Row("fdatasync in between, p50", "ms", sync),
            Row("fdatasync in between, p99", "ms", got["sync_p99_us"] / 1e3)]
