#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Measures the time of figures: GET /api/metrics and /api/insights, and POST /api/query for each metric and grouping:

query.py --build DIR --src DIR [--rows N] [--calls N] [--json FILE]

parlourctl import stores N usage sessions and N messages (default 10,000 each) of 20 people over 30 days. An analyst
queries the rows of all, one question at a time, on one connection. For metrics and insights, each request has another
time, so that no reply comes from a cache. Exit status 1: a median is not below 50 ms.
"""

import argparse
import http.client
import json
import os
import random
import statistics
import sys
import time
from datetime import datetime, timedelta, timezone

import place

PEOPLE, ROOMS, DAYS, TARGET_MS = 20, 20, 30, 50
BCRYPT = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
WHEN = ", last 30 days"
DIMS = {
    "messages": ["day", "week", "month", "user", "room", "user per day", "room per week", "user and room"],
    "sessions": ["day", "week", "month", "user", "model", "user per day", "model and week", "user and model"],
    "tokens": ["day", "week", "month", "user", "room", "model", "role", "user per day", "model and week", "user and model"],
    "cost": ["day", "week", "month", "user", "room", "model", "role", "user per day", "model and week", "user and model"],
    "feedback": ["day", "week", "month", "user", "user per day"],
    "users": ["day", "week", "month", "room", "room per day"],
    "rooms": ["day", "week", "month", "user", "user per day"],
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10000, help="sessions, and as many messages")
    parser.add_argument("--calls", type=int, default=20, help="calls per question after the first")
    parser.add_argument("--json", help="also write the figures to this file")
    return place.arguments(parser)


def questions():
    for metric, dims in DIMS.items():
        yield f"{metric}{WHEN}"
        for dim in dims:
            yield f"{metric} per {dim}{WHEN}"
    yield f"top 3 users per day by messages{WHEN}"
    yield f"top 5 models by cost{WHEN}"
    yield f"average cost per session by model{WHEN}"
    yield f"median messages per day by user{WHEN}"
    yield f"share of tokens by model{WHEN}"
    yield f"users with more than 100 messages{WHEN}"
    yield f"did costs go up by user{WHEN}"
    yield f"messages of bench-1 in \"Room 1\"{WHEN}"


def records(rows):
    """Returns the records to import, by kind."""
    chance, now = random.Random(1), datetime.now(timezone.utc)
    people, rooms = [str(i) for i in range(PEOPLE)], [str(i) for i in range(ROOMS)]

    def at(i):
        return (now - timedelta(days=DAYS) + timedelta(days=DAYS) * (i / rows)).strftime("%Y-%m-%dT%H:%M:%SZ")

    yield "users", [{"id": p, "username": f"bench-{p}", "password_hash": BCRYPT} for p in people]
    yield "rooms", [{"id": r, "name": f"Room {r}", "owner_id": "0", "member_ids": people,
                     "created_at": at(-1)} for r in rooms]
    yield "messages", [{"id": i, "room_id": chance.choice(rooms), "user_id": chance.choice(people), "content": "hello world " * 5,
                        "created_at": at(i)} for i in range(rows)]
    yield "usage", [{"session_id": f"sess-{i}", "developer_id": f"dev-{chance.randrange(PEOPLE)}", "model": f"model-{i % 5}",
                     "timestamp": at(i), "total_tokens": chance.randrange(100, 5000), "cost_usd": chance.randrange(100) / 100}
                    for i in range(rows)]


class Filled(place.Place):
    """A Place with the rows in its database, and an analyst."""

    def __init__(self, rows):
        super().__init__()
        self.rows, self.boss = rows, None

    def fill(self):
        for kind, items in records(self.rows):
            path = f"{self.dir}/{kind}"
            for at in range(0, len(items), 10000):
                with open(path, "w", encoding="utf-8") as file:
                    file.write("\n".join(json.dumps(item) for item in items[at:at + 10000]) + "\n")
                print(f"import {kind}:", self.daemon.ctl("import", kind, path, "--source", "bench").stdout.strip())
        boss = self.daemon.register()
        self.pg.admin(f"UPDATE users SET access = 'analyst' WHERE id = {boss.id}", "parlour")
        self.pg.admin("ANALYZE", "parlour")
        self.boss = self.daemon.login(boss.name, boss.password)


def measure(conn, headers, request, calls):
    """Measures request(i), which returns method, path, body. Returns (the last reply, first request, median and
    greatest of the others), in ms."""
    times = []
    for i in range(calls + 1):
        began = time.perf_counter()
        conn.request(*request(i), headers)
        answer = conn.getresponse()
        text = answer.read()
        times.append((time.perf_counter() - began) * 1e3)
        assert answer.status == 200, text
    return json.loads(text), times[0], statistics.median(times[1:]), max(times[1:])


def requests():
    """Returns (name, request(i)) of all measurements."""
    since = (datetime.now(timezone.utc) - timedelta(days=DAYS - 1)).replace(microsecond=0, tzinfo=None)
    for path in ("/api/metrics", "/api/insights"):
        yield path, lambda i, path=path: ("GET", f"{path}?start={(since + timedelta(seconds=i)).isoformat()}Z", None)
    for text in questions():
        body = json.dumps({"query": text}).encode()
        yield text[:-len(WHEN)], lambda i, body=body: ("POST", "/api/query", body)


def main():
    args, table = arguments(), []
    with Filled(args.rows) as here:
        print(f"\n{args.rows} sessions, {args.rows} messages; ms over HTTP, {args.calls} calls each; load {os.getloadavg()[0]:.1f}\n")
        print(f"{'question':48} {'rows':>5} {'first':>7} {'median':>7} {'max':>7}")
        # a separate client, because that of the tests sends header and body separately without TCP_NODELAY and waits 40
        # ms in between
        conn = http.client.HTTPConnection(*here.daemon.addr)
        headers = {"Content-Type": "application/json", **here.boss.auth}
        for name, request in requests():
            reply, first, middle, most = measure(conn, headers, request, args.calls)
            rows = len(reply["rows"]) if "rows" in reply else 0
            table.append({"question": name, "rows": rows, "first_ms": first, "median_ms": middle, "max_ms": most})
            print(f"{name:48} {rows:5} {first:7.1f} {middle:7.1f} {most:7.1f}{'  SLOW' if middle >= TARGET_MS else ''}")
    if args.json:
        with open(args.json, "w", encoding="utf-8") as out:
            json.dump(table, out, indent=1)
            out.write("\n")
    return int(any(row["median_ms"] >= TARGET_MS for row in table))


if __name__ == "__main__":
    sys.exit(main())
