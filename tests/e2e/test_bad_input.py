# SPDX-License-Identifier: ISC
"""Hostile values in every place that accepts text, names, numbers, headers, paths, ids, or origins; and leaks of
data."""

import gzip
import json
import os
import re
import secrets
import unicodedata
import uuid

import pytest

import cases_input
import wire
from cases_input import TRAVERSALS, bodies, json_routes, queries
from cases_naughty import SQL, TEXTS
from conftest import finish, maker
from quick import Quick

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def shared(request, workdir):
    """A daemon for thousands of quick requests."""
    make, made = maker(request, workdir)
    daemon = make(rooms_per_user=100_000, roles_per_user=10_000, smtp_url="smtp://127.0.0.1:9",
        mail_from="a@chat.example", public_url="https://chat.example")
    daemon.http.close()
    daemon.http = Quick(daemon)
    yield daemon
    finish(made, request.session.testsfailed > 0)


@pytest.fixture(scope="module", autouse=True)
def unharmed(shared, pg):
    """Afterwards, the processes are the same ones, and the log of PostgreSQL has no errors from invalid SQL."""
    before, mark = shared.workers(), os.path.getsize(pg.dir + "/log")
    yield
    assert shared.workers() == before and shared.alive()
    with open(pg.dir + "/log", "rb") as log:
        log.seek(mark)
        text = log.read().decode("utf-8", "replace")
    errors = [line for line in text.splitlines() if re.search(r"\b(ERROR|FATAL|PANIC):", line)]
    bad = [e for e in errors if re.search("syntax|unterminated|invalid (input|byte)|does not exist|out of range|operator|null character|encoding", e)]
    assert not bad, bad[:5]


def filled(path, holes=None, **more):
    """Fills the placeholders in the path of a route; those that are not given get an id that does not exist."""
    holes = {**(holes or {}), **more}
    return re.sub(r"\{(\w+)\}", lambda m: str(holes.get(m[1], uuid.UUID(int=0) if m[1] == "generation_id" else 987654321)), path)


@pytest.fixture(scope="module")
def boss(shared, rows):
    """Returns a user who may use the routes of administration."""
    user = shared.register()
    rows(f"UPDATE users SET access = 'admin' WHERE id = {user.id}")
    return shared.login(user.name)


def caller(path, ann, boss):
    """Returns a user whose requests reach the checks of this route; others are refused earlier."""
    return boss if path.startswith("/api/admin/") else ann


def refused_at(answer, field, limit):
    """Expects 422 with the path of the field, or 413 if the escaped text alone exceeds the limit of the route."""
    if answer.status_code == 413:
        return len(answer.sent) > limit
    return answer.status_code == 422 and ["body", field] in [d["loc"] for d in answer.json()["detail"]]


def hidden(c):
    """Returns whether a character is invisible: it has no width, or is a blank of no script."""
    return unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") or c in "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0" or \
        "\ufe00" <= c <= "\ufe0f" or "\u180b" <= c <= "\u180f" or "\ufff0" <= c <= "\ufff8" or "\U000e0000" <= c <= "\U000e0fff" or c == "\u2065"


def seen(text):
    return any(not hidden(c) and unicodedata.category(c) != "Zs" for c in text)


def name_form(text):
    """Returns the form in which names of people and rooms are stored."""
    return unicodedata.normalize("NFC", text.strip())


def selector(c):
    return "\ufe00" <= c <= "\ufe0f"


def is_label(text, most):
    """Returns whether the text is a valid label: visible, within the limit, and without invisible characters except
    joiners after visible ones."""
    text, after = name_form(text), False
    for c in text:
        if hidden(c) and not (after and (c in "\u200c\u200d" or selector(c) or "\U000e0100" <= c <= "\U000e01ef")):
            return False
        after = seen(c) or selector(c)
    return seen(text) and len(text) <= most


def head_of(shared, user, lines):
    """Sends raw request lines (bytes) and returns the header lines of the raw reply."""
    host = f"Host: {shared.host}:{shared.port}\r\n".encode()
    token = b"Authorization: Bearer " + user.access.encode() + b"\r\n"
    with wire.connect(shared.addr, 20) as sock:
        sock.sendall(lines[0] + b"\r\n" + host + token + b"Connection: close\r\n" + b"".join(x + b"\r\n" for x in lines[1:]) + b"\r\n")
        data = b""
        while part := sock.recv(65536):
            data += part
    return data.split(b"\r\n\r\n", 1)[0].split(b"\r\n")


# ---- naughty strings ----

def test_contents_over_every_way(shared, ann, bob, rows):
    """A text sent over REST, the native, and the compatible socket is the same in the reply, live frames, history, and
    table."""
    room = ann.room()["id"]
    native, compat = bob.ws(), bob.ws(f"/ws/chat/{room}", native=False)
    native.send("subscribe", topic=f"room:{room}")
    native.expect("subscribed")
    mine, old = ann.ws(), ann.ws(f"/ws/chat/{room}", native=False)
    for text in TEXTS:
        assert seen(text) or ann.say(room, text).status_code == 422, text
    visible = [text for text in TEXTS if seen(text)]
    for at, text in enumerate(visible):
        if at % 3 == 0:
            answer = ann.say(room, text)
            assert answer.status_code == 201 and answer.json()["content"] == text, (text[:40], answer.text[:200])
        elif at % 3 == 1:
            mine.send("send", topic=f"room:{room}", content=text)
            mine.expect("ack")
        else:
            old.send_text(json.dumps({"message": text}))
        assert native.expect("message")["message"]["content"] == text
        assert compat.expect("message")["content"] == text
    for sock in (native, compat, mine, old):
        sock.drop()
    history, link = [], f"/api/rooms/{room}/messages?after=0&limit=200"
    while link:
        page = ann.get(link)
        history += [m["content"] for m in page.json()]
        link = page.next_link
    assert history == visible
    assert [r[0] for r in rows(f"SELECT content FROM messages WHERE room_id = {room} ORDER BY seq")] == visible


def test_names_of_rooms_and_people(shared, ann, rows):
    """As display name, room name, instructions, and client_id, a text is stored unchanged, or refused with 422 and the
    path of the field."""
    room, fresh = ann.room()["id"], secrets.token_hex(3)
    kept = {"name": 0, "room": 0, "client": 0}
    for at, text in enumerate(TEXTS):
        made = ann.post("/api/rooms", {"name": text, "visibility": "private"})
        assert (made.status_code == 201) == is_label(text, 100), (text[:40], made.text)
        if made.status_code == 201:
            kept["room"] += 1
            assert made.json()["name"] == name_form(text) == ann.get(made.headers["Location"]).json()["name"]
            assert re.fullmatch(r"/api/rooms/\d+", made.headers["Location"])
        else:
            assert refused_at(made, "name", 16384), (text[:40], made.text)
        said = ann.say(room, "x", client_id=text)
        if len(text) <= 128:
            assert said.status_code == 201 and said.json()["client_id"] == text, (text[:40], said.text)
            assert ann.say(room, "x", client_id=text).json()["seq"] == said.json()["seq"]
            kept["client"] += 1
        else:
            assert said.status_code == 422 and said.json()["detail"][0]["loc"] == ["body", "client_id"]
        if at % 5 == 0:
            body = {"username": f"n{fresh}{at}", "email": f"n{fresh}{at}@example.org", "password": "correct horse 9", "name": text}
            answer = shared.post("/api/auth/register", body)
            assert answer.status_code == 201 if is_label(text, 100) else refused_at(answer, "name", 16384), (text[:40], answer.text)
            kept["name"] += answer.status_code == 201
            assert answer.status_code != 201 or answer.json()["user"]["name"] == name_form(text)
    assert kept["room"] > 150 and kept["client"] > 290 and kept["name"] > 50
    found = {r[0] for r in rows(f"SELECT client_id FROM messages WHERE room_id = {room}")}
    assert found == {t for t in TEXTS if len(t) <= 128}


def test_names_of_accounts_and_roles(shared, ann):
    """User names and the names for mentions of roles are plain words, and reserved names are refused in every letter
    case. Role names may be any visible text."""
    role, plain = ann.role(), re.compile(r"[A-Za-z0-9_.-]{1,32}")
    reserved = re.findall(r"^RESERVED\((\w+)\)", cases_input.read("../../db/repo/reserved.def"), re.M)
    for text in TEXTS + ["chat", "ME", "Echo", "local", "x" * 33, "é", "a b", "аnn", "ann\u200b", "ａｎｎ", "ß"]:
        changed = ann.patch(f"/api/roles/{role['id']}", {"name": text})
        name = name_form(text)
        # used unchanged, so it follows the rules of user names
        mentioned = re.fullmatch(r"[A-Za-z0-9_.-]+", name) is not None
        good = is_label(text, 64) and not (mentioned and (len(name) > 32 or name.isdigit() or name.lower() in reserved))
        assert (changed.status_code in (200, 409)) == good, (text[:40], changed.text)
        if changed.status_code == 200:
            assert changed.json()["name"] == name, (text[:40], changed.text)
            mention = changed.json()["mention_name"]
            assert plain.fullmatch(mention) and not mention.isdigit(), changed.text
        else:
            assert changed.status_code == 409 or refused_at(changed, "name", 65536), (text[:40], changed.text)
        if not plain.fullmatch(text.strip()) or text.strip().isdigit():
            body = {"username": text, "email": "never@example.org", "password": "correct horse 9"}
            answer = shared.post("/api/auth/register", body)
            assert refused_at(answer, "username", 16384), (text[:40], answer.text)
        told = ann.patch(f"/api/roles/{role['id']}", {"instructions": text})
        assert told.status_code == 200 and told.json()["instructions"] == text, (text[:40], told.text)
        failed = shared.post("/api/auth/login", {"username": text[:254], "password": text[:250]})
        assert failed.status_code == (401 if text[:254].strip() else 422) and text[:254] not in failed.json()["detail"] or len(text) < 5, (text[:40], failed.text)


def test_text_that_is_none(shared, ann, boss):
    """In every text field of every body, the parser refuses NUL and lone surrogates."""
    for method, path, field, _, _ in bodies():
        for bad in (b'"a\\u0000b"', b'"\\ud800"', b'"\\udfff"', b'"a\x00"', b'"\xed\xa0\x80"', b'"\xff"', b'"\xc0\x80"'):
            answer = caller(path, ann, boss).request(method, filled(path), content=b'{"' + field.encode() + b'":' + bad + b"}", headers=JSON)
            assert answer.status_code == 400 and answer.json()["code"] == "bad_request", (path, field, bad, answer.text)


# ---- wrong types and sizes ----

@pytest.mark.parametrize("method,path,field,required,texts", list(bodies()), ids=lambda v: v if isinstance(v, str) else "")
def test_wrong_values_name_the_field(shared, ann, boss, method, path, field, required, texts):
    target, ann = filled(path), caller(path, ann, boss)
    for text in texts:
        answer = ann.request(method, target, content=f'{{"{field}":{text}}}'.encode(), headers=JSON)
        assert answer.status_code == 422, (text[:60], answer.text)
        assert ["body", field] in [d["loc"] for d in answer.json()["detail"]], (text[:60], answer.text)
        assert all(d["msg"] and d["type"] and len(d["msg"]) < 200 for d in answer.json()["detail"])
    if required:
        answer = ann.request(method, target, content=b"{}", headers=JSON)
        assert answer.status_code == 422 and ["body", field] in [d["loc"] for d in answer.json()["detail"]]


@pytest.mark.parametrize("method,path,field,texts", list(queries()), ids=lambda v: v if isinstance(v, str) else "")
def test_wrong_queries_name_the_field(shared, ann, boss, method, path, field, texts):
    ann = caller(path, ann, boss)
    room = ann.room()["id"]
    for text in texts:
        answer = ann.request(method, filled(path, room_id=room) + f"?{field}={text}")
        assert answer.status_code == 422, (text, answer.text)
        assert answer.json()["detail"][0]["loc"] == ["query", field], (text, answer.text)


def test_ten_megabytes_per_field(shared, ann):
    """The server refuses ten megabytes by the header before it reads them, and also chunked bodies without a length."""
    huge = 10 * 1024 * 1024
    for method, path, field, _, _ in bodies():
        head = (f"{method} {filled(path)} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer {ann.access}\r\n").encode()
        status, _, _ = shared.raw(head + f'Content-Length: {huge}\r\n\r\n{{"{field}":"'.encode() + b"x" * 1000)
        assert status == 413, (path, field)
    with wire.connect(shared.addr, 20) as sock:
        sock.sendall(head + b'Transfer-Encoding: chunked\r\n\r\n')
        try:
            for _ in range(160):
                sock.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        except OSError:
            pass
        sock.settimeout(10)
        try:
            assert b" 413 " in sock.recv(4096)
        except ConnectionResetError:
            pass


@pytest.mark.parametrize("method,path,limit", json_routes())
def test_each_route_has_its_limit(shared, ann, boss, method, path, limit):
    """One byte above the limit of a route gets 413, for valid and invalid JSON; no larger body ever gets 500."""
    shapeless = [r[3] for r in re.findall(r'^ROUTE\((\w+),\s*"([^"]+)",\s*\w+,\s*\w+,\s*\w+,\s*\w+,\s*(\d+),[^,]+,\s*\w+,\s*(\w+),', cases_input.read("routes.def"), re.M)
                 if r[:2] == (method, path)] == ["none"]
    body = b'{"extra":"' + b"x" * (limit + 1 - 12) + b'"}'
    answer = caller(path, ann, boss).request(method, filled(path), content=body, headers=JSON)
    assert answer.status_code == 413 or shapeless and answer.status_code < 500, answer.text


def test_fields_that_are_nobodys_business(shared, ann, bob, rows):
    """The server ignores members that a client must not set, and never assigns them."""
    evil = {"id": 10 ** 9, "owner_id": bob.id, "user_id": bob.id, "author_id": bob.id, "author": {"kind": "system", "id": 0}, "author_kind": "system", "access": "admin",
            "is_admin": True, "level": "owner", "last_seq": 10 ** 6, "seq": 10 ** 6, "epoch": 99, "archived": True, "archived_at": "2001-01-01T00:00:00Z",
            "created_at": "2001-01-01T00:00:00Z", "updated_at": "2001-01-01T00:00:00Z", "deleted_at": "2001-01-01T00:00:00Z", "members": 7, "generation_id": str(uuid.uuid4()),
            "model": "x", "usage": {"total_tokens": 1}, "duplicate": True, "password_hash": "x", "__proto__": {"access": "admin"}, "constructor": 1, "roles": [1], "room_id": 1}
    room = ann.post("/api/rooms", {**evil, "name": "mine"}).json()
    assert room["owner_id"] == ann.id and room["last_seq"] <= 1 and room["epoch"] == 1 and not room["archived"] and room["members"] == 1 and room["roles"] == []
    assert room["level"] == "owner" and not room["created_at"].startswith("2001") and room["id"] != 10 ** 9
    said = ann.post(f"/api/rooms/{room['id']}/messages", {**evil, "content": "mine"}).json()
    assert said["author"] == {"kind": "user", "id": ann.id, "name": ann.name} and said["room_id"] == room["id"] and said["seq"] == 2
    assert "generation_id" not in said and "model" not in said and "usage" not in said and "duplicate" not in said and not said["created_at"].startswith("2001")
    role = ann.post("/api/roles", {**{k: v for k, v in evil.items() if k != "model"}, "name": "Mine" + secrets.token_hex(3)}).json()
    assert role["owner_id"] == ann.id and role["id"] != 10 ** 9 and not role["created_at"].startswith("2001")
    patched = ann.patch(f"/api/roles/{role['id']}", {**{k: v for k, v in evil.items() if k != "model"}, "instructions": "y"}).json()
    assert {**patched, "updated_at": 0} == {**role, "instructions": "y", "ai_instructions": "y", "updated_at": 0}
    member = ann.post(f"/api/rooms/{room['id']}/members", {**evil, "user_id": bob.id, "level": "member"}).json()
    assert member["level"] == "member" and member["user_id"] == bob.id
    assert ann.post(f"/api/rooms/{room['id']}/members", {"user_id": bob.id, "level": "owner"}).status_code == 422
    assert shared.post("/api/auth/login", {**evil, "username": bob.name, "password": bob.password}).json()["user"]["access"] == "user"
    for path in (f"/api/rooms/{room['id']}/join", "/api/auth/ws-ticket"):
        assert ann.post(path, evil).status_code in (200, 201)
    with ann.ws() as sock:
        frame = {**evil, "type": "send", "topic": f"room:{room['id']}", "content": "live", "created_at": "2001"}
        sock.send_frame(wire.TEXT, json.dumps(frame).encode())    # its id is not as described, but it is accepted
        sock.expect("ack")
    assert ann.get(f"/api/rooms/{room['id']}/messages").json()[-1]["author"]["id"] == ann.id
    assert rows(f"SELECT access FROM users WHERE id IN ({ann.id}, {bob.id})") == [("user",), ("user",)]


# ---- content types ----

KINDS = ["text/plain", "text/json", "application/xml", "text/html", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "application/octet-stream",
         "application/jsonp", "application/javascript", "application", "json", "application/json/x", "application /json", "*/*", "application/*", "application/ld+json", "", ";",
         "; charset=utf-8", "text/plain, application/json", "application/json, text/plain", "application/x-ndjson", "application/merge-patch+json", "x" * 2000]
CHARSETS = ["utf-16", "utf-16le", "utf-32", "iso-8859-1", "latin1", "windows-1252", "utf-7", "shift_jis", "ebcdic-us", "us-utf-8", "x", "\"utf-16\"", "UTF16", "none"]


def test_wrong_content_types(shared, ann, boss):
    for method, path, _ in json_routes():
        for kind in KINDS:
            answer = caller(path, ann, boss).request(method, filled(path), content=b'{"username":"x"}', headers={"Content-Type": kind})
            form = (kind.endswith("form-urlencoded") or "boundary=" in kind) and ("auth" in path or path.startswith(("/r/", "/unsubscribe/")))
            assert answer.status_code == 415 or form and answer.status_code in (401, 404, 415, 422), (path, kind, answer.status_code)
        assert caller(path, ann, boss).request(method, filled(path), content=b'{"x":1}').status_code == 415, "no Content-Type at all"
    for good in ("application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;charset=UTF-8", "application/json ; charset=\"utf-8\"",
                 "application/json; charset=utf8", "application/json; charset=us-ascii", "application/json; odata=verbose", "application/json;"):
        answer = ann.post("/api/rooms", content=b'{"name":"typed"}', headers={"Content-Type": good})
        assert answer.status_code == 201, (good, answer.text)


def test_wrong_charsets_and_codings(shared, ann):
    """The server refuses charsets and codings that it would have to decode: 415, or 400 if the bytes are invalid."""
    body, seen = b'{"name":"decoded"}', ann.get("/api/rooms").headers["X-Total-Count"]
    for charset in CHARSETS:
        answer = ann.post("/api/rooms", content=body, headers={"Content-Type": "application/json; charset=" + charset})
        assert answer.status_code == 415, (charset, answer.text)
    for coding, data in (("gzip", gzip.compress(body)), ("gzip", body), ("x-gzip", gzip.compress(body)), ("deflate", body), ("br", body), ("zstd", body), ("compress", body),
                         ("identity, gzip", body), ("gzip, gzip", gzip.compress(gzip.compress(body))), ("aes128gcm", body), ("x", body), ("GZIP", gzip.compress(body))):
        answer = ann.post("/api/rooms", content=data, headers={**JSON, "Content-Encoding": coding})
        assert answer.status_code == 415, (coding, answer.text)
    for data in (gzip.compress(body), body.decode().encode("utf-16"), body.decode().encode("utf-16-be"), body.decode().encode("utf-32"), b"%7B%22name%22%3A1%7D",
                 b"name=decoded", json.dumps(body.decode()).encode() + b"x", b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--", body + b"\x00"):
        assert ann.post("/api/rooms", content=data, headers=JSON).status_code == 400, data
    assert ann.post("/api/rooms", content=json.dumps(body.decode()).encode(), headers=JSON).status_code == 422, "JSON inside a JSON string stays a string"
    assert ann.get("/api/rooms").headers["X-Total-Count"] == seen
    assert ann.post("/api/rooms", content=body, headers={**JSON, "Content-Encoding": "identity"}).status_code == 201


def test_escapes_are_decoded_once(shared, ann):
    room = ann.room()["id"]
    assert ann.get(f"/api/rooms/%3{room // 10 ** (len(str(room)) - 1)}{str(room)[1:]}").status_code == 200
    for odd in (f"%253{room}", f"{room}%2500", f"{room}%2f", f"{room}%252f..", f"%2e%2e%2f{room}", f"{room};x=1", f"{room}%3b", f"%u003{room}", f"{room}%20", f"%20{room}", f"{room}%0d%0a"):
        for path in (f"/api/rooms/{odd}", f"/api/rooms/{odd}/messages", f"/api/rooms/{odd}/members"):
            assert ann.get(path).status_code in (400, 404), path
    assert ann.get(f"/api/rooms/{room}/messages?limit=%2531").status_code == 422
    form = shared.http.post("/api/auth/login", content=b"username=" + ann.name.replace("u", "%2575", 1).encode() + b"&password=correct+horse+9",
                            headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert form.status_code == 401
    for bad in (b"username=%ff&password=x", b"username=%00&password=x", b"username=%&password=x", b"username=a%0&password=x", b"username=\xff&password=x", b"username=a\x00b&password=x"):
        answer = shared.http.post("/api/auth/login", content=bad, headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert answer.status_code in (400, 422), bad


# ---- SQL ----

def test_sql_in_every_path_and_query(shared, ann, boss):
    """An invalid id is treated as unknown; an invalid cursor gets 422. No part of it reaches the database as SQL."""
    room = ann.room()["id"]
    for method, path in cases_input.all_paths():
        for hole in re.findall(r"\{(\w+)\}", path):
            for text in SQL:
                target = filled(path, {"room_id": room, hole: text.replace("#", "%23").replace("?", "%3F")})
                body = b'{"content":"x","seq":1,"user_id":1,"key":"sk-0123456789"}' if method in ("POST", "PUT") or (method == "PATCH" and "/messages/" in path) else None
                if path == "/join/{token}":      # a page that reports what is wrong with the link
                    continue
                answer = caller(path, ann, boss).request(method, target, headers=JSON, content=body)
                # users who may not write knowledge are refused first; names of dashboards are texts, so their bodies
                # are checked, which name an owner
                allowed = (400, 403, 404) if "/knowledge" in path else (400, 403, 404, 422) if "/dashboard" in path or "/admin/" in path \
                    else (400, 404, 422) if hole == "emoji" else (400, 404)
                assert answer.status_code in allowed, (method, target, answer.status_code, answer.text[:200])
    for method, path, field, _ in queries():
        for text in SQL:
            answer = caller(path, ann, boss).request(method, filled(path, room_id=room) + f"?{field}={text}".replace("#", "%23"))
            if cases_input.takes_text(path, field) and answer.status_code < 500:
                continue
            assert answer.status_code == 422 or text.startswith("&") or answer.status_code == 400, (path, field, text, answer.text[:200])
    for name in ("order", "sort", "fields", "filter", "where", "offset", "q"):
        for text in SQL[:12]:
            assert ann.get(f"/api/rooms?{name}={text}").status_code in (200, 400)


def test_sql_in_names_and_headers(shared, ann, rows):
    users = rows("SELECT count(*) FROM users")
    for text in SQL + ["\\'; DROP TABLE users; --", "x'); DELETE FROM messages; --"]:
        text = text.replace("%27", "'")
        for name in (text, ann.name + text, f"{ann.name}' OR '1'='1"):
            answer = shared.post("/api/auth/login", {"username": name, "password": "x' OR 'x'='x"})
            assert answer.status_code == 401, name
        answer = ann.post("/api/rooms", {"name": text}, headers={"Idempotency-Key": text.encode(), "X-Request-Id": text.encode(), "User-Agent": text.encode()})
        assert answer.status_code == 201 and answer.json()["name"] == text, answer.text
        again = ann.post("/api/rooms", {"name": text}, headers={"Idempotency-Key": text.encode()})
        assert again.json()["id"] == answer.json()["id"], text
    assert rows("SELECT count(*) FROM users") == users


# ---- paths and headers ----

def test_no_file_is_opened_outside(shared, ann):
    for path in TRAVERSALS:
        head = head_of(shared, ann, [f"GET {path} HTTP/1.1".encode()])
        assert head[0].split()[1] in (b"400", b"404", b"431", b"414"), (path[:80], head[0])
    raw = [b"/static/\xc0\xae\xc0\xae/app.js", b"/static/\xff", b"/static/..\\app.js", b"/static/a\x7f", b"/static/\x80", b"/static/\xef\xbc\x8f"]
    for path in raw:
        assert head_of(shared, ann, [b"GET " + path + b" HTTP/1.1"])[0].split()[1] in (b"400", b"404"), path


def test_header_lines_are_never_split(shared, ann):
    """CR and LF in names, keys, ids, origins, and paths never create a header line in a reply."""
    room = ann.room()["id"]
    key = {"Idempotency-Key": secrets.token_hex(4)}
    for _ in range(2):
        answer = ann.post("/api/rooms", {"name": "a\r\nX-Injected: 1\r\nLocation: http://evil.example/\r\n\r\n<script>"}, headers=key)
        assert answer.status_code == 422 and "X-Injected" not in answer.headers and "Location" not in answer.headers
    for _ in range(3):
        ann.say(room, "x")
    crlf = b"%0d%0aX-Injected:%201%0d%0a%0d%0a"
    for line in (b"GET /" + crlf, b"GET /api/rooms/" + str(room).encode() + crlf, f"GET /api/rooms/{room}/messages?limit=1&x=".encode() + crlf, b"GET /api/rooms?page=1&page_size=1&x=" + crlf,
                 b"GET /static/" + crlf, b"GET /ws?token=" + crlf, b"GET /api/rooms" + crlf + b"?limit=1", b"OPTIONS /api/rooms?" + crlf, b"GET /%E5%98%8A%E5%98%8DX-Injected:1"):
        head = head_of(shared, ann, [line + b" HTTP/1.1"])
        assert not [x for x in head if x.lower().startswith(b"x-injected")], head
        assert not any(b"\r" in x or b"\n" in x for x in head)
    host = b"%s:%d" % (shared.host.encode(), shared.port)
    for name in (b"X-Request-Id", b"Origin", b"Idempotency-Key", b"Accept", b"Access-Control-Request-Headers", b"Access-Control-Request-Method", b"X-Forwarded-For", b"X-Forwarded-Proto",
                 b"Sec-WebSocket-Protocol", b"Sec-WebSocket-Extensions", b"If-None-Match", b"Authorization"):
        for value in (b"a\rX-Injected: 1", b"a\nX-Injected: 1", b"a%0d%0aX-Injected: 1", b"a\xe5\x98\x8a\xe5\x98\x8dX-Injected: 1", b"a\x0bX", b"a\x00b", b"\xff", b"http://x\x85y", b"a" * 3000):
            for verb in (b"GET", b"OPTIONS"):
                data = verb + b" /api/rooms HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n" + name + b": " + value + b"\r\n\r\n"
                status, headers, _ = shared.raw(data)
                assert status < 500 and "x-injected" not in headers, (name, value, status)
                assert value.decode("latin-1") not in headers.values() or value in (b"a" * 3000,) and name == b"Idempotency-Key", (name, value, headers)


def test_request_ids_of_clients(shared, ann):
    """Request ids are accepted only from a trusted proxy, and only if they are plain; anything else is replaced."""
    good = "req-" + secrets.token_hex(4)
    assert ann.get("/livez", headers={"X-Request-Id": good}).headers["X-Request-Id"] == good
    for bad in ("", "x", "x" * 200, "a b c d e f", "a;b=c;d=eeee", "<script>x</script>", "../../../../x", "'; DROP TABLE--", "é" * 8, "a\tb-cdefgh", "{{7*7}}-abc", "%0d%0aabcdef", "id=1 level=error"):
        answer = ann.get("/api/nothing", headers={"X-Request-Id": bad.encode()})
        assert re.fullmatch(r"[\w.-]{8,64}", answer.headers["X-Request-Id"]) and answer.headers["X-Request-Id"] != bad
        assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


AGENTS = [b"", b" ", b"\xff\xfe", b"caf\xe9", "☃ 👾".encode(), b"\xed\xa0\x80", b"\xc0\x80", b"a" * 8000, b"\xf0\x9f\x98" * 500, "ü".encode() * 2000, b"'; DROP TABLE login_sessions; --",
          b"%s%n", b"\x1b[31m", b"\x9b31m", b"<script>alert(1)</script>", b"${jndi:ldap://x.invalid/a}", b"a\tb", b"\xef\xbf\xbe", b"\x80"]


def is_text(data):
    try:
        return bool(data.decode("utf-8")) or True
    except UnicodeDecodeError:
        return False


def test_user_agents(shared):
    """A client with any bytes in User-Agent can log in, register, and list its sessions; the stored value is valid
    text."""
    for agent in AGENTS:
        name = "g" + secrets.token_hex(5)
        body = json.dumps({"username": name, "email": name + "@example.org", "password": "correct horse 9"}).encode()
        if b"\x1b" in agent:
            assert shared.http.post("/api/auth/register", content=body, headers={**JSON, "User-Agent": agent}).status_code == 400
            continue
        answer = shared.http.post("/api/auth/register", content=body, headers={**JSON, "User-Agent": agent})
        assert answer.status_code == 201, (agent, answer.text)
        answer = shared.http.post("/api/auth/login", content=body, headers={**JSON, "User-Agent": agent})
        assert answer.status_code == 200, (agent, answer.text)
        listed = shared.get("/api/auth/sessions", headers={"Authorization": "Bearer " + answer.json()["access_token"]}).json()
        kept = agent.strip().decode()[:512] if is_text(agent) else None
        assert [s["user_agent"] for s in listed] in ([kept] * 2, [(kept or "x").encode()[:512].decode("utf-8", "ignore")] * 2), (agent, listed)
    assert shared.get("/api/auth/me", headers={"User-Agent": b"\xff"}).status_code == 401


def test_idempotency_keys(ann):
    """A text of 1 to 200 bytes is a valid key; bytes that are not valid text or not a valid header are refused."""
    for key in AGENTS + [b"k" * 200, b"k" * 201, b"\"quoted\"", b"a,b", b"1"]:
        answer = ann.post("/api/rooms", {"name": "idem"}, headers={"Idempotency-Key": key})
        if b"\x1b" in key:
            assert answer.status_code == 400, key
        elif 1 <= len(key.strip()) <= 200 and is_text(key):
            assert answer.status_code == 201, (key, answer.text)
            again = ann.post("/api/rooms", {"name": "idem"}, headers={"Idempotency-Key": key})
            assert again.json() == answer.json() and again.headers["Idempotent-Replayed"] == "true"
            assert ann.post("/api/rooms", {"name": "other"}, headers={"Idempotency-Key": key}).status_code == 409
        else:
            assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["header", "Idempotency-Key"], (key, answer.text)
