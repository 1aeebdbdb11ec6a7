# SPDX-License-Identifier: ISC
"""Compares frames with /asyncapi.json: the frames that the server sends, and those from tests that the server accepts.

wire.py creates a Socket for each handshake and passes it every text. A frame from the server must match one of the
messages of its channel and must not have undescribed members. A frame to the server may be wrong on purpose: then the
server must refuse it.
"""

import functools
import json
import re
import urllib.parse

import described


class Sockets(described.Document):
    """The AsyncAPI document and the checks against it."""

    def __init__(self, text):
        super().__init__(text)
        self.channels = []
        for name, channel in self.root["channels"].items():
            pattern = re.sub(r"\{(\w+)\}", lambda m: r"\d+" if m[1] == "room_id" else "[^/]+", channel["address"])
            frames = {"receive": [], "send": []}
            for operation in self.root["operations"].values():
                if operation["channel"]["$ref"] == "#/channels/" + name:
                    frames[operation["action"]] += [self.typed(message) for message in operation["messages"]]
            self.channels.append((re.compile(pattern), name, frames))
        self.channels.sort(key=lambda row: row[0].pattern.count("[^"))
        self.native = next(row for row in self.channels if row[1] == "native")

    def typed(self, message):
        """Returns (type, schema) of a message; type is None if the message has no type."""
        schema = self.resolve(self.resolve(message)["payload"])
        return schema.get("properties", {}).get("type", {}).get("const"), schema

    def channel(self, path, subprotocol):
        """Returns (name, frames) of the socket at a path; None: the path is not described."""
        if subprotocol == "parlour.v1" and path != "/ws/echo":
            return self.native[1:]
        return next((row[1:] for row in self.channels if row[0].fullmatch(path)), None)

    def fits(self, messages, frame):
        """Returns None if the frame matches one of the messages, otherwise the reason."""
        why = []
        for typed, schema in messages:
            if typed != frame.get("type"):
                continue
            try:
                self.validate(schema, frame, "frame")
                return None
            except described.Mismatch as reason:
                why.append(str(reason))
        return "; ".join(why) or "no message of this type"


class Taken(Sockets):
    """Validates frames to the server, which ignores unknown members."""

    def members(self, schema):
        return None


@functools.lru_cache(None)
def document(kind=Sockets):
    text = described.written("asyncapi")
    return kind(text) if text is not None else None


# Sockets of the running test; conftest.py calls verdict() after it.
open_sockets = []


@functools.lru_cache(2048)
def wrong(channel, text):
    """Returns None, or what is wrong with a frame of the server. Results are cached, because many sockets receive the
    same text."""
    frames = next(row[2] for row in document().channels if row[1] == channel)
    return document().fits(frames["send"], json.loads(text))


class Socket:
    """The frames that were sent and received on one socket."""

    def __init__(self, path, subprotocol):
        self.path = path
        self.channel = document() and document().channel(urllib.parse.urlsplit(path).path, subprotocol)
        if self.channel and self.channel[0] == "echo":
            self.channel = None
        self.bad, self.refusals, self.answered = [], 0, set()
        self.later = False      # the client received something after a bad frame
        open_sockets.append(self)

    def sent(self, text):
        try:
            frame = json.loads(text)
        except (ValueError, RecursionError):
            return
        if self.channel and isinstance(frame, dict):
            given = {name: value for name, value in frame.items() if value is not None}    # null means absent
            why = document(Taken).fits(self.channel[1]["receive"], given)
            if why is not None:
                self.bad.append((frame, why))

    def received(self, text):
        if not self.channel:
            return
        frame = json.loads(text)
        why = (wrong if len(text) < 4096 else wrong.__wrapped__)(self.channel[0], text)
        if why is not None:
            described.problems.append(f"{self.channel[0]} {self.path}: {text[:300]}: {why}")
        self.later = bool(self.bad)
        if frame.get("type") == "error":
            self.refusals += 1
        elif isinstance(frame.get("id"), str):
            self.answered.add(frame["id"])

    def closed(self, code):
        """Notes that the server closed the socket."""
        self.refusals += code >= 1002

    def verdict(self):
        """Returns the frames that are not described and that the server did not refuse."""
        for frame, why in self.bad:
            taken = isinstance(frame.get("id"), str) and frame["id"] in self.answered
            if taken or self.later and not self.refusals:
                described.problems.append(f"{self.channel[0]} {self.path}: accepted: {json.dumps(frame)[:300]}: {why}")


def verdict():
    """Returns the problems of all sockets; called after each test."""
    for socket in open_sockets:
        socket.verdict()
    open_sockets.clear()
