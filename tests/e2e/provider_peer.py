#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A provider peer: speaks OpenAI's chat completions, and Anthropic's messages under {base}/messages, over HTTP/1.1 on
127.0.0.1, well or badly, as it is told.

Prints one line, `port=N blackhole=M`, when it listens; ends at SIGTERM, or when its stdin closes if --stdin is given.
Nobody accepts on the port M, and its queue is full: connecting to it hangs.

How it is told, the first that is there wins:
  1. the queue: POST /control/mode with one directive per line; each request takes one line ("ok*3" counts for three)
  2. the newest message that holds [[DIRECTIVE]]
  3. the model, when it is peer:DIRECTIVE
  4. ok
A directive is MODE,name=value,... :  cut-rst,tokens=5,pace=20

  tokens=N   words in the answer (10)          pace=MS   between them (5)
  echo=1     answer with the last message      finish=W  finish_reason (stop)
  after=N    Retry-After of errors             role=0    no role delta
  usage=0|1|near   token counts; else as the request asks; near: next to choices

  ok            a normal stream                         close         the same, ended by closing the connection
  nodone        no [DONE]                               quiet-close   keep-alive promised, closed after the reply
  done-hang     [DONE], but the body never ends         json          one completion, not streamed
  stale         keep-alive promised, but the next request on this connection is answered with a reset
  split         a TCP write for every byte              list          content as a list of parts
  hints         103 Early Hints first                   comments      comments for ever, no text
  think         reasoning first, for tokens x pace      stall-headers nothing at all
  stall-body    headers, then nothing                   stall-mid     half of the words, then nothing
  cut-rst cut-fin cut-close   half of the words, then reset / close without terminator / close without finish_reason
  error-first error-mid       an error object in the stream, before the first word / in the middle
  badjson badsse html gzip redirect         what the words say
  giant         8 MiB of one line, of 1 GB promised
  utf8 nul surrogate          broken characters in the text
  empty         200 without a body                      401 429 500 ...  that status with an error body
  quota         429 for good

Of these messages knows ok, split, json, think, stall-*, cut-fin, cut-rst, error-first, error-mid and statuses, and also:
  nostop        no message_stop                         unknown       events and deltas of new types, pings
  twice         message_start again                     spliced       the start of another message in the middle
options there: finish=W stop_reason (end_turn); error=TYPE of the error (overloaded_error).

GET /control/stats: JSON with requests, streams, completed, aborted, connections, open, models, modes, bodies, headers
(the last 200). POST /control/reset: zeroes all that. GET {base}/models: peer-1, peer-2 (under a base with
/big/: 500 more).
"""
import asyncio
import gzip
import json
import signal
import socket
import struct
import sys
import time

WORDS = ("Parlour keeps every word in order and forgets none of them today ✓ although "
         "näive bytes may be split").split()


class Gone(Exception):
    """The client closed the connection."""


class Stats:
    def __init__(self):
        self.connections = self.open = 0
        self.reset()

    def reset(self):
        self.requests = self.streams = self.completed = self.aborted = self.models = 0
        self.modes, self.bodies, self.headers, self.queue = {}, [], [], []

    def text(self):
        shown = ("connections", "open", "requests", "streams", "completed", "aborted", "models", "modes", "bodies",
                 "headers")
        return json.dumps({k: getattr(self, k) for k in shown})


STATS = Stats()


def directive_of(body):
    if STATS.queue:
        return STATS.queue.pop(0)
    for message in reversed(body.get("messages", [])):
        text = message.get("content")
        if isinstance(text, str) and "[[" in text and "]]" in text:
            return text.split("[[", 1)[1].split("]]", 1)[0]
    model = body.get("model", "")
    return model[5:] if model.startswith("peer:") else "ok"


def parse_directive(text):
    mode, *rest = [part.strip() for part in text.split(",")]
    return mode or "ok", dict(part.split("=", 1) for part in rest if "=" in part)


def error_body(message, kind="server_error", code=None):
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}}).encode()


class Reply:
    """One streamed reply: chunk framing, pace, and the shapes of chunks."""

    def __init__(self, conn, body, mode, opts):
        self.conn, self.body, self.mode, self.opts = conn, body, mode, opts
        self.chunked = mode not in ("close", "cut-close")
        self.model = "peer-1"
        self.tokens = int(opts.get("tokens", 10))
        self.pace = float(opts.get("pace", 5)) / 1000
        asked = bool((body.get("stream_options") or {}).get("include_usage"))
        self.usage = opts.get("usage", "1" if asked else "0")

    def head(self, ctype="text/event-stream; charset=utf-8", extra=()):
        lines = ["HTTP/1.1 200 OK", "content-type: " + ctype, "Access-Control-Allow-Origin: ", "x-request-id: req_1"]
        lines += list(extra)
        lines.append("Transfer-Encoding: chunked" if self.chunked else "Connection: close")
        self.conn.write("\r\n".join(lines).encode() + b"\r\n\r\n")

    def raw(self, data):
        if self.mode == "split":
            for i in range(len(data)):
                self.conn.write(b"1;x=y\r\n%c\r\n" % data[i] if self.chunked else data[i:i + 1])
        elif self.chunked:
            self.conn.write(b"%x\r\n%s\r\n" % (len(data), data))
        else:
            self.conn.write(data)

    def event(self, obj):
        data = obj if isinstance(obj, bytes) else json.dumps(obj, ensure_ascii=False).encode()
        self.raw(b"data: " + data + b"\n\n")

    def chunk(self, delta, finish=None, usage=None):
        obj = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": int(time.time()), "model": self.model,
               "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": usage}
        self.event(obj)

    def words(self):
        if self.opts.get("echo") == "1":
            text = self.body["messages"][-1]["content"]
            return [text[i:i + 8] for i in range(0, len(text), 8)]
        return [("" if i == 0 else " ") + WORDS[i % len(WORDS)] for i in range(self.tokens)]

    def counts(self):
        prompt = sum(len(str(m.get("content")).split()) for m in self.body.get("messages", []))
        return {"prompt_tokens": prompt, "completion_tokens": self.tokens, "total_tokens": prompt + self.tokens}

    async def text(self, words):
        for word in words:
            await self.conn.pause(self.pace)
            self.chunk({"content": [{"type": "text", "text": word}] if self.mode == "list" else word})

    async def normal(self):
        if self.mode == "hints":
            self.conn.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        self.head()
        if self.opts.get("role") != "0":
            self.chunk({"role": "assistant", "content": ""})
        if self.mode == "think":
            for _ in range(self.tokens):
                await self.conn.pause(self.pace)
                self.chunk({"reasoning_content": "hm"})
        await self.text(self.words())
        self.chunk({}, self.opts.get("finish", "stop"), self.counts() if self.usage == "near" else None)
        if self.usage == "1":
            self.event({"id": "chatcmpl-1", "model": self.model, "choices": [], "usage": self.counts()})
        if self.mode not in ("nodone", "close"):
            self.event(b"[DONE]")
        if self.mode == "done-hang":
            await self.conn.stall()
        self.end()

    def end(self):
        if self.chunked:
            self.conn.write(b"0\r\n\r\n")
        self.conn.stale = self.mode == "stale"
        if not self.chunked or self.mode == "quiet-close":
            self.conn.transport.close()

    async def half(self):
        self.head()
        words = self.words()
        await self.text(words[:max(1, len(words) // 2)])

    async def run(self):
        special = getattr(self, "mode_" + self.mode.replace("-", "_"), None)
        await (special() if special else self.normal())

    async def mode_stall_headers(self):
        await self.conn.stall()

    async def mode_stall_body(self):
        self.head()
        await self.conn.stall()

    async def mode_stall_mid(self):
        await self.half()
        await self.conn.stall()

    async def mode_comments(self):
        self.head()
        while True:
            self.raw(b": OPENROUTER PROCESSING\n\n")
            await self.conn.pause(max(self.pace, 0.01))

    async def mode_cut_rst(self):
        await self.half()
        await self.conn.pause(0.02)
        self.conn.reset()

    async def mode_cut_fin(self):
        await self.half()
        self.conn.transport.close()

    mode_cut_close = mode_cut_fin

    async def mode_error_first(self):
        self.head()
        self.event({"error": {"code": 502, "message": "provider went away"}, "choices": [], "usage": None})
        self.event(b"[DONE]")
        self.end()

    async def mode_error_mid(self):
        await self.half()
        self.event({"error": {"code": 502, "message": "provider went away"},
                    "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]})
        self.event(b"[DONE]")
        self.end()

    async def mode_badjson(self):
        await self.half()
        self.event(b'{"choices":[{"delta":{"content":"x"')
        self.end()

    async def mode_badsse(self):
        self.head()
        self.raw(b"this is\nno event stream\n\nat all\n\n")
        self.end()

    async def mode_giant(self):
        self.chunked = False
        self.head(extra=["Content-Length: 1073741824"])
        self.conn.write(b'data: {"x":"')
        for _ in range(128):
            self.conn.write(b"a" * 65536)
            await self.conn.pause(0.001)
        await self.conn.stall()

    async def bytes_in_text(self, text):
        self.head()
        self.event(b'{"model":"peer-1","choices":[{"index":0,"delta":{"content":"' + text + b'"}}]}')
        self.chunk({}, "stop")
        self.event(b"[DONE]")
        self.end()

    async def mode_utf8(self):
        await self.bytes_in_text(b"a\xff\xc3(b\xe2\x82")

    async def mode_nul(self):
        await self.bytes_in_text(b"a\\u0000b\x00c")

    async def mode_surrogate(self):
        await self.bytes_in_text(b"a\\ud83db\\ude00c\\ud83d\\ude00")

    async def mode_empty(self):
        self.conn.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 0\r\n\r\n")

    async def mode_html(self):
        self.conn.whole("200 OK", b"<!DOCTYPE html><title>Welcome</title>", ctype="text/html")

    async def mode_json(self):
        text = "".join(self.words())
        self.conn.whole("200 OK", json.dumps({"id": "c", "object": "chat.completion", "model": self.model, "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": self.counts()}).encode())

    async def mode_gzip(self):
        self.conn.whole("200 OK", gzip.compress(b"data: [DONE]\n\n" + b" " * 10_000_000), ctype="text/event-stream",
                        extra=["Content-Encoding: gzip"])

    async def mode_redirect(self):
        self.conn.whole("302 Found", b"", extra=["Location: http://169.254.169.254/latest/meta-data/"])

    async def mode_quota(self):
        self.conn.whole("429 Too Many", error_body("no credit left", "insufficient_quota", "insufficient_quota"))


class Message(Reply):
    """One streamed reply in Anthropic's format."""

    def head(self, ctype="text/event-stream; charset=utf-8", extra=()):
        super().head(ctype, ["request-id: req_1", *extra])

    def named(self, kind, **fields):
        # padded before the last brace, as the real ones are
        data = json.dumps({"type": kind, **fields}, ensure_ascii=False)[:-1] + "   }"
        self.raw(f"event: {kind}\ndata: {data}\n\n".encode())

    def start(self, ident="msg_1"):
        self.named("message_start", message={
            "id": ident, "type": "message", "role": "assistant", "content": [], "model": self.model, "stop_reason": None,
            "usage": {"input_tokens": 7, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 1, "output_tokens": 1}})

    def delta(self, **delta):
        self.named("content_block_delta", index=0, delta=delta)

    async def text(self, words):
        for word in words:
            await self.conn.pause(self.pace)
            self.delta(type="text_delta", text=word)
            if self.mode == "unknown":
                self.raw(b"event: sparkle\ndata: no json\n\n")
                self.delta(type="glitter_delta", glitter=word)
                self.named("ping")

    def begin(self):
        self.head()
        self.start()
        self.named("content_block_start", index=0, content_block={"type": "text", "text": ""})
        self.named("ping")

    async def normal(self):
        self.begin()
        if self.mode == "think":
            for _ in range(self.tokens):
                await self.conn.pause(self.pace)
                self.delta(type="thinking_delta", thinking="hm")
        if self.mode == "twice":
            self.start()
        words = self.words()
        await self.text(words[:1])
        if self.mode == "spliced":
            self.start("msg_2")
        await self.text(words[1:])
        self.named("content_block_stop", index=0)
        self.named("message_delta", delta={"stop_reason": self.opts.get("finish", "end_turn"), "stop_sequence": None},
                   usage={"output_tokens": self.tokens})
        if self.mode != "nostop":
            self.named("message_stop")
        self.end()

    async def half(self):
        self.begin()
        words = self.words()
        await self.text(words[:max(1, len(words) // 2)])

    def error(self):
        return {"type": self.opts.get("error", "overloaded_error"), "message": "Overloaded"}

    async def mode_error_first(self):
        self.head()
        self.named("error", error=self.error())
        self.end()

    async def mode_error_mid(self):
        await self.half()
        self.named("error", error=self.error())
        self.end()

    async def mode_json(self):
        self.conn.whole("200 OK", json.dumps({
            "id": "msg_1", "type": "message", "role": "assistant", "model": self.model, "stop_reason": "end_turn",
            "content": [{"type": "text", "text": "".join(self.words())}],
            "usage": {"input_tokens": 10, "output_tokens": self.tokens}}).encode())


class Conn(asyncio.Protocol):
    """One connection: requests in, one at a time."""

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
        await self.gone.wait()
        raise Gone

    def reset(self):
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def whole(self, status, body, ctype="application/json", extra=()):
        lines = ["HTTP/1.1 " + status, "Content-Type: " + ctype, "Content-Length: %d" % len(body), *extra]
        self.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def next(self):
        """Begins the next request when it is there as a whole."""
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
        elif path == "/control/reset":
            STATS.reset()
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
    """A listener that nobody serves, with its queue filled: further connects hang."""
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
