# SPDX-License-Identifier: ISC
"""Frame violations on the chat endpoints (RFC 6455) get the right close code, store nothing, and do not affect the
room."""

import json
import struct

import pytest

import wire
from wire import BINARY, CLOSE, CONT, PING, PONG, TEXT, pack_frame


def close_body(code, reason=b""):
    return struct.pack("!H", code) + reason



PART = b'{"type":"send","content":"part'
BAD_UTF8 = [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"a\x80", b"\xe2\x82", b"\xc1\xbf"]
VIOLATIONS = [
    ("unmasked text", pack_frame(TEXT, b"{}", mask=False), 1002),
    ("unmasked ping", pack_frame(PING, b"", mask=False), 1002),
    ("RSV1", pack_frame(TEXT, b"{}", rsv=4), 1002),
    ("RSV2", pack_frame(TEXT, b"{}", rsv=2), 1002),
    ("RSV3", pack_frame(PING, b"", rsv=1), 1002),
    *[(f"opcode {op}", pack_frame(op, b""), 1002) for op in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)],
    ("fragmented ping", pack_frame(PING, b"x", fin=False), 1002),
    ("fragmented close", pack_frame(CLOSE, close_body(1000), fin=False), 1002),
    ("ping of 126 bytes", pack_frame(PING, b"x" * 126), 1002),
    ("close of 126 bytes", pack_frame(CLOSE, close_body(1000, b"x" * 124)), 1002),
    ("continuation of nothing", pack_frame(CONT, b"x"), 1002),
    ("text inside a fragmented message", pack_frame(TEXT, PART, fin=False) + pack_frame(TEXT, b"{}"), 1002),
    ("close with one byte", pack_frame(CLOSE, b"\x03"), 1002),
    *[(f"close with code {code}", pack_frame(CLOSE, close_body(code)), 1002)
      for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)],
    ("close with bad UTF-8", pack_frame(CLOSE, close_body(1000, b"\xff")), 1007),
    *[(f"bad UTF-8 {bad!r}", pack_frame(TEXT, b'{"type":"' + bad + b'"}'), 1007) for bad in BAD_UTF8],
    ("bad UTF-8 at once, before the message ends", pack_frame(TEXT, b"ab\xff", fin=False), 1007),
    ("UTF-8 cut at the end", pack_frame(TEXT, b'{"type":"\xe2\x82', fin=False) + pack_frame(CONT, b""), 1007),
    ("binary", pack_frame(BINARY, b"{}"), 1003),
    ("too big by its header", pack_frame(TEXT, b"", length=128 * 1024 + 1), 1009),
    ("too big by far", pack_frame(TEXT, b"", length=2 ** 62), 1009),
    ("length with the top bit", b"\x81\xff" + b"\xff" * 8 + b"\0\0\0\0", (1002, 1009)),
    ("too big in parts", pack_frame(TEXT, b"x" * 70_000, fin=False) + pack_frame(CONT, b"x" * 70_000), 1009),
]


@pytest.fixture(scope="module")
def scene(shared):
    user = shared.register()
    room = user.room()["id"]
    watcher = user.ws()
    watcher.send("subscribe", topic=f"room:{room}")
    watcher.expect("subscribed")
    return shared, user, room, watcher


def closed_with(sock):
    try:
        return sock.wait_closed(5)
    except wire.Timeout:
        return None


@pytest.mark.parametrize("native", [True, False], ids=["native", "compatible"])
def test_violations(scene, native):
    shared, user, room, watcher = scene
    before = user.get(f"/api/rooms/{room}").json()["last_seq"]
    wrong = []
    for name, data, code in VIOLATIONS:
        sock = user.ws() if native else user.ws(f"/ws/chat/{room}", native=False)
        sock.send_raw(data)
        got = closed_with(sock)
        sock.drop()
        if got not in (code if isinstance(code, tuple) else (code,)):
            wrong.append((name, got, code))
    assert not wrong, wrong
    assert user.get(f"/api/rooms/{room}").json()["last_seq"] == before
    watcher.ping_pong()
    assert not [f for f in watcher.inbox if f["type"] == "message"]


def test_fragments_with_a_ping_between(scene):
    shared, user, room, watcher = scene
    with user.ws() as sock:
        text = json.dumps({"type": "send", "topic": f"room:{room}", "content": "häppchen", "id": "f"}, ensure_ascii=False).encode()
        cut = text.index("ä".encode()) + 1
        sock.send_frame(TEXT, text[:cut], fin=False)
        sock.send_frame(PING, b"between")
        sock.send_frame(CONT, b"", fin=False)
        sock.send_frame(CONT, text[cut:])
        seq = sock.expect("ack", id="f")["seq"]
        assert b"between" in sock.pongs
    assert watcher.expect("message", seq=seq)["message"]["content"] == "häppchen"


def test_fragments_inside_a_character(scene):
    shared, user, room, watcher = scene
    text = f'{{"type":"ping","id":"{"€" * 20}"}}'.encode()
    with user.ws() as sock:
        sock.send_frame(TEXT, text[:1], fin=False)
        for byte in text[1:-1]:
            sock.send_frame(CONT, bytes([byte]), fin=False)
        sock.send_frame(CONT, text[-1:])
        assert sock.expect("pong")["id"] == "€" * 20


def test_one_byte_at_a_time(scene):
    shared, user, room, watcher = scene
    with user.ws() as sock:
        for byte in pack_frame(TEXT, b'{"type":"ping","id":"slow"}'):
            sock.send_raw(bytes([byte]))
        assert sock.expect("pong")["id"] == "slow"


def test_many_frames_in_one_packet(scene):
    shared, user, room, watcher = scene
    with user.ws() as sock:
        sock.send_raw(b"".join(pack_frame(TEXT, b'{"type":"ping","id":"%d"}' % i) for i in range(500)))
        assert [sock.expect("pong")["id"] for _ in range(500)] == [str(i) for i in range(500)]


@pytest.mark.parametrize("native", [True, False], ids=["native", "compatible"])
def test_frames_that_come_with_the_handshake(scene, native):
    """Bytes after the upgrade request belong to the socket; none is lost."""
    shared, user, room, watcher = scene
    auth = pack_frame(TEXT, json.dumps({"type": "auth", "token": user.access}).encode())
    if native:
        frames = auth + pack_frame(TEXT, json.dumps({"type": "send", "topic": f"room:{room}", "content": "early"}).encode())
        sock = shared.ws("/ws", early=frames)
    else:
        frames = auth + pack_frame(TEXT, b'{"message":"early"}')
        sock = shared.ws(f"/ws/chat/{room}", protocols=(), early=frames)
    assert watcher.expect("message")["message"]["content"] == "early"
    assert sock.expect("ack" if native else "message")
    sock.drop()


def test_frames_after_close_are_ignored(scene):
    shared, user, room, watcher = scene
    late = pack_frame(TEXT, json.dumps({"type": "send", "topic": f"room:{room}", "content": "late"}).encode())
    sock = user.ws()
    sock.send_raw(pack_frame(CLOSE, close_body(1000)) + late)
    assert sock.wait_closed() == 1000
    watcher.ping_pong()
    assert not [f for f in watcher.inbox if f["type"] == "message"]


def test_unasked_pongs_are_fine(scene):
    shared, user, room, watcher = scene
    with user.ws() as sock:
        sock.send_frame(PONG, b"unasked")
        sock.send_frame(PONG, b"")
        sock.ping_pong()
