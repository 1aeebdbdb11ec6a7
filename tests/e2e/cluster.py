# SPDX-License-Identifier: ISC
"""A private PostgreSQL with its own directory, a unix socket only, and fsync; it never touches the cluster of the
system.

PostgreSQL refuses to run as root. If the tests run as root, setpriv(1) runs everything as an unprivileged user. The
directory is short, because the path of a unix socket has at most 107 bytes, and below /tmp, because the user may not be
able to enter home directories.
"""

import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

import psycopg

OWNER = "postgres"
# If true, servers end when the process that started them ends, even if it is killed. tests/bench sets it. The tests of
# processes start servers that outlive the process that started them.
TIE_ALL = False


def unprivileged():
    """Returns the user that servers run as if the tests run as root; otherwise None."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("neither postgres nor nobody exists here")


def tied(argv, end="KILL"):
    """Returns an argv whose process gets the signal `end` when the thread that started it ends, for whatever reason."""
    return ["setpriv", "--pdeathsig", end, "--", *argv]


def as_user(argv, end="TERM"):
    """Returns an argv that runs without root privileges. end: see tied(), if TIE_ALL is set."""
    user = unprivileged()
    words = ["--pdeathsig", end] if TIE_ALL else []
    if user is not None:
        words += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return ["setpriv", *words, "--", *argv] if words else list(argv)


def give(path):
    """Changes the owner of a file or directory to the user that servers run as."""
    user = unprivileged()
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


def bindir():
    """Returns the directory of PostgreSQL's server programs: PG_BINDIR, Debian's newest version, or the answer of
    pg_config."""
    if os.environ.get("PG_BINDIR"):
        return os.environ["PG_BINDIR"]
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), key=lambda p: float(p.split("/")[4]))
    if found:
        return os.path.dirname(found[-1])
    return subprocess.run(["pg_config", "--bindir"], check=True, capture_output=True, text=True).stdout.strip()


class Cluster:
    """One PostgreSQL server. Tests stop() and start() it to simulate an outage of the database."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="pl-pg-", dir="/tmp")
        os.chmod(self.dir, 0o711)
        self.sockets, self.data = self.dir + "/s", self.dir + "/data"
        for path in (self.sockets, self.data):
            os.mkdir(path, 0o700)
            give(path)
        os.chmod(self.sockets, 0o711)
        self.bin, self.process, self.count = bindir(), None, 0
        self._run("initdb", "-D", self.data, "-U", OWNER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        with open(self.data + "/postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write(f"listen_addresses = ''\nunix_socket_directories = '{self.sockets}'\n"
                       "unix_socket_permissions = 0777\nfsync = on\nsynchronous_commit = on\nmax_connections = 200\n"
                       "shared_buffers = 64MB\nautovacuum_naptime = 10s\nlog_min_messages = warning\n")

    def _run(self, program, *args):
        done = subprocess.run(as_user([f"{self.bin}/{program}", *args]), cwd="/", stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed:\n{done.stdout}")

    def start(self):
        with open(self.dir + "/log", "ab") as log:
            self.process = subprocess.Popen(as_user([self.bin + "/postgres", "-D", self.data], "QUIT"), cwd="/", stderr=log,
                                            stdin=subprocess.DEVNULL, stdout=log, start_new_session=True)
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.dsn("postgres", OWNER), connect_timeout=5).close()
                return
            except psycopg.OperationalError as why:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL does not start: {why}\n{self.log_tail()}") from why
                time.sleep(0.02)

    def stop(self, how="fast"):
        """Stops the server. how: smart, fast or immediate (like a crash)."""
        if self.process is None:
            return
        self.process.send_signal({"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}[how])
        self.process.wait(30)
        self.process = None

    def remove(self):
        self.stop("immediate")
        shutil.rmtree(self.dir, ignore_errors=True)

    def log_tail(self):
        with open(self.dir + "/log", encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-30:])

    def dsn(self, database, user="parlour_app"):
        return f"host={self.sockets} dbname={database} user={user}"

    def admin(self, sql, database="postgres"):
        """Runs one statement as the superuser, outside a transaction."""
        with psycopg.connect(self.dsn(database, OWNER), autocommit=True) as conn:
            cursor = conn.execute(sql)
            return cursor.fetchall() if cursor.description else None

    def clone(self, template):
        """Creates a database with the content of the template and returns its name."""
        self.count += 1
        name = f"t{self.count}"
        self.admin(f'CREATE DATABASE "{name}" TEMPLATE "{template}" OWNER parlour_owner')
        return name

    def drop(self, name):
        self.admin(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
