# SPDX-License-Identifier: ISC
"""The ledger: senders and members write down what they were told; afterwards the database must agree.

Every sender stamps a counter into message and client id and notes `sent` and `acked`; every member notes what it received,
live or by resuming. Meanwhile processes are killed. check() then holds nine sentences against each other; one violation
fails the run. The seed of all choices is printed, and the same seed makes the same choices again.
"""

import json
import random
import threading
import time

import wire
from parlour import SLOW, wait_for

LOST = (wire.Closed, wire.Refused, wire.Timeout, OSError)


class Client(threading.Thread):
    """What senders and members share: a socket that comes back whenever it is lost."""

    def __init__(self, ledger, user, room, number):
        super().__init__(daemon=True)
        self.ledger, self.user, self.room, self.number = ledger, user, room, number
        self.random = random.Random(f"{ledger.seed}/{type(self).__name__}/{number}")
        self.sock, self.trouble, self.reconnects = None, None, 0

    def run(self):
        try:
            while not self.finished():
                try:
                    if self.sock is None:
                        self.connect()
                    self.work()
                except LOST:
                    self.lose()
        except Exception as why:  # pylint: disable=broad-except
            self.trouble = f"{self.name}: {type(why).__name__}: {why}"
        finally:
            if self.sock is not None:
                self.sock.drop()

    def connect(self):
        sock = self.ledger.daemon.ws("/ws", token=self.user.access, timeout=10 * SLOW)
        try:
            sock.expect("authed")
            self.enter(sock)
        except BaseException:
            sock.drop()
            raise
        self.sock = sock

    def lose(self):
        if self.sock is not None:
            self.sock.drop()
            self.sock = None
            self.reconnects += 1
        self.ledger.over.wait(0.02 + self.random.random() * 0.1)

    def enter(self, sock):
        """Brings a fresh socket into the room."""

    def work(self):
        """One step; returns soon."""
        raise NotImplementedError

    def finished(self):
        return self.ledger.over.is_set()


class Sender(Client):
    """Sends one message after another; one without an ack is repeated with the same client id until it is acked."""

    def __init__(self, *args):
        super().__init__(*args)
        self.counter, self.pending, self.acked, self.sent, self.retries = 0, None, {}, {}, 0

    def work(self):
        if self.pending is None:
            self.counter += 1
            self.pending = f"s{self.number}:{self.counter}"
            self.sent[self.pending] = f"{self.pending} " + "x" * self.random.randrange(200)
        else:
            self.retries += 1
        self.sock.send("send", topic=f"room:{self.room}", client_id=self.pending, content=self.sent[self.pending])
        while True:
            frame = self.sock.expect("ack", "error", timeout=5 * SLOW)
            if frame["type"] == "ack" and frame["client_id"] == self.pending:
                break
            if frame["type"] == "error":
                if not frame["temporary"]:
                    raise AssertionError(f"permanent refusal: {frame}")
                self.ledger.over.wait(0.05)
                return
        self.sock.inbox.clear()
        known = self.acked.get(self.pending)
        assert known in (None, frame["seq"]), "a retry got another seq"
        self.acked[self.pending] = frame["seq"]
        self.pending = None
        self.ledger.over.wait(self.random.random() * 0.02)

    def finished(self):
        return self.ledger.closing.is_set() and self.pending is None or self.ledger.over.is_set()


class Member(Client):
    """Listens; after each loss it resumes from the last seq it has."""

    def __init__(self, *args):
        super().__init__(*args)
        self.joined, self.last, self.got, self.wrong, self.paged = None, None, {}, [], 0

    def enter(self, sock):
        since = {} if self.last is None else {"since": self.last, "epoch": 1}
        sock.send("subscribe", topic=f"room:{self.room}", **since)
        answer = sock.expect("subscribed")
        self.resumed = self.last is not None
        if self.last is None:
            self.joined = self.last = answer["seq"]
        elif not answer["recovered"]:
            self.fill(answer["seq"])
        for frame in sock.inbox:
            self.take(frame)
        sock.inbox.clear()

    def fill(self, head):
        """More was missed than one resume replays: the rest comes over HTTP; changes are not in that list."""
        while self.last < head:
            page = self.user.api.once("GET", f"/api/rooms/{self.room}/messages?after={self.last}&limit=200", headers=self.user.auth)
            if page.status_code != 200:
                raise OSError(f"history: {page.status_code}")
            rows = [m for m in page.json() if m["seq"] <= head]
            if not rows:
                break
            for message in rows:
                self.got[message["seq"]] = message["content"]
                self.paged += 1
            self.last = rows[-1]["seq"]
        self.last = max(self.last, head)

    def take(self, frame):
        seq = frame.get("seq")
        if seq is None or frame["type"] in ("read", "ack", "subscribed"):
            return
        if seq <= self.last:
            if not self.resumed:
                self.wrong.append(f"seq {seq} again after {self.last} without a resume")
            return
        if seq != self.last + 1:
            self.wrong.append(f"seq {seq} after {self.last}")
        self.last = seq
        self.got[seq] = frame["message"]["content"] if frame["type"] == "message" else None

    def work(self):
        try:
            self.take(self.sock.recv(0.5))
        except wire.Timeout:
            self.sock.ping_pong()
            for frame in self.sock.inbox:
                self.take(frame)
            self.sock.inbox.clear()


class Ledger:
    """One run: rooms with senders and members, faults while they talk, then the comparison."""

    def __init__(self, daemon, pg, rows, seed, rooms=2, senders=3, members=3):
        self.daemon, self.pg, self.rows, self.seed = daemon, pg, rows, seed
        self.random = random.Random(seed)
        self.closing, self.over, self.faults = threading.Event(), threading.Event(), []
        self.owner = daemon.register()
        self.rooms = [self.owner.room()["id"] for _ in range(rooms)]
        self.senders, self.members = [], []
        for room in self.rooms:
            for _ in range(senders):
                self.senders.append(Sender(self, daemon.register(), room, len(self.senders)))
            for _ in range(members):
                self.members.append(Member(self, daemon.register(), room, len(self.members)))

    # ---- the run ----

    def run(self, seconds):
        for client in self.members:
            client.start()
        wait_for(lambda: all(m.joined is not None for m in self.members), 20, "all members listen")
        for client in self.senders:
            client.start()
        until = time.monotonic() + seconds
        plan = ["stop", "database"]
        while time.monotonic() < until:
            self.over.wait(1.5 + self.random.random() * 2.5)
            left = until - time.monotonic()
            self.fault("stop" if "stop" in plan and left < seconds * 0.7 else
                       "database" if "database" in plan and left < seconds * 0.4 else "kill")
            if self.faults[-1][0] in plan:
                plan.remove(self.faults[-1][0])
        self.settle()

    def fault(self, kind):
        began = time.monotonic()
        if kind == "database":
            self.pg.stop("immediate")
            self.over.wait(0.5 + self.random.random())
            self.pg.start()
        else:
            pids = wait_for(lambda: self.daemon.procs("worker"), 20)
            slot = self.random.choice(sorted(pids))
            if kind == "stop":
                with self.daemon.stopped(pids[slot]):
                    self.over.wait(2.0)
            else:
                self.daemon.kill_child(pids[slot])
        self.faults.append((kind, round(time.monotonic() - began, 2)))

    def settle(self):
        """Senders bring their last message home; members catch up with the head of their room."""
        self.closing.set()
        for sender in self.senders:
            sender.join(60 * SLOW)
        heads = dict(self.rows("SELECT id, last_seq FROM rooms"))
        try:
            wait_for(lambda: all(m.last == heads[m.room] or m.trouble for m in self.members), 60, "all members are at the head")
            for room in self.rooms:
                here = {m.user.id for m in self.members if m.room == room}
                wait_for(lambda r=room, h=here: self.present(r) == h, 30, "presence shows the members whose sockets are open")
        finally:
            self.over.set()
            for client in self.members + self.senders:
                client.join(15 * SLOW)

    def present(self, room):
        """Users that the room's list of members shows as online."""
        listed = self.owner.get(f"/api/rooms/{room}/members")
        return {m["user_id"] for m in listed.json() if m["online"]} if listed.status_code == 200 else None

    # ---- the comparison ----

    def check(self):
        """Violations as sentences; none is the pass."""
        bad = [c.trouble for c in self.senders + self.members if c.trouble]
        bad += [f"{s.name} hangs" for s in self.senders + self.members if s.is_alive()]
        stored = {}
        for room, seq, client_id, content, author in self.rows(
                "SELECT room_id, seq, client_id, content, author_id FROM messages WHERE author_kind = 'user' ORDER BY room_id, seq"):
            stored.setdefault((room, client_id), []).append((seq, content, author))
        for sender in self.senders:
            bad += self.check_sender(sender, stored)
        mine = {(s.room, key) for s in self.senders for key in s.sent}
        bad += [f"{key} is stored but was never sent" for key in stored if key not in mine]
        for room in self.rooms:
            bad += self.check_room(room)
        for member in self.members:
            bad += self.check_member(member)
        return bad

    @staticmethod
    def check_sender(sender, stored):
        bad, last = [], 0
        for key, content in sender.sent.items():
            found = stored.get((sender.room, key), [])
            if key in sender.acked and [f[0] for f in found] != [sender.acked[key]]:
                bad.append(f"{key} was acked as {sender.acked[key]} and is stored as {[f[0] for f in found]}")
            if len(found) > 1:
                bad.append(f"{key} is stored {len(found)} times")
            for seq, text, author in found:
                if text != content or author != sender.user.id:
                    bad.append(f"{key} is stored with another content or author")
                if seq <= last:
                    bad.append(f"{key}: seq {seq} after {last}: the order of sending is lost")
                last = max(last, seq)
        return bad

    def check_room(self, room):
        log = self.rows(f"SELECT seq, created_at FROM messages WHERE room_id = {room} UNION ALL "
                        f"SELECT seq, created_at FROM room_changes WHERE room_id = {room} ORDER BY seq")
        bad = []
        if [r[0] for r in log] != list(range(1, len(log) + 1)):
            bad.append(f"room {room}: seq is not dense")
        if any(a[1] > b[1] for a, b in zip(log, log[1:])):
            bad.append(f"room {room}: created_at falls")
        if self.rows(f"SELECT last_seq FROM rooms WHERE id = {room}")[0][0] != len(log):
            bad.append(f"room {room}: last_seq is not the number of entries")
        return bad

    def check_member(self, member):
        bad = [f"{member.name}: {w}" for w in member.wrong[:3]]
        texts = dict(self.rows(f"SELECT seq, content FROM messages WHERE room_id = {member.room} AND seq > {member.joined}"))
        missing = [s for s in texts if s not in member.got]
        if missing:
            bad.append(f"{member.name} (joined at {member.joined}) never got {missing[:5]} of {len(texts)}")
        bad += [f"{member.name}: seq {s} has another content" for s in texts if s in member.got and member.got[s] != texts[s]][:3]
        return bad

    def summary(self):
        return json.dumps({
            "seed": self.seed, "sent": sum(len(s.sent) for s in self.senders), "acked": sum(len(s.acked) for s in self.senders),
            "repeated": sum(s.retries for s in self.senders), "received": sum(len(m.got) for m in self.members),
            "reconnects": sum(c.reconnects for c in self.senders + self.members), "paged": sum(m.paged for m in self.members),
            "faults": {k: sum(f[0] == k for f in self.faults) for k in ("kill", "stop", "database")}})
