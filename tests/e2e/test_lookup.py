# SPDX-License-Identifier: ISC
"""`db` contains a host name: a resolver that does not respond delays nobody, and each new connection uses the current
address."""

import os
import shutil
import socket
import subprocess
import threading
import time

import pytest

import cluster
from parlour import SLOW, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))


class Relay:
    """Forwards TCP ports to the unix socket of PostgreSQL; cut() ends the connections."""

    def __init__(self, path):
        self.path, self.socks, self.accepted = path, [], {}

    def listen(self, address, port=0):
        listener = socket.create_server((address, port))
        self.socks.append(listener)
        self.accepted[address] = 0
        threading.Thread(target=self.accept, args=(listener, address), daemon=True).start()
        return listener.getsockname()[1]

    def accept(self, listener, address):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self.accepted[address] += 1
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.path)
            self.socks += [sock, server]
            for one, other in ((sock, server), (server, sock)):
                threading.Thread(target=self.copy, args=(one, other), daemon=True).start()

    @staticmethod
    def copy(one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
        except OSError:
            pass
        for sock in (one, other):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self, listeners=False):
        for sock in self.socks:
            try:
                if listeners or sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 0:
                    sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


@pytest.fixture
def relay(pg):
    made = Relay(f"{pg.sockets}/.s.PGSQL.5432")
    yield made
    made.cut(listeners=True)
    for sock in made.socks:
        sock.close()


@pytest.fixture(scope="module")
def resolver(workdir):
    """Compiles resolver.c into a library."""
    compiler = shutil.which(os.environ.get("CC", "cc").split()[-1]) or shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    path = workdir + "/resolver.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", path, HERE + "/resolver.c", "-ldl"], check=True)
    os.chmod(path, 0o755)
    return path


@pytest.fixture
def named(parlour, resolver, relay, database, workdir):
    """named(*addresses, **settings) starts a daemon whose database is db.parlour.test, and returns it with
    lead(*lines), which changes the addresses."""
    hosts = f"{workdir}/hosts"

    def lead(*lines):
        with open(hosts + ".new", "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
        os.chmod(hosts + ".new", 0o644)
        os.rename(hosts + ".new", hosts)

    def make(*addresses, **settings):
        port = relay.listen("127.0.0.1")
        lead(*addresses)
        daemon = parlour(start=False, db=f"host=db.parlour.test port={port} dbname={database} user=parlour_app sslmode=disable",
                         watchdog=f"{round(2000 * SLOW)}ms", **settings)
        asan = os.environ.get("ASAN_OPTIONS", "")
        daemon.start(wrap=("env", f"LD_PRELOAD={resolver}", f"PARLOUR_TEST_HOSTS={hosts}",
                           f"ASAN_OPTIONS={asan}:verify_asan_link_order=0"))
        return daemon, lead, port

    return make


def turned(daemon):
    """Returns the milliseconds since the last turn of each loop, by process."""
    rows = [line.split() for line in daemon.ctl("status").stdout.splitlines()]
    return {tuple(row[:2]): int(row[-1]) for row in rows if row and row[-1].isdigit() and row[0].startswith(("worker", "clerk", "courier"))}


def lost(daemon, relay):
    """Cuts connections for three seconds, until the daemon no longer uses addresses that it looked up before."""
    over = time.monotonic() + 3.5
    wait_for(lambda: relay.cut() or (time.monotonic() > over and daemon.once("GET", "/readyz").status_code == 503), 15, "it is away")


def test_a_resolver_that_does_not_respond(named, relay):
    """All connections are lost and the name cannot be resolved for seconds: all event loops continue, and no process is
    replaced."""
    daemon, lead, _ = named("127.0.0.1", workers=2)
    user = daemon.register()
    before = {kind: daemon.procs(kind) for kind in ("worker", "clerk", "courier")}
    lead("stall")
    lost(daemon, relay)
    until, worst = time.monotonic() + 5 + 2 * SLOW, 0.0     # longer than one attempt and than the watchdog
    while time.monotonic() < until:
        began = time.monotonic()
        assert daemon.once("GET", "/openapi.json").status_code == 200
        assert daemon.once("GET", "/api/auth/me", headers=user.auth).status_code == 503
        worst = max(worst, time.monotonic() - began)
        late = turned(daemon)
        assert len(late) == 4 and max(late.values()) < 1000 * SLOW, late
    assert worst < 1.0 * SLOW
    lead("127.0.0.1")
    wait_for(lambda: user.get("/api/auth/me").status_code == 200, 15, "the lookup returned")
    assert {kind: daemon.procs(kind) for kind in before} == before and "killing a process" not in daemon.log_text()


def test_several_addresses(named, relay):
    """One address refuses and one does not respond: the daemon uses the next one."""
    daemon, lead, port = named("127.0.0.2", "127.0.0.1", workers=1)
    assert daemon.register().get("/api/auth/me").status_code == 200, "127.0.0.2 refused"
    silent = socket.create_server(("127.0.0.3", port), backlog=0)    # it accepts no connections, and its queue is full
    fill = [socket.socket() for _ in range(4)]
    for sock in fill:
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.3", port))
    lead("127.0.0.3", "127.0.0.1")
    lost(daemon, relay)
    wait_for(daemon.is_ready, 20, "the second address serves")
    for sock in (*fill, silent):
        sock.close()


def test_a_name_that_moves(named, relay):
    """Each new connection looks up the name again and finds the database at its new address."""
    daemon, lead, port = named("127.0.0.1", workers=1)
    user = daemon.register()
    assert relay.accepted["127.0.0.1"] > 0
    relay.listen("127.0.0.2", port)
    lead("127.0.0.2")
    wait_for(lambda: relay.cut() or relay.accepted["127.0.0.2"] >= 3, 15, "it went there")
    wait_for(lambda: user.get("/api/auth/me").status_code == 200, 15, "it serves")


def test_a_name_that_is_unknown(named, relay):
    """The daemon continues as soon as the name exists again."""
    daemon, lead, _ = named("127.0.0.1", workers=1)
    lead("")
    lost(daemon, relay)
    lead("127.0.0.1")
    wait_for(daemon.is_ready, 15, "it is back")
