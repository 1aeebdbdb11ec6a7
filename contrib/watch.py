#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Prints what happens in a room. Usage: watch.py ws://HOST:PORT TOKEN ROOM"""

import asyncio
import json
import sys

import websockets


async def main(url, token, room):
    async with websockets.connect(url + "/ws", subprotocols=["parlour.v1", "bearer." + token]) as ws:
        await ws.send(json.dumps({"type": "subscribe", "topic": f"room:{room}"}))
        async for text in ws:
            print(json.loads(text))


asyncio.run(main(*sys.argv[1:]))
