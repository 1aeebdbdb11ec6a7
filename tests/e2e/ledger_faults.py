# SPDX-License-Identifier: ISC
"""The faults of the ledger: what fails, how, and for how long. The seed of the ledger determines all choices."""

import contextlib
import os
import random
import signal
import threading
import time

import psycopg

import cluster
from ledger_readers import Reader
from ledger_rules import BACKEND_S, PROCESS_S, STATEMENT_S, WATCHDOG_S
from parlour import SLOW

# Kinds of faults, with their weights after each kind has occurred once.
KINDS = {"kill": 4, "heirs": 2, "stop": 2, "hup": 4, "flock": 3, "lock": 4, "terminate": 3, "restart": 2, "backend": 3,
         "hasher": 1, "clerk": 1, "courier": 1}
OURS = "application_name LIKE 'parlourd/%' AND datname = current_database()"


class Faults:
    """Makes one fault after another; the hasher, the clerk, and the courier are stopped in parallel with the others."""

    def __init__(self, ledger, database, kinds=()):
        self.ledger, self.watch, self.pg, self.database = ledger, ledger.watch, ledger.pg, database
        self.random = random.Random(f"{ledger.seed}/faults")
        self.kinds = {kind: weight for kind, weight in KINDS.items() if not kinds or kind in kinds}
        self.done, self.aside, self.seen = [], [], set()

    def latest(self):
        return "%s at %.1f s" % self.done[-1][:2] if self.done else "none"

    def count(self):
        return {kind: sum(d[0] == kind for d in self.done) for kind in KINDS}

    def run(self, seconds):
        """Makes every kind of fault once, even if that takes longer than `seconds`."""
        until = time.monotonic() + seconds
        plan = self.random.sample(list(self.kinds), len(self.kinds))
        plan.sort(key=lambda kind: kind != "hasher")     # the fault that takes longest, in parallel with the others
        while not self.ledger.over.is_set():
            gap = self.random.choice((0.1, 1, 2, 4)) * (0.5 + self.random.random())
            if not plan and time.monotonic() + gap >= until:
                break
            self.ledger.over.wait(gap)
            self.make(plan.pop(0) if plan else self.random.choices(list(self.kinds), list(self.kinds.values()))[0])
        for thread in self.aside:
            thread.join(2 * PROCESS_S)

    def make(self, kind):
        if kind in ("hasher", "clerk", "courier"):
            if any(t.name == kind and t.is_alive() for t in self.aside):
                return
            self.note(kind)
            self.aside.append(threading.Thread(target=getattr(self, kind), args=(kind not in self.seen,), daemon=True, name=kind))
            self.seen.add(kind)
            self.aside[-1].start()
            return
        self.note(kind)
        fault = self.ledger.calm.begin(kind)
        try:
            getattr(self, kind)(kind not in self.seen)
        except psycopg.Error as why:
            self.ledger.book.say(f"ledger: {kind}: the fault did not work: {why}")
        finally:
            self.seen.add(kind)
            self.ledger.calm.end(fault)

    def note(self, kind):
        self.done.append((kind, round(self.ledger.book.at(), 1)))
        self.ledger.book.say(f"ledger: {self.done[-1][1]:.1f} s: {kind}")

    def wait(self, low, high):
        time.sleep(low + (high - low) * self.random.random())

    def wrong(self, who, text):
        self.ledger.book.violation(12, who, text)

    def own(self, pid):
        """Records that the ledger itself ended this process, so that its end is not a violation."""
        self.watch.mine.add(pid)
        self.ledger.daemon.expect_error(rf"child={pid} ")

    @contextlib.contextmanager
    def standing(self, pid):
        """Stops this process (SIGSTOP) inside the block."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    # ---- processes ----

    def worker(self):
        pids = {}
        for _ in range(200):
            pids = self.watch.pids("worker")
            if pids:
                break
            time.sleep(0.1)
        return pids[self.random.choice(sorted(pids))]

    def kill(self, _first):
        self.end(self.worker())

    def end(self, pid):
        self.own(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def heirs(self, _first):
        """Kills a worker, and then the workers that adopted its answers, before they could end the rows of the
        answers."""
        dead = self.worker()
        heirs = set(self.watch.pids("worker").values()) - {dead}
        with self.locked("generations", "SHARE"):
            self.wait(0.2, 0.8)
            self.end(dead)
            self.wait(0.4, 1.2)
            for pid in sorted(heirs):
                self.end(pid)
            self.wait(0, 0.3)

    def stop(self, first):
        """Stops a worker for a moment, or until the watchdog replaces it."""
        pid = self.worker()
        if first or self.random.random() < 0.7:
            with self.standing(pid):
                self.wait(0.5, 3)
            return
        self.own(pid)
        with self.standing(pid):
            self.replaced("worker", pid)

    def replaced(self, what, pid):
        """Waits until the daemon has replaced the process."""
        until = time.monotonic() + PROCESS_S
        while pid in self.watch.pids(what).values():
            if time.monotonic() > until:
                self.wrong(what, f"stopped for {PROCESS_S:g} s and not replaced")
                return
            time.sleep(0.1)

    def clerk(self, first):
        self.aside_stands("clerk", first)

    def courier(self, first):
        self.aside_stands("courier", first)

    def aside_stands(self, what, first):
        """Stops the clerk or the courier for a moment, or until the watchdog replaces it; the jobs of the courier then
        return to the queue."""
        for pid in self.watch.pids(what).values():
            with self.standing(pid):
                if not first and self.random.random() < 0.5:
                    self.wait(0.5, WATCHDOG_S / 2)
                    continue
                self.own(pid)
                self.replaced(what, pid)

    def hasher(self, first):
        """Stops the hasher, on which all logins depend, for a few seconds or until logins work again although it is
        still stopped."""
        pids = self.watch.pids("hasher")
        with contextlib.ExitStack() as stack:
            for pid in pids.values():
                self.own(pid)
                stack.enter_context(self.standing(pid))
            if first or self.random.random() < 0.5:
                self.logins("while a hasher stands still")
                return
            self.wait(1, 6)
        self.logins("after a hasher stood still")

    def logins(self, when):
        user, last = self.ledger.owner, ""
        until = time.monotonic() + PROCESS_S
        while time.monotonic() < until:
            try:
                answer = self.ledger.quick(3 * SLOW).post("/api/auth/login", json={"username": user.name, "password": user.password})
                if answer.status_code == 200:
                    return
                last = str(answer.status_code)
            except Exception as why:  # pylint: disable=broad-except
                last = type(why).__name__
            time.sleep(0.2)
        self.wrong("hasher", f"no login works within {PROCESS_S:g} s {when}: {last}")

    def hup(self, _first):
        """Sends several HUP signals at once, with a changed setting."""
        self.ledger.daemon.configure(llm_delta=f"{self.random.randint(5, 60)}ms", server_name=f"l{self.random.randint(0, 999)}")
        for _ in range(self.random.randint(2, 10)):
            self.ledger.daemon.send_signal(signal.SIGHUP)
            self.wait(0, 0.05)
        self.wait(0, 0.5)

    # ---- members ----

    def flock(self, _first):
        """Disconnects many readers at the same time and reconnects them at the same time."""
        gate = self.gather()
        self.wait(0.2, 5)
        gate.set()

    def gather(self):
        """Disconnects some readers; they reconnect when the gate opens."""
        gate = threading.Event()
        readers = [c for c in self.ledger.clients if isinstance(c, Reader)]
        for reader in self.random.sample(readers, self.random.randint(len(readers) // 2, len(readers))):
            reader.away(gate)
        return gate

    @contextlib.contextmanager
    def replays(self):
        """Lets readers reconnect just before or just after the fault in the block begins."""
        gate, early = self.gather(), self.random.random() < 0.5
        time.sleep(0.6)
        if early:
            gate.set()
            self.wait(0, 0.15)
        yield
        gate.set()

    # ---- the database ----

    def lock(self, _first):
        """Locks the table of messages for reads and writes, sometimes for longer than lock_timeout."""
        stack = contextlib.ExitStack()
        with self.replays():
            stack.enter_context(self.locked("messages"))
        with stack:
            self.wait(0.3, 2)

    @contextlib.contextmanager
    def locked(self, table, mode="ACCESS EXCLUSIVE"):
        """Locks the table inside the block; SHARE only blocks writes."""
        with psycopg.connect(self.pg.dsn(self.database, cluster.OWNER)) as conn:
            conn.execute("SET lock_timeout = '10s'")
            conn.execute(f"LOCK TABLE {table} IN {mode} MODE")
            yield

    def terminate(self, _first):
        with self.replays():
            for _ in range(self.random.randint(1, 3)):
                self.pg.admin(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS}", self.database)
                self.wait(0.05, 0.3)

    def restart(self, _first):
        with self.replays():
            self.pg.stop("immediate")
        self.wait(0.1, 1.5)
        self.pg.start()

    def backend(self, first):
        """Stops one database backend, for a moment or for longer than the daemon may wait for it."""
        with self.replays():
            found = dict(self.pg.admin(f"SELECT application_name, pid FROM pg_stat_activity WHERE {OURS} AND backend_type = "
                                       "'client backend'", self.database))
            name = self.random.choice(sorted(n for n in found if "read" in n) if first else sorted(found))
            stack = contextlib.ExitStack()
            stack.enter_context(self.standing(found[name]))
        with stack:
            if not first and self.random.random() < 0.6:
                self.wait(0.5, STATEMENT_S + 2)
            elif self.alive():
                wrong = self.watch.all_work(BACKEND_S)
                if wrong:
                    self.wrong(name, f"stands still, and reads do not work within {BACKEND_S:g} s: {wrong}")

    def alive(self):
        """Lets the backend run for a moment: if it was stopped while it held a lock in shared memory, PostgreSQL itself
        stops, which is not a failure of the daemon."""
        try:
            with psycopg.connect(self.pg.dsn(self.database, cluster.OWNER), connect_timeout=3) as conn:
                conn.execute("SET statement_timeout = '2s'")
                conn.execute("SELECT max(last_seq) FROM rooms")
                conn.execute("SELECT count(*) FROM (SELECT FROM messages ORDER BY room_id DESC, seq DESC LIMIT 5) m")
            return True
        except psycopg.Error:
            self.ledger.book.say("ledger: PostgreSQL itself stands still with that backend")
            return False
