# SPDX-License-Identifier: ISC
"""Streams of the chatbot, /api/chat with Accept: text/event-stream and /api/chat/stream: the header is sent at once,
comment lines during silence, and words when they arrive; errors before and in the stream, and clients that
disconnect."""

import contextlib
import json
import uuid

import httpx
import pytest

from asking import HALF, WHOLE, modules_daemon
from parlour import PLAIN, wait_for

STALL = "[[stall-headers]]"


@pytest.fixture(scope="module")
def both(request, workdir):
    with modules_daemon(request, workdir, session_form="", guest="on", sse_ping="100ms", llm_delta="0ms",
                        guest_sessions_per_address="1000", sessions_per_user="1000") as made:
        yield made


@pytest.fixture
def daemon(both):
    both[1].reset()
    return both[0]


@pytest.fixture
def provider(both):
    return both[1]


class Form:
    """One of the two ways to request a stream, and how its events are read: ("words" | "done" | "error" | "comment",
    value)."""

    def __init__(self, path, headers):
        self.path, self.headers = path, headers

    def read(self, block):
        if block.startswith(":"):
            return "comment", block
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        data = json.loads(fields["data"])
        if self.path == "/api/chat":
            kind, words = fields["event"], data.get("delta")
            text, code = data.get("detail"), data.get("code")
        else:
            assert "event" not in fields, "older front ends listen to events without names"
            kind, words = {"chunk": "delta"}.get(data["type"], data["type"]), data.get("content")
            text, code = data.get("message"), data.get("code")
        if kind == "delta":
            return "words", words
        if kind == "error":
            assert text
            return "error", code
        return kind, data

    @contextlib.contextmanager
    def ask(self, daemon, message, session=None):
        """Yields (response, iterator of events) when the header has arrived."""
        body = {"message": message, **({"session_id": session} if session else {})}
        with httpx.Client(base_url=daemon.url, **PLAIN) as client, \
                client.stream("POST", self.path, json=body, headers=self.headers) as response:
            yield response, self.events(response)

    def events(self, response):
        text = ""
        for part in response.iter_text():
            text += part
            while "\n\n" in text:
                block, text = text.split("\n\n", 1)
                yield self.read(block)
        assert text == "", "an event is whole"


# covers: POST /api/chat/stream
FORMS = [Form("/api/chat", {"Accept": "text/event-stream"}), Form("/api/chat/stream", {})]
each_form = pytest.mark.parametrize("form", FORMS, ids=["events", "unnamed"])


def made(daemon):
    return daemon.post("/api/sessions", {"kind": "chat"}).json()["id"]


def said(rows, session):
    return [tuple(r) for r in rows(f"SELECT content, state FROM session_messages WHERE session_id = '{session}' AND author = "
                                   "'assistant' ORDER BY seq")]


@each_form
def test_header_at_once_and_comments_while_the_model_is_silent(daemon, provider, form):
    session = made(daemon)
    with form.ask(daemon, STALL, session) as (response, events):
        assert response.status_code == 200 and response.headers["Content-Type"] == "text/event-stream"
        assert response.headers["X-Accel-Buffering"] == "no" and response.headers["Cache-Control"] == "no-store"
        for _ in range(3):
            assert next(events)[0] == "comment"
        provider.wait(requests=1)
        assert daemon.post(f"/api/sessions/{session}/cancel").status_code == 204
        last = [event for event in events if event[0] != "comment"]
        assert [kind for kind, _ in last] == ["done"]


@each_form
def test_words_come_as_the_model_says_them(daemon, provider, form):
    """Words arrive when the model sends them, also if it continues later or never."""
    session, text = made(daemon), ""
    with form.ask(daemon, "[[stall-mid,tokens=8,pace=1]]", session) as (_, events):
        while text != HALF:
            kind, words = next(event for event in events if event[0] != "comment")
            assert kind == "words" and HALF.startswith(text + words)
            text += words
        assert provider.stats()["completed"] == 0, "the model has not ended yet"
        assert daemon.post(f"/api/sessions/{session}/cancel").status_code == 204
        assert [kind for kind, _ in events if kind != "comment"] == ["done"]
    with form.ask(daemon, "[[ok,tokens=19,pace=60]]", made(daemon)) as (_, events):
        rest = [event for event in events if event[0] != "comment"]
        assert [kind for kind, _ in rest[:-1]] == ["words"] * (len(rest) - 1) and len(rest) > 5
        assert "".join(words for _, words in rest[:-1]) == WHOLE
        assert rest[-1][0] == "done" and rest[-1][1]["is_complete"] is False and rest[-1][1]["data_collected"] == {}


@each_form
@pytest.mark.parametrize("directive, words, code", [
    ("[[500]]", "", "upstream_error"), ("[[401]]", "", None), ("[[cut-rst,tokens=8,pace=1]]", HALF, "upstream_truncated"),
    ("[[error-mid,tokens=8,pace=1]]", HALF, None)])
def test_errors_of_the_model(daemon, form, directive, words, code):
    """The header has been sent by then, so the last event is the error."""
    with form.ask(daemon, directive, made(daemon)) as (response, events):
        got = [event for event in events if event[0] != "comment"]
    assert response.status_code == 200
    assert [kind for kind, _ in got] == ["words"] * (len(got) - 1) + ["error"]
    assert "".join(text for _, text in got[:-1]) == words and code in (None, got[-1][1])


@each_form
def test_refusals_before_the_stream_have_their_status(daemon, form):
    over = made(daemon)
    daemon.delete(f"/api/sessions/{over}")
    user = daemon.register()
    table = [({"message": "x", "session_id": str(uuid.uuid4())}, 404, "not_found"), ({"message": "x", "session_id": over}, 409, "conflict"),
             ({"message": "x", "session_id": user.post("/api/sessions").json()["id"]}, 404, "not_found"),
             ({"message": ""}, 422, "validation_error"), ({}, 422, "validation_error"), ({"message": 1}, 422, "validation_error"),
             ({"message": "x" * 20000}, 422, "too_large")]
    for body, status, code in table:
        answer = daemon.post(form.path, body, headers=form.headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code), body
    assert daemon.post(form.path, content="message=x", headers={**form.headers, "Content-Type": "text/plain"}).status_code == 415
    assert daemon.get("/api/chat/stream").status_code == 405


@each_form
def test_client_leaves(daemon, provider, rows, form):
    """The client disconnects in the middle of the words, or during silence: the answer is stored."""
    session = made(daemon)
    with form.ask(daemon, "[[ok,tokens=19,pace=30]]", session) as (_, events):
        assert next(event for event in events if event[0] != "comment")[0] == "words"
    wait_for(lambda: said(rows, session) == [(WHOLE, "done")], 10, "it is stored")
    silent = made(daemon)
    with form.ask(daemon, STALL, silent) as (_, events):
        assert next(events)[0] == "comment"
    provider.wait(requests=2)
    assert daemon.post(f"/api/sessions/{silent}/cancel").status_code == 204
    wait_for(lambda: said(rows, silent) == [("", "cancelled")], 10, "it is stored")


@each_form
def test_without_a_session_one_is_made(daemon, form):
    with form.ask(daemon, "[[ok,tokens=1,pace=0]]") as (_, events):
        done = [value for kind, value in events if kind == "done"]
    assert daemon.get(f"/api/sessions/{done[0]['session_id']}").json()["messages"] == 2


@each_form
def test_http_1_0(daemon, form):
    """With HTTP/1.0, there are no chunks: the end of the connection is the end of the stream."""
    body = json.dumps({"message": "[[ok,tokens=3,pace=0]]"})
    headers = "".join(f"{name}: {value}\r\n" for name, value in form.headers.items())
    status, head, text = daemon.raw(f"POST {form.path} HTTP/1.0\r\nHost: {daemon.host}:{daemon.port}\r\nContent-Type: application/json\r\n"
                                    f"{headers}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    assert status == 200 and "transfer-encoding" not in head
    got = [form.read(block) for block in text.decode().removesuffix("\n\n").split("\n\n")]
    assert "".join(value for kind, value in got if kind == "words") == "Parlour keeps every" and got[-1][0] == "done"


def test_the_comment_follows_its_setting(daemon):
    """A reload applies to streams that begin after it."""
    daemon.configure(sse_ping="10min")
    daemon.reload()
    session = made(daemon)
    try:
        def silent():
            with FORMS[1].ask(daemon, "[[ok,tokens=2,pace=400]]", session) as (_, events):
                return "comment" not in [kind for kind, _ in events]
        wait_for(silent, 20, "no comments any more")
    finally:
        daemon.configure(sse_ping="100ms")
        daemon.reload()
