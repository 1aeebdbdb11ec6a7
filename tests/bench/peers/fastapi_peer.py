# SPDX-License-Identifier: ISC
"""What a Python team would build: FastAPI, uvicorn with uvloop and httptools, asyncpg, python-jose.

The parts that are compared, each in its fastest usual form: a page of messages (the fields that the daemon sends)
and a durable send, both behind a token and a rate count, and a relay of a model's streamed answer. PEER_PG,
PEER_SECRET and PEER_UPSTREAM come from bench.py.
"""

import os
import time

import asyncpg
import httpx
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPBearer
from jose import JWTError, jwt
from pydantic import BaseModel

SECRET = os.environ["PEER_SECRET"]
UPSTREAM = os.environ["PEER_UPSTREAM"]
PAGE = """SELECT m.room_id, m.id, m.user_id, u.username, m.content, m.created_at, m.reply_to, m.client_id
FROM messages m JOIN users u ON u.id = m.user_id
WHERE m.room_id = (SELECT r.id FROM rooms r WHERE r.id = $1 AND (r.visibility = 'public' OR EXISTS (
    SELECT FROM members e WHERE e.room_id = r.id AND e.user_id = $2))) ORDER BY m.id DESC LIMIT 50"""
SEND = "INSERT INTO messages (room_id, user_id, content) VALUES ($1, $2, $3) RETURNING id, created_at"

app = FastAPI()
bearer = HTTPBearer()
windows = {}


@app.on_event("startup")
async def startup():
    app.state.pool = await asyncpg.create_pool(os.environ["PEER_PG"], min_size=4, max_size=8)
    app.state.http = httpx.AsyncClient(timeout=60, trust_env=False, limits=httpx.Limits(max_connections=500))


async def caller(cred=Depends(bearer)):
    """The user of the token, counted in a window of a minute."""
    try:
        user = jwt.decode(cred.credentials, SECRET, algorithms=["HS256"])["sub"]
    except JWTError as why:
        raise HTTPException(401, "bad token") from why
    key = (user, int(time.time() // 60))
    windows[key] = windows.get(key, 0) + 1
    if windows[key] > 1_000_000_000:
        raise HTTPException(429, "too many")
    return user


class Message(BaseModel):
    content: str


@app.get("/health")
async def health():
    return {"status": "healthy"}


@app.get("/api/rooms/{room}/messages")
async def page(room: int, user=Depends(caller)):
    rows = await app.state.pool.fetch(PAGE, room, int(user))
    return [{"id": f"{room}.{r['id']}", "room_id": room, "seq": r["id"], "content": r["content"],
             "author": {"kind": "user", "id": r["user_id"], "name": r["username"]}, "created_at": r["created_at"],
             "reply_to": r["reply_to"], "client_id": r["client_id"]} for r in reversed(rows)]


@app.post("/api/rooms/{room}/messages", status_code=201)
async def send(room: int, body: Message, user=Depends(caller)):
    return dict(await app.state.pool.fetchrow(SEND, room, int(user), body.content))


@app.post("/api/chat")
async def chat(request: Request, _user=Depends(caller)):
    ask = {"model": "m", "stream": True, "messages": [{"role": "user", "content": (await request.json())["message"]}]}

    async def relay():
        async with app.state.http.stream("POST", UPSTREAM, json=ask) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    yield line.rstrip("\n") + "\n\n"

    return StreamingResponse(relay(), media_type="text/event-stream")
