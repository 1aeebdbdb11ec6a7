# SPDX-License-Identifier: ISC
"""A small blocking WebSocket client and a raw HTTP exchange, for tests that control every byte.

WS implements the client side of RFC 6455. Its frames can be valid (send_json, send_text) or invalid on purpose
(send_frame, send_raw). It answers pings unless that is turned off. All waits have a deadline.
"""

import base64
import hashlib
import json
import os
import select
import socket
import struct
import time

import described_frames

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# Sanitizers and loaded machines are slow: every deadline is multiplied by this.
SLOW = float(os.environ.get("PARLOUR_TEST_SLOW", "1"))
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Refused(Exception):
    """The server answered the handshake with a status other than 101."""

    def __init__(self, status, headers, body):
        super().__init__(f"handshake refused: {status} {body[:200]!r}")
        self.status, self.headers, self.body = status, headers, body


class Closed(Exception):
    """The peer closed the connection; code is the one in its close frame, or 1006 without a close frame."""

    def __init__(self, code, reason=""):
        super().__init__(f"closed: {code} {reason}")
        self.code, self.reason = code, reason


class Timeout(AssertionError):
    """The expected data did not arrive before the deadline."""


def connect(addr, timeout=10.0):
    """Opens a stream socket to a TCP (host, port) or a unix path."""
    if isinstance(addr, str):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        sock.connect(addr)
    else:
        sock = socket.create_connection(addr, timeout=timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def read_head(sock, deadline, data=b""):
    """Reads up to the blank line: (status, headers with lower-case names, bytes after it)."""
    while b"\r\n\r\n" not in data:
        sock.settimeout(max(0.001, deadline - time.monotonic()))
        part = sock.recv(65536)
        if not part:
            raise ConnectionError(f"closed inside the header: {data[:200]!r}")
        data += part
    head, rest = data.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        name = name.strip().lower()
        headers[name] = headers[name] + ", " + value.strip() if name in headers else value.strip()
    return int(lines[0].split(" ")[1]), headers, rest


def exchange(addr, data, timeout=10.0):
    """Sends bytes and reads one reply, with Content-Length or up to the end: (status, headers, body)."""
    deadline = time.monotonic() + timeout
    with connect(addr, timeout) as sock:
        sock.sendall(data)
        status, headers, body = read_head(sock, deadline)
        want = int(headers["content-length"]) if "content-length" in headers else None
        while want is None or len(body) < want:
            sock.settimeout(max(0.001, deadline - time.monotonic()))
            part = sock.recv(65536)
            if not part:
                break
            body += part
    return status, headers, body


def pack_frame(op, payload=b"", fin=True, rsv=0, mask=True, length=None):
    """Returns the bytes of one frame; length replaces the length in the header."""
    size = len(payload) if length is None else length
    head = bytes([(0x80 if fin else 0) | (rsv << 4) | op])
    bit = 0x80 if mask else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += bytes([bit | 126]) + struct.pack("!H", size)
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", size)
    if not mask:
        return head + payload
    key = os.urandom(4)
    wide = (key * (len(payload) // 4 + 1))[: len(payload)]
    body = (int.from_bytes(payload, "big") ^ int.from_bytes(wide, "big")).to_bytes(len(payload), "big")
    return head + key + body


class WS:
    """One WebSocket. Unread JSON frames wait in self.inbox, in order."""

    def __init__(self, addr, path="/ws", token=None, protocols=("parlour.v1",), headers=None, timeout=10.0,
                 auto_pong=True, early=b"", rcvbuf=None, via="header", host="localhost"):
        self.auto_pong, self.inbox, self.pongs, self.pings = auto_pong, [], [], []
        self.buffer, self.parts, self.closed_with = b"", b"", None
        self.deadline_s = timeout
        protocols = list(protocols)
        extra = dict(headers or {})
        if token and via == "header":
            extra.setdefault("Authorization", "Bearer " + token)
        elif token and via == "subprotocol":
            protocols.append("bearer." + token)
        self.sock = connect(addr, timeout) if rcvbuf is None else self._narrow(addr, rcvbuf, timeout)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: {extra.pop('Host', host)}",
                 f"Upgrade: {extra.pop('Upgrade', 'websocket')}", f"Connection: {extra.pop('Connection', 'Upgrade')}",
                 f"Sec-WebSocket-Key: {extra.pop('Sec-WebSocket-Key', key)}",
                 f"Sec-WebSocket-Version: {extra.pop('Sec-WebSocket-Version', '13')}"]
        if protocols:
            lines.append("Sec-WebSocket-Protocol: " + ", ".join(protocols))
        lines += [f"{name}: {value}" for name, value in extra.items()]
        self.sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + early)
        try:
            self._handshake(path, key, time.monotonic() + timeout)
        except BaseException:
            self.sock.close()
            raise

    @staticmethod
    def _narrow(addr, rcvbuf, timeout):
        """Returns a socket whose receive buffer is set before it connects, so that the TCP window stays small."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        sock.settimeout(timeout)
        sock.connect(addr)
        return sock

    def _handshake(self, path, key, deadline):
        self.status, self.headers, rest = read_head(self.sock, deadline)
        if self.status != 101:
            want = int(self.headers.get("content-length", "0"))
            while len(rest) < want:
                part = self.sock.recv(65536)
                if not part:
                    break
                rest += part
            raise Refused(self.status, self.headers, rest)
        accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        assert self.headers.get("sec-websocket-accept") == accept, "wrong Sec-WebSocket-Accept"
        self.subprotocol = self.headers.get("sec-websocket-protocol")
        self.buffer = rest
        self.described = described_frames.Socket(path, self.subprotocol)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.drop()

    def fileno(self):
        return self.sock.fileno()

    def drop(self):
        """Closes the socket without a close frame."""
        self.sock.close()

    # ---- sending ----

    def send_raw(self, data):
        self.sock.settimeout(self.deadline_s)
        self.sock.sendall(data)

    def send_frame(self, op, payload=b"", **how):
        self.send_raw(pack_frame(op, payload, **how))

    def send_text(self, text):
        self.described.sent(text)
        self.send_frame(TEXT, text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)

    def send(self, type_=None, **fields):
        """Sends one JSON object, with `type` as its first member if given."""
        frame = {"type": type_, **fields} if type_ is not None else fields
        self.send_text(json.dumps(frame, ensure_ascii=False))

    # ---- receiving ----

    def readable(self, seconds):
        """Waits with poll() instead of select(), because a test with a thousand sockets has descriptors above 1023."""
        watch = select.poll()
        watch.register(self.sock, select.POLLIN)
        return bool(watch.poll(seconds * 1000))

    def _deadline(self, timeout):
        """Returns a deadline: a given timeout is multiplied by SLOW; the timeout of the socket already is."""
        return time.monotonic() + (self.deadline_s if timeout is None else timeout * SLOW)

    def _need(self, count, deadline):
        while len(self.buffer) < count:
            left = deadline - time.monotonic()
            if left <= 0 or not self.readable(left):
                raise Timeout(f"nothing came; inbox: {self.inbox[-5:]}")
            try:
                part = self.sock.recv(262144)
            except (ConnectionResetError, BrokenPipeError):
                part = b""
            if not part:
                self.closed_with = self.closed_with or 1006
                raise Closed(self.closed_with)
            self.buffer += part

    def frame(self, timeout=None):
        """Returns the next frame as (op, fin, payload). Checks that the frames of the server are unmasked and
        uncompressed."""
        return self._frame(self._deadline(timeout))

    def _frame(self, deadline):
        self._need(2, deadline)
        first, second = self.buffer[0], self.buffer[1]
        assert second & 0x80 == 0, "the server masked a frame"
        assert first & 0x70 == 0, "a reserved bit without an extension"
        size, at = second & 0x7F, 2
        if size == 126:
            self._need(4, deadline)
            size, at = struct.unpack("!H", self.buffer[2:4])[0], 4
        elif size == 127:
            self._need(10, deadline)
            size, at = struct.unpack("!Q", self.buffer[2:10])[0], 10
        self._need(at + size, deadline)
        payload, self.buffer = self.buffer[at:at + size], self.buffer[at + size:]
        return first & 15, bool(first & 0x80), payload

    def message(self, timeout=None):
        """Returns the next text message; answers pings, and raises Closed at a close frame or the end."""
        return self._message(self._deadline(timeout))

    def _message(self, deadline, pong=None):
        """pong: returns None when this pong has arrived."""
        while True:
            op, fin, payload = self._frame(deadline)
            if op == PING:
                self.pings.append(payload)
                if self.auto_pong:
                    self.send_frame(PONG, payload)
            elif op == PONG:
                self.pongs.append(payload)
                if payload == pong:
                    return None
            elif op == CLOSE:
                self._on_close(payload)
            else:
                self.parts += payload
                if fin:
                    text, self.parts = self.parts.decode("utf-8"), b""
                    self.described.received(text)
                    return text

    def _on_close(self, payload):
        code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005
        self.closed_with = code
        self.described.closed(code)
        try:
            self.send_frame(CLOSE, payload[:2])
        except OSError:
            pass
        raise Closed(code, payload[2:].decode("utf-8"))

    def recv(self, timeout=None):
        """Returns the next JSON frame, first those in the inbox."""
        return self.inbox.pop(0) if self.inbox else json.loads(self.message(timeout))

    def expect(self, *types, timeout=None, **fields):
        """Returns the first frame of one of these types whose members equal `fields`; others stay in the inbox."""
        def fits(frame):
            return frame.get("type") in types and all(frame.get(k) == v for k, v in fields.items())

        for at, frame in enumerate(self.inbox):
            if fits(frame):
                return self.inbox.pop(at)
        deadline = self._deadline(timeout)
        while True:
            try:
                frame = json.loads(self._message(deadline))
            except Timeout:
                raise Timeout(f"no {'/'.join(types)} {fields}; inbox: {self.inbox[-5:]}") from None
            if fits(frame):
                return frame
            self.inbox.append(frame)

    def silent_until(self, barrier, *types):
        """Runs barrier(), which must end with a frame on this socket, and asserts that none of `types` arrived before
        it."""
        barrier()
        got = [f for f in self.inbox if f.get("type") in types]
        assert not got, f"unexpected: {got[:3]}"

    def ping_pong(self):
        """Sends a native ping and waits for its answer: the server has processed everything sent before."""
        mark = base64.b16encode(os.urandom(6)).decode()
        self.send("ping", id=mark)
        return self.expect("pong", id=mark)

    def pong(self, timeout=None):
        """Sends a WebSocket ping and waits for its pong, also where no frame requests a reply. Other frames go to the
        inbox."""
        mark, deadline = os.urandom(6), self._deadline(timeout)
        self.send_frame(PING, mark)
        while (text := self._message(deadline, mark)) is not None:
            self.inbox.append(json.loads(text))

    # ---- closing ----

    def close(self, code=1000, reason="", timeout=None):
        """Closes cleanly from this side and returns the code of the server's close frame."""
        self.send_frame(CLOSE, struct.pack("!H", code) + reason.encode())
        return self.wait_closed(timeout)

    def wait_closed(self, timeout=None):
        """Reads until the server closes; returns the code (1006: no close frame). Other frames go to the inbox."""
        deadline = self._deadline(timeout)
        if self.closed_with:
            return self.closed_with
        try:
            while True:
                self.inbox.append(json.loads(self._message(deadline)))
        except Closed as why:
            return why.code
        finally:
            self.sock.close()
