#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Measures what it costs the worker, and how it affects other clients, when many clients return at once and recover
many messages.

recover.py --build DIR --src DIR [--sockets N] [--messages N] [--bytes N] [--rooms N] [--workers N]

N sockets (default 1,000), spread over the rooms, each recover all messages of their room (default 256 of 16,000 bytes:
4 MB each). Meanwhile one client sends requests to /api/auth/me, one at a time. The output has the seconds until the
last socket has recovered, megabytes per second, the memory of the workers before, at the peak, and afterwards, and the
latencies of the requests.
"""

import argparse
import http.client
import json
import os
import selectors
import sys
import threading
import time

import place


def resident_kb(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            total += next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
    return total


def fill(user, count, size):
    """Creates a room with messages; returns its id and the seq before the first one."""
    room = user.room()["id"]
    with user.ws() as sock:
        for i in range(count):
            sock.send("send", topic=f"room:{room}", content=f"{i} ".ljust(size, "x"))
        seqs = [sock.expect("ack", timeout=120)["seq"] for _ in range(count)]
    return room, min(seqs) - 1


def drain(sockets, mark, pids):
    """Reads until each socket has received `mark`; returns the bytes read and the peak of memory in kB."""
    poll, tails, total, peak, looked = selectors.DefaultSelector(), {}, 0, 0, 0
    for sock in sockets:
        tails[sock] = b""
        poll.register(sock.sock, selectors.EVENT_READ, sock)
    while poll.get_map():
        for key, _ in poll.select(1):
            part = key.data.sock.recv(1 << 20)
            if not part:
                raise RuntimeError("a socket was closed")
            total += len(part)
            tails[key.data] = tails[key.data][-200:] + part
            if mark in tails[key.data]:
                poll.unregister(key.fileobj)
        if time.monotonic() - looked > 0.05:
            looked = time.monotonic()
            peak = max(peak, resident_kb(pids))
    return total, peak


def probe(daemon, user, over, times):
    conn = http.client.HTTPConnection(*daemon.addr)
    while not over.is_set():
        began = time.perf_counter()
        conn.request("GET", "/api/auth/me", headers=user.auth)
        conn.getresponse().read()
        times.append((time.perf_counter() - began) * 1e3)
        over.wait(0.005)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--messages", type=int, default=256)
    parser.add_argument("--bytes", type=int, default=16000)
    parser.add_argument("--rooms", type=int, default=10)
    parser.add_argument("--workers", type=int, default=1)
    args = place.arguments(parser)
    with place.Place(workers=str(args.workers), ws_ping="10min", access_token_life="1h") as here:
        daemon, user = here.daemon, here.daemon.register()
        rooms = [fill(user, args.messages, args.bytes) for _ in range(args.rooms)]
        pids = list(daemon.workers().values())
        before = resident_kb(pids)
        sockets = [user.ws(timeout=120) for _ in range(args.sockets)]
        opened, over, times = resident_kb(pids), threading.Event(), []
        prober = threading.Thread(target=probe, args=(daemon, user, over, times))
        prober.start()
        began = time.monotonic()
        for i, sock in enumerate(sockets):
            room, since = rooms[i % len(rooms)]
            sock.send("subscribe", topic=f"room:{room}", since=since, epoch=1)
        total, peak = drain(sockets, f'"content":"{args.messages - 1} '.encode(), pids)
        seconds = time.monotonic() - began
        over.set()
        prober.join()
        times.sort()
        after = resident_kb(pids)
        for sock in sockets:
            sock.drop()
        print(json.dumps({
            "sockets": args.sockets, "rooms": args.rooms, "seconds": round(seconds, 2), "mb": round(total / 1e6),
            "mb_per_s": round(total / 1e6 / seconds), "rss_kb": {"start": before, "opened": opened, "peak": peak, "after": after},
            "me_ms": {"p50": round(times[len(times) // 2], 2), "p99": round(times[len(times) * 99 // 100], 2),
                      "max": round(times[-1], 2)}, "load": os.getloadavg()[0]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
