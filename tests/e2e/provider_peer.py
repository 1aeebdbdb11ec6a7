#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A provider peer that serves chat completions of OpenAI, and messages of Anthropic under {base}/messages, over HTTP/1.1
on 127.0.0.1, correctly or with faults. Directives choose the behavior.

Prints one line, `port=N blackhole=M`, when it listens; ends at SIGTERM, or when its stdin closes if --stdin is given.
Port M accepts no connections, and its queue is full: connecting to it hangs.

A directive comes from the first of these sources that has one:
  1. the queue: POST /control/mode with one directive per line; each request takes one line ("ok*3" counts for three)
  2. the newest message that holds [[DIRECTIVE]]
  3. the model, when it is peer:DIRECTIVE
  4. ok
A directive is MODE,name=value,... :  cut-rst,tokens=5,pace=20

  tokens=N   words in the answer (10)          pace=MS   between them (5)
  echo=1     answer with the last message      finish=W  finish_reason (stop)
  bytes=N    a text of N bytes, not words      piece=N    characters in one event (150)
  say=TEXT   this text, in one event        b64=TEXT   the same in base64: any text
  after=N    Retry-After of errors             role=0    no role delta
  usage=0|1|near   token counts; else as the request asks; near: next to choices
  gate=1     the last word waits for POST /control/open

  ok            a normal stream                         close         the same, ended by closing the connection
  nodone        no [DONE]                               quiet-close   keep-alive promised, closed after the reply
  done-hang     [DONE], but the body never ends         json          one completion, not streamed
  stale         keep-alive promised, but the next request on this connection is answered with a reset
  split         a TCP write for every byte              list          content as a list of parts
  hints         103 Early Hints first                   comments      comments without an end, no text
  think         reasoning first, for tokens x pace      stall-headers nothing at all
  stall-body    headers, then nothing                   stall-mid     half of the words, then nothing
  cut-rst cut-fin cut-close   half of the words, then reset / close without terminator / close without finish_reason
  error-first error-mid       an error object in the stream, before the first word / in the middle
  badjson badsse html gzip redirect         what the words say
  giant         8 MiB of one line, of 1 GB promised
  utf8 nul surrogate          broken characters in the text
  empty         200 without a body                      401 429 500 ...  that status with an error body
  quota         429 permanently

Under {base}/messages, valid modes are ok, split, json, think, stall-*, cut-fin, cut-rst, error-first, error-mid, statuses,
and also:
  nostop        no message_stop                         unknown       events and deltas of new types, pings
  twice         message_start again                     spliced       the start of another message in the middle
options there: finish=W, the stop_reason (end_turn); error=TYPE of the error (overloaded_error).

POST /control/texts: JSON {PART: TEXT}; a request whose system message has PART is answered with TEXT.
GET /control/stats: JSON with requests, streams, stalled, gated, completed, aborted, connections, open, models, modes, bodies,
headers (the last 200). POST /control/open: opens the gate, also for answers that come later. POST /control/reset: zeroes all
that, and closes the gate after the requests that wait. GET {base}/models: peer-1, peer-2 (under a base with /big/: 500 more).
"""
import asyncio
import json
import signal
import socket
import struct
import sys

from provider_replies import Gone, Message, Reply, error_body

class Stats:
    def __init__(self):
        self.connections = self.open = 0
        self.gate = asyncio.Event()
        self.reset()

    def reset(self):
        self.gate.set()
        self.gate = asyncio.Event()
        self.requests = self.streams = self.stalled = self.gated = self.completed = self.aborted = self.models = 0
        self.modes, self.bodies, self.headers, self.queue, self.texts = {}, [], [], [], {}

    def text(self):
        shown = ("connections", "open", "requests", "streams", "stalled", "gated", "completed", "aborted", "models",
                 "modes", "bodies", "headers")
        return json.dumps({k: getattr(self, k) for k in shown})


STATS = Stats()


def directive_of(body):
    if STATS.queue:
        return STATS.queue.pop(0)
    for message in reversed(body.get("messages", [])):
        text = message.get("content")
        if isinstance(text, str) and "[[" in text and "]]" in text:
            return text.rsplit("[[", 1)[1].split("]]", 1)[0]
    model = body.get("model", "")
    return model[5:] if model.startswith("peer:") else "ok"


def parse_directive(text):
    mode, *rest = [part.strip() for part in text.split(",")]
    return mode or "ok", dict(part.split("=", 1) for part in rest if "=" in part)


class Conn(asyncio.Protocol):
    """One connection, with one request at a time."""

    def connection_made(self, transport):
        self.transport, self.buf, self.task, self.busy, self.stale = transport, b"", None, False, False
        self.gone = asyncio.Event()
        STATS.connections += 1
        STATS.open += 1

    def data_received(self, data):
        if self.stale:
            self.reset()
            return
        self.buf += data
        self.next()

    def connection_lost(self, exc):
        STATS.open -= 1
        self.gone.set()

    def write(self, data):
        if self.gone.is_set():
            raise Gone
        self.transport.write(data)

    async def pause(self, seconds):
        if seconds > 0:
            await asyncio.sleep(seconds)
        if self.gone.is_set():
            raise Gone

    async def stall(self):
        """Waits without an end; the kernel has all data sent before."""
        STATS.stalled += 1
        await self.gone.wait()
        raise Gone

    async def gate(self):
        """Waits at the gate; the kernel has all data sent before."""
        STATS.gated += 1
        waits = [asyncio.ensure_future(event.wait()) for event in (STATS.gate, self.gone)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if self.gone.is_set():
            raise Gone

    def reset(self):
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def whole(self, status, body, ctype="application/json", extra=()):
        lines = ["HTTP/1.1 " + status, "Content-Type: " + ctype, "Content-Length: %d" % len(body), *extra]
        self.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def next(self):
        """Starts the next request when all of it has arrived."""
        if self.busy or b"\r\n\r\n" not in self.buf:
            return
        head, rest = self.buf.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {k.strip().lower(): v.strip() for k, v in (line.split(":", 1) for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self.buf = rest[length:]
        self.busy = True
        method, path = first.split(" ")[:2]
        self.task = asyncio.ensure_future(self.serve(method, path, headers, rest[:length]))

    async def serve(self, method, path, headers, body):
        try:
            if path.startswith("/control/"):
                self.control(path, body)
            elif path.endswith("/chat/completions") and method == "POST":
                await self.completion(headers, body, Reply)
            elif path.endswith("/messages") and method == "POST":
                await self.completion(headers, body, Message)
            elif path.split("?")[0].endswith("/models"):
                self.models(path, headers)
            else:
                self.whole("404 Not Found", error_body("no such path: " + path, "invalid_request_error"))
        except Gone:
            STATS.aborted += 1
        self.busy = False
        if not self.gone.is_set():
            self.next()

    def control(self, path, body):
        if path == "/control/mode":
            for line in body.decode().split("\n"):
                line, _, times = line.strip().partition("*")
                STATS.queue += [line] * int(times or 1) if line else []
        elif path == "/control/texts":
            STATS.texts = json.loads(body)
        elif path == "/control/reset":
            STATS.reset()
        elif path == "/control/open":
            STATS.gate.set()
        self.whole("200 OK", STATS.text().encode())

    def models(self, path, headers):
        STATS.models += 1
        STATS.headers = (STATS.headers + [headers])[-200:]
        names = ["peer-1", "peer-2"]
        if "/big/" in path:
            names += ["org/model-%d" % i for i in range(500)]
        data = [{"id": n, "object": "model", "created": 1770000000, "owned_by": "peer", "data": [], "pricing":
                 {"prompt": "0.000001", "x": ["a", {"id": "not this"}]}} for n in names]
        self.whole("200 OK", json.dumps({"models": [{"id": "nor this"}], "object": "list", "data": data}).encode())

    async def completion(self, headers, raw, kind):
        body = json.loads(raw)
        mode, opts = parse_directive(directive_of(body))
        system = " ".join(str(m.get("content")) for m in body.get("messages", []) if m.get("role") == "system")
        for part, text in STATS.texts.items():
            if part in system:
                opts["say"] = text
        STATS.requests += 1
        STATS.modes[mode] = STATS.modes.get(mode, 0) + 1
        STATS.bodies = (STATS.bodies + [body])[-200:]
        STATS.headers = (STATS.headers + [headers])[-200:]
        if mode.isdigit():
            extra = ["Retry-After: " + opts["after"]] if "after" in opts else []
            text = "told to fail, " + headers.get("authorization", headers.get("x-api-key", ""))
            kind_word = opts.get("error", "server_error")
            self.whole(mode + " Told So", error_body(text, kind_word), extra=extra)
        else:
            STATS.streams += 1
            await kind(self, body, mode, opts).run()
        STATS.completed += 1


def blackhole():
    """Opens a listener that accepts nothing and whose queue is full, so that further connects hang."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(0)
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(sock.getsockname())
        fillers.append(filler)
    return sock, fillers


async def main():
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    hole, fillers = blackhole()
    port = int(sys.argv[1]) if sys.argv[1:2] and sys.argv[1].isdigit() else 0
    server = await loop.create_server(Conn, "127.0.0.1", port, backlog=1024)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if "--stdin" in sys.argv:
        loop.add_reader(0, lambda: stop.set() if not sys.stdin.buffer.read1(4096) else None)
    print("port=%d blackhole=%d" % (server.sockets[0].getsockname()[1], hole.getsockname()[1]), flush=True)
    await stop.wait()
    server.close()
    for sock in [hole, *fillers]:
        sock.close()


if __name__ == "__main__":
    asyncio.run(main())
