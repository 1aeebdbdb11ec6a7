#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Measures whether the time of a failed login, or of a request for a new password, reveals an account.

logintime.py --build DIR --src DIR [--calls N]

It sends failed logins to an existing, an unknown, and a locked account, and requests for a new password for the same
three: N of each (default 1000), in turn, so that other load affects all alike. The attempts come from a separate
network, so that they do not lock the account. Exit status 1: two medians of one route differ by 2 ms or more.
"""

import argparse
import http.client
import json
import os
import statistics
import sys
import time

import place
from parlour import wait_for

TARGET_MS, LOCK_AFTER = 2, 3
LOCKED_FROM = "192.0.2.7"
KINDS = ("known", "unknown", "locked")


class Accounts(place.Place):
    """One account, and one that is locked for LOCKED_FROM."""

    def __init__(self):
        super().__init__(rate_login="off", lockout_attempts=LOCK_AFTER, lockout_time="24h", argon2_memory="19M", argon2_passes=2,
                         public_url="https://chat.example.org", smtp_url="smtp://127.0.0.1:9", mail_from="bot@parlour.example")

    def fill(self):
        self.names = {kind: self.daemon.register(kind).name for kind in ("known", "locked")} | {"unknown": "nobody-here"}
        conn = http.client.HTTPConnection(*self.daemon.addr)
        for _ in range(LOCK_AFTER):
            ask(conn, "/api/auth/login", {"username": "locked", "password": "wrong password"}, LOCKED_FROM)
        wait_for(lambda: ask(conn, "/api/auth/login", {"username": "locked", "password": "correct horse 9"}, LOCKED_FROM)[0] == 401)


def ask(conn, path, body, addr):
    """Sends one request; returns status and milliseconds."""
    text = json.dumps(body)
    began = time.perf_counter()
    conn.request("POST", path, text, {"Content-Type": "application/json", "X-Forwarded-For": addr})
    reply = conn.getresponse()
    reply.read()
    return reply.status, (time.perf_counter() - began) * 1000


def requests(names, number):
    """Returns one request of each kind: (what, kind, path, body, address, status)."""
    elsewhere = f"10.{number // 250 % 250}.{number % 250}.1"
    for kind in KINDS:
        password = "correct horse 9" if kind == "locked" and number % 2 else "wrong password"
        addr = LOCKED_FROM if kind == "locked" else elsewhere
        yield "login", kind, "/api/auth/login", {"username": names[kind], "password": password}, addr, 401
        yield "reset", kind, "/api/auth/password/reset", {"username": names[kind]}, addr, 202


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000, help="requests of each kind")
    args = place.arguments(parser)
    times = {(what, kind): [] for what in ("login", "reset") for kind in KINDS}
    with Accounts() as here:
        conn = http.client.HTTPConnection(*here.daemon.addr)
        for number in range(args.calls):
            for what, kind, path, body, addr, want in requests(here.names, number):
                status, ms = ask(conn, path, body, addr)
                assert status == want, (what, kind, status)
                times[what, kind].append(ms)
    print(f"{args.calls} requests of each kind; ms over HTTP; load {os.getloadavg()[0]:.1f}\n\n{'':16} {'median':>8} {'mean':>8} {'p99':>8}")
    for (what, kind), values in times.items():
        print(f"{what + ', ' + kind:16} {statistics.median(values):8.3f} {statistics.mean(values):8.3f} "
              f"{statistics.quantiles(values, n=100)[98]:8.3f}")
    spreads = {what: max(m) - min(m) for what in ("login", "reset")
               for m in [[statistics.median(times[what, kind]) for kind in KINDS]]}
    print("\nlargest difference of medians: " + ", ".join(f"{what} {ms:.3f} ms" for what, ms in spreads.items()))
    return int(any(ms >= TARGET_MS for ms in spreads.values()))


if __name__ == "__main__":
    sys.exit(main())
