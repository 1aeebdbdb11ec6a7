# SPDX-License-Identifier: ISC
"""Common passwords are refused, and password hashes follow the settings."""

import re

import pytest

import cluster
from parlour import wait_for

COMMON = "Password123\nstra\u00dfe-und-weg\nbattery staple 7\n"
GOOD = "something else 42"


def write_list(daemon, text, name="common.txt"):
    path = f"{daemon.dir}/{name}"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    cluster.give(path)
    return path


@pytest.fixture
def daemon(parlour):
    daemon = parlour(start=False, workers=2, public_url="https://chat.example.org", smtp_url="smtp://127.0.0.1:9", mail_from="a@example.org")
    daemon.configure(password_blocklist=write_list(daemon, COMMON))
    return daemon.start()


def refused(answer, field):
    assert answer.status_code == 422, answer.text
    [one] = answer.json()["detail"]
    return one["loc"] == ["body", field] and "list of common passwords" in one["msg"]


def register(daemon, password, name):
    return daemon.post("/api/auth/register", {"username": name, "password": password, "email": name + "@example.org"})


def admin(daemon, rows):
    user = daemon.register()
    rows(f"UPDATE users SET access = 'admin' WHERE id = {user.id}")
    return daemon.login(user.name)


@pytest.mark.parametrize("password", ["password123", "PASSWORD123", "Stra\u00dfe-und-weg", "STRASSE-UND-WEG", "Battery\u2003Staple 7"])
def test_each_way_to_a_password(daemon, rows, password):
    assert refused(register(daemon, password, daemon.register().name + "x"), "password")
    user = daemon.register()
    assert refused(user.post("/api/auth/password", {"current_password": user.password, "new_password": password}), "new_password")
    assert refused(daemon.post("/api/auth/password/reset/confirm", {"token": "a" * 43, "new_password": password}), "new_password")
    boss = admin(daemon, rows)
    assert refused(boss.post("/api/admin/users", {"username": "x" + user.name, "password": password}), "password")
    given = write_list(daemon, password + "\n", "given.txt")
    for verb in (("add", "y" + user.name, "--email", f"y{user.name}@example.org"), ("passwd", user.name)):
        done = daemon.ctl("user", *verb, "--password-file", given, "--dsn", daemon.dsn, check=False)
        assert done.returncode == 65 and "list of common passwords" in done.stderr, done.stderr
    assert user.post("/api/auth/password", {"current_password": user.password, "new_password": GOOD}).status_code == 204
    assert daemon.login(user.name, GOOD)


def test_the_list_follows_a_reload(daemon):
    """A reload changes the list, also in a worker that starts later. Passwords that are in use stay valid."""
    user = daemon.register(password=GOOD)

    def change():
        return {user.post("/api/auth/password", {"current_password": GOOD, "new_password": GOOD.upper()}).status_code for _ in range(6)}

    assert register(daemon, "password123", "x" + user.name).status_code == 422
    write_list(daemon, GOOD + "\n" + "".join(f"filler {i}\n" for i in range(50000)))
    daemon.ctl("reload")
    wait_for(lambda: change() == {422}, 10, "every worker has the new list")
    assert daemon.login(user.name, GOOD)
    for pid in daemon.workers(2).values():
        daemon.kill_child(pid)
    daemon.workers(2)
    wait_for(daemon.is_ready, 20)
    assert daemon.once("POST", "/api/auth/password", json={"current_password": GOOD, "new_password": GOOD.upper()},
                       headers=user.auth).status_code == 422
    daemon.configure(password_blocklist="")
    daemon.ctl("reload")
    wait_for(lambda: daemon.once("POST", "/api/auth/register", json={
        "username": "z" + user.name, "password": "password123", "email": f"z{user.name}@example.org"}).status_code in (201, 409), 10)


@pytest.mark.parametrize("text, rule", [("", "must be a file of 1 byte"), ("\n", "contains no password"), ("ok\n" + "x" * 2000, "common.txt:2: a line has more than 1024 bytes"),
                                        (None, "No such file")])
def test_lists_with_errors(daemon, text, rule):
    if text is None:
        daemon.configure(password_blocklist="/nonexistent/list")
    else:
        write_list(daemon, text)
    daemon.expect_error("reload refused")
    done = daemon.ctl("reload", check=False)
    assert done.returncode == 1 and re.search(r"parlour\.conf:\d+: password_blocklist: ", done.stderr) and rule in done.stderr, done.stderr
    assert register(daemon, "password123", "n" + daemon.register().name).status_code == 422, "the old list stays"
    checked = daemon.ctl("check", check=False)
    assert checked.returncode == 78 and rule in checked.stderr


def test_a_hash_follows_the_settings_at_the_next_login(parlour, rows):
    daemon = parlour(argon2_memory="8M", argon2_passes="1", workers=1)
    user = daemon.register()

    def cost():
        [[text]] = rows(f"SELECT password_hash FROM users WHERE id = {user.id}")
        return text.split("$")[3]

    assert cost() == "m=8192,t=1,p=1"
    daemon.configure(argon2_memory="9M", argon2_passes="2")
    daemon.ctl("reload")
    assert daemon.post("/api/auth/login", {"username": user.name, "password": "wrong password"}).status_code == 401
    assert cost() == "m=8192,t=1,p=1", "only after the right password"
    wait_for(lambda: daemon.login(user.name) and cost() == "m=9216,t=2,p=1", 10, "the new cost")
    before = rows(f"SELECT password_hash FROM users WHERE id = {user.id}")
    assert daemon.login(user.name) and user.get("/api/auth/me").status_code == 200
    assert rows(f"SELECT password_hash FROM users WHERE id = {user.id}") == before, "once"
