# SPDX-License-Identifier: ISC
"""Runs the server of tests/unit/net_probe.c as a test peer, and opens raw sockets to it."""

import base64
import hashlib
import json
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import time

# Every deadline is multiplied by this.
SLOW = float(os.environ.get("PARLOUR_TEST_SLOW", "1"))
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
WS_KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
WS_GET = (b"GET %s HTTP/1.1\r\nHost: front.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
          b"Sec-WebSocket-Key: " + WS_KEY + b"\r\n\r\n")


def binary():
    """Returns PARLOUR_NET_PROBE, or the binary in the build directory."""
    build = os.environ.get("PARLOUR_BUILD", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    return os.environ.get("PARLOUR_NET_PROBE", os.path.join(build, "net_probe"))


class Probe:
    """One running probe. Leaving the block stops it and fails if it does not exit cleanly, for instance after a report
    of a sanitizer."""

    def __init__(self, *settings, unix=None, files=None):
        args = [binary()] + (["-u", unix] if unix else []) + list(settings)
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:exitcode=99", UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1")

        def limit():
            if files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

        self.proc = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env,
                                     preexec_fn=limit)
        line = self.proc.stdout.readline()
        assert line.startswith(b"port="), line + self.proc.stderr.read()
        self.port = int(line[5:])
        self.pid = self.proc.pid
        self.err = b""

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
        try:
            _, self.err = self.proc.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            _, self.err = self.proc.communicate()
        if kind is None:
            assert self.proc.returncode == 0, (self.proc.returncode, self.err.decode(errors="replace")[-4000:])

    def connect(self, timeout=10.0):
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=timeout * SLOW)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def get(self, target, headers=b"", method=b"GET"):
        """Sends one request on its own connection: (status, headers, body)."""
        with self.connect() as sock:
            sock.sendall(method + b" " + target + b" HTTP/1.1\r\nHost: front.test\r\nConnection: close\r\n" + headers + b"\r\n")
            return Reader(sock).reply(head=method == b"HEAD")

    def turn(self):
        """Waits until the probe has read everything sent before. The order within one loop turn is not defined, so a
        second turn must end."""
        for _ in range(2):
            assert self.get(b"/hello")[0] == 200

    def release(self):
        """Lets the probe reply to requests for /held."""
        assert self.get(b"/release")[0] == 204

    def log(self):
        """Returns what the handler received since the last call, and the counters of the server."""
        return json.loads(self.get(b"/probe/log")[2])

    def cpu_s(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def sockets(self):
        """Returns (open sockets, registrations in epoll)."""
        opened, watched = 0, 0
        base = f"/proc/{self.pid}/fd"
        for fd in os.listdir(base):
            try:
                where = os.readlink(f"{base}/{fd}")
                if where.startswith("socket:"):
                    opened += 1
                elif where == "anon_inode:[eventpoll]":
                    with open(f"/proc/{self.pid}/fdinfo/{fd}", encoding="ascii") as info:
                        watched += len(re.findall(r"^tfd:", info.read(), re.M))
            except FileNotFoundError:
                continue
        return opened, watched


class Reader:
    """Reads replies from a socket."""

    def __init__(self, sock):
        self.sock, self.data = sock, b""

    def more(self):
        part = self.sock.recv(65536)
        self.data += part
        return bool(part)

    def until(self, mark):
        while mark not in self.data:
            if not self.more():
                raise EOFError(self.data)
        part, self.data = self.data.split(mark, 1)
        return part

    def exactly(self, count):
        while len(self.data) < count:
            if not self.more():
                raise EOFError(self.data)
        part, self.data = self.data[:count], self.data[count:]
        return part

    def chunks(self):
        body = b""
        while True:
            size = int(self.until(b"\r\n"), 16)
            body += self.exactly(size)
            assert self.exactly(2) == b"\r\n"
            if size == 0:
                return body

    def reply(self, head=False):
        """Returns (status, headers, body); skips 100 Continue."""
        lines = self.until(b"\r\n\r\n").split(b"\r\n")
        status = int(lines[0].split()[1])
        assert lines[0].startswith(b"HTTP/1.1 "), lines[0]
        if status == 100:
            return self.reply(head)
        headers = {}
        for line in lines[1:]:
            name, value = line.split(b":", 1)
            headers.setdefault(name.decode().lower(), []).append(value.strip().decode())
        headers = {name: ", ".join(values) for name, values in headers.items()}
        if head or status in (101, 204, 304):
            return status, headers, b""
        if headers.get("transfer-encoding") == "chunked":
            return status, headers, self.chunks()
        if "content-length" in headers:
            return status, headers, self.exactly(int(headers["content-length"]))
        while self.more():
            pass
        return status, headers, self.data

    def at_end(self):
        """Asserts that the peer closed and sent nothing else. A reset is accepted, because it may follow data that the
        peer did not read."""
        try:
            while not self.data and self.more():
                pass
        except ConnectionError:
            pass
        return not self.data


def frame(payload, opcode=1, final=True, mask=b"\x12\x34\x56\x78"):
    """Returns a masked client frame."""
    head = bytes([(0x80 if final else 0) | opcode])
    if len(payload) < 126:
        head += bytes([0x80 | len(payload)])
    elif len(payload) < 65536:
        head += bytes([0x80 | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([0x80 | 127]) + struct.pack(">Q", len(payload))
    return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


class Socket:
    """A WebSocket client that sends nothing automatically."""

    def __init__(self, probe, path=b"/ws", early=b"", sock=None):
        self.sock = sock or probe.connect()
        self.reader = Reader(self.sock)
        self.sock.sendall(WS_GET % path + early)
        status, headers, _ = self.reader.reply()
        assert status == 101, (status, headers)
        assert headers["sec-websocket-accept"] == base64.b64encode(hashlib.sha1(WS_KEY + GUID).digest()).decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, payload, opcode=1, final=True):
        self.sock.sendall(frame(payload, opcode, final))

    def recv(self):
        """Returns (opcode, payload) of the next frame; raises EOFError if the peer closed the connection."""
        first, second = self.reader.exactly(2)
        assert first & 0x80 and not first & 0x70 and not second & 0x80
        size = second
        if size == 126:
            size = struct.unpack(">H", self.reader.exactly(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self.reader.exactly(8))[0]
        return first & 0x0f, self.reader.exactly(size)

    def close_code(self):
        """Skips to the close frame and returns its code; 1005 without a code, 1006 without a frame."""
        try:
            while True:
                opcode, payload = self.recv()
                if opcode == 8:
                    return struct.unpack(">H", payload[:2])[0] if payload else 1005
        except (EOFError, ConnectionError):
            return 1006


def reset(sock):
    """Closes the connection with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def wait_for(what, seconds=10.0):
    """Calls what() until its value is true and returns it; fails at the deadline."""
    end = time.monotonic() + seconds * SLOW
    while True:
        value = what()
        if value or time.monotonic() > end:
            assert value, "not in time"
            return value
        time.sleep(0.02)
