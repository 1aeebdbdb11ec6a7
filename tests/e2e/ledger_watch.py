# SPDX-License-Identifier: ISC
"""Detects violations while the ledger runs: silence, deaths of processes, reports of sanitizers, and failed probes.

It reads the log while it grows; the log also names the processes of the daemon. Code that kills or stops a process
first adds it to `mine`.
"""

import re
import threading
import time

import httpx

from ledger_clients import Sender, Visitor
from ledger_rules import BACK_S, BEHIND_S
from parlour import PLAIN, SLOW, parse_line

BAD = re.compile(r"ERROR: (Address|Leak)Sanitizer|SUMMARY: |runtime error:|exception: PL_BUG|PL_BUG")


class Watch(threading.Thread):
    """Checks four times a second until the ledger ends."""

    def __init__(self, ledger):
        super().__init__(daemon=True, name="watch")
        self.ledger, self.book, self.daemon_ = ledger, ledger.book, ledger.daemon
        self.lock, self.heads, self.visits = threading.Lock(), {}, []
        self.offset, self.rest, self.living, self.mine = 0, "", {}, set()
        self.failing, self.probes = None, 0

    def note_head(self, room, seq):
        """Notes that the room has at least this seq, because a client was informed of it."""
        with self.lock:
            self.heads[room] = max(self.heads.get(room, 0), seq)

    def run(self):
        while not self.ledger.over.is_set():
            self.read_log()
            for client in self.ledger.clients:
                self.look_at(client)
            self.probe()
            self.ledger.over.wait(0.25)

    # ---- silence ----

    def look_at(self, client):
        if client.resting or not client.is_alive() or isinstance(client, Visitor):
            return
        silent_s = self.ledger.calm.now() - client.stamp
        if isinstance(client, Sender):
            if not client.flight:
                return
            behind = f"no acknowledgement of {next(iter(client.flight), None)}"
        else:
            head = self.heads.get(client.room, 0)
            if client.last is None or client.last >= head:
                client.progress()
                return
            behind = f"silent at seq {client.last} while the room is at {head}, {'open' if client.sock else 'not connected'}"
        if silent_s > BEHIND_S:
            self.book.violation(10, client.name, f"{behind}, for {silent_s:.1f} s without a fault "
                                f"(last: {self.ledger.faults.latest()})")
            client.progress()
            client.kick = True

    # ---- the log ----

    def read_log(self):
        with self.lock:
            text = self.rest + self.daemon_.log_text(self.offset)
            self.offset = self.daemon_.log_size() if not text else self.offset + len(text.encode()) - len(self.rest.encode())
            *lines, self.rest = text.split("\n")
            for line in lines:
                self.take_line(line)

    def take_line(self, line):
        if BAD.search(line):
            self.book.violation(9, "the log", line.strip()[:300])
        fields = parse_line(line) if "child=" in line else {}
        msg = fields.get("msg")
        if msg == "process started":
            self.living[fields["what"], int(fields["number"])] = int(fields["child"])
        elif msg in ("process died", "killing a process"):
            pid = int(fields["child"])
            if msg == "process died":
                self.living = {k: v for k, v in self.living.items() if v != pid}
            if pid not in self.mine:
                self.daemon_.expect_error(rf"child={pid} ")     # reported here, once
                self.book.violation(9, f"{fields['what']} {fields['number']}",
                                    f"{msg}: {fields.get('end') or fields.get('why')} (last fault: {self.ledger.faults.latest()})")

    def pids(self, what):
        """Returns {number: pid} of the living processes of a kind."""
        self.read_log()
        return {number: pid for (kind, number), pid in sorted(self.living.items()) if kind == what}

    # ---- probes ----

    def works(self, timeout=5 * SLOW):
        """Opens one connection, to any worker, and checks readiness and a read from the database. Returns "" or the
        problem."""
        owner, room = self.ledger.owner, self.ledger.rooms[self.probes % len(self.ledger.rooms)]
        self.probes += 1
        try:
            with httpx.Client(base_url=self.daemon_.url, **{**PLAIN, "timeout": timeout}) as http:
                for path in ("/readyz", f"/api/rooms/{room}/messages?limit=2"):
                    answer = http.get(path, headers=owner.auth)
                    if answer.status_code != 200:
                        return f"{path}: {answer.status_code} {answer.text[:100]}"
        except (httpx.HTTPError, OSError) as why:
            return f"{type(why).__name__}: {why}"
        return ""

    def all_work(self, limit_s):
        """Waits until so many connections in a row work that every worker was probably reached. Returns "" or the
        problem."""
        until, row, last = time.monotonic() + limit_s, 0, ""
        while row < 12 * int(self.daemon_.settings["workers"]):
            wrong = self.works()
            row = 0 if wrong else row + 1
            last = wrong or last
            if time.monotonic() > until and row < 12:
                return last or "too slow"
            if wrong:
                time.sleep(0.1)
        return ""

    def probe(self):
        """Probes the server: after a fault everything must work again; without faults it must work all the time."""
        wrong = self.works()
        now = self.ledger.calm.now()
        if not wrong:
            self.failing = None
            return
        self.failing = self.failing or now
        if now - self.failing > BACK_S:
            self.book.violation(12, "probe", f"for {now - self.failing:.1f} s without a fault: {wrong}")
            self.failing = None
