# SPDX-License-Identifier: ISC
"""The replies of the provider peer: valid and invalid streams in the formats of OpenAI and Anthropic. See
provider_peer.py."""
import base64
import gzip
import json
import time

WORDS = ("Parlour keeps every word in order and forgets none of them today ✓ although "
         "näive bytes may be split").split()


def long_text(size):
    """Returns a text of this many bytes with characters of four bytes across all page boundaries."""
    return "x" + "\N{TANGERINE}" * ((size - 1) // 4) + "y" * ((size - 1) % 4) if size else ""


class Gone(Exception):
    """The client closed the connection."""


def error_body(message, kind="server_error", code=None):
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}}).encode()


class Reply:
    """One streamed reply: chunk framing, pace, and the forms of chunks."""

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
        if "b64" in self.opts:
            return [base64.b64decode(self.opts["b64"]).decode()]
        if "say" in self.opts:
            return [self.opts["say"]]
        if "bytes" in self.opts:
            text, step = long_text(int(self.opts["bytes"])), int(self.opts.get("piece", 150))
            return [text[i:i + step] for i in range(0, len(text), step)]
        return [("" if i == 0 else " ") + WORDS[i % len(WORDS)] for i in range(self.tokens)]

    def counts(self):
        prompt = sum(len(str(m.get("content")).split()) for m in self.body.get("messages", []))
        cost = {"cost": float(self.opts["cost"])} if "cost" in self.opts else {}   # OpenRouter
        return {"prompt_tokens": prompt, "completion_tokens": self.tokens, "total_tokens": prompt + self.tokens, **cost}

    async def paced(self, words):
        for number, word in enumerate(words, 1):
            await self.conn.pause(self.pace)
            if number == len(words) and self.opts.get("gate") == "1":
                await self.conn.gate()
            yield word

    async def text(self, words):
        async for word in self.paced(words):
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

    async def mode_think_error(self):
        """Sends reasoning and fails before the first word of the answer."""
        self.head()
        self.chunk({"reasoning_content": "in vain"})
        self.event({"error": {"code": 502, "message": "provider went away"}, "choices": [], "usage": None})
        self.end()

    async def mode_error_mid(self):
        await self.half()
        self.event({"error": {"code": 502, "message": "provider went away"},
                    "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]})
        self.event(b"[DONE]")
        self.end()

    async def mode_error_line(self):
        """Fails like llama-server: an error field, then the end marker of a normal stream."""
        await self.half()
        self.raw(b'error: {"code":500,"message":"out of slots","type":"server_error"}\n\n')
        self.event(b"[DONE]")
        self.end()

    async def mode_no_reason(self):
        await self.half()
        self.event(b"[DONE]")
        self.end()

    async def mode_wordless(self):
        self.head()
        self.chunk({}, "stop")
        self.event(b"[DONE]")
        self.end()

    async def mode_finish_hang(self):
        self.head()
        await self.text(self.words())
        self.chunk({}, "stop")
        await self.conn.stall()

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

    async def mode_halves(self):
        """Sends one token per event, each of which is half a character."""
        self.head()
        for half in (b"a\\ud83d", b"\\ude00b\xf0", b"\x9f\x98", b"\x80c"):
            self.event(b'{"model":"peer-1","choices":[{"index":0,"delta":{"content":"' + half + b'"}}]}')
        self.chunk({}, "stop")
        self.event(b"[DONE]")
        self.end()

    async def mode_tagged(self):
        self.head()
        for word in ("<thi", "nk>Let me ", "see.</think>", "\n\nParlour", " keeps"):
            await self.conn.pause(self.pace)
            self.chunk({"content": word})
        self.chunk({}, "stop")
        self.event(b"[DONE]")
        self.end()

    async def mode_strict(self):
        """Enforces the rule of the chat templates of Mistral and Gemma: user and assistant take turns."""
        roles = [m["role"] for m in self.body["messages"] if m["role"] != "system"]
        if any(one == other for one, other in zip(roles, roles[1:])) or roles[0] != "user":
            self.conn.whole("400 Bad Request", error_body("Conversation roles must alternate user/assistant",
                                                          "invalid_request_error"))
            return
        await self.normal()

    async def mode_gemini(self):
        self.head()
        self.chunk({"content": "Parlour keeps"})
        self.chunk({}, "STOP")
        self.event(b"[DONE]")
        self.event({"choices": [], "usage": {"prompt_tokens": 3.0, "completion_tokens": 2.0, "total_tokens": 5.0}})
        self.end()

    async def mode_gemini_error(self):
        self.conn.whole("400 Bad Request", b'[{"error": {"code": 400, "message": "no such model", "status": "INVALID"}}]')

    async def mode_picky(self):
        """Refuses requests with the fields bar=NAME+NAME, like newer models of OpenAI; with range=1 it refuses their
        values."""
        for name in self.opts["bar"].split("+"):
            if name in self.body:
                why = f"{name} must be between 0 and 0.1" if self.opts.get("range") else \
                    f"Unsupported value: '{name}' is not supported with this model."
                self.conn.whole("400 Bad Request", error_body(why, "invalid_request_error", "unsupported_value"
                                                              if not self.opts.get("range") else None))
                return
        await self.normal()

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
    """One streamed reply in the format of Anthropic."""

    def head(self, ctype="text/event-stream; charset=utf-8", extra=()):
        super().head(ctype, ["request-id: req_1", *extra])

    def named(self, kind, **fields):
        # padded before the last brace, like real replies
        data = json.dumps({"type": kind, **fields}, ensure_ascii=False)[:-1] + "   }"
        self.raw(f"event: {kind}\ndata: {data}\n\n".encode())

    def start(self, ident="msg_1"):
        self.named("message_start", message={
            "id": ident, "type": "message", "role": "assistant", "content": [], "model": self.model, "stop_reason": None,
            "usage": {"input_tokens": 7, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 1, "output_tokens": 1}})

    def delta(self, **delta):
        self.named("content_block_delta", index=0, delta=delta)

    async def text(self, words):
        async for word in self.paced(words):
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

    async def mode_nameless(self):
        """Sends no `event:` lines, like some proxies."""
        write, self.raw = self.raw, lambda data: write(data.split(b"\n", 1)[1] if data.startswith(b"event:") else data)
        await self.normal()

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
