# SPDX-License-Identifier: ISC
"""A model's provider (OpenAI chat completions, streamed) whose every word is the time it was written: "T=<ns>;".

usage: upstream.py WORDS PACE_MS; prints its port. The time is CLOCK_MONOTONIC, as wsload reads it.
"""

import asyncio
import json
import random
import signal
import sys
import time

WORDS, PACE = int(sys.argv[1]), float(sys.argv[2]) / 1000
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def event(text, finish=None):
    delta = {"content": text} if finish is None else {}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return chunk(b"data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", "model": "m",
                                         "choices": [choice]}).encode() + b"\n\n")


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


# Everything around a word's stamp is made before, so that a word is written right after its stamp is taken.
DIGITS = b"0" * 20
BEFORE, _, AFTER = event(f"T={DIGITS.decode()}; ").partition(DIGITS)
START, STOP = HEAD + event(""), event("", "stop") + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


async def stream(writer):
    writer.write(START)
    due = time.monotonic() + random.random() * PACE
    for _ in range(WORDS):
        due += PACE
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        writer.write(b"%s%020d%s" % (BEFORE, time.monotonic_ns(), AFTER))
    writer.write(STOP)
    await writer.drain()


async def serve(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if b"content-length:" in head:
                await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
            if head.startswith(b"post "):
                await stream(writer)
            else:
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await stop.wait()


asyncio.run(main())
