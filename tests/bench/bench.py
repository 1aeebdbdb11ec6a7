#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Measures the daemon beside nginx, nchan, FastAPI and Node in one run: make bench, or

bench.py --build DIR --src DIR [--quick] [--only NAME[,NAME]] [--seconds N] [--realtime] [--json FILE]

Rounds are interleaved and medians are compared, so that a busy machine disturbs all alike; trust ratios and CPU per
operation. Needs wrk, a C compiler and what the end-to-end tests need. Exit status 1: a target was missed.
"""

import argparse
import json
import os
import platform
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import measure_http  # noqa: E402
import measure_overload  # noqa: E402
import measure_relay  # noqa: E402
import measure_room  # noqa: E402
import measure_send  # noqa: E402
import measure_shared  # noqa: E402
from lab import Lab  # noqa: E402
from load import Missing  # noqa: E402
from table import show  # noqa: E402

MEASURES = {
    "tiny": measure_http.tiny, "page": measure_http.page, "durable": measure_send.durable, "fan": measure_room.fan,
    "idle": measure_room.idle, "storm": measure_room.storm, "relay": measure_relay.relay, "rate": measure_shared.ratecheck,
    "pair": measure_send.pair, "stopped": measure_shared.stopped, "overload": measure_overload.overload,
}


def arguments():
    top = os.path.dirname(os.path.dirname(HERE))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.getcwd(), help="build directory (default: here)")
    parser.add_argument("--src", default=top, help="source directory")
    parser.add_argument("--quick", action="store_true", help="two short rounds: below 90 s")
    parser.add_argument("--only", default="", help="some of: " + ", ".join(MEASURES))
    parser.add_argument("--seconds", type=int, help="length of one round (default 3, with --quick 1)")
    parser.add_argument("--realtime", action="store_true",
                        help="run everything with real-time priority (needs root), so that other work on the machine hardly "
                             "delays it: for latencies of a load that leaves processors idle, such as relay")
    parser.add_argument("--json", help="also write the figures to this file")
    args = parser.parse_args()
    args.build, args.src = os.path.abspath(args.build), os.path.abspath(args.src)
    args.only = [name for name in args.only.split(",") if name] or list(MEASURES)
    unknown = [name for name in args.only if name not in MEASURES]
    if unknown:
        parser.error(f"--only: no such measurement: {', '.join(unknown)}")
    return args


def measure(lab, args):
    """Runs the selected measurements: (rows, failures); a failed one does not end the others."""
    rows, failures = [], {}
    for name in args.only:
        began = time.monotonic()
        try:
            rows += MEASURES[name](lab)
        except Missing as why:
            lab.skipped[name] = str(why)
        except Exception as why:  # pylint: disable=broad-except
            traceback.print_exc()
            failures[name] = f"{type(why).__name__}: {why}"
        lab.say(f"{name}: {time.monotonic() - began:.0f} s")
    return rows, failures


def write_json(path, args, lab, rows, failures):
    with open(path, "w", encoding="utf-8") as out:
        json.dump({"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "cores": os.cpu_count(),
                   "machine": platform.machine(), "kernel": platform.release(), "seconds": lab.seconds,
                   "rounds": lab.rounds, "quick": args.quick, "realtime": args.realtime, "load": os.getloadavg(),
                   "rows": [row.as_dict() for row in rows], "skipped": lab.skipped, "failed": failures}, out, indent=1)
        out.write("\n")


def main():
    args = arguments()
    if args.realtime:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))    # all child processes inherit it
    measure_room.raise_file_limit()
    upstream = measure_relay.Upstream()
    began = time.monotonic()
    try:
        with Lab(args) as lab:
            lab.upstream_port = upstream.port
            rows, failures = measure(lab, args)
    finally:
        upstream.stop()
    print(show(rows))
    for name, why in lab.skipped.items():
        print(f"skipped: {name}: {why}")
    for name, why in failures.items():
        print(f"FAILED: {name}: {why}")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {lab.rounds} rounds of {lab.seconds} s, "
          f"{time.monotonic() - began:.0f} s in all")
    if args.json:
        write_json(args.json, args, lab, rows, failures)
    return 1 if failures or any(row.good is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
