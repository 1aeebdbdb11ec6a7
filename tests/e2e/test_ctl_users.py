# SPDX-License-Identifier: ISC
"""parlourctl user, and login sessions that end in the database: every worker applies both at once."""

import contextlib
import os
import pty
import re
import secrets
import select
import signal
import subprocess
import termios

import pytest

import cluster
from parlour import SLOW, clean_env

PASSWORD = "correct horse 9"


@pytest.fixture
def daemon(parlour):
    return parlour(workers=2, rate_login="1000/min", watchdog="10min")


@pytest.fixture
def user(daemon):
    """user(words ...) runs parlourctl user and returns its output; status: the expected exit status."""
    def run(*words, status=0):
        done = daemon.ctl("user", *words, check=False)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


@pytest.fixture
def password_file(daemon):
    path = daemon.config + ".password"

    def write(text):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o644)
        return f"--password-file={path}"

    return write


def sign_in(daemon, name, password=PASSWORD):
    return daemon.post("/api/auth/login", {"username": name, "password": password})


def status_of(daemon, slot, account):
    with daemon.only_worker(slot):
        return daemon.once("GET", "/api/auth/me", headers=account.auth).status_code


# ---- accounts ----

def test_the_first_admin(daemon, user, password_file, rows):
    name = "Ann" + secrets.token_hex(4)
    said = user("add", name, "--email", f"{name}@example.org", "--name", " Ann  Able", "--access", "admin",
                password_file(PASSWORD + "\n"))
    assert name in said and "admin" in said and PASSWORD not in said
    got = sign_in(daemon, f"{name}@example.org").json()["user"]
    assert (got["username"], got["email"], got["name"], got["access"]) == (name, f"{name}@example.org", "Ann  Able", "admin")
    assert got["email_verified"] is True, "by the operator's word"
    assert rows(f"SELECT actor_id, action FROM audit WHERE target = 'user:{got['id']}'") == [
        (0, "account created"), (got["id"], "login")]


def test_a_password_is_made_where_nobody_can_be_asked(daemon, user):
    made = re.search(r"^password: (\S{20})$", user("add", "bob1"), re.M).group(1)
    assert sign_in(daemon, "bob1", made).status_code == 200
    again = re.search(r"^password: (\S{20})$", user("passwd", "bob1"), re.M).group(1)
    assert again != made and [sign_in(daemon, "bob1", p).status_code for p in (made, again)] == [401, 200]


@pytest.mark.parametrize("typed, status, works", [
    ((PASSWORD, PASSWORD), 0, PASSWORD), (("one password", "another one"), 66, None), (("",), 0, None), (("short", "short"), 65, None)])
def test_a_password_is_asked_for_at_the_terminal(daemon, typed, status, works):
    """parlourctl asks for the password twice and does not show it."""
    name = "cyd" + secrets.token_hex(4)
    words = cluster.as_user([daemon.binaries["parlourctl"], "-c", daemon.config, "user", "add", name])
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir("/")
        os.execvpe(words[0], words, clean_env())
    shown, left = b"", list(zip((b"New password", b"Repeat the password"), typed))
    with contextlib.suppress(OSError):		# EIO: it has ended
        while select.select([fd], [], [], 20 * SLOW)[0]:
            shown += os.read(fd, 1000)
            if left and left[0][0] in shown:
                os.write(fd, left.pop(0)[1].encode() + b"\n")
    os.close(fd)				# hangs up the terminal if the child still waits
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == status, shown
    assert not any(line and line.encode() in shown for line in typed), shown
    if works:
        assert sign_in(daemon, name, works).status_code == 200
    elif status == 0:
        made = re.search(rb"password: (\S{20})", shown).group(1).decode()
        assert sign_in(daemon, name, made).status_code == 200


def test_an_interrupted_question_leaves_the_echo_on(daemon):
    words = cluster.as_user([daemon.binaries["parlourctl"], "-c", daemon.config, "user", "add", "dora"])
    pid, fd = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)		# the parent of the test suite may ignore the signal
        os.chdir("/")
        os.execvpe(words[0], words, clean_env())
    shown = b""
    while b"New password" not in shown and select.select([fd], [], [], 20 * SLOW)[0]:
        shown += os.read(fd, 1000)
    # the child closes the terminal when it ends
    terminal = os.open(os.readlink(f"/proc/{pid}/fd/0"), os.O_RDWR | os.O_NOCTTY)
    assert not termios.tcgetattr(terminal)[3] & termios.ECHO
    os.write(fd, b"half a pass\x03")
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        if select.select([fd], [], [], 0.1)[0]:		# waits until the child has read the input
            os.read(fd, 1000)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGINT
    assert termios.tcgetattr(terminal)[3] & termios.ECHO
    os.close(terminal)
    os.close(fd)


BAD = [(("add",), 64, "add NAME"), (("add", "a b"), 65, "A name must have"), (("add", "admin2", "--access", "king"), 64, "LEVEL"),
       (("add", "dora", "--email", "nobody"), 65, "--email"), (("add", "dora", "--email", "d\u200b@example.org"), 65, "--email"),
       (("add", "dora", "--name", "\u200b"), 65, "--name"), (("access", "dora", "king"), 64, "LEVEL"), (("show", "dora"), 65, "no account dora"),
       (("access", "dora", "admin"), 65, "no account dora"), (("disable", "dora"), 65, "no account"), (("logout", "dora"), 65, "no account"),
       (("list", "--access", "user"), 64, "list [TEXT]"), (("bogus",), 64, "add NAME"), ((), 64, "add NAME"),
       (("passwd", "dora"), 65, "no account dora"), (("show", "dora", "--password-file", "x"), 64, "show USER")]


@pytest.mark.parametrize("words, status, text", BAD, ids=[" ".join(words) or "nothing" for words, _, _ in BAD])
def test_what_is_refused(user, words, status, text, rows):
    assert text in user(*words, status=status)
    assert rows("SELECT count(*) FROM users WHERE username IN ('dora', 'admin2')") == [(0,)]


@pytest.mark.parametrize("text, why", [("short\n", "at least 8 bytes"), ("", "must be a password"), ("x" * 1025, "must be a password"), (None, "cannot read")])
def test_passwords_that_are_refused(user, password_file, text, why):
    option = password_file(text) if text is not None else "--password-file=/nonexistent"
    said = user("add", "dora", option, status=65 if "bytes" in why and text else 66)
    assert why in said and (not text or text.strip() not in said)


def test_names_and_addresses_are_taken_once(daemon, user, password_file, rows):
    ann = daemon.register()
    rows(f"UPDATE users SET email_verified_at = now() WHERE id = {ann.id}")
    assert "already" in user("add", ann.name.upper(), password_file(PASSWORD), status=65)
    assert "address" in user("add", "dora", "--email", f"{ann.name}@Example.org", password_file(PASSWORD), status=65)


def test_list_and_show(daemon, user):
    ann, bob = daemon.register("annabel"), daemon.register("bobby")
    listed = user("list")
    assert listed.index("annabel") < listed.index("bobby") and "bobby@example.org" in listed and "STATE" in listed
    assert "bobby" not in user("list", "NABE") and user("list", "nobody-has-this") == ""
    shown = user("show", "ANNABEL@example.org")
    for word in ("annabel", "active", "logins", str(ann.id)):
        assert word in shown
    assert "argon2" not in shown and "$" not in shown and str(bob.id) not in shown.split()


# ---- what ends login sessions ----

ENDERS = {
    "disable": lambda user, rows, one: user("disable", one.name),
    "access": lambda user, rows, one: user("access", one.name, "analyst"),
    "logout": lambda user, rows, one: user("logout", f"{one.name}@example.org"),
    "passwd": lambda user, rows, one: user("passwd", one.name),
    "psql: a login session": lambda user, rows, one: rows(
        f"UPDATE login_sessions SET ended_at = now(), end_reason = 'by hand' WHERE user_id = {one.id}"),
    "psql: disabled": lambda user, rows, one: rows(f"UPDATE users SET disabled = true WHERE id = {one.id}"),
    "psql: access": lambda user, rows, one: rows(f"UPDATE users SET access = 'operator' WHERE id = {one.id}"),
}


@pytest.mark.parametrize("how", ENDERS)
def test_it_counts_at_once_in_every_worker(daemon, user, rows, how):
    """Sockets close with 4410 in less than a second, tokens are refused, and other accounts are not affected."""
    one, other = daemon.register(), daemon.register()
    sockets = []
    for slot in (0, 1):
        with daemon.only_worker(slot):
            sockets.append(one.ws())
    with other.ws() as bystander:
        ENDERS[how](user, rows, one)
        assert [sock.wait_closed() for sock in sockets] == [4410, 4410]
        assert [status_of(daemon, slot, one) for slot in (0, 1)] == [401, 401]
        assert one.refresh_now().status_code == 401
        bystander.send("ping")
        bystander.expect("pong")
    assert sign_in(daemon, one.name).status_code == (401 if "disable" in how or how == "passwd" else 200)


def test_many_end_in_one_statement(parlour, rows):
    """More login sessions end than their table holds, with more events than a ring holds: the sockets close, and the
    log stays short."""
    daemon = parlour(workers=2, ring_size=262144, watchdog="10min")
    one, other = daemon.register(), daemon.register()
    sockets = []
    for slot in (0, 1):
        with daemon.only_worker(slot):
            sockets.append(one.ws())
    rows("INSERT INTO login_sessions (user_id, expires_at) "
         f"SELECT {one.id}, now() + interval '1 day' FROM generate_series(1, 80000)")
    mark = daemon.log_size()
    rows(f"UPDATE users SET disabled = true WHERE id = {one.id}")
    assert [sock.wait_closed() for sock in sockets] == [4410, 4410]
    assert daemon.wait_log("ended in the database", mark, 60)["count"] == "80001"
    assert [status_of(daemon, slot, one) for slot in (0, 1)] == [401, 401]
    assert other.get("/api/auth/me").status_code == 200
    assert daemon.log_text(mark).count("revocation table full") == 1


def test_a_single_process_looks_by_itself(parlour, rows):
    """With parlourd -1, only the connection of the courier listens for notifications."""
    one = parlour(workers=1, extra=("-1",)).register()
    with one.ws() as sock:
        rows(f"UPDATE users SET disabled = true WHERE id = {one.id}")
        assert sock.wait_closed() == 4410
    assert one.get("/api/auth/me").status_code == 401


def test_what_ended_while_the_clerk_was_away(daemon, rows):
    one = daemon.register()
    old, = daemon.procs("clerk").values()
    sock = one.ws()
    daemon.kill_child(old)
    rows(f"UPDATE users SET disabled = true WHERE id = {one.id}")
    assert sock.wait_closed() == 4410
    assert one.get("/api/auth/me").status_code == 401


def test_enable(daemon, user):
    one = daemon.register()
    assert "disabled; 1 login session ended" in user("disable", one.name)
    assert sign_in(daemon, one.name).status_code == 401
    user("enable", one.name)
    assert sign_in(daemon, one.name).status_code == 200


def test_the_last_admin_stays(daemon, user, password_file, rows):
    option = password_file(PASSWORD)
    rows("UPDATE users SET access = 'user'")
    user("add", "ann", "--access", "admin", option)
    for words in (("access", "ann", "user"), ("disable", "ann")):
        assert "last admin" in user(*words, status=65)
    user("add", "bob", "--access", "admin", option)
    user("disable", "ann")
    assert "last admin" in user("access", "bob", "operator", status=65)
    user("enable", "ann")
    user("access", "bob", "operator")
    assert sign_in(daemon, "bob").json()["user"]["access"] == "operator"


# ---- without its settings ----

def test_a_configuration_with_an_error(daemon, password_file, user):
    """With --dsn, an error in the configuration also counts: its settings may forbid the password, and determine what
    happens to messages."""
    name, file = "u" + secrets.token_hex(5), password_file(PASSWORD + "\n")
    user("add", name, file)
    bad = daemon.config + ".bad"
    with open(daemon.config, encoding="utf-8") as good, open(bad, "w", encoding="utf-8") as out:
        out.write("nonsense = 1\n" + good.read())
    os.chmod(bad, 0o644)

    def run(config, *words):
        done = subprocess.run(cluster.as_user([daemon.binaries["parlourctl"], "-c", config, "user", *words, "--dsn", daemon.dsn]),
                              cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30 * SLOW,
                              env=clean_env(), check=False)
        return done.returncode, done.stdout + done.stderr
    for words in (("add", name + "x", file), ("passwd", name, file), ("delete", name)):
        status, text = run(bad, *words)
        assert status == 78 and "nonsense" in text, (words, text)
    assert sign_in(daemon, name).status_code == 200
    assert run(bad, "show", name)[0] == 0, "needs no settings"
    assert run(bad + ".none", "passwd", name, file)[0] == 0, "without a file, defaults apply"
    assert run(bad, "-o", "password_min=x", "passwd", name, file)[0] == 78
