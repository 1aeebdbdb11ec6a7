# SPDX-License-Identifier: ISC
"""The HTTP and WebSocket servers against hostile and faulty clients, byte by byte."""

import fcntl
import json
import os
import random
import socket
import struct
import termios
import threading
import time

import pytest

from http_cases import CASES, EVIL, chunked, get, post
from probe import SLOW, WS_GET, Probe, Reader, Socket, binary, frame, reset, wait_for

pytestmark = pytest.mark.skipif(not os.access(binary(), os.X_OK), reason="net_probe is not built")
SEED = int(os.environ.get("PARLOUR_TEST_SEED", "20261121"))


@pytest.fixture(scope="module", params=["usual", "overload"])
def probe(request):
    """During overload, complete requests are first read by other code (test_http_early.py); here, that code refuses
    nothing."""
    with Probe(*(["-o"] if request.param == "overload" else []), "max_header=16k", "max_body=1M", "cors_origins=https://app.example.org", "keepalive_timeout=20s") as server:
        yield server


# ---- raw requests

def send_pieces(sock, raw, size):
    try:
        for at in range(0, len(raw), size):
            sock.sendall(raw[at:at + size])
    except ConnectionError:
        pass    # the server refused before the client had sent everything


# Each case is sent at once and, unless that takes too long, in pieces of 7 bytes.
BOTH_WAYS = [(*case[1:], pieces) for case in CASES for pieces in (1 << 30, 7) if pieces > 7 or len(case[1]) <= 4000]
BOTH_NAMES = [f"{case[0]}-{how}" for case in CASES for how in ("whole", "pieces") if how == "whole" or len(case[1]) <= 4000]


@pytest.mark.parametrize("raw,statuses,closes,runs,pieces", BOTH_WAYS, ids=BOTH_NAMES)
def test_case(probe, raw, statuses, closes, runs, pieces):
    probe.log()
    with probe.connect(5) as sock:
        reader = Reader(sock)
        send_pieces(sock, raw, pieces)
        if not statuses:
            sock.settimeout(0.05)
            with pytest.raises(TimeoutError):
                reader.more()
        else:
            status, headers, body = reader.reply()
            assert status in statuses, (status, body)
            assert "x-request-id" in headers
            if status >= 400 and not runs:
                assert json.loads(body)["request_id"] == headers["x-request-id"]
            for _ in range(runs - 1):
                status, headers, _ = reader.reply()
                assert status == 200
            if closes and "connection" not in headers:    # the invalid part was in a later piece
                status, headers, _ = reader.reply()
                assert pieces == 7 and status >= 400
            if closes:
                assert headers.get("connection") == "close"
                assert reader.at_end(), reader.data
            else:
                sock.sendall(get(target=b"/probe/log"))
                status, headers, body = reader.reply()
                assert status == 200 and len(json.loads(body)["seen"]) == runs, body
                runs = 0
    seen = probe.log()["seen"]
    assert not any("/evil" in line for line in seen), seen
    assert len(seen) == runs, seen


def test_trailers_are_dropped_and_extensions_ignored(probe):
    with probe.connect() as sock:
        sock.sendall(chunked(b"3;a=b\r\nabc\r\n2;c\r\nde\r\n0;x\r\nX-Trailer: 1\r\nAuthorization: Bearer x\r\n\r\n"))
        what = json.loads(Reader(sock).reply()[2])
    assert what["body"] == "abcde" and what["trailer"] is None and what["auth"] is None


def test_head_has_no_body_and_the_same_length(probe):
    status, headers, body = probe.get(b"/hello", method=b"HEAD")
    assert (status, body) == (200, b"") and int(headers["content-length"]) == len(probe.get(b"/hello")[2])


def test_no_content_has_no_length(probe):
    status, headers, _ = probe.get(b"/empty")
    assert status == 204 and "content-length" not in headers and "content-type" not in headers


@pytest.mark.parametrize("target,segments", [(b"/", 0), (b"/a/b", 2), (b"/a/b/", 2), (b"/a//b", 3), (b"/../a", -1), (b"/a/%2e%2e/b", -1),
                                             (b"/a/.", -1), (b"/a%2fb", -1), (b"/a%5cb", -1), (b"/a%00", -1), (b"/%c0%af", -1), (b"/%zz", -1),
                                             (b"/%e4", -1), (b"/%c3%a4", 1), (b"/" + b"x/" * 13, -1)])
def test_path_segments(probe, target, segments):
    assert json.loads(probe.get(target)[2])["segments"] == segments


def test_query_parameters(probe):
    assert json.loads(probe.get(b"/?x=1&q=a+b%21&q=2")[2])["q"] == "a b!"
    broken = json.loads(probe.get(b"/?q=%ff")[2])
    assert broken["q"] is None and broken["bad"]
    assert json.loads(probe.get(b"/?token=secret&x=1")[2])["target"] == "/?token=(hidden)&x=1"


# ---- what every reply carries

def test_headers_of_every_reply(probe):
    origin = b"Origin: https://app.example.org\r\n"
    for target in (b"/hello", b"/missing", b"/fail", b"/empty"):
        _, headers, _ = probe.get(target, origin)
        assert headers["access-control-allow-origin"] == "https://app.example.org"
        assert "Retry-After" in headers["access-control-expose-headers"] and headers["access-control-allow-credentials"] == "true"
        assert "Origin" in headers["vary"] and headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["referrer-policy"] == "no-referrer" and len(headers["x-request-id"]) == 32 and "date" in headers
    assert "content-security-policy" not in probe.get(b"/html")[1]
    assert probe.get(b"/fail")[1]["retry-after"] == "12"


def test_foreign_origin_gets_no_cors_headers(probe):
    for origin in (b"https://evil.example", b"null", b"https://app.example.org.evil", b"https://xapp.example.org", b"http://app.example.org"):
        status, headers, _ = probe.get(b"/hello", b"Origin: " + origin + b"\r\n")
        assert status == 200 and "access-control-allow-origin" not in headers and "Origin" in headers["vary"]


def test_preflight(probe):
    ask = b"Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: authorization, x-own\r\n"
    status, headers, _ = probe.get(b"/x", b"Origin: https://app.example.org\r\n" + ask, b"OPTIONS")
    assert status == 204 and "PUT" in headers["access-control-allow-methods"]
    assert headers["access-control-allow-headers"] == "authorization, x-own" and headers["access-control-max-age"] == "600"
    status, _, body = probe.get(b"/x", b"Origin: https://evil.example\r\n" + ask, b"OPTIONS")
    assert status == 403 and json.loads(body)["code"] == "bad_origin"


def test_own_origin(probe):
    assert json.loads(probe.get(b"/x", b"Origin: http://front.test\r\n")[2])["origin_ok"]


def test_host_is_checked():
    with Probe("trusted_hosts=front.test *.front.test") as server:
        for host, status in ((b"front.test:99", 200), (b"a.front.test", 200), (b"evil.test", 400), (b"xfront.test", 400), (b"FRONT.TEST.", 200)):
            with server.connect() as sock:
                sock.sendall(get(host=b"Host: " + host + b"\r\n", target=b"/hello"))
                assert Reader(sock).reply()[0] == status, host
        with server.connect() as sock:
            sock.sendall(b"GET /hello HTTP/1.0\r\n\r\n")
            assert Reader(sock).reply()[0] == 400


def test_forwarded_headers_of_a_trusted_proxy(probe):
    what = json.loads(probe.get(b"/x", b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 198.51.100.7, 127.0.0.1\r\n"
                                       b"X-Forwarded-Proto: https\r\nX-Request-Id: from-the-proxy.1\r\n")[2])
    assert what["addr"] == "198.51.100.7" and what["tls"] and what["id"] == "from-the-proxy.1"


def test_forwarded_headers_of_anybody_else():
    with Probe("trusted_proxies=10.0.0.1") as server:
        what = json.loads(server.get(b"/x", b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\nX-Request-Id: chosen-by-me\r\n")[2])
        assert what["addr"] == "127.0.0.1" and not what["tls"] and what["id"] != "chosen-by-me"


# ---- pending replies

def test_pipelining_while_a_reply_is_pending(probe):
    with probe.connect() as sock:
        reader = Reader(sock)
        sock.sendall(get(target=b"/held"))
        for i in range(20):
            sock.sendall(get(target=b"/%d" % i))
            probe.turn()
        probe.release()
        assert b"later" in reader.reply()[2]
        for i in range(20):
            assert json.loads(reader.reply()[2])["target"] == f"/{i}"


def test_garbage_while_a_reply_is_pending(probe):
    with probe.connect() as sock:
        reader = Reader(sock)
        sock.sendall(get(target=b"/held"))
        probe.turn()
        sock.sendall(b"\x00\x01garbage\r\n\r\n" + EVIL)
        probe.turn()
        probe.release()
        status, headers, _ = reader.reply()
        assert status == 200 and headers["connection"] == "close" and reader.at_end()
    assert not any("/evil" in line for line in probe.log()["seen"])


def test_flood_while_a_reply_is_pending(probe):
    with probe.connect() as sock:
        sock.sendall(get(target=b"/held"))
        sock.setblocking(False)
        sent, full = 0, 0
        while full < 5 and sent < 20 << 20:
            try:
                sent += sock.send(get(target=b"/hello") * 500)
                full = 0
            except BlockingIOError:
                full += 1
                probe.turn()
        probe.release()
        sock.settimeout(5 * SLOW)
        assert b"later" in Reader(sock).reply()[2]
    wait_for(lambda: probe.log()["conns"] == 1)


def test_leaving_while_a_reply_is_pending(probe):
    gone = probe.log()["gone"]
    for leave in (socket.socket.close, reset):
        sock = probe.connect()
        sock.sendall(get(target=b"/held"))
        wait_for(lambda: probe.log()["pending"] == 2)
        leave(sock)
        wait_for(lambda: probe.log()["pending"] == 1)
    wait_for(lambda: probe.log()["gone"] == gone + 2)


def test_leaving_a_stream(probe):
    gone = probe.log()["gone"]
    for _ in range(5):
        sock = probe.connect()
        sock.sendall(get(target=b"/stream?n=1000&ms=20"))
        assert sock.recv(10)
        sock.close()
    wait_for(lambda: probe.log()["gone"] == gone + 5)


def test_stream_then_next_request(probe):
    with probe.connect() as sock:
        reader = Reader(sock)
        sock.sendall(get(target=b"/stream?n=5&ms=5") + get(target=b"/hello"))
        assert reader.reply()[2] == b"s" * 50 and reader.reply()[0] == 200


def test_silent_stream_of_events_gets_comments():
    """A silent stream of events gets a comment line after each sse_ping, and none while it sends events."""
    with Probe("sse_ping=500ms") as server:
        body = server.get(b"/stream?n=1&ms=2600")[2]
        assert 2 <= body.count(b":\n\n") <= 10 and body.replace(b":\n\n", b"") == b"s" * 10, body
        assert server.get(b"/stream?n=30&ms=40")[2] == b"s" * 300
        with server.connect() as sock:    # the timer belongs to the stream, not to the connection
            reader = Reader(sock)
            sock.sendall(get(target=b"/stream?n=1&ms=1300"))
            assert b":\n\n" in reader.reply()[2]
            sock.sendall(get(target=b"/later?ms=1300"))
            assert reader.reply()[2] == b'{"later":true}'
    with Probe("sse_ping=0s") as server:
        assert server.get(b"/stream?n=1&ms=900")[2] == b"s" * 10


def test_stream_of_events_to_a_reader_that_stops_is_given_up():
    """The server closes a stream of events whose reader stops; pending comments do not delay that."""
    with Probe("sse_ping=500ms", "write_timeout=2s", "ws_queue=64M") as server, server.connect() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(get(target=b"/stream?n=100000&ms=10&bytes=60000"))
        wait_for(lambda: server.log()["gone"] == 1)


def test_stream_to_http10_ends_with_the_connection(probe):
    with probe.connect() as sock:
        sock.sendall(get(target=b"/stream?n=5&ms=5", version=b"HTTP/1.0"))
        _, headers, body = Reader(sock).reply()
        assert body == b"s" * 50 and "transfer-encoding" not in headers


def unread(sock):
    return struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, bytes(4)))[0]


def test_large_reply_to_a_slow_reader(probe):
    with probe.connect() as sock:
        reader = Reader(sock)
        sock.sendall(get(target=b"/big?bytes=6000000") + get(target=b"/hello"))
        # both buffers are full
        wait_for(lambda: (before := unread(sock)) and not probe.turn() and unread(sock) == before)
        body = reader.reply()[2]
        assert len(body) == 6000000 and body[26000:26026] == b"abcdefghijklmnopqrstuvwxyz"
        assert reader.reply()[0] == 200


def test_expect_continue(probe):
    with probe.connect() as sock:
        sock.sendall(post(b"Expect: 100-continue\r\nContent-Length: 5\r\n"))
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"hello")
        assert json.loads(Reader(sock).reply()[2])["body"] == "hello"


# ---- time

@pytest.mark.parametrize("first,setting,least", [(b"GET /a HTTP/1.1\r\nX: ", "header_timeout", 0.5),
                                                 (post(b"Content-Length: 1000\r\n"), "body_timeout", 0.5),
                                                 (chunked(b"ff\r\n"), "body_timeout", 0.5)], ids=["header", "body", "chunked"])
def test_slow_sender_is_cut_absolutely(first, setting, least):
    with Probe(f"{setting}=700ms") as server, server.connect() as sock:
        start, reader = time.monotonic(), Reader(sock)
        sock.sendall(first)
        sock.settimeout(0.1)
        while time.monotonic() - start < 5 * SLOW:
            try:
                sock.sendall(b"x")
                if reader.more():
                    break
            except TimeoutError:
                continue
        took = time.monotonic() - start
        sock.settimeout(5 * SLOW)
        status, _, body = reader.reply()
        assert status == 408 and json.loads(body)["temporary"] and least < took < 2 * SLOW


def test_idle_connection_is_closed():
    with Probe("keepalive_timeout=500ms") as server, server.connect() as sock:
        reader, start = Reader(sock), time.monotonic()
        sock.sendall(get(target=b"/hello"))
        assert reader.reply()[0] == 200
        assert reader.at_end() and 0.49 < time.monotonic() - start < 2 * SLOW
        with server.connect() as silent:
            assert Reader(silent).at_end()


def test_reader_that_stops_is_given_up():
    with Probe("write_timeout=500ms") as server, server.connect() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(get(target=b"/big?bytes=30000000"))
        wait_for(lambda: server.log()["gone"] == 1)


# ---- resources and ends

def test_no_descriptors_left_does_not_spin():
    with Probe("max_connections=1000", files=64) as server:
        socks = [server.connect() for _ in range(100)]
        wait_for(lambda: len(os.listdir(f"/proc/{server.pid}/fd")) == 64)
        before = server.cpu_s()
        time.sleep(2)       # the time over which the test measures
        assert server.cpu_s() - before < 0.2
        for sock in socks:
            sock.close()
        wait_for(lambda: server.log()["conns"] == 1)
    assert server.err.count(b"accepting pauses") < 40


def test_connections_are_capped():
    with Probe("max_connections=20") as server:
        socks = [server.connect() for _ in range(40)]
        opened = wait_for(lambda: (now := server.sockets()[0]) >= 20 and now == server.sockets()[0] and now)
        assert opened < 30
        for sock in socks:
            sock.close()
        wait_for(lambda: server.log()["conns"] == 1)


def test_drain():
    with Probe() as server:
        idle, busy, ws = server.connect(), server.connect(), Socket(server)
        idle.sendall(get(target=b"/hello"))
        assert Reader(idle).reply()[0] == 200
        busy.sendall(get(target=b"/later?ms=1500"))
        wait_for(lambda: server.log()["pending"] == 2)
        assert server.get(b"/drain")[0] == 204
        assert Reader(idle).at_end()
        assert ws.close_code() == 1012
        reader = Reader(busy)
        _, headers, body = reader.reply()
        assert b"later" in body and headers["connection"] == "close" and reader.at_end()


def test_stop_in_every_state():
    with Probe() as server:
        socks = [server.connect() for _ in range(8)]
        for sock, raw in zip(socks, (b"", b"GET /", post(b"Content-Length: 5\r\n", b"ab"), get(target=b"/later?ms=60000"),
                                     get(target=b"/stream?n=9999&ms=10"), get(target=b"/big?bytes=30000000"), WS_GET % b"/ws",
                                     WS_GET % b"/ws" + frame(b"x" * 500)[:100])):
            sock.sendall(raw)
        wait_for(lambda: (now := server.log())["pending"] == 4 and now["ws"] == 2)
        server.turn()


def test_unix_socket_with_a_long_name(tmp_path):
    path = str(tmp_path / "front.sock")
    with Probe(unix=path) as server:
        for name in (None, "\0abstract" + "x" * 90, str(tmp_path / "client.sock")):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                if name:
                    sock.bind(name)
                sock.settimeout(5)
                sock.connect(path)
                sock.sendall(get(target=b"/x"))
                assert json.loads(Reader(sock).reply()[2])["addr"] == "unix"


def test_many_clients_at_once(probe):
    def work(seed):
        rand = random.Random(seed)
        for _ in range(30):
            with probe.connect() as sock:
                reader, count = Reader(sock), rand.randrange(1, 6)
                sock.sendall(b"".join(get(target=rand.choice((b"/hello", b"/later?ms=1", b"/big?bytes=70000", b"/stream?n=2&ms=1")))
                                      for _ in range(count)))
                for _ in range(count):
                    assert reader.reply()[0] == 200
                done.append(count)

    done = []
    threads = [threading.Thread(target=work, args=(SEED + i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 240
