# SPDX-License-Identifier: ISC
"""Refusals during overload, before evhttp sees the request. The probe refuses /busy and nothing else.

A request in two pieces takes the normal path, where the probe replies 200, so each test can see which path was taken.
"""

import json
import os
import threading

import pytest

from http_cases import get
from probe import Probe, Reader, binary, wait_for

pytestmark = pytest.mark.skipif(not os.access(binary(), os.X_OK), reason="net_probe is not built")


@pytest.fixture(scope="module")
def probe():
    with Probe("-o", "max_body=64k", "cors_origins=https://app.example.org", "trusted_hosts=front.test") as server:
        yield server


def ask(head, body=b"", method=b"GET"):
    return method + b" /busy HTTP/1.1\r\nHost: front.test\r\n" + head + b"\r\n" + body


WHOLE = [
    ("get", ask(b"")),
    ("query", ask(b"").replace(b"/busy", b"/busy?token=secret&x=1")),
    ("delete", ask(b"", method=b"DELETE")),
    ("post", ask(b"Content-Length: 5\r\n", b"hello", b"POST")),
    ("put", ask(b"Content-Length: 3000\r\n", b"x" * 3000, b"PUT")),
    ("chunked", ask(b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n", b"POST")),
    ("no-blank", ask(b"Accept:*/*\r\nX-Empty:\r\n")),
    ("keep-alive", ask(b"Connection: keep-alive\r\n")),
]


@pytest.mark.parametrize("raw", [case[1] for case in WHOLE], ids=[case[0] for case in WHOLE])
def test_refused(probe, raw):
    """The refusal has all headers of other replies, and the connection serves the next requests."""
    before = probe.log()
    with probe.connect(5) as sock:
        reader = Reader(sock)
        for _ in range(3):
            sock.sendall(raw)
            status, headers, body = reader.reply()
            error = json.loads(body)
            assert (status, error["code"], error["temporary"], error["retry_after"]) == (503, "busy", True, 3)
            assert headers["retry-after"] == "3" and headers["content-type"] == "application/json"
            assert error["request_id"] == headers["x-request-id"] and len(headers["x-request-id"]) == 32
            assert headers["cache-control"] == "no-store" and headers["x-content-type-options"] == "nosniff"
            assert "date" in headers and "connection" not in headers
        sock.sendall(get(target=b"/hello", host=b"Host: front.test\r\n"))
        assert reader.reply()[0] == 200
    log = probe.log()
    assert log["seen"] == ["1 /hello 0"] and log["pending"] == 1, log
    assert log["refused"] - before["refused"] == 3
    assert log["finished"] - before["finished"] == 1 + 3 + 1, "the log's own, the refused, and hello"


def test_head(probe):
    with probe.connect(5) as sock:
        reader = Reader(sock)
        for _ in range(2):
            sock.sendall(ask(b"", method=b"HEAD"))
            status, headers, body = reader.reply(head=True)
            assert status == 503 and body == b"" and int(headers["content-length"]) > 0


def test_what_the_front_adds(probe):
    with probe.connect(5) as sock:
        reader = Reader(sock)
        sock.sendall(ask(b"origin: https://app.example.org\r\nX-REQUEST-ID: from-the-proxy.1\r\n"))
        _, headers, body = reader.reply()
        assert headers["access-control-allow-origin"] == "https://app.example.org" and "Origin" in headers["vary"]
        assert headers["x-request-id"] == json.loads(body)["request_id"] == "from-the-proxy.1"
        sock.sendall(ask(b"Origin: https://evil.example\r\n"))
        _, headers, _ = reader.reply()
        assert "access-control-allow-origin" not in headers and "Origin" in headers["vary"]


USUAL = [
    ("close", ask(b"Connection: close\r\n"), 200),
    ("close-in-list", ask(b"Connection: x, Close\r\n"), 200),
    ("http-1.0", ask(b"").replace(b"HTTP/1.1", b"HTTP/1.0"), 200),
    ("problem-json", ask(b"Accept: application/problem+json\r\n"), 200),
    ("other-host", ask(b"").replace(b"front.test", b"evil.test"), 400),
    ("large", ask(b"Content-Length: 40000\r\n", b"x" * 40000, b"POST"), 200),
    ("malformed", ask(b"Content-Length: 1\r\nContent-Length: 1\r\n", b"x", b"POST"), 400),
]


@pytest.mark.parametrize("raw,status", [case[1:] for case in USUAL], ids=[case[0] for case in USUAL])
def test_the_usual_way(probe, raw, status):
    """The dispatcher handles requests that need more than a refusal."""
    before = probe.log()["refused"]
    with probe.connect(5) as sock:
        sock.sendall(raw)
        assert Reader(sock).reply()[0] == status
    assert probe.log()["refused"] == before


def test_pieces_and_pipelines(probe):
    """Each request gets one reply, in order, on either path."""
    with probe.connect(5) as sock:
        reader = Reader(sock)
        for at in (1, 20, len(ask(b"")) - 1):
            sock.sendall(ask(b"")[:at])
            sock.sendall(ask(b"")[at:])
            assert reader.reply()[0] in (200, 503)    # the kernel may join them
        sock.sendall(ask(b"") + get(target=b"/1", host=b"Host: front.test\r\n") + ask(b"Content-Length: 1\r\n", b"x", b"POST"))
        assert [json.loads(reader.reply()[2])["target"] for _ in range(3)] == ["/busy", "/1", "/busy"]
        sock.sendall(ask(b""))
        assert reader.reply()[0] == 503
        sock.sendall(get(target=b"/later?ms=50", host=b"Host: front.test\r\n"))
        sock.sendall(ask(b""))
        assert b"later" in reader.reply()[2] and reader.reply()[0] in (200, 503)


def test_bytes_behind_a_refusal(probe):
    """The body of a refused request is not run as a request; the bytes after it are read as the next request."""
    probe.log()
    with probe.connect(5) as sock:
        reader = Reader(sock)
        evil = get(target=b"/evil", host=b"Host: front.test\r\n")
        sock.sendall(ask(b"Content-Length: %d\r\n" % len(evil), evil, b"POST"))
        assert reader.reply()[0] == 503
        sock.sendall(get(target=b"/hello", host=b"Host: front.test\r\n"))
        assert reader.reply()[0] == 200
    assert not any("/evil" in line for line in probe.log()["seen"])


def test_a_client_that_does_not_read(probe):
    """The server closes the connection of a client that does not read when its replies no longer fit; other clients are
    served."""
    conns = probe.log()["conns"]
    with probe.connect(5) as sock:
        sock.setblocking(True)
        sock.settimeout(20)

        def pour():
            try:
                while True:
                    sock.sendall(ask(b""))
            except OSError:
                pass
        thread = threading.Thread(target=pour)
        thread.start()
        wait_for(lambda: probe.log()["conns"] <= conns, 60)
        thread.join()
    assert probe.get(b"/hello")[0] == 200


def test_a_client_that_leaves(probe):
    for _ in range(50):
        with probe.connect(5) as sock:
            sock.sendall(ask(b""))
    with probe.connect(5) as sock:
        sock.sendall(ask(b"Content-Length: 1\r\n", b"x", b"POST"))
        assert Reader(sock).reply()[0] == 503
    assert wait_for(lambda: probe.log()["pending"] == 1)
