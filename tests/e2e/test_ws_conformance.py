# SPDX-License-Identifier: ISC
"""RFC 6455 on /ws/echo by the table of cases_ws.py, and the same violations on the chat sockets."""

import contextlib
import json
import socket
import struct
import time

import pytest

import wire
from cases_ws import CAP, CASES, VIOLATIONS, ascii_of, close, text
from conftest import finish, maker
from parlour import SLOW, wait_for
from wire import CLOSE, PING, PONG, TEXT, pack_frame

KINDS = {TEXT: "text", PONG: "pong", PING: "ping", CLOSE: "close"}


@pytest.fixture(scope="module")
def shared(request, workdir):
    """Starts a daemon with the echo socket."""
    make, made = maker(request, workdir)
    daemon = make(ws_echo="on")
    before = daemon.workers()
    yield daemon
    assert daemon.workers() == before, "a worker was lost"
    finish(made, request.session.testsfailed > 0)


def echo(shared, **how):
    return shared.ws("/ws/echo", protocols=(), auto_pong=False, **how)


def deliver(sock, data, chop):
    """Sends pieces. A server that has closed may reset the connection; what it sent before can still be read."""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        for at in range(0, len(data), chop or max(1, len(data))):
            sock.send_raw(data[at:at + chop] if chop else data)


def events_of(sock, stop):
    """Returns the frames of the server as events, up to `stop` of them, a close, or the end."""
    seen = []
    while len(seen) < stop:
        try:
            op, fin, payload = sock.frame()
        except wire.Closed:
            seen.append(("end", None))
            return seen
        assert fin, "the server fragments"
        if op == CLOSE:
            assert len(payload) != 1 and len(payload) <= 125
            payload[2:].decode("utf-8")
            seen.append(("close", struct.unpack("!H", payload[:2])[0] if payload else 1005))
            return seen
        seen.append((KINDS.get(op, op), payload))
    return seen


def fits(got, want):
    return len(got) == len(want) and all(g[0] == w[0] and (g[1] == w[1] or isinstance(w[1], tuple) and g[1] in w[1])
                                         for g, w in zip(got, want))


def ended(sock):
    """Asserts that the server ends the TCP connection after the closing handshake, without another byte."""
    with contextlib.suppress(OSError):
        sock.send_frame(CLOSE, b"")
    try:
        sock.frame()
    except wire.Closed:
        return True
    return False


@pytest.mark.parametrize("section", ["1.", "2.", "3.", "4.", "5.", "6.1", "6.2", "6.3", "6.4", "6.5", "7.", "9.", "10."])
def test_table(shared, section):
    wrong = []
    for name, data, chop, events in [c for c in CASES if c[0].startswith(section)]:
        clean = not events or events[-1][0] != "close"
        want = events + [("close", 1000)] if clean else events
        with echo(shared) as sock:
            deliver(sock, data + close() if clean and not chop else data, chop)
            if clean and chop:
                sock.send_raw(close())
            try:
                got = events_of(sock, len(want))
            except wire.Timeout as why:
                got = [("nothing", str(why))]
            if not fits(got, want) or not ended(sock):
                wrong.append((name, [(k, v if not isinstance(v, bytes) else (len(v), v[:20])) for k, v in got][:6], want[-1]))
    assert not wrong, wrong[:8]
    assert [c for c in CASES if c[0].startswith(section)]


@pytest.mark.parametrize("size,count", [(0, 300), (16, 300), (64, 200), (256, 200), (1024, 200), (16384, 50)])
def test_round_trips(shared, size, count):
    """9.7: many messages, each sent after the echo of the previous one."""
    data = ascii_of(size)
    with echo(shared) as sock:
        for _ in range(count):
            sock.send_text(data)
            assert sock.frame() == (TEXT, True, data)
        sock.send_raw(close())
        assert events_of(sock, 1) == [("close", 1000)]


@pytest.mark.parametrize("cap", [20_000, 65_536, 300_000])
def test_the_cap_is_the_setting(parlour, cap):
    daemon = parlour(ws_echo="on", ws_max_frame=cap, ws_queue="4M", workers=1)
    with echo(daemon) as sock:
        sock.send_text(ascii_of(cap))
        assert sock.frame() == (TEXT, True, ascii_of(cap))
        sock.send_text(ascii_of(cap + 1))
        assert events_of(sock, 1) == [("close", 1009)]


def test_no_extension_is_agreed(shared):
    """The server agrees to no compression; a compressed frame is a violation."""
    for offer in ("permessage-deflate", "permessage-deflate; client_max_window_bits, x-webkit-deflate-frame", "foo; bar=\"baz\"", ", ,", "permessage-deflate;" * 50):
        with echo(shared, headers={"Sec-WebSocket-Extensions": offer}) as sock:
            assert "sec-websocket-extensions" not in sock.headers
            sock.send_text(b"plain")
            assert sock.frame() == (TEXT, True, b"plain")
            sock.send_frame(TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00", rsv=4)
            assert events_of(sock, 1) == [("close", 1002)]


def test_a_silent_closer_is_dropped(shared):
    """The server drops a socket whose client does not answer the close frame."""
    with echo(shared) as sock:
        sock.send_frame(3, b"")
        assert events_of(sock, 1) == [("close", 1002)]
        with pytest.raises(wire.Closed):
            sock.frame(15)


def test_half_closed_by_the_client(shared):
    """After FIN behind a complete message, the message is answered or the socket ends; nothing hangs."""
    with echo(shared) as sock:
        sock.send_raw(text(b"last"))
        sock.sock.shutdown(socket.SHUT_WR)
        got = events_of(sock, 2)
        assert got in ([("text", b"last"), ("end", None)], [("end", None)]), got


def test_cut_at_every_byte(shared):
    """A client that disconnects after any byte of a conversation leaves nothing behind in the server."""
    talk = text(b"abc") + pack_frame(PING, b"p") + pack_frame(TEXT, b"x", fin=False) + close()
    for at in range(len(talk)):
        with echo(shared) as sock:
            sock.send_raw(talk[:at])
    with echo(shared) as sock:
        sock.send_text(b"still there")
        assert sock.frame()[2] == b"still there"


def test_a_header_that_never_ends(shared):
    """A client that sends a long frame one byte at a time does not delay others."""
    with echo(shared) as slow, echo(shared) as other:
        for byte in text(b"", length=CAP)[:13]:
            slow.send_raw(bytes([byte]))
            other.send_text(b"x")
            assert other.frame()[2] == b"x"


# ---- the same on the chat sockets ----

@pytest.fixture(scope="module")
def people(shared):
    return shared.register(), shared.register()


def said(room, content):
    return pack_frame(TEXT, json.dumps({"type": "send", "topic": f"room:{room}", "content": content}).encode())


@pytest.mark.parametrize("native", [True, False], ids=["native", "compatible"])
def test_violations_between_messages(shared, people, rows, native):
    """A message before the violation is stored, one after it is not; others in the room receive nothing else."""
    ann, bob = people
    room, wrong, sent = ann.room()["id"], [], []
    watcher = bob.ws()
    watcher.send("subscribe", topic=f"room:{room}")
    watcher.expect("subscribed")
    for name, data, code in VIOLATIONS:
        sock = ann.ws(auto_pong=False) if native else ann.ws(f"/ws/chat/{room}", native=False, auto_pong=False)
        frame = said if native else lambda room, content: pack_frame(TEXT, json.dumps({"message": content}).encode())
        deliver(sock, frame(room, f"before {name}") + data + frame(room, "behind"), 0)
        sent.append(f"before {name}")
        try:
            while True:
                op, _, payload = sock.frame()
                if op == CLOSE:
                    break
            got = struct.unpack("!H", payload[:2])[0]
        except wire.Closed as why:
            got = why.code
        except wire.Timeout:
            got = None
        sock.drop()
        if got != code:
            wrong.append((name, got, code))
    assert not wrong, wrong[:10]
    assert ann.say(room, "the last").status_code == 201
    # the message of the last socket may still be in progress on another worker
    seen = [watcher.expect("message")["message"]["content"] for _ in range(len(sent) + 1)]
    watcher.ping_pong()
    assert not [f for f in watcher.inbox if f["type"] == "message"]
    watcher.drop()
    assert sorted(seen) == sorted(sent + ["the last"])
    log = rows(f"SELECT seq FROM messages WHERE room_id = {room} UNION ALL SELECT seq FROM room_changes WHERE room_id = {room} ORDER BY 1")
    assert [r[0] for r in log] == list(range(1, len(log) + 1))


@pytest.mark.parametrize("native", [True, False], ids=["native", "compatible"])
def test_said_and_gone(shared, people, native):
    """A client connects, sends, and disconnects at once, with or without a close: everything received is stored."""
    ann, bob = people
    room, sent = ann.room()["id"], []
    for number in range(24):
        content, token = f"gone {number}", {"type": "auth", "token": bob.access}
        message = said(room, content) if native else pack_frame(TEXT, json.dumps({"message": content}).encode())
        early = pack_frame(TEXT, json.dumps(token).encode()) + message + (b"", close(), b"\xff", close(4000, b"x"))[number % 4]
        sent.append(content)
        sock = shared.ws("/ws" if native else f"/ws/chat/{room}", protocols=("parlour.v1",) if native else (), early=early)
        if number % 3 and number % 4:
            sock.wait_closed()
        sock.drop()
    wait_for(lambda: {m["content"] for m in ann.get(f"/api/rooms/{room}/messages").json()} == set(sent), 20, "all is there")


def test_violations_before_authentication(shared, people):
    """A socket without authentication gets the same close codes and cannot send."""
    ann, _ = people
    room = ann.room()["id"]
    for path, protocols in (("/ws", ("parlour.v1",)), (f"/ws/chat/{room}", ())):
        for name, data, code in VIOLATIONS[::9]:
            with shared.ws(path, protocols=protocols) as sock:
                deliver(sock, said(room, "unknown") + data, 0)
                assert sock.wait_closed() == code, (path, name)
    assert ann.get(f"/api/rooms/{room}").json()["last_seq"] == 1


def test_closing_codes_of_clients(shared, people):
    """The server returns any valid close code of a client, and the member list shows that the client is offline."""
    ann, _ = people
    room = ann.room()["id"]
    for code in (1000, 1001, 1002, 1011, 3000, 4000, 4999):
        for native in (True, False):
            sock = ann.ws() if native else ann.ws(f"/ws/chat/{room}", native=False)
            assert sock.close(code, "bye ü") == code
    deadline = time.monotonic() + 20 * SLOW
    while any(m["online"] for m in ann.get(f"/api/rooms/{room}/members").json()):
        assert time.monotonic() < deadline, "still online"
