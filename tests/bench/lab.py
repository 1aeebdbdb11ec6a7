# SPDX-License-Identifier: ISC
"""The environment of all measurements: one PostgreSQL, the daemon, its users and rooms, and what the peers need.

The modules of the end-to-end tests run the daemon and PostgreSQL (tests/e2e/cluster.py, parlour.py).
"""

import base64
import concurrent.futures
import contextlib
import hashlib
import hmac
import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

import cluster  # noqa: E402
import load  # noqa: E402
from parlour import Daemon, clean_env, stage_binaries  # noqa: E402

cluster.TIE_ALL = True
USERS, ROOMS, PAGE = 32, 8, 60
CONTENT = "hello world " * 8
OFF = {f"rate_{name}": "off" for name in ("login", "ask", "ask_session", "channel", "send", "read")}
# Limits that count requests but never refuse one.
COUNTED = {"rate_read": "1000000/s burst 1000000", "rate_send": "1000000/s burst 1000000"}


def fdatasync_us(directory, count=200):
    """Returns the median and 99th percentile of fdatasync() after a write of an 8 KiB page to an existing file."""
    path, times = f"{directory}/fdatasync", []
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.write(fd, bytes(8192 * 64))
        os.fsync(fd)
        for i in range(count):
            began = time.perf_counter()
            os.pwrite(fd, bytes([i % 256]) * 8192, i % 64 * 8192)
            os.fdatasync(fd)
            times.append((time.perf_counter() - began) * 1e6)
    finally:
        os.close(fd)
        os.unlink(path)
    times.sort()
    return times[len(times) // 2], times[len(times) * 99 // 100]


def sign(claims, secret):
    """Signs a JSON Web Token (HS256) for the peers."""
    def b64(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    body = ".".join(b64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return body + "." + b64(hmac.new(secret.encode(), body.encode(), hashlib.sha256).digest())


def median(values):
    return statistics.median(values) if values else float("nan")


class Lab:
    """The environment, created once per run; a context manager that leaves only the cache in the build directory."""

    def __init__(self, args):
        self.args, self.rounds = args, 2 if args.quick else 3
        self.seconds = args.seconds or (1 if args.quick else 3)
        self.cache = os.path.join(args.build, "bench-cache")
        self.peers, self.skipped, self.daemons = {}, {}, []

    def __enter__(self):
        os.makedirs(self.cache, exist_ok=True)
        self.dir = tempfile.mkdtemp(prefix="pl-bench-", dir="/tmp")
        os.chmod(self.dir, 0o755)
        os.environ.update(PARLOUR_BUILD=self.args.build, PARLOUR_SRC=self.args.src)
        self.binaries = stage_binaries(self.dir)
        self.wsload = load.compile_program(self.cache + "/wsload", ["wsload.c", "wsload_conn.c", "wsload_run.c",
                                                                    "wsload_offer.c", "wsload_probe.c"])
        self.pg = cluster.Cluster()
        try:
            self.pg.start()
            self._make_database()
            self._make_peer_things()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for daemon in self.daemons:
            daemon.abandon()
        for peer in self.peers.values():
            peer.stop()
        self.pg.remove()
        shutil.rmtree(self.dir, ignore_errors=True)

    @property
    def pg_pid(self):
        return self.pg.process.pid

    @property
    def pg_scratch(self):
        """Returns a directory on the file system of the database."""
        return self.pg.dir

    def fresh_id(self):
        """Returns a short unique text for names and client ids."""
        return secrets.token_hex(4)

    # ---- the daemon ----

    def _make_database(self):
        self.key_file = self.dir + "/token.key"
        with open(os.open(self.key_file, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as key:
            key.write(secrets.token_hex(32) + "\n")
        cluster.give(self.key_file)
        config = self.dir + "/migrate.conf"
        with open(config, "w", encoding="ascii") as conf:
            conf.write(f"db = {self.pg.dsn('parlour')}\ncontrol_socket = {self.dir}/none\n")
        for verb, dsn in (("initdb", self.pg.dsn("postgres", cluster.OWNER)),
                          ("migrate", self.pg.dsn("parlour", "parlour_owner"))):
            done = subprocess.run(cluster.as_user([self.binaries["parlourctl"], "-c", config, verb, "--dsn", dsn]),
                                  cwd="/", capture_output=True, text=True, env=clean_env(), check=False)
            if done.returncode != 0:
                raise RuntimeError(f"parlourctl {verb}: {done.stdout}{done.stderr}")
        with self.daemon(workers=1) as daemon:
            self._seed(daemon)

    def _seed(self, daemon):
        """Creates users who are members of every room, and a page of messages in each room."""
        self.names = [f"bench{i}" for i in range(USERS)]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            users = list(pool.map(daemon.register, self.names))
            self.rooms = [users[0].room(f"bench{i}")["id"] for i in range(ROOMS)]
            list(pool.map(self._move_in, users, range(USERS)))
        self.tokens = [user.access for user in users]
        self.tokens_file = self._write_lines("tokens", self.tokens)

    def _move_in(self, user, number):
        """Joins every room as the user and sends its share of the page."""
        for room in self.rooms:
            user.post(f"/api/rooms/{room}/join").raise_for_status()
            for _ in range(number, PAGE, USERS):
                user.say(room, CONTENT).raise_for_status()

    def _write_lines(self, name, lines):
        with open(f"{self.dir}/{name}", "w", encoding="ascii") as out:
            out.write("".join(line + "\n" for line in lines))
        return f"{self.dir}/{name}"

    @contextlib.contextmanager
    def daemon(self, upstreams=None, **settings):
        """Starts a parlourd; the limits are off unless settings say otherwise."""
        own = {**OFF, "access_token_life": "2h", "watchdog": "60s", "rate_slots": "262144", "db_connections": "40",
               **settings}
        directory = f"{self.dir}/d{len(self.daemons)}"
        daemon = Daemon(self.binaries, directory, self.pg.dsn("parlour"), self.key_file, own, upstreams)
        self.daemons.append(daemon)
        try:
            yield daemon.start()
            if daemon.stop() != 0:
                raise RuntimeError(f"parlourd did not end well:\n{daemon.log_tail()}")
        except BaseException:
            print(daemon.log_tail(), file=sys.stderr)
            raise
        finally:
            daemon.abandon()

    # ---- what peers share ----

    def _make_peer_things(self):
        self.secret = secrets.token_hex(24)
        self.pg.admin("CREATE DATABASE peer")
        with open(HERE + "/peers/peer.sql", encoding="utf-8") as script:
            for statement in script.read().split(";\n"):
                if statement.strip():
                    self.pg.admin(statement, "peer")
        self.pg.admin("VACUUM ANALYZE", "peer")
        self.pg.admin("VACUUM ANALYZE", "parlour")
        ends = int(time.time()) + 7200
        self.peer_tokens = [sign({"sub": str(i + 1), "exp": ends}, self.secret) for i in range(USERS)]
        self.peer_tokens_file = self._write_lines("peer-tokens", self.peer_tokens)

    def say(self, text):
        print(text, file=sys.stderr, flush=True)
