# SPDX-License-Identifier: ISC
"""Overload: when work waits too long, the daemon refuses a part of the new work, and only while the overload lasts.

The thresholds are very low here, so that a short burst causes overload.
"""

import json
import time

import pytest

import wire
from parlour import wait_for

LOW = {"shed_age": "1ms", "shed_interval": "10ms", "rate_read": "off", "rate_send": "off", "workers": 1}


def shed(daemon, work):
    name = f'parlour_shed_total{{work="{work}"}} '
    return next(int(float(line.split()[-1])) for line in daemon.ctl("metrics").stdout.splitlines() if line.startswith(name))


def shed_early(daemon):
    line = next(line for line in daemon.ctl("metrics").stdout.splitlines() if line.startswith("parlour_shed_early_total "))
    return int(float(line.split()[-1]))


class Crowd:
    """Persistent connections that send requests at the same time."""

    def __init__(self, daemon, user, count):
        self.socks = [wire.connect(daemon.addr) for _ in range(count)]
        self.auth = f"Host: localhost\r\nAuthorization: {user.auth['Authorization']}\r\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sock in self.socks:
            sock.close()

    def ask(self, method, path, body=None):
        """Sends one request on each connection; returns [(status, headers, body)]."""
        text = b"" if body is None else json.dumps(body).encode()
        kind = "" if body is None else f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n"
        for sock in self.socks:
            sock.sendall(f"{method} {path} HTTP/1.1\r\n{self.auth}{kind}\r\n".encode() + text)
        return [self.answer(sock) for sock in self.socks]

    @staticmethod
    def answer(sock):
        deadline = time.monotonic() + 30
        status, headers, data = wire.read_head(sock, deadline)
        while len(data) < int(headers["content-length"]):
            data += sock.recv(65536)
        return status, headers, json.loads(data)


def healthy(daemon):
    return [daemon.get(path).status_code for path in ("/health", "/livez", "/readyz")] == [200, 200, 200]


@pytest.mark.parametrize("work, count", [("read", 300), ("send", 800)])
def test_a_crowd_is_refused_in_part(parlour, work, count):
    """Some requests get 503 with Retry-After and others are served; health checks get replies; afterwards all requests
    are served."""
    daemon = parlour(**LOW)
    user = daemon.register()
    path = f"/api/rooms/{user.room()['id']}/messages"
    how = ("GET", path) if work == "read" else ("POST", path, {"content": "hello"})
    good = 200 if work == "read" else 201
    served = 0
    with Crowd(daemon, user, count) as crowd:
        def round_has_refusals():
            nonlocal served
            answers = crowd.ask(*how)
            assert healthy(daemon)
            assert {status for status, _, _ in answers} <= {good, 503}
            served += [status for status, _, _ in answers].count(good)
            return [answer for answer in answers if answer[0] == 503]
        refused = wait_for(round_has_refusals, 30, "a round with refusals")
        assert served > 0, "not all were refused"
        for _, headers, body in refused:
            assert int(headers["retry-after"]) >= 1
            assert body["code"] == "busy" and body["temporary"] is True and body["retry_after"] >= 1
        assert shed(daemon, work) >= len(refused)
        wait_for(lambda: round_has_refusals() and shed_early(daemon) > 0, 30, "not all went the long way")
        assert daemon.wait_log("overload: new work is refused")
    assert user.get(path).status_code == 200, "one alone is never refused"
    assert user.say(path.split("/")[3], "afterwards").status_code == 201
    before = shed(daemon, work)
    for _ in range(50):
        assert user.get(path).status_code == 200
    assert shed(daemon, work) == before


def test_sends_over_a_socket(parlour):
    """Each frame gets one reply, ack or busy; acknowledged messages are stored in order, and the others are not
    stored."""
    daemon = parlour(**LOW)
    user = daemon.register()
    room = user.room()["id"]
    acks, busy = [], []
    with user.ws() as sock:
        def burst():
            begin = len(acks) + len(busy)
            frames = [wire.pack_frame(wire.TEXT, json.dumps({
                "type": "send", "topic": f"room:{room}", "content": str(n), "client_id": f"c{n}", "id": str(n)}).encode())
                for n in range(begin, begin + 2000)]
            sock.send_raw(b"".join(frames))
            for _ in frames:
                frame = sock.expect("ack", "error", timeout=60)
                if frame["type"] == "ack":
                    acks.append((frame["seq"], int(frame["id"])))
                else:
                    assert frame["code"] == "busy" and frame["temporary"] is True and frame["retry_after"] >= 1, frame
                    busy.append(int(frame["id"]))
            return busy
        wait_for(burst, 60, "a burst with refusals")
        assert acks, "not all were refused"
        numbers = [n for _, n in sorted(acks)]
        assert numbers == sorted(numbers), "accepted sends stay in order"
        assert shed(daemon, "send") == len(busy)
        sock.send("send", topic=f"room:{room}", content="again", client_id=f"c{busy[0]}", id="again")
        ack = sock.expect("ack", id="again")
        assert "duplicate" not in ack, "what was refused was not stored"


def test_off(parlour):
    daemon = parlour(**{**LOW, "shed_age": "0s"})
    user = daemon.register()
    path = f"/api/rooms/{user.room()['id']}/messages"
    with Crowd(daemon, user, 300) as crowd:
        for _ in range(5):
            assert {status for status, _, _ in crowd.ask("GET", path)} == {200}
    assert shed(daemon, "read") == 0
