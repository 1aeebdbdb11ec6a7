# SPDX-License-Identifier: ISC
"""The ledger: senders and readers record what they send and receive while faults occur; afterwards the database must
agree.

The run has three rooms: one with messages of all sizes, one with megabytes of history for readers that return, and one
with AI roles. A fourth room is flooded beyond the rate limit. ledger_rules.py lists the guarantees. The run prints its
seed; the same seed makes the same choices again.
"""

import threading

import httpx

import ledger_check
from ledger_clients import Greedy, Sender, Visitor, digest, text_of
from ledger_faults import Faults
from ledger_readers import Compat, Member, Poller, Reader, Returner, Slow
from ledger_rules import BURST, HEAD_S, MAX_CONTENT, RATE, RECOVER_LIMIT, STATEMENT_S, WATCHDOG_S, Book, Calm
from ledger_watch import Watch
from parlour import PLAIN, SLOW, wait_for

SETTINGS = {"workers": 3, "watchdog": f"{WATCHDOG_S}s", "db_statement_timeout": f"{STATEMENT_S}s", "max_content": MAX_CONTENT,
            "recover_limit": RECOVER_LIMIT, "llm_default": "local", "session_form": "",
            "sessions_per_user": 1000, "llm_delta": "20ms"}
HISTORY = 400               # messages in the history room before the run: about 4 MiB


class Ledger:
    """One run: rooms with senders and readers, faults while they are active, then the comparison."""

    def __init__(self, daemon, pg, database, seed, say, kinds=()):
        self.daemon, self.pg, self.seed = daemon, pg, seed
        self.rows = lambda sql: pg.admin(sql, database)
        self.book, self.calm = Book(say), Calm()
        self.closing, self.over = threading.Event(), threading.Event()
        self.clients, self.last_words = [], {}
        self.owner = daemon.register()
        self.talk, self.history = (self.owner.room()["id"] for _ in range(2))
        roles = [self.owner.role(upstream="local")["id"],
                 self.owner.role(upstream="peer", model="peer:ok,tokens=30,pace=40")["id"],
                 self.owner.role(upstream="peer", model="peer:cut-rst,tokens=12,pace=100")["id"]]
        self.answers = self.owner.room(role_ids=roles, reply_policy="all")["id"]
        self.flooded = self.owner.room()["id"]
        self.rooms = [self.talk, self.history, self.answers, self.flooded]
        self.watch = Watch(self)
        self.faults = Faults(self, database, kinds)
        self.ends = {}
        self.watch.heads.update(dict(self.rows("SELECT id, last_seq FROM rooms")))
        self.people()

    def add(self, kind, room, count=1, **how):
        for _ in range(count):
            self.clients.append(kind(self, self.daemon.register(), room, len(self.clients), **how))

    def people(self):
        self.add(Sender, self.talk, 2)
        self.add(Sender, self.talk, burst=1, pause_s=0.1)
        self.add(Sender, self.history, 2, burst=4, large=0.5, pause_s=1.5)
        self.add(Sender, self.answers, 2, burst=3, pause_s=1.0)
        self.add(Greedy, self.flooded)
        for room in (self.talk, self.history, self.answers):
            self.add(Member, room, 2)
        self.add(Member, self.history, away_s=15)
        self.add(Slow, self.talk)
        self.add(Slow, self.history)
        self.add(Returner, self.history, 2)
        self.add(Compat, self.talk)
        self.add(Compat, self.answers)
        self.add(Poller, self.talk)
        self.add(Poller, self.answers)
        self.add(Member, self.flooded)
        self.add(Visitor, None, 2)

    def fill_history(self):
        """Sends the messages of the history room before the run, as the first sender of that room."""
        sender = next(c for c in self.clients if isinstance(c, Sender) and c.room == self.history)
        sender.sock = sender.open()
        for _ in range(HISTORY // 20):
            sender.compose(20)
            while sender.flight:
                sender.work()
        sender.drop()
        self.daemon.configure(rate_send=f"{RATE}/s burst {BURST}")
        self.daemon.reload()

    def quick(self, timeout):
        """Returns an HTTP client for one request with a short timeout."""
        return httpx.Client(base_url=self.daemon.url, **{**PLAIN, "timeout": timeout})

    # ---- the run ----

    def run(self, seconds):
        self.fill_history()
        self.watch.start()
        readers = [c for c in self.clients if isinstance(c, Reader)]
        for client in readers:
            client.start()
        wait_for(lambda: all(c.joined is not None for c in readers), 30, "all readers listen")
        for client in self.clients:
            if client not in readers:
                client.start()
        self.faults.run(seconds)
        self.settle(readers)

    def settle(self, readers):
        """Waits until senders have acks for all messages and readers have reached the newest message of their room."""
        self.closing.set()
        for client in self.clients:
            if isinstance(client, Sender):
                client.join(HEAD_S)
        try:
            self.until(10, "answers", lambda: self.unfinished() == [], self.unfinished)
            for room in self.rooms:
                self.last_word(room)
            self.until(10, "answers", lambda: self.unfinished() == [], self.unfinished)
            self.until(10, "readers", lambda: self.behind(readers) == [], lambda: self.behind(readers))
            for room in self.rooms:
                here = {c.user.id for c in readers if c.room == room and not isinstance(c, Poller)}
                self.until(8, f"room {room}", lambda r=room, h=here: self.present(r) == h,
                           lambda r=room, h=here: f"present are {self.present(r)}, sockets are open of {h}")
        finally:
            self.over.set()
            for client in self.clients:
                client.join(30 * SLOW)
                if client.is_alive():
                    client.wrong(10, "its thread hangs")
            self.watch.join(30)
            self.watch.read_log()

    def until(self, rule, who, condition, state):
        """Waits until the condition is true; records a violation if it does not become true."""
        try:
            wait_for(condition, HEAD_S / SLOW, who)
        except AssertionError:
            self.book.violation(rule, who, f"{HEAD_S:g} s after the end: {state()}")

    def unfinished(self):
        return self.rows("SELECT id::text, state FROM generations WHERE ended_at IS NULL")

    def last_word(self, room):
        """Sends one more message, which all listeners must receive, including those without recovery."""
        text, key = f"the end of room {room}", f"end:{room}"
        self.last_words[room, key] = digest(text)
        answer = wait_for(lambda: (a := self.owner.say(room, text, key)).status_code in (200, 201) and a, HEAD_S / SLOW,
                          "the last word is taken")
        self.watch.note_head(room, answer.json()["seq"])

    def behind(self, readers):
        """Lists readers that lack something: the newest message of the log, of a polled list, or, without recovery, the
        last message."""
        heads = dict(self.rows("SELECT id, last_seq FROM rooms"))
        due = {Compat: self.watch.heads, Poller: dict(self.rows("SELECT room_id, max(seq) FROM messages GROUP BY 1"))}
        late = [f"{c.name} is at {c.last} of {heads[c.room]}" for c in readers if c.last < due.get(type(c), heads)[c.room]]
        if not late:
            self.ends = heads   # an answer that follows another one may begin and be stored after this
        return late

    def present(self, room):
        """Returns the users whom the member list of the room shows as online."""
        listed = self.owner.get(f"/api/rooms/{room}/members?page_size=200")
        if listed.status_code != 200:
            return None
        listed = listed.json()
        return {m["user_id"] for m in (listed["items"] if isinstance(listed, dict) else listed) if m["online"]}

    def check(self):
        """Returns all violations as sentences; the run passes if there are none."""
        ledger_check.check(self)
        return self.book.verdict()

    def totals(self):
        """Returns figures of the run."""
        return {"seconds": round(self.book.at()), **ledger_check.totals(self)}
