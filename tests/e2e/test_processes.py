# SPDX-License-Identifier: ISC
"""The process tree: crashes, stops, reloads, signals, and parlourctl. What clients notice, and what they must not
notice."""

import os
import re
import signal
import stat
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

import cluster
from parlour import PLAIN, SLOW, free_port, processes_of_session, wait_for


class Load:
    """Sends requests in a loop from several threads and counts wrong replies."""

    def __init__(self, user, path="/api/auth/me", threads=3):
        self.user, self.path, self.good, self.bad, self.over = user, path, 0, [], False
        self.threads = [threading.Thread(target=self.run) for _ in range(threads)]

    def run(self):
        while not self.over:
            try:
                answer = self.user.api.once("GET", self.path, headers=self.user.auth)
                if answer.status_code == 200:
                    self.good += 1
                else:
                    self.bad.append(answer.status_code)
            except httpx.HTTPError as why:
                self.bad.append(repr(why))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exc):
        self.over = True
        for thread in self.threads:
            thread.join()


# ---- crashes ----

def test_a_killed_worker_is_replaced(parlour):
    daemon = parlour(workers=2)
    user = daemon.register()
    room = user.room()["id"]
    sockets = [user.ws() for _ in range(8)]
    before = daemon.workers()
    victim = sockets[0].authed["worker"]
    daemon.kill_child(before[victim])
    began = time.monotonic()
    wait_for(lambda: daemon.procs("worker").get(victim, before[victim]) != before[victim], 5, "a new worker")
    assert time.monotonic() - began < 2.0 * SLOW
    assert daemon.workers()[1 - victim] == before[1 - victim]
    for sock in sockets:
        if sock.authed["worker"] == victim:
            assert sock.wait_closed() == 1006
        else:
            sock.ping_pong()
    assert user.say(room, "still works").status_code == 201


def test_nothing_is_lost_between_commit_and_delivery(parlour):
    """The worker that committed a message dies; clients of other workers still receive every message."""
    daemon = parlour(workers=2, watchdog="10min")
    user = daemon.register()
    room = user.room()["id"]
    with daemon.only_worker(0):
        listener = user.ws()
        listener.send("subscribe", topic=f"room:{room}")
        listener.expect("subscribed")
    for round_ in range(3):
        pids = daemon.workers()
        with daemon.stopped(pids[0]):
            talker = user.ws()
            assert talker.authed["worker"] == 1
            for i in range(40):
                talker.send("send", topic=f"room:{room}", content=f"{round_}.{i}", client_id=f"{round_}.{i}")
            talker.expect("ack", client_id=f"{round_}.20")
            daemon.kill_child(pids[1])
        wait_for(lambda p=pids: daemon.workers()[1] != p[1])
    head = user.get(f"/api/rooms/{room}").json()["last_seq"]
    seqs = []
    while not seqs or seqs[-1] < head:
        frame = listener.recv(15)
        if frame["type"] in ("message", "joined"):
            seqs.append(frame["seq"])
    assert seqs == list(range(seqs[0], head + 1))


def test_presence_of_a_dead_worker_is_cleared(parlour):
    daemon = parlour(workers=2)
    user, other = daemon.register(), daemon.register()
    room = user.room()["id"]
    sock = other.ws()
    sock.send("subscribe", topic=f"room:{room}")
    sock.expect("subscribed")
    wait_for(lambda: [m["online"] for m in user.get(f"/api/rooms/{room}/members").json() if m["user_id"] == other.id] == [True])
    daemon.kill_child(daemon.workers()[sock.authed["worker"]])
    wait_for(lambda: [m["online"] for m in user.get(f"/api/rooms/{room}/members").json() if m["user_id"] == other.id] == [False],
             15, "other is offline")


def test_a_stopped_worker_delays_nobody(parlour):
    """While one of four workers is stopped, none of 1,000 new connections takes longer than half a second."""
    daemon = parlour(workers=4, watchdog="10min")
    request = f"GET /livez HTTP/1.1\r\nHost: {daemon.host}:{daemon.port}\r\nConnection: close\r\n\r\n".encode()

    def ask(_):
        began = time.monotonic()
        assert daemon.raw(request)[0] == 200
        return time.monotonic() - began

    with daemon.stopped(daemon.workers()[2]), ThreadPoolExecutor(8) as pool:
        times = list(pool.map(ask, range(1000)))
    assert max(times) < 0.5 * SLOW, sorted(times)[-5:]


def test_a_killed_hasher_is_replaced(parlour):
    daemon = parlour(argon2_memory="64M", argon2_passes="8")
    user = daemon.register()
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(daemon.once, "POST", "/api/auth/login", json={"username": user.name, "password": user.password})
                   for _ in range(4)]
        hashers = daemon.procs("hasher")
        daemon.kill_child(hashers[0])
        answers = [w.result() for w in waiting]
    for answer in answers:
        assert answer.status_code in (200, 503), answer.text
        assert answer.status_code == 200 or "Retry-After" in answer.headers
    wait_for(lambda: daemon.procs("hasher").get(0, hashers[0]) != hashers[0], 5, "a new hasher")
    assert daemon.login(user.name).get("/api/auth/me").status_code == 200


def test_a_full_hash_queue_answers_at_once(parlour):
    daemon = parlour(workers=1, hasher_queue="2", argon2_memory="64M", argon2_passes="10")
    user = daemon.register()
    body = {"username": user.name, "password": user.password}
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: daemon.once("POST", "/api/auth/login", json=body), range(16)))
    codes = [a.status_code for a in answers]
    assert set(codes) == {200, 503} and codes.count(200) >= 2
    assert all(a.json()["code"] == "busy" and a.headers["Retry-After"] for a in answers if a.status_code == 503)


@pytest.mark.parametrize("kind", ["clerk", "courier"])
def test_a_killed_process_is_replaced(parlour, kind):
    daemon = parlour()
    old = wait_for(lambda: daemon.procs(kind))
    daemon.kill_child(next(iter(old.values())))
    wait_for(lambda: (new := daemon.procs(kind)) and new != old, 5, f"a new {kind}")


def test_children_follow_a_killed_master(parlour):
    """After kill -9 of the master, its child processes end, and a new master can use the address at once."""
    daemon, port = parlour(start=False), free_port()      # no other process gets the port in between
    daemon.configure(workers=2, listen=f"127.0.0.1:{port}")
    daemon.start()
    user = daemon.register()
    daemon.expect_error("the master process has ended")
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.process.wait(10)
    sid = daemon.pid
    daemon.start()
    assert daemon.port == port and user.get("/api/auth/me").status_code == 200
    wait_for(lambda: not processes_of_session(sid), 15, "the old children are gone")


def test_sockets_do_not_leak(parlour):
    """After many clients have connected and disconnected, each worker has as many descriptors as before."""
    daemon = parlour(workers=2)
    user = daemon.register()
    room = user.room()["id"]
    daemon.http.close()

    def descriptors():
        """Returns the number of descriptors without unix sockets, because connections to the database open and close
        with the load."""
        counts = {}
        for slot, pid in daemon.workers().items():
            try:
                held = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
            except PermissionError:
                pytest.skip("the kernel hides /proc/PID/fd from this user")
            with open("/proc/net/unix", encoding="utf-8", errors="replace") as file:
                unix = {f"socket:[{fields[6]}]" for line in file if len(fields := line.split()) > 6}
            counts[slot] = len([name for name in held if name not in unix])
        return counts

    def visit(i):
        daemon.once("GET", "/livez")
        with user.ws() as sock:
            sock.send("subscribe", topic=f"room:{room}")
            sock.expect("subscribed")
            if i % 2:
                sock.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(visit, range(20)))
        base = wait_for(lambda: (a := descriptors()) == descriptors() and a)
        list(pool.map(visit, range(200)))
    wait_for(lambda: all(n <= base[s] + 2 for s, n in descriptors().items()), 10, f"as few as before: {base}")


# ---- reload ----

def test_reloads_under_load(parlour):
    """Successful reloads lose neither requests nor sockets, and the workers stay the same processes."""
    daemon = parlour(workers=2)
    user = daemon.register()
    sockets, before = [user.ws() for _ in range(4)], daemon.workers()
    with Load(user) as load:
        for i in range(20):
            before_reload = load.good
            daemon.configure(server_name=f"name{i}")
            daemon.reload()
            wait_for(lambda n=before_reload: load.good > n + 5)
    assert not load.bad, load.bad[:5]
    for sock in sockets:
        sock.ping_pong()
    assert daemon.workers() == before
    wait_for(lambda: {daemon.once("GET", "/").json()["name"] for _ in range(8)} == {"name19"})


def test_a_bad_file_keeps_the_old_settings(parlour):
    daemon = parlour()
    daemon.configure(server_name="good")
    daemon.reload()
    daemon.expect_error("reload refused")
    text = open(daemon.config, encoding="utf-8").read()
    for broken, rule in (("workers = many", "workers"), ("no_such_setting = 1", "no_such_setting"), ("rate_read = 5/year", "rate_read"),
                         ("[", "")):
        daemon.write_config(text.replace("server_name = good", "server_name = bad") + broken + "\n")
        line = daemon.reload(good=False)
        assert re.search(r"parlour\.conf:\d+", line["why"]) and rule in line["why"]
        checked = subprocess.run(cluster.as_user([daemon.binaries["parlourd"], "-t", "-c", daemon.config]), capture_output=True,
                                 text=True, check=False)
        assert checked.returncode == 78 and re.search(r"parlour\.conf:\d+", checked.stderr + checked.stdout)
        assert daemon.once("GET", "/").json()["name"] == "good"
    os.unlink(daemon.config)
    daemon.reload(good=False)
    assert daemon.once("GET", "/").json()["name"] == "good"


def test_settings_that_need_a_restart_are_named(parlour):
    daemon = parlour(workers=2)
    mark = daemon.log_size()
    daemon.configure(max_workers="8", server_name="changed")
    daemon.reload()
    assert daemon.wait_log("setting=max_workers", mark)["msg"].startswith("setting needs a restart")
    assert daemon.once("GET", "/").json()["name"] == "changed"


# ---- signals ----

def test_more_and_fewer_workers(parlour):
    daemon = parlour(workers=2)
    user = daemon.register()
    daemon.send_signal(signal.SIGTTIN)
    daemon.workers(3)
    with Load(user) as load:
        daemon.send_signal(signal.SIGTTOU)
        daemon.workers(2)
        daemon.send_signal(signal.SIGTTOU)
        daemon.workers(1)
        daemon.send_signal(signal.SIGTTOU)
        daemon.wait_log("worker not removed.*last one")
    assert not load.bad, load.bad[:5]
    assert len(daemon.workers(1)) == 1


def test_term_lets_requests_finish(parlour):
    """A login whose password is being hashed gets its reply; then the daemon ends with status 0."""
    daemon = parlour(argon2_memory="64M", argon2_passes="10", workers=1)
    user = daemon.register()
    daemon.http.close()
    wait_for(lambda: "http_connections 0" in daemon.ctl("metrics").stdout, 5)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(daemon.once, "POST", "/api/auth/login", json={"username": user.name, "password": user.password})
        wait_for(lambda: "http_connections 0" not in daemon.ctl("metrics").stdout, 5)
        daemon.send_signal(signal.SIGTERM)
        assert waiting.result().status_code in (200, 503)
    assert daemon.wait_exit() == 0


def test_int_stops_too(parlour):
    daemon = parlour()
    assert daemon.stop(signal.SIGINT) == 0


def test_quit_drains(parlour):
    daemon = parlour()
    user = daemon.register()
    sock = user.ws()
    daemon.send_signal(signal.SIGQUIT)
    assert sock.wait_closed() == 1012
    assert daemon.wait_exit() == 0


def test_stop_under_load_is_clean(parlour):
    """Requests succeed, get 503, or get no connection; no reply is cut."""
    daemon = parlour(workers=2)
    user = daemon.register()
    with Load(user) as load:
        wait_for(lambda: load.good > 50)
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait_exit() == 0
    cut = [b for b in load.bad if b != 503 and "ConnectError" not in str(b) and "ReadError" not in str(b)
           and "RemoteProtocolError" not in str(b)]
    assert not cut, cut[:5]


def test_logs_are_opened_again(parlour):
    daemon = parlour(start=False)
    path = daemon.dir + "/access.log"
    daemon.configure(access_log=path)
    daemon.start()
    daemon.once("GET", "/livez")
    wait_for(lambda: os.path.exists(path) and os.path.getsize(path) > 0)
    os.rename(path, path + ".1")
    daemon.send_signal(signal.SIGUSR1)
    daemon.wait_log("log files reopened")
    wait_for(lambda: daemon.once("GET", "/livez") and os.path.exists(path) and os.path.getsize(path) > 0, 5, "lines in the new file")


def test_usr2_is_ignored(parlour):
    daemon = parlour()
    daemon.send_signal(signal.SIGUSR2)
    daemon.ctl("status")
    assert daemon.once("GET", "/livez").status_code == 200 and daemon.alive()


# ---- starting ----

def test_pid_file(parlour):
    daemon = parlour(start=False)
    path = daemon.dir + "/parlourd.pid"
    daemon.configure(pid_file=path)
    daemon.start()
    assert int(open(path, encoding="ascii").read()) == daemon.pid
    second = subprocess.run(cluster.as_user([daemon.binaries["parlourd"], "-f", "-c", daemon.config]), capture_output=True, text=True,
                            timeout=30 * SLOW, check=False)
    assert second.returncode in (69, 71, 73, 75) and "pid" in second.stderr.lower()
    assert daemon.once("GET", "/livez").status_code == 200
    daemon.stop()
    assert not os.path.exists(path)


def test_one_process(parlour):
    """With -f -1, one process does everything, for debuggers."""
    daemon = parlour(extra=("-1",))
    user = daemon.register()
    assert user.say(user.room()["id"], "alone").status_code == 201
    assert not daemon.children()


def test_version_and_check(parlour):
    daemon = parlour(start=False)

    def run(*args):
        return subprocess.run(cluster.as_user([daemon.binaries["parlourd"], *args]), capture_output=True, text=True, check=False)

    assert re.search(r"\d+\.\d+", run("-V").stdout)
    good = run("-t", "-c", daemon.config)
    assert good.returncode == 0, good.stderr
    assert good.stdout == f"parlourd: {daemon.config} is valid, and the database is ready\n"
    tables = run("-T", "-c", daemon.config)
    assert tables.returncode == 0 and "argon2_memory" in tables.stdout and "login" in tables.stdout
    assert run("--version").stdout == run("-V").stdout
    assert run("--help").stdout == run("-h").stdout and run("--help").returncode == 0
    wrong = run("-x")
    assert wrong.returncode == 64 and "usage: parlourd" in wrong.stderr
    unset = run("-t", "-c", daemon.config, "-o", "db=")
    assert unset.returncode == 78 and "db is not set" in unset.stderr
    assert run("-t", "-c", "/nonexistent.conf").returncode == 78
    assert run("-t", "-c", daemon.config, "-o", "workers=3").returncode == 0
    assert run("-t", "-c", daemon.config, "-o", "workers=0").returncode == 78


def test_help_of_the_operators_tool(parlour):
    daemon = parlour()
    for args in (("--help",), ("help",), ("-h",)):
        done = daemon.ctl(*args)
        assert "usage: parlourctl" in done.stdout and "seed-demo" in done.stdout
    assert daemon.ctl("--version").stdout == daemon.ctl("version").stdout
    for args in (("help", "migrate"), ("migrate", "--help")):
        done = daemon.ctl(*args)
        assert "migrate [--dsn DSN]" in done.stdout and "seed-demo" not in done.stdout
    for args, says in ((("bogus",), "unknown command: bogus"), (("help", "bogus"), "unknown command: bogus"),
                       (("import", "users"), "import KIND FILE")):
        done = daemon.ctl(*args, check=False)
        assert done.returncode == 64 and says in done.stderr
    unknown = daemon.ctl("why", "0" * 32, check=False)
    assert unknown.returncode == 1 and "unknown request" in unknown.stderr


def test_secrets_are_not_printed(parlour):
    daemon = parlour(start=False)
    daemon.settings["db"] += " password=open-sesame"
    daemon.write_config()
    done = subprocess.run(cluster.as_user([daemon.binaries["parlourd"], "-T", "-c", daemon.config]), capture_output=True, text=True,
                          check=False)
    assert "password" in done.stdout and "open-sesame" not in done.stdout + done.stderr


def test_an_empty_database_names_the_command(parlour, pg):
    pg.admin('CREATE DATABASE "empty_one"')
    daemon = parlour(start=False, db=pg.dsn("empty_one"))
    daemon.expect_error("")
    daemon.start(ready=False)
    assert daemon.process.wait(20 * SLOW) == 78
    assert "parlourctl migrate" in daemon.log_text()
    daemon.process = None


def test_no_database_at_start(parlour):
    daemon = parlour(start=False, db="host=/nowhere dbname=x user=y")
    daemon.expect_error("")
    daemon.start(ready=False)
    assert daemon.process.wait(30 * SLOW) in (69, 78)
    daemon.process = None


def test_a_unix_socket(parlour):
    daemon = parlour(start=False)
    path = daemon.dir + "/http"
    daemon.configure(listen=f"127.0.0.1:0 unix:{path}", listen_unix_mode="0600")
    daemon.start()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    with httpx.Client(transport=httpx.HTTPTransport(uds=path), base_url="http://localhost", **PLAIN) as client:
        assert client.get("/livez").status_code == 200
    daemon.stop()
    assert not os.path.exists(path)


# ---- parlourctl ----

def test_control_verbs(parlour):
    daemon = parlour(workers=2)
    user = daemon.register()
    assert stat.S_IMODE(os.stat(daemon.dir + "/control").st_mode) == 0o600
    status = daemon.ctl("status").stdout
    for pid in [daemon.pid, *daemon.workers().values()]:
        assert str(pid) in status
    assert re.search(r"\d+\.\d+", daemon.ctl("version").stdout)
    assert "parlour_http_requests_total" in daemon.ctl("metrics").stdout
    answer = user.get("/api/auth/me")
    why = daemon.ctl("why", answer.headers["X-Request-Id"]).stdout
    assert "/api/auth/me" in why and "200" in why and user.access.split(".")[2] not in why
    daemon.configure(server_name="by-ctl")
    daemon.ctl("reload")
    wait_for(lambda: daemon.once("GET", "/").json()["name"] == "by-ctl")
    daemon.write_config("nonsense\n")
    daemon.expect_error("reload refused")
    refused = daemon.ctl("reload", check=False)
    assert refused.returncode != 0 and "parlour.conf:1" in refused.stdout + refused.stderr
    assert daemon.ctl("rubbish", check=False).returncode == 64
    daemon.write_config()
    daemon.ctl("stop")
    assert daemon.wait_exit() == 0
    gone = daemon.ctl("status", check=False)
    assert gone.returncode != 0 and gone.stderr


def test_genkey(parlour):
    daemon = parlour(start=False)
    path = daemon.dir + "/new.key"
    daemon.ctl("genkey", path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600 and os.path.getsize(path) >= 32
    before = open(path, "rb").read()
    assert daemon.ctl("genkey", path, check=False).returncode != 0
    assert open(path, "rb").read() == before, "a key that is there is never overwritten"


def test_why_explains_a_refusal(parlour):
    daemon = parlour(rate_read="1/min burst 1")
    user = daemon.register()
    user.get("/api/auth/me")
    refused = user.get("/api/auth/me")
    assert refused.status_code == 429
    text = daemon.ctl("why", refused.json()["request_id"]).stdout
    assert "429" in text and "rate_limited" in text and user.name in text


def test_migrate_and_check(parlour, pg):
    daemon = parlour()
    assert daemon.ctl("check").returncode == 0
    database = pg.clone("parlour")
    dsn = pg.dsn(database, "parlour_owner")
    assert daemon.ctl("migrate", "--dry-run", "--dsn", dsn).returncode == 0
    assert daemon.ctl("migrate", "--dsn", dsn).returncode == 0, "a second run finds nothing to do"
    printed = daemon.ctl("initdb", "--dsn", pg.dsn("postgres", cluster.OWNER), "--print").stdout
    assert "CREATE ROLE" in printed and "parlour_app" in printed
    pg.drop(database)
