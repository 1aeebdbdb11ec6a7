# SPDX-License-Identifier: ISC
"""The ring of keys that sign tokens and links: rotation under load, twice, and interrupted; keys that are removed."""

import base64
import hmac
import json
import os
import re
import secrets
import signal
import stat
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import cluster
import wire
from parlour import SLOW, clean_env, wait_for
from test_feedback_requests import PUBLIC, URL, ask, slack  # noqa: F401 - a fixture
from totp import first_step, second_step, turn_on

ID = r"[0-9a-f]{16}"


def write_key(path, text=None, mode=0o600):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(text or secrets.token_hex(32) + "\n")
    os.chmod(path, mode)
    cluster.give(path)


@pytest.fixture
def with_key(parlour):
    """A factory of daemons, each with its own key file."""
    def make(start=True, **settings):
        daemon = parlour(start=False, **{"rate_login": "100000/min", "rate_read": "100000/s", "rate_send": "100000/s", **settings})
        daemon.key = daemon.dir + "/token.key"
        write_key(daemon.key)
        daemon.configure(key_file=daemon.key)
        return daemon.start() if start else daemon
    return make


def ids(daemon):
    return re.findall(rf"^({ID}) ", daemon.ctl("token-key", "list").stdout, re.M)


def kid(token):
    head = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]


def rotate(daemon):
    """Adds a key, waits until it signs in every process, and returns its id."""
    mark = daemon.log_size()
    done = daemon.ctl("token-key", "rotate")
    key = re.search(rf"key ({ID}) added", done.stdout)[1]
    assert "the daemon has read the keys" in done.stdout
    assert daemon.wait_log("new tokens are signed with the new key", mark)["key"] == key
    return key


def me(daemon, user):
    return daemon.once("GET", "/api/auth/me", headers=user.auth).status_code


# ---- rotation ----

def test_nobody_is_logged_out_under_load(with_key):
    """While the ring changes three times, tokens are used on all workers, and nobody is logged out."""
    daemon = with_key(workers=4, access_token_life="10min")
    users, problems, stop = [daemon.register() for _ in range(6)], [], threading.Event()
    counts = [0] * len(users)
    sockets = [user.ws() for user in users]

    def work(i):
        user = users[i]
        while not stop.is_set():
            answer = daemon.once("POST", "/api/auth/refresh", json={"refresh_token": user.refresh})
            if answer.status_code != 200:
                problems.append(("refresh", answer.status_code, answer.text))
                return
            user.take(answer.json())
            ticket = daemon.once("POST", "/api/auth/ws-ticket", headers=user.auth)
            if ticket.status_code != 201:
                problems.append(("ticket", ticket.status_code, ticket.text))
                return
            try:
                daemon.ws("/ws?ticket=" + ticket.json()["ticket"]).drop()
            except wire.Refused as why:
                problems.append(("socket", why.status))
            if (status := me(daemon, user)) != 200:
                problems.append(("me", status))
            counts[i] += 1

    with ThreadPoolExecutor(len(users)) as pool:
        running = [pool.submit(work, i) for i in range(len(users))]
        try:
            made = []
            for _ in range(3):
                made.append(rotate(daemon))
                before = list(counts)
                wait_for(lambda then=before: problems or all(n > m + 2 for n, m in zip(counts, then)), 60, "everybody works")
        finally:
            stop.set()
        for each in running:
            each.result()
    assert not problems, problems[:5]
    assert ids(daemon)[:3] == made[::-1] and len(ids(daemon)) == 4
    assert {kid(user.access) for user in users} == {made[-1]}
    for sock, user in zip(sockets, users):
        sock.send("ping")
        assert sock.expect("pong")
        sock.drop()


def test_a_new_key_signs_when_all_can_verify_it(with_key):
    """A worker that has not read the ring yet would refuse the token."""
    daemon = with_key(workers=2, watchdog="10min")
    old = ids(daemon)[0]
    with daemon.only_worker(1):
        daemon.ctl("token-key", "rotate")
        wait_for(lambda: len(ids(daemon)) == 2, 10)
        assert {kid(daemon.register().access) for _ in range(5)} == {old}
        assert "new tokens are signed" not in daemon.log_text()
    wait_for(lambda: kid(daemon.register().access) == ids(daemon)[0], 10, "then it signs")


def test_what_an_old_key_signed_stays_valid(with_key, slack):
    daemon = with_key(workers=2, slack_webhook=slack.url, public_url=PUBLIC, lockout_attempts=0)
    user, second = daemon.register(), daemon.register()
    app, codes = turn_on(second)
    sealed = user.put("/api/provider-keys/openai", {"key": "sk-" + secrets.token_hex(20)})
    assert sealed.status_code in (200, 201), sealed.text
    request = ask(user, None, "slack", options=["yes", "no"]).json()["id"]
    wait_for(lambda: user.get(f"{URL}/{request}").json()["status"] == "sent", 10)
    link = str(slack.posts[0]).split("/r/")[1].split("|")[0]
    old = kid(user.access)
    sock = user.ws()
    first, newest = rotate(daemon), rotate(daemon)
    assert ids(daemon) == [newest, first, old]

    def check():
        assert me(daemon, user) == 200
        assert user.get("/api/provider-keys/openai").json()["readable"] is True
        assert daemon.get(f"/r/{link}").status_code == 200
        assert second_step(daemon, first_step(daemon, second), recovery_code=codes.pop()).status_code == 200

    check()
    assert second_step(daemon, first_step(daemon, second), code=app.code()).status_code == 200
    sock.send("ping")
    assert sock.expect("pong")
    sock.drop()
    assert daemon.stop() == 0
    daemon.start()
    check()
    answer = user.refresh_now()
    assert answer.status_code == 200 and kid(answer.json()["access_token"]) == newest
    assert daemon.http.post(f"/r/{link}", data={"answer": "yes"}).status_code == 200


def test_the_file(with_key):
    """Mode and owner of the file stay, also behind a link; an interrupted rotation leaves no files."""
    daemon = with_key(start=False)
    real = daemon.dir + "/real.key"
    os.rename(daemon.key, real)
    os.symlink(real, daemon.key)
    os.chmod(real, 0o640)
    before = os.stat(real)
    with open(real + ".new", "w", encoding="ascii") as left:
        left.write("half")
    cluster.give(real + ".new")
    done = daemon.ctl("token-key", "rotate")
    assert "is parlourd running?" in done.stdout, "it says when the key takes effect"
    after = os.stat(real)
    assert os.path.islink(daemon.key) and not os.path.exists(real + ".new")
    assert (after.st_uid, after.st_gid, stat.S_IMODE(after.st_mode)) == (before.st_uid, before.st_gid, 0o640)
    with open(real, encoding="ascii") as file:
        lines = file.read().splitlines()
    assert lines[0] == "parlour-keys 1" and [line.split()[0] for line in lines[2:]] == ["key", "key", "seal"]
    shown = daemon.ctl("token-key", "list").stdout
    assert "signs and verifies" in shown and "needed until" in shown
    assert not any(line.split()[-1] in shown for line in lines[2:]), "no secrets"


@pytest.mark.parametrize("words", [(), ("bogus",), ("rotate", "now"), ("list", "all")])
def test_usage(with_key, words):
    done = with_key(start=False).ctl("token-key", *words, check=False)
    assert done.returncode == 64 and "prune [ID]" in done.stderr


def test_two_rotations_at_once(with_key):
    daemon = with_key(start=False)
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda _: daemon.ctl("token-key", "rotate"), range(6)))
    made = {re.search(rf"key ({ID}) added", each.stdout)[1] for each in done}
    assert len(made) == 6 and made < set(ids(daemon)) and len(ids(daemon)) == 7


def test_a_full_ring(with_key):
    daemon = with_key(start=False)
    for _ in range(15):
        daemon.ctl("token-key", "rotate")
    before = ids(daemon)
    refused = daemon.ctl("token-key", "rotate", check=False)
    assert refused.returncode == 65 and "the ring is full" in refused.stderr
    assert ids(daemon) == before and len(before) == 16


def test_killed_while_it_rotates(with_key):
    """After kill -9, the file is the old or the new ring, complete; the next rotation works."""
    daemon = with_key(start=False)
    argv = cluster.as_user([daemon.binaries["parlourctl"], "-c", daemon.config, "token-key", "rotate"])
    changed = 0
    for i in range(60):
        before = ids(daemon)
        if len(before) > 12:
            daemon.ctl("token-key", "prune", *before[1:])
            before = before[:1]
        child = subprocess.Popen(argv, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean_env(),
                                 start_new_session=True)
        time.sleep(i * 0.0005)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        after = ids(daemon)
        assert after[-len(before):] == before and len(after) - len(before) in (0, 1), (before, after)
        changed += len(after) - len(before)
    daemon.ctl("token-key", "rotate")
    daemon.start()
    assert me(daemon, daemon.register()) == 200


def test_the_daemon_is_killed_while_the_ring_changes(with_key):
    daemon = with_key(workers=2)
    user = daemon.register()
    for i in range(4):
        child = subprocess.Popen(cluster.as_user([daemon.binaries["parlourctl"], "-c", daemon.config, "token-key", "rotate"]),
                                 cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean_env())
        time.sleep(0.01 * i)
        daemon.kill_all()
        child.wait()
        daemon.start()
        assert me(daemon, user) == 200
        assert kid(daemon.register().access) == ids(daemon)[0]
        answer = user.refresh_now()
        assert answer.status_code == 200
        user.take(answer.json())


def test_a_worker_that_starts_later_has_the_ring(with_key):
    daemon = with_key(workers=2, watchdog="10min")
    user = daemon.register()
    rotate(daemon)
    for pid in daemon.workers(2).values():
        daemon.expect_error("ended|died|killed")
        daemon.kill_child(pid)
    daemon.workers(2)
    wait_for(lambda: daemon.is_ready(), 20)
    fresh = daemon.register()
    assert kid(fresh.access) == ids(daemon)[0]
    assert {me(daemon, each) for each in (user, fresh) * 8} == {200}


# ---- keys that leave ----

def test_a_removed_key_ends_what_it_signed(with_key):
    daemon = with_key(workers=2)
    user = daemon.register()
    assert {me(daemon, user) for _ in range(8)} == {200}, "workers know the token"
    sock, old = user.ws(), kid(user.access)
    new = rotate(daemon)
    fresh = daemon.login(user.name)
    with fresh.ws() as stays:
        kept = daemon.ctl("token-key", "prune")
        assert "all 2 keys are needed" in kept.stdout
        refused = daemon.ctl("token-key", "prune", new, check=False)
        assert refused.returncode == 65 and "rotate` first" in refused.stderr
        refused = daemon.ctl("token-key", "prune", old, "0123456789abcdef", check=False)
        assert refused.returncode == 65 and "no key 0123456789abcdef" in refused.stderr and ids(daemon) == [new, old]
        done = daemon.ctl("token-key", "prune", old)
        assert f"key {old} removed" in done.stdout and ids(daemon) == [new]
        assert sock.wait_closed() == 4401
        wait_for(lambda: {me(daemon, user) for _ in range(8)} == {401}, 10, "every worker refuses the old token")
        assert user.refresh_now().status_code == 401
        assert {me(daemon, fresh) for _ in range(8)} == {200}
        stays.send("ping")
        assert stays.expect("pong")


def test_a_removed_key_ends_the_tickets_of_its_tokens(with_key):
    """A ticket is signed with the new key, but its token is not, so it ends with the key of the token."""
    daemon = with_key(workers=1, ws_ticket_life="5min")
    user = daemon.register()
    old = kid(user.access)
    rotate(daemon)

    def ticket():
        return user.post("/api/auth/ws-ticket").json()["ticket"]
    sock, unused = daemon.ws("/ws?ticket=" + ticket(), protocols=("parlour.v1",)), ticket()
    assert sock.expect("authed")
    sock.send("ping")
    assert sock.expect("pong")
    daemon.ctl("token-key", "prune", old)
    assert sock.wait_closed() == 4401
    with pytest.raises(wire.Refused) as refused:
        daemon.ws("/ws?ticket=" + unused)
    assert refused.value.status == 401


def test_a_key_that_still_signs_stays(with_key):
    """A key cannot be removed while a worker that has not read the new ring still signs with it."""
    daemon = with_key(workers=2, watchdog="10min")
    old = ids(daemon)[0]
    with daemon.only_worker(1):
        daemon.ctl("token-key", "rotate")
        refused = daemon.ctl("token-key", "prune", old, check=False)
        assert refused.returncode == 65 and f"key {old} still signs" in refused.stderr and len(ids(daemon)) == 2
    wait_for(lambda: daemon.ctl("token-key", "prune", old, check=False).returncode == 0, 20, "then it goes")
    assert len(ids(daemon)) == 1


def test_a_forged_end_counts_no_longer_than_a_life(with_key):
    """Somebody with the key signs a token until 2099: its sockets end as early as those of a regular token."""
    daemon = with_key(workers=1, access_token_life=f"{4 * SLOW:.0f}s")
    user = daemon.register()
    with open(daemon.key, encoding="ascii") as file:
        secret = file.read().strip().encode()
    head, body, _ = user.access.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    text = head + "." + base64.urlsafe_b64encode(json.dumps({**claims, "exp": 4070908800}).encode()).rstrip(b"=").decode()
    mac = base64.urlsafe_b64encode(hmac.digest(secret, text.encode(), "sha256")).rstrip(b"=").decode()
    headers = {"Authorization": f"Bearer {text}.{mac}"}
    answer = daemon.once("POST", "/api/auth/ws-ticket", headers=headers)
    assert answer.status_code == 201, answer.text
    sock = daemon.ws("/ws?ticket=" + answer.json()["ticket"])
    direct = daemon.ws("/ws", token=f"{text}.{mac}")
    assert {sock.wait_closed(), direct.wait_closed()} == {4401}


def test_prune_removes_what_nobody_needs(with_key):
    daemon = with_key(start=False)
    write_key(daemon.key, "parlour-keys 1\n" + "".join(f"key {when} {secrets.token_hex(32)}\n" for when in (
        "2020-03-01T00:00:00Z", "2020-02-01T00:00:00Z", "2020-01-01T00:00:00Z")) + f"seal {secrets.token_hex(32)}\n")
    before = ids(daemon)
    assert len(before) == 3 and daemon.ctl("token-key", "list").stdout.count("not needed since") == 2
    done = daemon.ctl("token-key", "rotate")
    assert [f"key {each} removed" in done.stdout for each in before] == [False, True, True], "the first one signed until now"
    daemon.ctl("token-key", "prune")
    assert ids(daemon)[1:] == before[:1]


# ---- files with errors ----

BAD = [
    ("parlour-keys 1\nkey now 00\n", r"token\.key:2: after `key` comes the time"),
    ("parlour-keys 1\n", r"token\.key: the ring has no line `key`"),
    (f"parlour-keys 1\nkey 2026-01-01T00:00:00Z {'0123456789abcdee' * 4}\n", r"no line `seal`"),
    ("short\n", r"token\.key: the key has 5 bytes"),
]


@pytest.mark.parametrize("text, rule", BAD)
def test_errors_at_start_and_at_reload(with_key, text, rule):
    daemon = with_key()
    user = daemon.register()
    with open(daemon.key, encoding="ascii") as file:
        good = file.read()
    write_key(daemon.key, text)
    daemon.expect_error("reload refused")
    mark = daemon.log_size()
    refused = daemon.ctl("reload", check=False)
    assert refused.returncode == 1 and re.search(r"parlour\.conf:\d+: key_file: .*" + rule, refused.stderr), refused.stderr
    assert re.search(rule, daemon.wait_log("reload refused", mark)["why"])
    assert me(daemon, user) == me(daemon, daemon.register()) == 200, "the old ring stays"
    checked = daemon.ctl("check", check=False)
    assert checked.returncode == 78 and re.search(rule, checked.stderr)
    write_key(daemon.key, good, 0o644)
    refused = daemon.ctl("reload", check=False)
    assert refused.returncode == 1 and "chmod 600" in refused.stderr
    write_key(daemon.key, good)
    daemon.ctl("reload")


def test_seal_keys_of_both_files(with_key):
    """Values encrypted with the key of the ring stay readable when seal_keys is set later."""
    daemon = with_key()
    user = daemon.register()
    user.put("/api/provider-keys/openai", {"key": "sk-" + secrets.token_hex(20)})
    rotate(daemon)
    other = daemon.dir + "/seal.keys"
    write_key(other)
    daemon.configure(seal_keys=other)
    told = daemon.ctl("reload")
    assert "seal_keys needs a restart" in told.stdout
    assert daemon.stop() == 0
    daemon.start()
    assert user.get("/api/provider-keys/openai").json()["readable"] is True
    rotate(daemon)
    assert user.get("/api/provider-keys/openai").json()["readable"] is True
