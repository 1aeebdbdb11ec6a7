# SPDX-License-Identifier: ISC
"""Access to objects of others: ids, pages of other origins, guessed passwords, leaks, and rooms under attack."""

import contextlib
import json
import os
import re
import secrets
import signal
import threading
import uuid

import pytest

import wire
from cases_input import socket_paths
from parlour import processes_of_session, wait_for
from quick import Quick

FORGED = ["\nlevel=error msg=forged", "\r\nlevel=error msg=forged\r\n", "\x1b[2J\x1b[31mforged", "x\" level=error msg=\"forged", "\\nlevel=error msg=forged", "\x9b31mforged",
          "a\x85level=error msg=forged", "\u2028level=error msg=forged", "\x7f\x08\x08forged", "level=error msg=forged", "=", "\"", "\\", "%s%n%x", "x" * 9000]


def without_id(frame):
    return {k: v for k, v in frame.items() if k not in ("request_id", "id")}


# ---- ids of others ----

def test_answers_of_others(shared, ann, bob):
    """A generation in a hidden room gets the reply for an unknown one, over REST and on sockets."""
    role = ann.role(upstream="local")
    room = ann.room(visibility="private", role_ids=[role["id"]])["id"]
    ann.say(room, "a secret question")
    answer = wait_for(lambda: [m for m in ann.get(f"/api/rooms/{room}/messages").json() if m.get("generation_id")], 20)[0]
    real, absent = answer["generation_id"], str(uuid.uuid4())
    for method, path in (("GET", "/api/generations/{}"), ("POST", "/api/generations/{}/cancel")):
        there, nowhere = bob.request(method, path.format(real)), bob.request(method, path.format(absent))
        assert there.status_code == nowhere.status_code == 404
        assert without_id(there.json()) == without_id(nowhere.json()) and sorted(there.headers) == sorted(nowhere.headers)
    for odd in (real.upper(), real.replace("-", ""), real[:-1], real + "0", "{" + real + "}", real[:8], "urn:uuid:" + real, real + "%00", real + "%0a"):
        assert bob.get(f"/api/generations/{odd}").status_code in (400, 404), odd
    with bob.ws() as sock:
        seen = []
        for ident in (real, absent):
            sock.send("stop", generation_id=ident, id=ident)
            seen.append(without_id(sock.expect("error", id=ident)))
        assert seen[0] == seen[1] and seen[0]["code"] == "not_found"
    assert ann.get(f"/api/generations/{real}").json()["state"] == "done"


def test_frames_for_rooms_of_others(ann, bob):
    """Each frame that names a topic gets the same reply for a private room and an unknown one, and has no effect."""
    room = ann.room(visibility="private")["id"]
    ann.say(room, "secret")
    frames = [("subscribe", {}), ("subscribe", {"since": 0}), ("subscribe", {"since": 0, "epoch": 1}), ("send", {"content": "x"}), ("send", {"content": "x", "client_id": "c"}),
              ("send", {"content": "x", "reply_to": 1}), ("typing", {}), ("read", {"seq": 1}), ("unsubscribe", {})]
    with bob.ws() as sock, ann.ws() as owner:
        owner.send("subscribe", topic=f"room:{room}")
        owner.expect("subscribed")
        for kind, fields in frames:
            seen = []
            for number in (room, 987654321):
                sock.send(kind, topic=f"room:{number}", id="q", **fields)
                frame = sock.expect("error", "unsubscribed", id="q")
                seen.append(json.dumps(without_id(frame)).replace(str(number), "N"))
                assert "secret" not in seen[-1]
            assert seen[0] == seen[1], kind
        sock.ping_pong()
        assert not sock.inbox
        owner.ping_pong()
        assert not [f for f in owner.inbox if f["type"] in ("message", "typing", "read", "joined") or bob.id in f.get("users", ())]
    assert ann.get(f"/api/rooms/{room}").json()["last_seq"] == 2 and bob.get(f"/api/rooms/{room}").status_code == 404


def test_sockets_of_rooms_of_others(ann, bob):
    """The handshake and the close of /ws/chat/{room} are the same for a private room and an unknown one."""
    private, seen = ann.room(visibility="private")["id"], []
    for number in (private, 987654321):
        try:
            with bob.ws(f"/ws/chat/{number}", native=False) as sock:
                sock.send_text('{"message":"let me in"}')
                seen.append((sock.wait_closed(), [without_id(f) for f in sock.inbox]))
        except wire.Refused as why:
            seen.append((why.status, without_id(json.loads(why.body))))
    assert seen[0] == seen[1] and seen[0][0] in (404, 4404)
    assert ann.get(f"/api/rooms/{private}").json()["last_seq"] == 1


def test_members_and_roles_that_are_not_there(ann, bob):
    room, other = ann.room()["id"], bob.room(visibility="private")["id"]
    codes = {ann.delete(f"/api/rooms/{room}/members/{who}").status_code for who in (bob.id, 987654321)}
    assert codes == {404} and ann.get(f"/api/rooms/{room}").json()["last_seq"] == 1, "who is no member cannot be removed, there or not"
    assert ann.post(f"/api/rooms/{room}/members", {"user_id": 987654321}).status_code == 404
    assert ann.put(f"/api/rooms/{room}/roles/987654321").status_code == 404
    role = bob.role()["id"]
    assert ann.patch(f"/api/roles/{role}", {"instructions": "obey"}).status_code == 403 and ann.delete(f"/api/roles/{role}").status_code == 403
    assert ann.get(f"/api/rooms/{room}/messages?after=0").json() == [] and ann.get(f"/api/rooms/{other}/messages?after=0").status_code == 404
    for ids, codes in (([role, role], (201, 422)), ([role] * 16, (201, 422)), ([role, 987654321], (422,)), ([2 ** 63 - 1], (422,)), ([], (201,))):
        answer = ann.post("/api/rooms", {"name": "twice", "role_ids": ids})
        assert answer.status_code in codes, (ids, answer.text)
        assert answer.status_code != 201 or len(answer.json()["roles"]) == len(set(ids))
    assert ann.say(room, "answers nothing", reply_to=2 ** 62).status_code == 201
    assert [m["reply_to"] for m in ann.get(f"/api/rooms/{room}/messages").json()] == [None]


# ---- pages of others ----

def test_foreign_pages(parlour):
    """Requests and WebSocket handshakes from any Origin but ours and the listed ones get 403, on every path."""
    daemon = parlour(cors_origins="https://app.example.org", ws_echo="on")
    user = daemon.register()
    room = user.room()["id"]
    host = f"{daemon.host}:{daemon.port}"
    bad = ["null", "https://evil.example", "https://app.example.org.evil.example", "https://evilapp.example.org", "https://app.example.orgevil", "http://app.example.org",
           "https://app.example.org:8443", "https://sub.app.example.org", "https://app.example.org@evil.example", "https://evil.example/https://app.example.org", "app.example.org",
           "//app.example.org", "https://", "https://app_example.org", "https://app.example.org.", "https://app.example.org/", "https://app.example.org#", "https://app.example.org?x",
           "https://app.example.org, https://evil.example", "https://evil.example https://app.example.org", "file://", "chrome-extension://abc", "data:", "*", "https://*", "https://localhost",
           f"http://{host}.evil.example", f"http://evil.{host}", f"http://{daemon.host}", f"http://{daemon.host}:1", f"ws://{host}", f"http://user@{host}", "https://аpp.example.org", "x" * 2000]
    for path in socket_paths(room):
        for origin in bad:
            with pytest.raises(wire.Refused) as refused:
                daemon.ws(path, token=user.access, headers={"Origin": origin})
            assert refused.value.status == 403 and "access-control-allow-origin" not in refused.value.headers, (path, origin)
        for origin in ("https://app.example.org", f"http://{host}"):
            daemon.ws(path, token=user.access, headers={"Origin": origin}).drop()
    quick = Quick(daemon)
    for origin in bad:
        for method, path in (("POST", "/api/rooms"), ("POST", "/api/auth/login"), ("DELETE", f"/api/rooms/{room}/members/{user.id}"), ("POST", "/api/auth/logout")):
            answer = quick.request(method, path, headers={**user.auth, "Origin": origin.encode()}, json={"name": "forged"} if method == "POST" else None)
            assert answer.status_code == 403 and answer.json()["code"] == "bad_origin", (origin, path, answer.text)
            assert "Access-Control-Allow-Origin" not in answer.headers
    assert [r["name"] for r in user.get("/api/rooms").json() if r["name"] == "forged"] == []
    assert user.get("/api/auth/me").status_code == 200
    quick.close()


# ---- guessing ----

def counter(daemon, name):
    return sum(float(line.split()[-1]) for line in daemon.ctl("metrics").stdout.splitlines() if re.match(name + r"(\{| )", line))


def test_unknown_users_cost_the_same(shared, ann):
    """The server computes as many hashes for an unknown name as for a known one, so that the time reveals nothing;
    registration likewise."""
    def hashes(names):
        before = counter(shared, "parlour_hash_jobs_total")
        for name in names:
            assert shared.post("/api/auth/login", {"username": name, "password": "wrong " + name[:20]}).status_code == 401
        return counter(shared, "parlour_hash_jobs_total") - before

    known = [ann.name, ann.name.upper(), ann.name + "@example.org"] * 4
    unknown = ["nobody-" + secrets.token_hex(4), "nobody@example.org", "1", "' OR 1=1 --"] * 3
    assert hashes(known) == hashes(unknown) == 12
    before = counter(shared, "parlour_hash_jobs_total")
    for body in ({"username": ann.name, "email": "fresh@example.org"}, {"username": "fresh-one", "email": ann.name + "@example.org"},
                 {"username": "fresh-two", "email": "fresh-two@example.org"}):
        assert shared.post("/api/auth/register", {**body, "password": "correct horse 9"}).status_code in (201, 409)
    assert counter(shared, "parlour_hash_jobs_total") - before == 3


def test_brute_force(parlour):
    """Of a hundred guesses, only a few are checked, and the correct password among the others is refused."""
    daemon = parlour(rate_login="5/h", trusted_proxies="127.0.0.0/8")
    user = daemon.register()
    quick = Quick(daemon)

    def guess(address, password="guess"):
        return quick.post("/api/auth/login", headers={"X-Forwarded-For": address}, json={"username": user.name, "password": password}).status_code

    codes = [guess("198.51.100.7") for _ in range(100)]
    assert codes.count(401) == 5 and codes.count(429) == 95
    assert guess("198.51.100.7", user.password) == 429
    disguises = [f"{a}, 198.51.100.7" for a in ("1.2.3.4", "127.0.0.1", "::1", "unknown", "\"x\"", "198.51.100.8")] + ["198.51.100.7:4711", "::ffff:198.51.100.7", " 198.51.100.7 ", "198.51.100.7, 127.0.0.1"]
    for disguise in disguises:
        assert guess(disguise, user.password) == 429, disguise
    assert guess("198.51.100.8", user.password) == 200, "another address is not punished"
    daemon.configure(trusted_proxies="10.0.0.0/8")
    daemon.reload()
    wait_for(lambda: (lambda spoofed: spoofed.count(429) == len(spoofed))([guess(f"203.0.113.{n}") for n in range(30)]), 10, "spoofed addresses are one")
    assert guess("203.0.113.99", user.password) == 429
    quick.close()


# ---- what leaks ----

def test_log_lines_cannot_be_forged(parlour):
    """Text from outside stays in its field of its line, in both log formats."""
    for form in ("kv", "json"):
        daemon = parlour(log_level="debug", access_log="-", workers=1)
        user = daemon.register()
        if form == "json":
            daemon.configure(log_format="json")
            daemon.send_signal(signal.SIGHUP)
            wait_for(lambda d=daemon: d.get("/livez") and '"msg":"access"' in d.log_text(), 10, "the worker writes the other format")
        mark = daemon.log_size()
        quick, host = Quick(daemon), f"Host: {daemon.host}:{daemon.port}\r\n".encode()
        for text in FORGED:
            raw = text.encode()
            for field in ("username", "password"):
                quick.post("/api/auth/login", json={"username": "x", "password": "y", field: text})
            user.post("/api/rooms", {"name": text[:100]})
            for name in (b"User-Agent", b"X-Request-Id", b"Origin", b"Referer", b"X-Forwarded-For", b"Idempotency-Key", b"Authorization", b"Host", b"Content-Type", b"Upgrade"):
                daemon.raw(b"POST /api/auth/login HTTP/1.1\r\n" + (b"" if name == b"Host" else host) + b"Connection: close\r\nContent-Length: 2\r\n" + name + b": " + raw + b"\r\n\r\n{}")
            for target in (b"/" + raw, b"/?x=" + raw, b"/ws/chat/" + raw, b"/api/rooms/1?limit=" + raw.replace(b"\n", b"%0a").replace(b"\r", b"%0d").replace(b"\x1b", b"%1b")):
                daemon.raw(b"GET " + target + b" HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n")
            with user.ws() as sock:
                sock.send(text)
                sock.expect("error")
                sock.close(4000, text[:40] if len(text) < 60 else "x")
        marker = "end-" + secrets.token_hex(4)
        quick.get("/" + marker)
        wait_for(lambda d=daemon, m=marker: m in d.log_text(), 10, "the last line")
        quick.close()
        with open(daemon.log_path, "rb") as log:
            lines = log.read()[mark:].split(b"\n")
        assert len(lines) > 200
        for line in lines[:-1]:
            assert not re.search(rb"[\x00-\x1f\x7f]", line), line[:300]
            if form == "json" and re.match(rb"level=(debug|info) t=\S+ proc=(master|clerk|courier|porter|hasher)", line):
                continue    # each process changes its format at another time
            if form == "json":
                assert json.loads(line)["level"] in ("debug", "info", "warn"), line[:300]
            else:
                assert re.match(rb"level=(debug|info|warn) t=20\d\d-|request_id=", line), line[:300]
                assert re.sub(rb'"(?:[^"\\]|\\.)*"', b'""', line).count(b"level=") <= 1, line[:300]
            line.decode("utf-8")


def test_secrets_stay_inside(parlour, pg, database):
    """No log, error, environment, or argument list contains the passwords, tokens, tickets, and keys used here."""
    canary = {"db": "dbsecret" + secrets.token_hex(6), "key": "sk-" + secrets.token_hex(12), "password": "pw " + secrets.token_hex(8), "wrong": "no " + secrets.token_hex(8)}
    daemon = parlour(log_level="debug", access_log="-", ws_query_token="on", db=pg.dsn(database) + f" password={canary['db']}",
                     upstreams={"up": {"url": "http://127.0.0.1:9", "key": canary["key"], "model": "m"}}, llm_default="up")
    daemon.expect_error("upstream|model|connect")
    with open(daemon.settings["key_file"], encoding="ascii") as key:
        canary["signing"] = key.read().strip()
    user, quick, errors = daemon.register(password=canary["password"]), Quick(daemon), []
    marks = lambda name, token: canary.update({name: token.split(".")[-1]})  # noqa: E731
    marks("access", user.access)
    marks("refresh", user.refresh)

    def ask(method, path, **how):
        answer = quick.request(method, path, **how)
        if answer.status_code >= 400:
            errors.append(answer.content)
        return answer

    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for body in ({"username": user.name, "password": canary["wrong"]}, {"username": canary["wrong"], "password": canary["wrong"]}, {"username": 5, "password": canary["wrong"]},
                 {"username": user.name, "password": [canary["wrong"]]}, {"username": user.name, "password": canary["wrong"] + "x" * 1100}):
        for path in ("/api/auth/login", "/api/auth/register", "/auth/token"):
            ask("POST", path, json=body)
    for raw in (b'{"username":"x","password":"%s"', b'{"password":"%s","password":"b"}', b'{"password":"\xff%s"}', b'{"password":"%s"}' + b" " * 20000):
        ask("POST", "/api/auth/login", content=raw.replace(b"%s", canary["wrong"].encode()), headers={"Content-Type": "application/json"})
    ask("POST", "/api/auth/login", content=b"username=x&password=" + canary["wrong"].replace(" ", "+").encode(), headers=form)
    ask("POST", "/api/auth/login", content=canary["wrong"].encode(), headers={"Content-Type": "text/plain"})
    for token in (user.access, user.refresh, user.access[:-2] + "xx"):
        for value in ("Bearer " + token, "Basic " + token, token, "Bearer  " + token + " x"):
            ask("GET", "/api/rooms", headers={"Authorization": value})
        for target in (f"/api/auth/me?token={token}", f"/?access_token={token}", f"/api/rooms?refresh_token={token}", f"/x?a=1&token={token}&b=2", f"/x?%74oken={token}", f"/ws?token={token}", f"/x?TOKEN={token}"):
            ask("GET", target)
        ask("POST", "/api/auth/refresh", json={"refresh_token": token[:-1]})
        for via in ("header", "subprotocol"):
            try:
                daemon.ws("/ws", token=token, via=via).drop()
            except wire.Refused as why:
                errors.append(why.body)
        with daemon.ws("/ws") as sock:
            sock.send("auth", token=token[:-1])
            sock.send_text('{"type":"auth","token":"' + token)
            sock.wait_closed()
            errors.append(json.dumps(sock.inbox).encode())
    with daemon.ws("/ws?token=" + user.access) as sock:
        sock.expect("authed")
    ticket = user.post("/api/auth/ws-ticket").json()["ticket"]
    canary["ticket"] = ticket
    for _ in range(2):
        try:
            daemon.ws("/ws?ticket=" + ticket).drop()
        except wire.Refused as why:
            errors.append(why.body)
    fresh = user.refresh_now().json()
    marks("second", fresh["access_token"])
    marks("third", fresh["refresh_token"])
    room = user.room(role_ids=[user.role(upstream="up")["id"]])["id"]
    canary["content"] = "words " + secrets.token_hex(8)
    user.say(room, canary["content"])
    wait_for(lambda: "upstream" in daemon.log_text(), 15, "the upstream failed")
    ask("GET", "/api/llm/models", headers=user.auth)
    texts = [daemon.log_text(), daemon.ctl("metrics").stdout, daemon.ctl("status").stdout, *[e.decode("utf-8", "replace") for e in errors]]
    with open(pg.dir + "/log", encoding="utf-8", errors="replace") as log:
        texts.append(log.read())
    for pid in processes_of_session(daemon.pid):
        for name in ("environ", "cmdline"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{pid}/{name}", "rb") as file:
                texts.append(file.read().decode("utf-8", "replace"))
    quick.close()
    assert len(errors) > 40 and "\n" in texts[0]
    found = [(name, text[max(0, text.index(secret) - 200):][:300]) for name, secret in canary.items() for text in texts if secret in text]
    assert not found, found[:3]


# ---- rooms under attack ----

def run_all(workers):
    """Runs each function in a thread; an exception in one fails the test."""
    problems = []

    def guard(work):
        try:
            work()
        except BaseException as why:  # pylint: disable=broad-except
            problems.append(f"{type(why).__name__}: {why}")

    threads = [threading.Thread(target=guard, args=(w,)) for w in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems, problems[:3]


@pytest.mark.parametrize("visibility", ["public", "private"])
def test_membership_races(shared, ann, rows, visibility):
    """Join, leave, add, remove, attach, and detach while others send: no 5xx, no gaps in the log, and every author was
    a member at that time."""
    guests = [shared.register() for _ in range(2)]
    role = ann.role()["id"]
    room = ann.room(visibility=visibility, reply_policy="off")["id"]
    acked, odd = [], []

    def request(quick, user, method, path, body=None):
        answer = quick.request(method, path, headers=user.auth, json=body)
        if answer.status_code not in (200, 201, 204, 403, 404, 409):
            odd.append((method, path, answer.status_code, answer.text[:200]))
        return answer

    def talker(user):
        quick = Quick(shared)
        for i in range(60):
            answer = request(quick, user, "POST", f"/api/rooms/{room}/messages", {"content": f"{user.id}:{i}", "client_id": f"{user.id}:{i}"})
            if answer.status_code == 201:
                acked.append((answer.json()["seq"], f"{user.id}:{i}"))
        quick.close()

    def socket_talker(user):
        with user.ws() as sock:
            for i in range(60):
                sock.send("subscribe" if i % 10 == 0 else "send", topic=f"room:{room}", id=str(i), content=f"{user.id}:s{i}")
                frame = sock.expect("ack", "error", "subscribed", id=str(i))
                if frame["type"] == "ack":
                    acked.append((frame["seq"], f"{user.id}:s{i}"))
                elif frame["type"] == "error" and frame["code"] not in ("not_found", "forbidden", "conflict"):
                    odd.append(frame)

    def mover(user):
        quick = Quick(shared)
        for i in range(40):
            request(quick, user, "POST", f"/api/rooms/{room}/" + ("join", "leave")[i % 2])
        quick.close()

    def keeper():
        quick = Quick(shared)
        for i in range(40):
            user = guests[i % 2]
            request(quick, ann, "POST", f"/api/rooms/{room}/members", {"user_id": user.id, "level": ("member", "moderator")[i // 2 % 2]})
            request(quick, ann, ("PUT", "DELETE")[i % 2], f"/api/rooms/{room}/roles/{role}")
            request(quick, ann, "DELETE", f"/api/rooms/{room}/members/{guests[(i + 1) % 2].id}")
        quick.close()

    run_all([lambda u=u: w(u) for u in guests for w in (talker, socket_talker, mover)] + [keeper, lambda: talker(ann)])
    assert not odd, odd[:5]
    log = rows(f"SELECT seq, 'message', author_id, content, created_at FROM messages WHERE room_id = {room} UNION ALL "
               f"SELECT seq, kind, (body->>'user_id')::bigint, NULL, created_at FROM room_changes WHERE room_id = {room} ORDER BY 1")
    assert [r[0] for r in log] == list(range(1, len(log) + 1)) and [r[4] for r in log] == sorted(r[4] for r in log)
    assert user_log(log) == [] and len(acked) >= 60
    stored = {(r[0], r[3]) for r in log if r[1] == "message"}
    assert stored == set(acked) and len(acked) == len(stored)
    members = {r[0] for r in rows(f"SELECT user_id FROM members WHERE room_id = {room}")}
    assert members == members_after(log), "the log tells who is a member"


def members_after(log):
    members = set()
    for _, kind, user, _, _ in log:
        if kind == "joined":
            members.add(user)
        elif kind == "left":
            members.discard(user)
    return members


def user_log(log):
    """Returns messages whose author was not a member at that place in the log."""
    members, strangers = set(), []
    for seq, kind, user, _, _ in log:
        if kind == "joined":
            members.add(user)
        elif kind == "left":
            members.discard(user)
        elif kind == "message" and user not in members:
            strangers.append((seq, user))
    return strangers


def test_one_name_for_many(shared):
    """Many accounts and roles take the same name at once, in different letter cases: one gets it, and nobody gets a
    5xx."""
    for _ in range(4):
        name, codes, owner = "Race" + secrets.token_hex(3), [], shared.register()

        def register(spelled):
            codes.append(Quick(shared).post("/api/auth/register", json={"username": spelled, "email": secrets.token_hex(5) + "@example.org", "password": "correct horse 9"}).status_code)

        def role(spelled):
            codes.append(Quick(shared).post("/api/roles", headers=owner.auth, json={"name": spelled}).status_code)

        run_all([lambda s=s: register(s) for s in (name, name.lower(), name.upper())] + [lambda s=s: role(s) for s in (name, name.lower(), name.upper())])
        assert sorted(codes) == [201] + [409] * 5, codes


def test_one_key_for_many(shared, ann, rows):
    """The same Idempotency-Key at once creates one room with one reply; requests during the creation get an error that
    says so."""
    for _ in range(4):
        key, answers, name = secrets.token_hex(8), [], "idem" + secrets.token_hex(4)
        run_all([lambda: answers.append(Quick(shared).post("/api/rooms", headers={**ann.auth, "Idempotency-Key": key}, json={"name": name}))] * 6)
        assert {a.status_code for a in answers} <= {201, 409} and len({a.json()["id"] for a in answers if a.status_code == 201}) == 1
        assert all(a.json()["code"] == "in_progress" for a in answers if a.status_code == 409)
        assert rows(f"SELECT count(*) FROM rooms WHERE name = '{name}'") == [(1,)]


def test_nothing_was_left_open(shared):
    """Afterwards, the workers hold no more descriptors than when idle."""
    for pid in shared.workers().values():
        wait_for(lambda p=pid: len(os.listdir(f"/proc/{p}/fd")) < 120, 20, "descriptors are given back")
