# SPDX-License-Identifier: ISC
"""Readers of the ledger: members that resume, slow readers, readers that return for megabytes, compatible sockets, and
pollers."""

import threading
import time

import httpx

import wire
from ledger_clients import DATABASE, Again, Client, digest
from ledger_rules import RECOVER_LIMIT, REST_S
from parlour import PLAIN, SLOW


class Reader(Client):
    """Receives events in order. `last` is its position; `got` is what it received: {seq: digest, or None for a
    change}."""

    def __init__(self, *args):
        super().__init__(*args)
        self.last, self.joined, self.resumed, self.got, self.paged = None, None, False, {}, 0
        self.gate, self.rested, self.reached = None, 0.0, threading.Event()

    def note(self, seq, what):
        if self.got.setdefault(seq, what) != what:
            self.wrong(5, f"seq {seq} has another content than before")
        self.last = max(seq, self.last)
        self.progress()

    # ---- being away and not reading ----

    def away(self, gate):
        """Drops the socket and reconnects when the gate opens; called by a fault."""
        self.gate = gate

    def leave(self, seconds=None):
        """Closes the socket without a close frame and stays away."""
        gate, self.gate, self.resting = self.gate, None, True
        self.drop()
        if seconds is None:
            gate.wait(30)
        else:
            self.pause(seconds)

    def rest(self, seconds):
        """Keeps the socket open and does not read."""
        self.resting = True
        self.pause(seconds)
        if seconds >= REST_S:
            self.rested = time.monotonic()
        self.progress()
        self.resting = False

    def lose(self, why):
        if isinstance(why, wire.Closed) and why.code == 1013 and self.rested < self.opened and not (
                "read" not in str(why) and self.ledger.calm.since_time(self.opened, DATABASE)):
            self.wrong(11, f"{why} at seq {self.last}, {time.monotonic() - self.opened:.2f} s after it came")
        super().lose(why)


class Member(Reader):
    """A native member. After each loss it resumes from its last seq."""

    def __init__(self, *args, away_s=4.0):
        super().__init__(*args)
        self.away_s, self.since, self.head = away_s, None, None      # the newest resume: its first and its last seq
        self.returned, self.returned_bytes, self.largest = 0, 0, 0

    def enter(self, sock):
        self.subscribe(sock, self.last)

    def subscribe(self, sock, since):
        """Sends `subscribe` with the known position and reads the reply."""
        how = {} if since is None else {"since": since, "epoch": 1}
        sock.send("subscribe", topic=f"room:{self.room}", id="sub", **how)
        answer = sock.expect("subscribed", "error", "unsubscribed")
        if answer["type"] != "subscribed":
            if answer["type"] == "error" and not answer["temporary"]:
                self.wrong(6, f"subscribe was refused: {answer}")
            raise Again(answer)
        self.resumed, self.since, self.returned_bytes, self.head = since is not None, since, 0, answer["seq"]
        self.progress()
        if since is None:
            self.joined = self.last = answer["seq"]
        elif not answer["recovered"]:
            if answer["seq"] - since <= RECOVER_LIMIT:
                self.wrong(5, f"not recovered from {since} to {answer['seq']}: {answer}")
            self.fill(answer["seq"])
        self.take_inbox(sock)

    def take_inbox(self, sock):
        frames, sock.inbox[:] = list(sock.inbox), []
        for frame in frames:
            self.take(frame)

    def fill(self, head):
        """Reads over HTTP what one resume does not replay; changes are not in that list."""
        while self.last < head:
            rows = page_of(self, self.last)
            rows = [m for m in rows if m["seq"] <= head]
            if not rows:
                break
            for message in rows:
                self.note(message["seq"], digest(message["content"]))
                self.paged += 1
        self.last = max(self.last, head)

    def take(self, frame):
        kind, seq = frame["type"], frame.get("seq")
        if kind in ("unsubscribed", "error"):
            raise Again(frame)
        if seq is None or kind in ("read", "ack", "subscribed"):
            return
        if seq <= self.last:
            if not self.resumed:
                self.wrong(5, f"seq {seq} again after {self.last} without a resume")
            return
        if seq != self.last + 1:
            self.wrong(5, f"seq {seq} after {self.last}")
        text = frame["message"]["content"] if kind == "message" else None
        if self.since is not None and seq <= self.head:
            self.returned_bytes += len((text or "").encode())
            if seq == self.head:
                self.returned += 1
                self.largest = max(self.largest, self.returned_bytes)
        self.note(seq, digest(text) if text is not None else None)

    def work(self):
        if self.gate is not None:
            self.leave()
            return
        if self.random.random() < 0.0005 and not self.ledger.closing.is_set():
            self.leave(self.random.random() * self.away_s)
            return
        self.read()

    def read(self):
        try:
            self.take(self.sock.recv(0.5))
        except wire.Timeout:
            self.sock.ping_pong()
            self.take_inbox(self.sock)


class Slow(Member):
    """Reads with pauses of about a second, also during a replay; sometimes it stops for longer."""

    def open(self):
        sock = self.ledger.daemon.ws("/ws", token=self.user.access, timeout=10 * SLOW, rcvbuf=32768)
        sock.expect("authed")
        return sock

    def read(self):
        dice = self.random.random()
        if dice < 0.004 and not self.ledger.closing.is_set():
            self.rest(REST_S + self.random.random() * 6 if dice < 0.0004 else 0.3 + self.random.random() * 1.2)
        super().read()


class Returner(Member):
    """Reconnects again and again with an old position, up to recover_limit events behind."""

    def enter(self, sock):
        head = self.ledger.watch.heads[self.room]
        self.last = max(1, head - self.random.choice((20, 200, RECOVER_LIMIT - 100, RECOVER_LIMIT - 20)))
        if self.joined is None:
            self.joined = self.last
        self.subscribe(sock, self.last)

    def work(self):
        if self.last >= self.head and not self.ledger.closing.is_set():
            self.leave(self.random.random() * 3)
            return
        super().work()


class Compat(Reader):
    """A compatible room socket: complete messages, no recovery."""

    here = ()                   # what this connection received

    def open(self):
        self.last = self.ledger.watch.heads[self.room]
        return self.ledger.daemon.ws(f"/ws/chat/{self.room}", token=self.user.access, protocols=(), timeout=10 * SLOW)

    def enter(self, sock):
        self.joined = self.last
        self.here = []
        self.ledger.watch.visits.append((self, self.here))

    def work(self):
        if self.gate is not None:
            self.leave()
            return
        try:
            frame = self.sock.recv(0.5)
        except wire.Timeout:
            return
        if frame["type"] != "message":
            return
        seq = int(frame["id"].split(".")[1])
        if self.here and seq <= self.here[-1]:
            self.wrong(5, f"seq {seq} after {self.here[-1]} on one compatible socket")
        self.here.append(seq)
        self.note(seq, digest(frame["content"]))


class Poller(Reader):
    """Reads the history over HTTP, again and again, from its position."""

    def connect(self):
        if self.joined is None:
            self.last = self.joined = self.ledger.watch.heads[self.room]
        self.resting = False
        self.progress()

    def work(self):
        self.pause(0.2 + self.random.random())
        last = self.last
        for message in page_of(self, last):
            if message["seq"] <= self.last:
                self.wrong(5, f"seq {message['seq']} after {self.last} in a page after {last}")
            self.note(message["seq"], digest(message["content"]))

    def lose(self, _why):
        self.reconnects += 1
        self.pause(0.2)


def page_of(client, after):
    """Returns up to 200 messages after this seq; raises Again if the server cannot reply at this time."""
    path = f"/api/rooms/{client.room}/messages?after={after}&limit=200"
    with httpx.Client(base_url=client.ledger.daemon.url, **PLAIN) as http:
        answer = http.get(path, headers=client.user.auth)
    if answer.status_code in (429, 503, 504):
        raise Again(answer.status_code)
    if answer.status_code != 200:
        client.wrong(13, f"GET {path}: {answer.status_code} {answer.text[:200]}")
        raise Again(answer.status_code)
    return answer.json()
