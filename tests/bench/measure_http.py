# SPDX-License-Identifier: ISC
"""Requests: the cheapest reply against nginx, a page of messages against FastAPI and Node."""

import load
import peers_run
from lab import COUNTED
from procs import Meter
from table import compare, rounds


def request_round(lab, port, pid, tokens_file, paths):
    """Returns a function for one round of wrk; failed requests end the run."""
    def run():
        with Meter(daemon=pid, postgres=lab.pg_pid) as meter:
            got = load.wrk(port, lab.seconds, 64, tokens_file, paths)
        if got["errors"] or got["refused"]:
            raise RuntimeError(f"port {port}: {got}")
        return {"rate": got["requests"] / got["seconds"], "p50": got["p50_us"], "p99": got["p99_us"],
                "cpu": meter["daemon"] / got["requests"] * 1e6, "pg_cpu": meter["postgres"] / got["requests"] * 1e6}
    return run


def tiny(lab):
    """Measures GET /livez; nginx sends the same header lines and body. One worker each, no access log, 64
    connections."""
    with lab.daemon(workers=1) as daemon:
        nginx = peers_run.take(lab, "nginx", peers_run.tiny_nginx, daemon.get("/livez"))
        medians = rounds(lab, {
            "parlour": request_round(lab, daemon.port, daemon.pid, "/dev/null", ["/livez"]),
            "nginx": nginx and request_round(lab, nginx.port, nginx.pid, "/dev/null", ["/livez"]),
        })
        peers_run.drop(lab, "nginx")
    return [compare("tiny reply", "req/s", medians, "rate", {"nginx": (">=", 0.5)}),
            compare("tiny reply, CPU", "us/req", medians, "cpu"), compare("tiny reply, p99", "us", medians, "p99")]


def page(lab):
    """Measures the newest 50 messages of a room: all servers send the same fields, with token and rate limit; two
    workers each."""
    paths = [f"/api/rooms/{room}/messages" for room in lab.rooms]
    theirs = [f"/api/rooms/{room}/messages" for room in range(1, 9)]
    fastapi = peers_run.take(lab, "fastapi", peers_run.fastapi, 2, lab.upstream_port)
    node = peers_run.take(lab, "node", peers_run.node, 2, lab.upstream_port)
    with lab.daemon(workers=2, **COUNTED) as daemon:
        for port, tokens, where in ((daemon.port, lab.tokens_file, paths),
                                    *((p.port, lab.peer_tokens_file, theirs) for p in (fastapi, node) if p)):
            load.wrk(port, 1, 64, tokens, where)
        ours = request_round(lab, daemon.port, daemon.pid, lab.tokens_file, paths)
        medians = rounds(lab, {
            "parlour": ours,
            "fastapi": fastapi and request_round(lab, fastapi.port, fastapi.pid, lab.peer_tokens_file, theirs),
            "node": node and request_round(lab, node.port, node.pid, lab.peer_tokens_file, theirs),
        })
    return [compare("page of 50", "req/s", medians, "rate", {"fastapi": (">=", 8), "node": (">=", 2)}),
            compare("page of 50, daemon CPU", "us/req", medians, "cpu", {"node": ("<=", 1 / 3)}),
            compare("page of 50, PostgreSQL CPU", "us/req", medians, "pg_cpu"),
            compare("page of 50, p99", "us", medians, "p99")]
