# SPDX-License-Identifier: ISC
"""Helpers for tests of model answers: control of the provider peer, viewers on chosen workers, and complete answers."""

import contextlib

import httpx

from conftest import finish, maker
from parlour import PLAIN, Peer, wait_for

FINAL = ("done", "failed", "cancelled", "interrupted")
# To reach a chosen worker, tests stop the others for a moment; the watchdog must not treat that as a hang.
SETTINGS = {"llm_default": "peer", "watchdog": "10min", "llm_delta": "10ms"}

# A directive that stops in the middle, the text before the stop, and the full text of the peer.
STALL = "[[stall-mid,tokens=8,pace=1]]"
HALF = "Parlour keeps every word"
WHOLE = "Parlour keeps every word in order and forgets none of them today ✓ although näive bytes may be split"


class Provider(Peer):
    """provider_peer.py with its control requests, and the section [llm peer] that uses it."""

    def section(self, **changes):
        # Tests make the peer fail many times, so the breaker is effectively disabled unless a test is about it.
        return {"url": self.url + "/v1", "model": "peer-1", "key": "sk-peer-secret", "breaker_failures": "1000", **changes}

    def stats(self):
        return httpx.get(self.url + "/control/stats", **PLAIN).json()

    def queue(self, *directives):
        httpx.post(self.url + "/control/mode", content="\n".join(directives), **PLAIN)

    def texts(self, texts):
        """Sets the answers to requests whose system message contains the text on the left."""
        httpx.post(self.url + "/control/texts", json=texts, trust_env=False)

    def reset(self):
        httpx.post(self.url + "/control/reset", **PLAIN)

    def open(self):
        """Opens the gate: answers that wait before their last word (gate=1) end."""
        httpx.post(self.url + "/control/open", **PLAIN)

    def half(self, ask, stalls=1):
        """Waits until the daemon has received the first half from STALL. Needs llm_delta = 0ms; the worker of the
        answer replies to ask()."""
        self.wait(stalled=stalls)
        # the order of events within one loop turn is not defined: the second request is read after a whole turn
        for _ in range(2):
            ask()

    def wait(self, **wanted):
        """Waits until the peer's statistics have these values, and returns all of them."""
        return wait_for(lambda: (now := self.stats()) and all(now[k] >= v for k, v in wanted.items()) and now, 10, wanted)


@contextlib.contextmanager
def modules_daemon(request, workdir, **settings):
    """Starts a daemon with a peer for all tests of a module: (daemon, provider)."""
    make, made = maker(request, workdir)
    provider = Provider()
    try:
        yield make(upstreams={"peer": provider.section()}, **{**SETTINGS, **settings}), provider
        finish(made, request.session.testsfailed > 0)
    finally:
        provider.stop()


class Answer:
    """All `generation` frames of one answer that one viewer received; checks that the text is complete and in order."""

    def __init__(self, frames):
        self.frames, self.states, self.text = frames, [f["state"] for f in frames], ""
        self.id, self.state, self.last = frames[0]["generation_id"], frames[-1]["state"], frames[-1]
        got = b""
        for frame in frames:
            assert frame["generation_id"] == self.id
            if frame["state"] == "delta":
                assert frame["offset"] == len(got), f"a gap or a repeat: {frames}"
                assert frame["delta"] != ""
                got += frame["delta"].encode()
        self.text = got.decode()

    @property
    def error(self):
        return self.last["error"]["code"]


def room_of(user, **fields):
    """Creates a room with a new role and returns its id."""
    return user.room(role_ids=[user.role()["id"]], **fields)["id"]


def listen(user, room, **how):
    """Opens a socket that listens to the room."""
    sock = user.ws()
    sock.send("subscribe", topic=f"room:{room}", **how)
    sock.expect("subscribed")
    return sock


def listen_on(daemon, slot, user, room):
    """Opens a socket on this worker that listens to the room."""
    with daemon.only_worker(slot):
        sock = user.ws()
    assert sock.authed["worker"] == slot
    sock.send("subscribe", topic=f"room:{room}")
    sock.expect("subscribed")
    return sock


def say(sock, room, content):
    """Sends a message over the socket and returns its seq."""
    sock.send("send", topic=f"room:{room}", content=content)
    return sock.expect("ack")["seq"]


def first_text(sock, **fields):
    """Returns the frames of an answer up to its first text."""
    frames = [sock.expect("generation", **fields)]
    while frames[-1]["state"] != "delta":
        frames.append(sock.expect("generation", generation_id=frames[0]["generation_id"]))
    return frames


def text_of(sock, want, frames=()):
    """Returns the frames until they contain this many bytes of text."""
    frames = list(frames) or first_text(sock)
    while frames[-1]["state"] != "delta" or frames[-1]["offset"] + len(frames[-1]["delta"].encode()) < want:
        frames.append(sock.expect("generation", generation_id=frames[0]["generation_id"]))
    return frames


def answer(sock, frames=(), **fields):
    """Returns the remaining frames of an answer; without `frames`, those of the next answer, or of the one whose frames
    have these members."""
    frames = list(frames) or [sock.expect("generation", **fields)]
    while frames[-1]["state"] not in FINAL:
        frames.append(sock.expect("generation", generation_id=frames[0]["generation_id"]))
    return Answer(frames)


def message_of(sock, generation):
    """Returns the message in which the answer was stored; other messages stay in the inbox."""
    others = []
    while True:
        frame = sock.expect("message")
        if frame["message"].get("generation_id") == generation:
            sock.inbox[:0] = others
            return frame["message"]
        others.append(frame)


def as_read(message):
    """Converts a live message of a role to the form in which routes return it."""
    return {**message, "user": message["username"], "timestamp": message["created_at"], "message_type": "ai_response"}


def ask(sock, room, content):
    """Asks one question and returns its complete answer."""
    return answer(sock, reply_to=say(sock, room, content))
