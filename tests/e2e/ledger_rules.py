# SPDX-License-Identifier: ISC
"""The guarantees that the ledger checks, their limits in seconds, and the list of violations.

ledger_clients.py and ledger_readers.py record what they received, ledger_faults.py causes faults, ledger_watch.py
detects violations during the run, and ledger_check.py compares everything with the database afterwards.
"""

import threading
import time

from parlour import SLOW

RULES = {
    1: "every acknowledged message is stored exactly once, with the acknowledged seq, its text and its author",
    2: "nothing is stored that was not sent; a message without an acknowledgement is stored at most once",
    3: "in a room seq is dense from 1 over messages and changes together, and created_at never falls",
    4: "one sender's messages into one room are stored in the order of sending, also when several are in flight; a "
       "message that was refused loses its place to those already in flight and is repeated before later ones",
    5: "a member gets each seq after its first position exactly once and in order, live or by a resume; duplicates "
       "come only after a resume; a resume within recover_limit is recovered; a reader without recovery (compatible "
       "socket) gets everything in order while it is connected, a reader that polls sees every message in order",
    6: "a repeated message gets the seq of the first attempt, and no refusal of a correct message is permanent",
    7: "an answer of a role refers to its question; a question has at most one final answer per role; an interrupted "
       "answer is marked; no answer is left unfinished",
    8: "presence equals the open sockets at the end; the rate limit admits at most burst + elapsed * rate",
    9: "no process dies except those that the ledger killed, or stopped for longer than the watchdog; no sanitizer "
       "reports anything",
    10: "nobody is left behind: while no fault is active, a reader that is behind its room's head gets something and "
        "a sender an acknowledgement within BEHIND_S, and all readers are at the head within HEAD_S of the end",
    11: "a reader that reads is never closed with 1013; one that stops reading for REST_S may be",
    12: "what stands still is replaced: with a backend of the database stopped, /readyz and reads work again within "
        "BACKEND_S; with a hasher stopped, logins work within PROCESS_S; a stopped worker, clerk, or courier is replaced within "
        "PROCESS_S; after any other fault everything works within BACK_S",
    13: "an answered message of a chat session is stored once, in order, with one answer; HTTP requests fail only with "
        "statuses that invite a retry",
}

WATCHDOG_S = 10
STATEMENT_S = 3             # db_statement_timeout; the daemon waits longer for a connection that does not respond
BEHIND_S = 8 + 4 * SLOW     # the server compares its positions with the database every 5 s
HEAD_S = 60 * SLOW
REST_S = 3.0
BACKEND_S = STATEMENT_S + 12 + 5 * SLOW
PROCESS_S = WATCHDOG_S + 10 * SLOW
BACK_S = 15 * SLOW
GRACE_S = 0.2 * SLOW        # time after a fault before the calm clock continues
RATE, BURST = 40, 80        # rate_send: messages per second of one user, and the size of a burst
RECOVER_LIMIT = 1000
MAX_CONTENT = 16384


class Book:
    """The list of violations; each is printed when it is found."""

    def __init__(self, say):
        self.say, self.lock, self.began = say, threading.Lock(), time.monotonic()
        self.found, self.counts = [], {}

    def at(self):
        return time.monotonic() - self.began

    def violation(self, rule, who, text):
        """Records a violation; the same rule broken by the same client is recorded at most three times."""
        with self.lock:
            count = self.counts[rule, who] = self.counts.get((rule, who), 0) + 1
            if count > 3:
                return
            line = f"{self.at():.1f} s: sentence {rule}: {who}: {text}"
            self.found.append(line)
        self.say("ledger: VIOLATION " + line)

    def verdict(self):
        """Returns the violations with the guarantees that they break."""
        broken = sorted({rule for rule, _ in self.counts})
        more = sum(self.counts.values()) - len(self.found)
        return "\n".join(self.found[:40] + [f"({more} more of the same)"] * (more > 0) +
                         [f"sentence {rule}: {RULES[rule]} [{sum(n for (r, _), n in self.counts.items() if r == rule)} times]"
                          for rule in broken])


class Calm:
    """A clock that stops while a fault is active and for GRACE_S after it."""

    def __init__(self):
        self.lock, self.depth, self.sum, self.since = threading.Lock(), 0, 0.0, time.monotonic()
        self.faults = []        # (kind, start, end or None)

    def now(self):
        with self.lock:
            return self.sum + (max(0.0, time.monotonic() - self.since) if self.depth == 0 else 0.0)

    def begin(self, kind):
        """Notes that a fault began; returns the argument for end()."""
        with self.lock:
            now = time.monotonic()
            if self.depth == 0:
                self.sum += max(0.0, now - self.since)
            self.depth += 1
            self.faults.append([kind, now, None])
            return self.faults[-1]

    def end(self, fault):
        with self.lock:
            fault[2] = time.monotonic()
            self.depth -= 1
            self.since = fault[2] + GRACE_S

    def since_time(self, began, kinds):
        """Returns whether a fault of one of these kinds was active since this time, or just before it."""
        with self.lock:
            return any(f[0] in kinds and (f[2] is None or f[2] + 2 * SLOW > began) for f in self.faults)
