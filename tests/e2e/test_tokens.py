# SPDX-License-Identifier: ISC
"""Forged, broken, and mistyped tokens are always refused: REST, the WebSocket handshake, the first frame, refresh."""

import time

import pytest

import wire
from parlour import SLOW, wait_for
from forge import HEADERS, Forge, sign


@pytest.fixture(scope="module")
def forge(shared, key_file):
    user = shared.register()
    with open(key_file, "rb") as key:
        made = Forge(user.access, key.read().rstrip(b"\n"))
    made.user = user
    return made


def ask(api, value):
    """Returns (status, headers) of /api/auth/me with this Authorization header, sent unchanged."""
    head = f"GET /api/auth/me HTTP/1.1\r\nHost: {api.host}:{api.port}\r\nConnection: close\r\nAuthorization: "
    status, headers, _ = api.raw(head.encode() + value.encode() + b"\r\n\r\n")
    return status, headers


def handshake(api, token, via):
    """Returns the status of a handshake with this token."""
    try:
        api.ws("/ws", token=token, via=via).drop()
        return 101
    except wire.Refused as why:
        return why.status


def test_our_own_signature_is_accepted(shared, forge):
    """A token with our own valid signature is accepted; otherwise the table below would prove nothing."""
    assert ask(shared, "Bearer " + forge.same())[0] == 200
    assert ask(shared, "bearer " + forge.good)[0] == 200
    assert handshake(shared, forge.same(), "header") == handshake(shared, forge.same(), "subprotocol") == 101


def test_table_on_rest(shared, forge):
    cases = list(forge.cases(int(time.time())))
    assert len(cases) >= 60
    let_in = []
    for name, token in cases:
        status, headers = ask(shared, "Bearer " + token)
        if status != 401 or not headers.get("www-authenticate", "").startswith("Bearer"):
            let_in.append((name, status))
    assert not let_in, let_in


def test_header_forms(shared, forge):
    for form in HEADERS:
        assert ask(shared, form.replace("%s", forge.good).replace("%%", "%"))[0] == 401, form
    assert shared.get("/api/auth/me").status_code == 401
    assert shared.get("/api/auth/me?access_token=" + forge.good).status_code == 401
    assert shared.get("/api/auth/me", headers={"Cookie": "access_token=" + forge.good}).status_code == 401


def test_table_on_the_handshake(shared, forge):
    """The handshake with a bad token gets status 401, before a socket exists."""
    cases = [(n, t) for n, t in forge.cases(int(time.time())) if t]
    let_in = [n for n, t in cases if handshake(shared, t, "header") != 401]
    let_in += [n for n, t in cases[::3] if handshake(shared, t, "subprotocol") != 401]
    assert not let_in, let_in


def test_table_in_the_first_frame(shared, forge):
    for name, token in list(forge.cases(int(time.time())))[::5]:
        with shared.ws("/ws") as sock:
            sock.send("auth", token=token)
            assert sock.wait_closed() == 4401, name
            assert not [f for f in sock.inbox if f["type"] == "authed"], name


def test_tokens_in_addresses_are_off(shared, forge):
    """With ws_query_token off, the server ignores the token in the address, and the socket waits for `auth`."""
    with shared.ws("/ws?token=" + forge.good) as sock:
        sock.send("ping", id="1")
        assert sock.expect("error", id="1")["code"] == "unauthorized"


def test_refresh_takes_refresh_tokens_only(shared, forge):
    user = shared.register()
    made = Forge(user.refresh, forge.key)
    for token in (user.access, made.with_(typ="access"), made.with_(exp=int(time.time()) - 1), made.keyed(b"x" * 32),
                  made.unsigned("none"), "", "x", sign(made.header, [], made.key), made.with_(drop="sid"),
                  made.with_(rc=-1), made.with_(iss="other")):
        answer = shared.post("/api/auth/refresh", {"refresh_token": token})
        assert answer.status_code == (422 if token == "" else 401), (token[:40], answer.text)
    assert shared.post("/api/auth/refresh", {"refresh_token": made.same()}).status_code == 200


def test_expiry_is_seen_at_the_second(parlour):
    life = round(2 * SLOW)
    daemon = parlour(access_token_life=f"{life}s")
    user = daemon.register()
    assert user.get("/api/auth/me").status_code == 200
    expires = user.tokens["expires_in"]
    assert expires <= life
    answer = wait_for(lambda: (a := user.get("/api/auth/me")).status_code == 401 and a, 6, "the token expires")
    assert answer.json()["code"] == "token_expired"
    assert user.refresh_now().status_code == 200


def test_nothing_of_a_token_is_logged(parlour):
    daemon = parlour(log_level="debug", access_log="-", ws_query_token="on")
    user = daemon.register()
    user.get("/api/auth/me")
    daemon.get("/api/auth/me?token=" + user.access)
    with daemon.ws("/ws?token=" + user.access) as sock:
        sock.expect("authed")
    daemon.post("/api/auth/login", {"username": user.name, "password": "hunter2-wrong"})
    text = daemon.log_text()
    for secret in (user.access.split(".")[2], user.refresh.split(".")[2], user.password, "hunter2-wrong"):
        assert secret not in text
