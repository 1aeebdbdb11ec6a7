# SPDX-License-Identifier: ISC
"""Controls a parlourd: starts it on port 0 with its own configuration, reads its log, sends requests to it, and stops
it.

A Daemon is one running daemon with everything that tests ask of it. A User is one account with its tokens. Nothing here
sleeps for a fixed time to wait for a condition: wait_for() polls with a deadline.
"""

import base64
import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time

import httpx
import psycopg
import pytest

import cluster
import described
import wire
from wire import SLOW

HERE = os.path.dirname(os.path.abspath(__file__))
# No proxies, and no certificates, because loading them for each client takes longer than the request. A longer timeout
# than the default of httpx.
PLAIN = {"trust_env": False, "verify": False, "timeout": 20.0 * SLOW}
FIELD = re.compile(r'([A-Za-z_]\w*)=("(?:[^"\\]|\\.)*"|\S*)')
# Fast hashes, no limits, no mails to new accounts, and long timeouts for processes that do not respond. A test sets the
# settings that it is about.
DEFAULTS = {
    "listen": "127.0.0.1:0", "metrics_listen": "", "workers": "2", "log_level": "info", "argon2_memory": "8M",
    "argon2_passes": "1", "rate_login": "off", "rate_ask": "off", "rate_ask_session": "off", "rate_channel": "off", "rate_person": "off",
    "rate_send": "off", "rate_read": "off", "rate_guest": "off", "rate_slots": "4096", "db_connections": "30",
    "watchdog": "1min", "email_verification": "off",
}


def wait_for(condition, timeout=10.0, what=None):
    """Polls condition() until it is true and returns its value. An exception of httpx or psycopg counts as false."""
    deadline, pause, last = time.monotonic() + timeout * SLOW, 0.002, None
    while True:
        try:
            last = condition()
            if last:
                return last
        except (httpx.HTTPError, OSError, psycopg.OperationalError, wire.Refused) as why:
            last = why
        if time.monotonic() > deadline:
            raise AssertionError(f"still not true after {timeout * SLOW:g} s: {what or condition}; last: {last!r}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def claims(token):
    """Returns the payload of a JWT without verifying it."""
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def parse_line(line):
    """Parses one key=value line of the log into a dict; text values are unquoted."""
    fields = {}
    for key, value in FIELD.findall(line):
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        fields.setdefault(key, value)
    return fields


def processes_of_session(sid):
    """Returns the living processes of a session, without zombies: {pid: command name}."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError):
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                text = stat.read()
            rest = text.rsplit(")", 1)[1].split()
            if rest[0] not in "ZX" and int(rest[3]) == sid:
                found[int(entry)] = text[text.index("(") + 1:text.rindex(")")]
    return found


def porters(daemon):
    """Returns the processes of the courier that make an attempt now."""
    return {pid for pid, name in processes_of_session(daemon.pid).items() if name.startswith("porter/")}


def reachable(path, test="-r"):
    """Returns whether the user that servers run as can use this path; below a closed home directory it cannot."""
    return subprocess.run(cluster.as_user(["test", test, path]), check=False).returncode == 0


def stage_binaries(directory):
    """Returns paths of parlourd and parlourctl that the user of servers can execute; copies them if it cannot reach
    them."""
    build = os.environ.get("PARLOUR_BUILD", os.getcwd())
    paths = {}
    for name in ("parlourd", "parlourctl"):
        path = os.path.join(os.path.abspath(build), name)
        if not os.access(path, os.X_OK):
            pytest.exit(f"{path} is not there: build first, and set PARLOUR_BUILD to the build directory", 2)
        paths[name] = path if reachable(path, "-x") else shutil.copy(path, directory)
    source = os.environ.get("PARLOUR_SRC", os.path.dirname(os.path.dirname(HERE)))
    for name, below in (("PARLOUR_SQL_DIR", "sql"), ("PARLOUR_WWW_DIR", "src/www"), ("PARLOUR_FORMS_DIR", "etc/forms")):
        path = os.environ.get(name) or os.path.join(source, below)
        if name == "PARLOUR_WWW_DIR" and name not in os.environ:
            path += f":{build}/www:{build}/docs:{source}/docs"
        for number, part in enumerate(parts := [p for p in path.split(":") if os.path.isdir(p)]):
            if not reachable(part):
                parts[number] = shutil.copytree(part, f"{directory}/{os.path.basename(below)}{number}", dirs_exist_ok=True)
        os.environ[name] = ":".join(parts)
    return paths


class Client(httpx.Client):
    """A client whose replies are compared with /openapi.json (described.py)."""

    def send(self, request, *, stream=False, **how):
        answer = super().send(request, stream=stream, **how)
        body = None if stream or request.method == "HEAD" else answer.content
        described.check(request.method, request.url.raw_path.decode("ascii"), answer.status_code, answer.headers, body)
        return answer


class Api:
    """Requests to any running daemon, started by us or given by PARLOUR_TEST_URL."""

    host, port = "127.0.0.1", 0

    def open_http(self):
        self.http = Client(base_url=self.url, **PLAIN)

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    @property
    def addr(self):
        return (self.host, self.port)

    def get(self, path, **how):
        return self.http.get(path, **how)

    def post(self, path, body=None, **how):
        return self.http.post(path, json=body, **how) if body is not None else self.http.post(path, **how)

    def delete(self, path, **how):
        return self.http.delete(path, **how)

    def once(self, method, path, **how):
        """Sends one request on its own connection."""
        with Client(base_url=self.url, **PLAIN) as client:
            return client.request(method, path, **how)

    def ws(self, path="/ws", **how):
        how.setdefault("timeout", 10.0 * SLOW)
        return wire.WS(self.addr, path, host=f"{self.host}:{self.port}", **how)

    def raw(self, data, timeout=10.0):
        status, headers, body = wire.exchange(self.addr, data, timeout * SLOW)
        described.check_raw(data, status, headers, body)
        return status, headers, body

    def register(self, name=None, password="correct horse 9", **extra):
        """Creates a new account; the reply contains its tokens."""
        name = name or "u" + secrets.token_hex(5)
        body = {"username": name, "email": name + "@example.org", "password": password, **extra}
        answer = self.post("/api/auth/register", body)
        assert answer.status_code == 201, answer.text
        return User(self, name, password, answer.json())

    def login(self, name, password="correct horse 9"):
        answer = self.post("/api/auth/login", {"username": name, "password": password})
        assert answer.status_code == 200, answer.text
        return User(self, name, password, answer.json())


class Remote(Api):
    """A daemon that was started elsewhere, for instance under gdb: PARLOUR_TEST_URL."""

    def __init__(self, url):
        parsed = httpx.URL(url)
        self.host, self.port = parsed.host, parsed.port or 80
        self.open_http()

    def __getattr__(self, name):
        if name == "http":
            raise AttributeError(name)
        pytest.skip(f"needs a daemon of its own ({name})")


HELD = []


def free_port():
    """Reserves a TCP port on which nobody listens: the kernel gives it to nobody else, but a listener with SO_REUSEADDR
    can bind it."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    HELD.append(sock)
    return sock.getsockname()[1]


class Daemon(Api):
    """One parlourd in the foreground, in its own session, with its log in a file."""

    def __init__(self, binaries, directory, dsn, key_file, settings, upstreams=None):
        self.binaries, self.dir, self.dsn = binaries, directory, dsn
        os.mkdir(directory, 0o755)
        cluster.give(directory)
        self.config, self.log_path = directory + "/parlour.conf", directory + "/log"
        self.settings = {**DEFAULTS, "db": dsn, "key_file": key_file, "control_socket": directory + "/control",
                         **{k: str(v) for k, v in settings.items()}}
        self.upstreams, self.oidc, self.allowed, self.process = dict(upstreams or {}), {}, [], None
        self.write_config()

    # ---- configuration ----

    def write_config(self, text=None):
        if text is None:
            text = "".join(f"{k} = {v}\n" for k, v in self.settings.items())
            for name, values in self.oidc.items():
                text += f"\n[oidc {name}]\n" + "".join(f"{k} = {v}\n" for k, v in values.items())
            for name, values in self.upstreams.items():
                text += f"\n[llm {name}]\n" + "".join(f"{k} = {v}\n" for k, v in values.items())
        with open(self.config, "w", encoding="utf-8") as conf:
            conf.write(text)
        cluster.give(self.config)

    def configure(self, **changes):
        """Changes the configuration file; the change takes effect at the next reload or start."""
        self.settings.update({k: str(v) for k, v in changes.items()})
        self.write_config()

    # ---- life ----

    def start(self, ready=True, extra=(), wrap=()):
        """Starts the daemon. wrap: a command that runs it, such as unshare(1)."""
        self.offset = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        with open(self.log_path, "ab") as log:
            cluster.give(self.log_path)
            argv = [*wrap, *cluster.as_user([self.binaries["parlourd"], "-f", "-c", self.config, *extra])]
            self.process = subprocess.Popen(argv, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True, env=clean_env())
        self.pid = self.process.pid
        if ready:
            addresses = wait_for(lambda: self.running() and self.listening(), 20, "the log names the address")
            self.host, _, port = addresses[0].rpartition(":")
            self.port = int(port)
            wait_for(lambda: self.running() and self.is_ready(), 20, "/readyz is 200")
            self.open_http()
        return self

    def is_ready(self):
        return httpx.get(self.url + "/readyz", **PLAIN).status_code == 200

    def settled(self, timeout=10.0):
        """Waits until so many new connections in a row were ready that every worker was probably reached."""
        count = 12 * int(self.settings["workers"])
        wait_for(lambda: all(self.once("GET", "/readyz").status_code == 200 for _ in range(count)), timeout, "all workers are ready")

    def running(self):
        """Returns True, or fails with the content of the log."""
        if self.process.poll() is not None:
            raise AssertionError(f"parlourd exited {self.process.returncode}:\n{self.log_tail()}")
        return True

    def listening(self, side="client"):
        """Returns the TCP addresses in the log of this start, in the order of the settings."""
        lines = [r for r in self.records(self.offset) if r.get("msg") == "listening" and r.get("side") == side]
        return [r["addr"] for r in lines if not r["addr"].startswith("unix:")]

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def send_signal(self, number):
        os.kill(self.pid, number)

    def wait_exit(self, timeout=20.0):
        """Returns the exit status; no process of the session may remain."""
        status = self.process.wait(timeout * SLOW)
        wait_for(lambda: not processes_of_session(self.pid), 15, f"no process is left: {processes_of_session(self.pid)}")
        self.process = None
        return status

    def stop(self, number=signal.SIGTERM, timeout=20.0):
        if self.process is None:
            return 0
        if hasattr(self, "http"):
            self.http.close()
        self.send_signal(number)
        return self.wait_exit(timeout)

    def kill_all(self):
        """Sends kill -9 to all processes at once, like a power failure."""
        self.expect_error("the master process has ended")
        for pid in processes_of_session(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)
        wait_for(lambda: not processes_of_session(self.pid), 10, "all are gone")
        self.process = None

    def abandon(self):
        """Ends all processes of this daemon, in whatever state they are."""
        if self.process is not None:
            for pid in processes_of_session(self.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait(10)
            self.process = None

    # ---- its processes ----

    def children(self):
        return {pid for pid in processes_of_session(self.pid) if pid != self.pid}

    def procs(self, kind):
        """Returns the living processes of a kind as {number: pid}, from the log of the master."""
        living, found = self.children(), {}
        for record in self.records(self.offset):
            if record.get("msg") == "process started" and record.get("what") == kind:
                found[int(record["number"])] = int(record["child"])
        return {number: pid for number, pid in found.items() if pid in living}

    def kill_child(self, pid, number=signal.SIGKILL):
        """Sends a signal that ends one process, if it has not ended already; the resulting log line is expected."""
        self.expect_error(rf"child={pid} ")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    def workers(self, count=None, timeout=10.0):
        """Returns the workers as {slot: pid}; waits until there are `count` of them (default: as configured)."""
        count = int(self.settings["workers"]) if count is None else count
        return wait_for(lambda: (w := self.procs("worker")) and len(w) == count and w, timeout, f"{count} workers")

    @contextlib.contextmanager
    def stopped(self, *pids):
        """Stops these processes (SIGSTOP) inside the block."""
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def only_worker(self, slot):
        """Makes new connections reach only this worker inside the block. Needs a long watchdog."""
        return self.stopped(*[pid for other, pid in self.workers().items() if other != slot])

    # ---- its log ----

    def log_text(self, offset=0):
        if not os.path.exists(self.log_path):
            return ""
        with open(self.log_path, "rb") as log:
            log.seek(offset)
            return log.read().decode("utf-8", "replace")

    def log_tail(self):
        return "\n".join(self.log_text().splitlines()[-40:])

    def log_size(self):
        return os.path.getsize(self.log_path)

    def records(self, offset=0):
        return [parse_line(line) for line in self.log_text(offset).splitlines() if "=" in line]

    def wait_log(self, pattern, offset=0, timeout=10.0):
        """Returns the first line that matches, as a dict."""
        find = re.compile(pattern)
        line = wait_for(lambda: next((t for t in self.log_text(offset).splitlines() if find.search(t)), None),
                        timeout, f"a log line like {pattern}")
        return parse_line(line)

    def expect_error(self, pattern):
        """Declares that lines of level error that match are part of this test."""
        self.allowed.append(re.compile(pattern))

    def bad_lines(self):
        """Returns lines that the log must not contain: unexpected errors and reports of sanitizers."""
        bad = []
        for line in self.log_text().splitlines():
            if "AddressSanitizer" in line or "runtime error:" in line or "LeakSanitizer" in line:
                bad.append(line)
            elif parse_line(line).get("level") == "error" and not any(p.search(line) for p in self.allowed):
                bad.append(line)
        return bad

    # ---- its operator's tool ----

    def ctl(self, *args, check=True):
        done = subprocess.run(cluster.as_user([self.binaries["parlourctl"], "-c", self.config, *args]), cwd="/",
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30 * SLOW,
                              env=clean_env(), check=False)
        if check:
            assert done.returncode == 0, f"parlourctl {args}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def metric(self, name, **labels):
        """Returns the sum of the samples of a metric that have these labels."""
        wanted, total = {f'{key}="{value}"' for key, value in labels.items()}, 0.0
        for line in self.ctl("metrics").stdout.splitlines():
            found = re.fullmatch(name + r"(?:\{(.*)\})? (\S+)", line)
            if found and wanted <= set((found[1] or "").split(",")):
                total += float(found[2])
        return total

    def reload(self, good=True):
        """Sends HUP and waits until the master has logged the result."""
        mark = self.log_size()
        self.send_signal(signal.SIGHUP)
        return self.wait_log(r'msg="?reloaded' if good else r'msg="reload refused', mark)


class User:
    """One account: names, ids, and the newest pair of tokens."""

    def __init__(self, api, name, password, tokens):
        self.api, self.name, self.password = api, name, password
        self.take(tokens)

    def take(self, tokens):
        self.tokens, self.access, self.refresh = tokens, tokens["access_token"], tokens["refresh_token"]
        self.id = int(claims(self.access)["sub"])
        self.login_session = claims(self.access)["sid"]

    @property
    def auth(self):
        return {"Authorization": "Bearer " + self.access}

    def request(self, method, path, body=None, headers=None, **how):
        headers = {**self.auth, **(headers or {})}
        if body is not None:
            how["json"] = body
        return self.api.http.request(method, path, headers=headers, **how)

    def get(self, path, **how):
        return self.request("GET", path, **how)

    def post(self, path, body=None, **how):
        return self.request("POST", path, body, **how)

    def put(self, path, body=None, **how):
        return self.request("PUT", path, body, **how)

    def patch(self, path, body=None, **how):
        return self.request("PATCH", path, body, **how)

    def delete(self, path, **how):
        return self.request("DELETE", path, **how)

    def ws(self, path="/ws", native=True, **how):
        """Opens an authenticated socket; on a native socket, ws.authed is its `authed` frame."""
        how.setdefault("protocols", ("parlour.v1",) if native else ())
        sock = self.api.ws(path, token=self.access, **how)
        sock.authed = sock.expect("authed") if native else None
        return sock

    def room(self, name=None, visibility="public", **fields):
        answer = self.post("/api/rooms", {"name": name or "r" + secrets.token_hex(4), "visibility": visibility, **fields})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def say(self, room, content, client_id=None, **fields):
        body = {"content": content, **({"client_id": client_id} if client_id else {}), **fields}
        return self.post(f"/api/rooms/{room}/messages", body)

    def role(self, name=None, **fields):
        body = {"name": name or "Role" + secrets.token_hex(4), "instructions": "Answer briefly.", **fields}
        answer = self.post("/api/roles", body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def refresh_now(self):
        return self.api.post("/api/auth/refresh", {"refresh_token": self.refresh})


class Peer:
    """A fake provider as a process; the first line of its output is its port."""

    def __init__(self, *args):
        self.process = subprocess.Popen([sys.executable, HERE + "/provider_peer.py", *args], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, text=True, start_new_session=True)
        line = self.process.stdout.readline()
        assert line, "provider_peer.py did not start"
        self.port = int(re.search(r"\d+", line).group())
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()


def clean_env():
    """Returns the environment without API keys and database variables."""
    drop = re.compile(r"_API_KEY$|^PG[A-Z]+$")
    return {k: v for k, v in os.environ.items() if not drop.search(k)}
