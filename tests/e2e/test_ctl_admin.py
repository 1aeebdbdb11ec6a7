# SPDX-License-Identifier: ISC
"""parlourctl audit, limits, and login: what operators do on the server, beside /api/admin/."""

import csv
import io
import re
import socket

import pytest

from parlour import wait_for
from test_admin_users import at_level
from test_people import word

HERE = {"X-Forwarded-For": "192.0.2.7"}


@pytest.fixture(name="daemon", scope="module")
def fixture_daemon(shared):
    return shared


@pytest.fixture(name="ctl")
def fixture_ctl(daemon):
    """ctl(words ...) -> what parlourctl prints; status: what it must end with."""
    def run(*words, status=0):
        done = daemon.ctl(*words, check=False)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def table(text):
    """The lines of a table as lists of cells; cells never contain two blanks."""
    return [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()[1:] if not line.startswith("(")]


def column(text, name):
    heads = re.split(r"\s{2,}", text.splitlines()[0].strip())
    return [row[heads.index(name)] for row in table(text)]


# ---- audit ----

def test_the_audit_of_a_user(daemon, ctl, rows):
    """What the user did, and what was done to the user."""
    user = daemon.register(word())
    ctl("user", "disable", user.name)
    text = ctl("audit", "--user", user.name.upper())
    assert text.startswith("TIME (UTC)") and column(text, "ACT") == ["login ended", "account disabled", "login", "account created"][-len(table(text)):]
    assert column(text, "ACTOR")[1:] == ["system", user.name, user.name]
    assert column(text, "SUBJECT")[1] == f"user:{user.id} ({user.name})" and column(text, "ADDRESS")[1].startswith("parlourctl:")
    assert '{"disabled": false} -> {"disabled": true}' in text
    assert ctl("audit", "--user", str(user.id)) == text == ctl("audit", "--user", f"{user.name}@example.org")
    assert column(ctl("audit", "--user", user.name, "--action", "account disabled"), "ACT") == ["account disabled"]
    one = ctl("audit", "--user", user.name, "--limit", "1")
    assert table(one) == table(text)[:1] and "there are more entries" in one
    assert rows(f"SELECT count(*) FROM audit WHERE target = 'user:{user.id}'") == [(len(table(text)),)], "reading adds nothing"


def test_times_of_the_audit(daemon, ctl, rows):
    user = daemon.register(word())
    rows(f"INSERT INTO audit (actor_id, action, target, created_at) VALUES ({user.id}, 'login', 'user:{user.id}', '2001-02-03 04:05:06.789Z'), "
         f"({user.id}, 'login', 'user:{user.id}', clock_timestamp() - interval '3 days')")
    count = lambda *words: len(table(ctl("audit", "--user", user.name, "--action", "login", *words)))  # noqa: E731
    assert [count(*words) for words in ((), ("--since", "2h"), ("--since", "4d"), ("--until", "2d"), ("--until", "2001-02-04"),
                                        ("--since", "2001-02-03", "--until", "2001-02-03T04:05:07Z"), ("--since", "2001-02-03T04:05:07Z"),
                                        ("--until", "2001-02-03 04:05:06.789"))] == [3, 1, 2, 2, 1, 1, 2, 0]
    assert ctl("audit", "--user", user.name, "--until", "2001-01-01") == ""


def test_the_audit_as_csv(daemon, ctl, rows):
    """The same as the route gives, also in front of a spreadsheet."""
    boss, user = at_level(daemon, rows, "operator"), daemon.register(word())
    rows("INSERT INTO audit (actor_id, action, target, address, request_id, after) VALUES "
         f"""({user.id}, 'login', 'user:{user.id}', '=cmd|x', '+1"1', '{{"a": "b,c"}}')""")
    text = ctl("audit", "--csv", "--action", "login", "--user", user.name)
    want = boss.get(f"/api/admin/audit?subject=user:{user.id}&act=login&format=csv").text
    assert list(csv.reader(io.StringIO(text))) == list(csv.reader(io.StringIO(want))) and "'=cmd|x" in text
    shown = ctl("audit", "--user", user.name)
    assert "=cmd|x" in shown
    rows(f"INSERT INTO audit (actor_id, action, target, request_id, address) VALUES ({user.id}, 'login', 'user:{user.id}', 'r', E'a\\tb\\nc\\x1b[31m')")
    assert "a?b?c?[31m" in ctl("audit", "--user", user.name), "nothing reaches the terminal that moves its cursor"


# ---- login sessions ----

def test_login_sessions(daemon, ctl):
    user = daemon.register(word())
    other = daemon.login(user.name)
    key = user.post("/api/keys", {"name": "report", "scopes": ["read"]}).json()
    assert daemon.post("/api/auth/login", {"username": user.name, "password": user.password}, headers=HERE).status_code == 200
    text = ctl("login", "list", user.name)
    assert column(text, "KIND") == ["login", "key", "login", "login"] and set(column(text, "USER")) == {user.name}
    assert column(text, "ADDRESS")[0] == "192.0.2.7" and column(text, "NAME")[1] == "report" and column(text, "EXPIRES (UTC)")[1] == "never"
    for address in ("192.0.2.7", "192.0.2.0/24"):
        assert table(ctl("login", "list", str(user.id), "--address", address)) == table(text)[:1]
    one = column(text, "NUMBER")[2]
    with other.ws() as sock:
        assert f"login session {one} of {user.name} ended" in ctl("login", "end", one)
        assert sock.wait_closed() == 4410
    wait_for(lambda: other.get("/api/auth/me").status_code == 401, 5)
    assert user.get("/api/auth/me").status_code == 200, "only that one"
    assert one not in column(ctl("login", "list", user.name), "NUMBER")
    assert "(operator)" in ctl("login", "list", user.name, "--state", "ended")
    assert len(table(ctl("login", "list", user.name, "--state", "all"))) == 4
    limited = ctl("login", "list", user.name, "--limit", "2")
    assert len(table(limited)) == 2 and "there are more" in limited
    bearer = {"Authorization": f"Bearer {key['key']}"}
    assert daemon.get("/api/auth/me", headers=bearer).status_code == 200
    ctl("login", "end", str(key["id"]))
    wait_for(lambda: daemon.get("/api/auth/me", headers=bearer).status_code == 401, 5)
    assert "no active login session" in ctl("login", "end", one, status=65)


# ---- limits ----

def test_lock_outs_and_rates(parlour, rows):
    daemon = parlour(rate_login="100/h", rate_send="30/h", rate_key="9/h", lockout_attempts=2, lockout_time="1h", workers=2)
    user = daemon.register()
    key = user.post("/api/keys", {"name": "k", "scopes": ["read"], "rate": "2/h"}).json()
    limits = lambda *words: daemon.ctl("limits", *words).stdout  # noqa: E731
    assert limits("show") == "" or "lock-out" not in limits("show")
    for _ in range(2):
        before = rows(f"SELECT failures, locked_until FROM login_locks WHERE user_id = {user.id}")
        assert daemon.post("/api/auth/login", {"username": user.name, "password": "wrong password"}, headers=HERE).status_code == 401
        wait_for(lambda: rows(f"SELECT failures, locked_until FROM login_locks WHERE user_id = {user.id}") != before)  # pylint: disable=cell-var-from-loop
    room = user.post("/api/rooms", {"name": word()}).json()["id"]
    for _ in range(3):
        assert user.post(f"/api/rooms/{room}/messages", {"content": "hello"}).status_code == 201
    use = lambda: daemon.get("/api/rooms", headers={"Authorization": f"Bearer {key['key']}"}).status_code  # noqa: E731
    assert [use(), use(), use()] == [200, 200, 429]
    text = limits("show", user.name.upper())
    found = {(kind, klass): rest for kind, klass, *rest in table(text)}
    assert found[("lock-out", "-")][:3] == [user.name, "-", "192.0.2.0/24"]
    assert found[("rate", "send")][:5] == [user.name, "-", "-", "30 per 1 hour", "27"]
    assert found[("rate", "key")][1:5] == [str(key["id"]), "-", "2 per 1 hour", "0"]
    assert {row[0] for row in table(limits("show"))} >= {"lock-out"}
    login = [row for row in table(limits("show", "192.0.2.7")) if row[1] == "login"]
    assert login and login[0][4:7] == ["192.0.2.7", "100 per 1 hour", login[0][6]]
    assert daemon.post("/api/auth/login", {"username": user.name, "password": user.password}).status_code == 200, "another network"
    assert re.fullmatch(rf"{user.name}: 1 lock-out ended, ([2-9]) rate limits reset\n", limits("reset", user.name))
    assert use() == 200 and daemon.post("/api/auth/login", {"username": user.name, "password": user.password}, headers=HERE).status_code == 200
    assert not [row for row in table(limits("show", user.name)) if row[0] == "lock-out" or row[1] == "send"]
    assert re.fullmatch(r"192\.0\.2\.7: 0 lock-outs ended, [1-6] rate limits? reset\n", limits("reset", "192.0.2.7"))
    assert limits("reset", "192.0.2.7") == "192.0.2.7: 0 lock-outs ended, 0 rate limits reset\n"
    assert rows("SELECT target, count(*) FROM audit WHERE action = 'limits reset' AND actor_id = 0 GROUP BY 1 ORDER BY 1") == [
        ("address:192.0.2.7", 2), (f"user:{user.id}", 1)]
    daemon.stop()
    for words in (("show", user.name), ("reset", user.name)):
        done = daemon.ctl("limits", *words, check=False)
        assert done.returncode == 1 and "no daemon listens on" in done.stderr and "rate limits" in done.stderr, done.stderr


# ---- what is refused ----

BAD = [(("audit", "all"), 64, "audit takes"), (("audit", "--since", "soon"), 64, "--since takes an age such as 2h"),
       (("audit", "--until", "12"), 64, "--until takes"), (("audit", "--limit", "0"), 64, "--limit takes a number from 1"),
       (("audit", "--user", "no.such.user"), 65, "there is no account no.such.user"), (("audit", "--bogus"), 64, "usage"),
       (("login",), 64, "login takes"), (("login", "end"), 64, "end NUMBER"), (("login", "end", "x"), 64, "end NUMBER"),
       (("login", "list", "no.such.user"), 65, "there is no account"), (("login", "list", "--state", "x"), 64, "active | ended | all"),
       (("login", "end", "987654321"), 65, "'parlourctl login list' shows them"), (("limits",), 64, "limits takes"),
       (("limits", "reset"), 64, "reset USER | ADDRESS"), (("limits", "reset", "192.0.2.0/24"), 64, "not a network"),
       (("limits", "show", "no.such.user"), 65, "neither an account nor an address")]


@pytest.mark.parametrize("words, status, text", BAD, ids=[" ".join(words) for words, _, _ in BAD])
def test_what_is_refused(ctl, words, status, text):
    assert text in ctl(*words, status=status)


@pytest.mark.parametrize("verb, text", [("audit", "--since TIME"), ("login", "end NUMBER"), ("limits", "reset USER")])
def test_help_of_a_verb(ctl, verb, text):
    assert text in ctl(verb, "--help") and ctl("help", verb) == ctl(verb, "--help")


def test_rates_are_asked_for_with_a_known_class(daemon):
    """The control socket is an interface: wrong words get an error."""
    path = next(row["control_socket"] for row in [dict(line.split(" = ", 1) for line in open(daemon.config, encoding="utf-8").read().splitlines()
                                                       if line.startswith("control_socket = "))])
    for words in ("rate bogus - - - -", "rate", "rate send 1", "rate send x - - -", "rate-reset none 1 - - -", "rate key 1 1 - off"):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
            sock.sendall(words.encode() + b"\n")
            assert sock.recv(1000).startswith(b"error rate"), words
