# SPDX-License-Identifier: ISC
"""Senders of the ledger, and the base of all its clients: a socket that reconnects whenever it is lost."""

import hashlib
import json
import random
import threading
import time

import httpx

import wire
from ledger_rules import BURST, MAX_CONTENT, RATE
from parlour import SLOW

# Faults during which the server may refuse messages temporarily.
DATABASE = ("lock", "terminate", "restart", "backend", "heirs")


class Again(Exception):
    """The server asks the client to try again later."""


LOST = (wire.Closed, wire.Refused, wire.Timeout, Again, OSError, httpx.HTTPError)


def digest(text):
    """Returns the digest that represents a text in the ledger; md5() in PostgreSQL gives the same one."""
    return hashlib.md5(text.encode()).hexdigest()


def text_of(rng, limit=MAX_CONTENT, large=0.2):
    """Returns a text of 1 to limit bytes; `large` is the share of texts of at least half the limit."""
    sizes = (limit, rng.randint(limit // 2, limit)) if rng.random() < large else (1, rng.randint(1, 200), int(limit ** rng.random()))
    size = rng.choice(sizes)
    if size < 3:
        return "x" * size
    body = rng.choice(('"\\/\n\t quoted', "plain words and numbers 0123456789 ", "näive ✓ ∑ 𝛑 ", "x")) * (size // 8 + 1)
    body = (str(rng.random()) + body).encode()[:size - 2].decode(errors="ignore")
    return "<" + body + ">" * (size - 1 - len(body.encode()))


class Client(threading.Thread):
    """A thread with a socket. Losing the socket is normal; anything that must not happen is recorded as a violation."""

    def __init__(self, ledger, user, room, number):
        super().__init__(daemon=True, name=f"{type(self).__name__} {number}")
        self.ledger, self.user, self.room, self.number = ledger, user, room, number
        self.random = random.Random(f"{ledger.seed}/{self.name}")
        self.sock, self.reconnects, self.opened = None, 0, 0.0
        # For ledger_watch: whether progress is not expected, the calm time of the last progress, and whether the client
        # was silent and must start again.
        self.resting, self.stamp, self.kick = True, 0.0, False

    def run(self):
        try:
            while not self.finished():
                try:
                    if self.kick:
                        self.kick = False
                        self.drop()
                    if self.sock is None:
                        self.connect()
                    self.work()
                except LOST as why:
                    self.lose(why)
        except Exception as why:  # pylint: disable=broad-except
            self.wrong(5, f"gave up: {type(why).__name__}: {why}")
        finally:
            self.drop()

    def wrong(self, rule, text):
        self.ledger.book.violation(rule, self.name, text)

    def progress(self):
        self.stamp = self.ledger.calm.now()

    def connect(self):
        self.resting = False
        self.progress()
        self.opened = time.monotonic()
        sock = self.open()
        try:
            self.enter(sock)
        except BaseException:
            sock.drop()
            raise
        self.sock = sock

    def open(self):
        """Opens a new native socket."""
        sock = self.ledger.daemon.ws("/ws", token=self.user.access, timeout=10 * SLOW)
        try:
            sock.expect("authed")
        except BaseException:
            sock.drop()
            raise
        return sock

    def drop(self):
        if self.sock is not None:
            self.sock.drop()
            self.sock = None

    def lose(self, _why):
        self.reconnects += self.sock is not None
        self.drop()
        self.pause(0.02 + self.random.random() * 0.2)

    def pause(self, seconds):
        self.ledger.over.wait(seconds)

    def enter(self, sock):
        """Joins the room on a new socket."""

    def work(self):
        """Does one step and returns soon."""
        raise NotImplementedError

    def finished(self):
        return self.ledger.over.is_set()


class Sender(Client):
    """Sends bursts, with several messages in flight; messages without an ack are repeated in order before new ones."""

    def __init__(self, *args, burst=8, limit=MAX_CONTENT, large=0.2, pause_s=0.6):
        super().__init__(*args)
        self.burst, self.limit, self.large, self.pause_s = burst, limit, large, pause_s
        self.counter, self.flight, self.posted = 0, {}, 0.0
        self.sent, self.acked, self.refused, self.retries, self.bytes = {}, {}, set(), 0, 0

    def compose(self, count):
        for _ in range(count):
            self.counter += 1
            key = f"s{self.number}:{self.counter}"
            self.flight[key] = text_of(self.random, self.limit, self.large)
            self.sent[key] = digest(self.flight[key])

    def work(self):
        if not self.flight:
            self.pause(self.random.random() * self.pause_s)
            if self.ledger.closing.is_set():
                return
            self.progress()
            self.compose(self.random.randint(1, self.burst))
        else:
            self.retries += len(self.flight)
        self.post()
        wait_s = max((self.answer() for _ in range(len(self.flight))), default=0)
        self.sock.inbox.clear()
        if self.flight:
            self.pause(wait_s)

    def post(self):
        self.posted = time.monotonic()
        for key, text in self.flight.items():
            self.sock.send("send", topic=f"room:{self.room}", client_id=key, content=text, id=key)

    def answer(self):
        """Handles one reply; returns how long to wait before the next attempt."""
        frame = self.sock.expect("ack", "error", timeout=5)
        key = frame.get("id")
        if key not in self.flight:
            return 0
        if frame["type"] == "error":
            self.refused.add(key)
            if not frame["temporary"]:
                self.wrong(6, f"{key}: {json.dumps(frame)}")
                del self.flight[key]
            return min(frame.get("retry_after", 0.05), 2)
        self.took(key, frame)
        return 0

    def took(self, key, ack):
        if self.acked.setdefault(key, ack["seq"]) != ack["seq"]:
            self.wrong(6, f"{key} was acked as {self.acked[key]} and then as {ack['seq']}")
        self.bytes += len(self.flight.pop(key))
        self.ledger.watch.note_head(self.room, ack["seq"])
        self.progress()

    def lose(self, why):
        # A refusal may have been lost with the socket; while the database works, nothing is refused.
        if self.flight and self.ledger.calm.since_time(self.posted, DATABASE):
            self.refused.update(self.flight)
        super().lose(why)

    def finished(self):
        return self.ledger.closing.is_set() and not self.flight or self.ledger.over.is_set()


class Greedy(Sender):
    """Sends much more than its rate limit allows, in bursts."""

    def __init__(self, *args):
        super().__init__(*args, limit=64)
        self.spell_until = self.spell_began = 0.0
        self.admitted, self.refusals = 0, 0

    def work(self):
        now = time.monotonic()
        if not self.flight and now > self.spell_until:
            self.pause(4 + 8 * self.random.random())
            if self.ledger.closing.is_set():
                return
            self.spell_began, self.admitted = time.monotonic(), 0
            self.spell_until = self.spell_began + 4
        self.progress()
        self.compose(24 - len(self.flight) if time.monotonic() < self.spell_until else 0)
        self.post()
        for _ in range(len(self.flight)):
            self.answer()
        self.sock.inbox.clear()

    def answer(self):
        before = len(self.refused)
        wait_s = super().answer()
        self.refusals += len(self.refused) - before
        return wait_s

    def took(self, key, ack):
        super().took(key, ack)
        if ack.get("duplicate"):
            return
        self.admitted += 1
        elapsed = time.monotonic() - self.spell_began
        if self.admitted > BURST + int(elapsed * RATE):
            self.wrong(8, f"{self.admitted} messages were admitted in {elapsed:.2f} s")


class Visitor(Client):
    """Logs in and talks to the chatbot over HTTP, with streamed and not streamed answers."""

    # 409: the previous question of the session is still open; 404 after a worker died: the session was never created.
    LATER = (409, 429, 503, 504)

    def __init__(self, *args):
        super().__init__(*args)
        self.counter, self.session, self.said, self.unknown, self.logins = 0, None, {}, set(), 0

    def connect(self):
        self.progress()

    def ask(self, path, body, **headers):
        return self.ledger.daemon.once("POST", path, json=body, headers={**self.user.auth, **headers})

    def work(self):
        if self.random.random() < 0.4:
            answer = self.ask("/api/auth/login", {"username": self.user.name, "password": self.user.password})
            self.logins += self.good(answer, 200)
        elif self.session is None or self.random.random() < 0.05:
            answer = self.ask("/api/sessions", {"kind": "chat"})
            self.session = answer.json()["id"] if self.good(answer, 201) else None
        else:
            self.talk()
        self.pause(self.random.random() * 0.5)

    def good(self, answer, status):
        if answer.status_code not in (status, *self.LATER):
            self.wrong(13, f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:200]}")
        return answer.status_code == status

    def talk(self):
        self.counter += 1
        text = f"v{self.number}:{self.counter} {text_of(self.random, 2000)}"
        stream = self.random.random() < 0.5
        self.unknown.add((self.session, digest(text)))
        answer = self.ask("/api/chat", {"message": text, "session_id": self.session},
                          Accept="text/event-stream" if stream else "application/json")
        if self.good(answer, 200) and not (stream and "event: error" in answer.text):
            self.unknown.discard((self.session, digest(text)))
            self.said.setdefault(self.session, []).append(digest(text))

    def lose(self, _why):
        self.session = None
        self.pause(0.2)
