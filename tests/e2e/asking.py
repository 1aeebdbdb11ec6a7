# SPDX-License-Identifier: ISC
"""What the tests of models' answers share: the peer's remote control, viewers on chosen workers, and whole answers."""

import contextlib

import httpx

from conftest import finish, maker
from parlour import PLAIN, Peer, wait_for

FINAL = ("done", "failed", "cancelled", "interrupted")
# A viewer on a chosen worker needs the others to stand still for a moment, which must not look like a hang.
SETTINGS = {"llm_default": "peer", "watchdog": "10min", "llm_delta": "10ms"}

# A directive that stops in the middle, what it says, and all that the peer can say.
STALL = "[[stall-mid,tokens=8,pace=1]]"
HALF = "Parlour keeps every word"
WHOLE = "Parlour keeps every word in order and forgets none of them today ✓ although näive bytes may be split"


class Provider(Peer):
    """provider_peer.py with its remote control, and the [llm peer] section that leads to it."""

    def section(self, **changes):
        # Failures are told to the peer one by one, so the breaker is out of the way unless a test is about it.
        return {"url": self.url + "/v1", "model": "peer-1", "key": "sk-peer-secret", "breaker_failures": "1000", **changes}

    def stats(self):
        return httpx.get(self.url + "/control/stats", **PLAIN).json()

    def queue(self, *directives):
        httpx.post(self.url + "/control/mode", content="\n".join(directives), **PLAIN)

    def texts(self, texts):
        """What it answers to requests whose system message has the text on the left."""
        httpx.post(self.url + "/control/texts", json=texts, trust_env=False)

    def reset(self):
        httpx.post(self.url + "/control/reset", **PLAIN)

    def open(self):
        """Answers whose last word waits at the gate (gate=1) come to their end."""
        httpx.post(self.url + "/control/open", **PLAIN)

    def half(self, ask, stalls=1):
        """Waits until the daemon has the half that STALL says. Needs llm_delta = 0ms; ask() is answered by the answer's worker."""
        self.wait(stalled=stalls)
        for _ in range(2):      # what it finds readable in one turn it reads in any order: the second one comes after a whole turn
            ask()

    def wait(self, **wanted):
        """Waits until these figures are reached; returns all of them."""
        return wait_for(lambda: (now := self.stats()) and all(now[k] >= v for k, v in wanted.items()) and now, 10, wanted)


@contextlib.contextmanager
def modules_daemon(request, workdir, **settings):
    """A daemon with a peer for all tests of a module: (daemon, provider)."""
    make, made = maker(request, workdir)
    provider = Provider()
    try:
        yield make(upstreams={"peer": provider.section()}, **{**SETTINGS, **settings}), provider
        finish(made, request.session.testsfailed > 0)
    finally:
        provider.stop()


class Answer:
    """All `generation` frames of one answer as one viewer saw them; checks that the text is whole and in order."""

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
    """The id of a new room with a new role."""
    return user.room(role_ids=[user.role()["id"]], **fields)["id"]


def listen(user, room, **how):
    """A socket that listens to the room."""
    sock = user.ws()
    sock.send("subscribe", topic=f"room:{room}", **how)
    sock.expect("subscribed")
    return sock


def listen_on(daemon, slot, user, room):
    """The same, on this worker."""
    with daemon.only_worker(slot):
        sock = user.ws()
    assert sock.authed["worker"] == slot
    sock.send("subscribe", topic=f"room:{room}")
    sock.expect("subscribed")
    return sock


def say(sock, room, content):
    """Sends over the socket; the seq of the message."""
    sock.send("send", topic=f"room:{room}", content=content)
    return sock.expect("ack")["seq"]


def first_text(sock, **fields):
    """Frames of an answer up to its first text."""
    frames = [sock.expect("generation", **fields)]
    while frames[-1]["state"] != "delta":
        frames.append(sock.expect("generation", generation_id=frames[0]["generation_id"]))
    return frames


def text_of(sock, want, frames=()):
    """Frames until so many bytes of text are there."""
    frames = list(frames) or first_text(sock)
    while frames[-1]["state"] != "delta" or frames[-1]["offset"] + len(frames[-1]["delta"].encode()) < want:
        frames.append(sock.expect("generation", generation_id=frames[0]["generation_id"]))
    return frames


def answer(sock, frames=(), **fields):
    """The rest of an answer; without frames the next one, or the one whose frames have these members."""
    frames = list(frames) or [sock.expect("generation", **fields)]
    while frames[-1]["state"] not in FINAL:
        frames.append(sock.expect("generation", generation_id=frames[0]["generation_id"]))
    return Answer(frames)


def message_of(sock, generation):
    """The message that an answer became; other messages stay in the inbox."""
    others = []
    while True:
        frame = sock.expect("message")
        if frame["message"].get("generation_id") == generation:
            sock.inbox[:0] = others
            return frame["message"]
        others.append(frame)


def as_read(message):
    """A live message of a role as replies of routes show it."""
    return {**message, "user": message["username"], "timestamp": message["created_at"], "message_type": "ai_response"}


def ask(sock, room, content):
    """One question and its whole answer."""
    return answer(sock, reply_to=say(sock, room, content))
