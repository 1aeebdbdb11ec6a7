# SPDX-License-Identifier: ISC
"""The upgrade to WebSocket and the WebSocket server after it, byte by byte."""

import os
import random
import socket
import struct
import time

import pytest

from http_cases import EVIL, get
from probe import WS_GET, Probe, Reader, Socket, binary, frame, reset, wait_for

pytestmark = pytest.mark.skipif(not os.access(binary(), os.X_OK), reason="net_probe is not built")
SEED = int(os.environ.get("PARLOUR_TEST_SEED", "20261121"))


@pytest.fixture(scope="module")
def probe():
    with Probe() as server:
        yield server


def upgrade_cases():
    two, half = frame(b"one") + frame(b"two"), frame(b"half a frame")
    return {"echo": (b"", [frame(b"one")], [b"one"]),
            "early-frames": (two, [], [b"one", b"two"]),
            "early-half": (half[:5], [half[5:]], [b"half a frame"]),
            "early-half-then-more": (two + half[:3], [half[3:], frame(b"three")], [b"one", b"two", b"half a frame", b"three"]),
            "bytes": (b"", [bytes([b]) for b in two], [b"one", b"two"])}


@pytest.mark.parametrize("name", sorted(upgrade_cases()))
def test_upgrade(probe, name):
    early, later, answers = upgrade_cases()[name]
    with Socket(probe, early=early) as ws:
        for part in later:
            ws.sock.sendall(part)
        for answer in answers:
            assert ws.recv() == (1, answer)
        ws.send(struct.pack(">H", 1000) + b"bye", 8)
        assert ws.close_code() == 1000


@pytest.mark.parametrize("fields", [b"Connection: upgrade\r\nUpgrade: websocket, h2c\r\n",
                                    b"Connection: Upgrade\r\nUpgrade: h2c , WebSocket\r\n",
                                    b"Connection: keep-alive,Upgrade\r\nUpgrade: WEBSOCKET\r\n",
                                    b"Connection: te\r\nUpgrade: h2c\r\nconnection: UPGRADE\r\nupgrade: websocket\r\n"])
def test_websocket_is_taken_from_the_list_of_upgrade(probe, fields):
    usual = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    assert usual in WS_GET
    with probe.connect() as sock:
        sock.sendall(WS_GET.replace(usual, fields) % b"/ws" + frame(b"hello"))
        reader = Reader(sock)
        assert reader.reply()[0] == 101 and reader.exactly(7) == b"\x81\x05hello"


def test_upgrade_byte_by_byte(probe):
    with probe.connect() as sock:
        for byte in WS_GET % b"/ws" + frame(b"slow"):
            sock.sendall(bytes([byte]))
        reader = Reader(sock)
        assert reader.reply()[0] == 101 and reader.exactly(6) == b"\x81\x04slow"


def test_upgrade_after_keep_alive_requests(probe):
    with probe.connect() as sock:
        reader = Reader(sock)
        sock.sendall(get(target=b"/hello"))
        assert reader.reply()[0] == 200
        sock.sendall(get(target=b"/hello") + get(target=b"/later?ms=20") + WS_GET % b"/ws" + frame(b"after"))
        assert reader.reply()[0] == 200 and reader.reply()[0] == 200
        assert reader.reply()[0] == 101 and reader.exactly(7) == b"\x81\x05after"


def test_server_speaks_first(probe):
    with Socket(probe, b"/ws/hello") as ws:
        assert ws.recv() == (1, b"hello")


def test_requests_after_the_upgrade_are_frames(probe):
    with Socket(probe) as ws:
        ws.sock.sendall(EVIL)
        assert ws.close_code() == 1002
    assert not any("/evil" in line for line in probe.log()["seen"])


@pytest.mark.parametrize("data,code", [(frame(b"x", 2), 1003), (frame(b"\xff"), 1007), (b"\x81\x01x", 1002), (frame(b"x", 3), 1002),
                                       (b"\xc1" + frame(b"x")[1:], 1002), (frame(b"x", 0), 1002), (frame(b"x" * 126, 9), 1002),
                                       (frame(b"x" * 200000), 1009), (frame(b"close"), 4401), (frame(b"\x03", 8), 1002)])
def test_close_codes(probe, data, code):
    with Socket(probe) as ws:
        ws.sock.sendall(data)
        assert ws.close_code() == code
    wait_for(lambda: probe.log()["ws"] == 0)


def test_ping_is_answered(probe):
    with Socket(probe) as ws:
        ws.send(b"are you there", 9)
        assert ws.recv() == (10, b"are you there")


def test_slow_websocket_reader_is_closed_alone():
    with Probe("ws_queue=64k") as server, Socket(server) as other:
        with Socket(server) as ws:
            ws.send(b"flood " + b"x" * 10000)
            time.sleep(0.5)
            other.send(b"still here")
            assert other.recv() == (1, b"still here")
            assert ws.close_code() == 1013
        wait_for(lambda: server.log()["ws"] == 1)


def test_silent_websocket_is_pinged_then_closed():
    with Probe("ws_ping=500ms", "ws_pong=500ms", "keepalive_timeout=300ms") as server, Socket(server) as ws:
        assert ws.recv() == (9, b"")
        ws.send(b"", 10)
        assert ws.recv() == (9, b"")
        assert ws.close_code() == 1006
        assert server.log()["ws_code"] == 1006


def test_sixty_disconnects_at_random_places(probe):
    print("seed", SEED)
    rand = random.Random(SEED)
    stream = WS_GET % b"/ws" + frame(b"hello") + frame(b"x" * 300) + frame(b"", 9)
    for i in range(60):
        sock = probe.connect()
        sock.sendall(stream[:rand.randrange(1, len(stream) + 1)])
        if rand.random() < 0.5:
            time.sleep(rand.random() * 0.005)
        (reset if i % 2 else socket.socket.close)(sock)
    wait_for(lambda: (lambda log: log["ws"] == 0 and log["conns"] == 1 and log["pending"] == 1)(probe.log()))


def test_epoll_knows_exactly_the_open_sockets():
    with Probe(files=4096) as server:
        server.log()
        time.sleep(0.2)    # the connection has ended
        base = server.sockets()
        sockets = [Socket(server) for _ in range(1000)]
        # the last one may receive its 101 before the loop has added its socket to epoll
        assert wait_for(lambda: server.sockets() == (base[0] + 1000, base[1] + 1000)), (base, server.sockets())
        for ws in sockets[::2]:
            ws.send(b"alive")
            assert ws.recv() == (1, b"alive")
        for ws in sockets:
            ws.sock.close()
        wait_for(lambda: server.log()["ws"] == 0)
        assert wait_for(lambda: server.sockets() == base)
