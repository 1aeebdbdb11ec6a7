# SPDX-License-Identifier: ISC
"""Document 003's front end: what it reads and sends beyond what the document prints. Small clients, and a page in a browser."""

import datetime
import json

import httpx
import pytest

from asking import SETTINGS, Provider
from pages import browse, driver, needs_browser, origin  # noqa: F401  pylint: disable=unused-import
from parlour import PLAIN, wait_for
from usagedata import analyst

WHOLE = "My name is Jane Doe, my email is jane@doe.io and I make 987654 a year"


def stream(api, message, session=None):
    """Yields the events of POST /api/chat/stream: each is one line of data without a name."""
    answer = api.post("/api/chat/stream", {"message": message, **({"session_id": session} if session else {})})
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "text/event-stream"
    blocks = answer.text.removesuffix("\n\n").split("\n\n")
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks)
    return [json.loads(block[6:]) for block in blocks]


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


@pytest.fixture
def mailed(parlour, smtp):
    """Starts a daemon that mails the values of a complete form."""
    return parlour(smtp_url=f"smtp://127.0.0.1:{smtp().port}", smtp_tls="off", mail_from="bot@parlour.example", guest="on",
                   lead_mail_to="sales@example.net")


# ---- 003.stream ----

def test_stream(guests):
    session = guests.post("/api/sessions").json()["session_id"]
    *chunks, done = stream(guests, "Who are you?", session)
    assert len(chunks) > 5 and all(set(c) == {"type", "content"} and c["type"] == "chunk" for c in chunks)
    assert done == {"type": "done", "data_collected": {"name": False, "email": False, "income": False}, "is_complete": False,
                    "session_id": session}
    assert "".join(c["content"] for c in chunks) == guests.get(f"/api/sessions/{session}").json()["conversation_history"][-1]["content"]


def test_stream_tells_of_the_mail(mailed, rows):
    """email_sent comes directly before done, once per session, and only if a mail was queued."""
    session = mailed.post("/api/sessions").json()["session_id"]
    assert "email_sent" not in [event["type"] for event in stream(mailed, "My name is Jane Doe", session)]
    *_, sent, done = stream(mailed, WHOLE, session)
    assert set(sent) == {"type", "message"} and sent["type"] == "email_sent" and sent["message"]
    assert done["type"] == "done" and done["is_complete"] is True and all(done["data_collected"].values())
    assert rows(f"SELECT count(*) FROM jobs WHERE session_id = '{session}'") == [(1,)]
    assert [event["type"] for event in stream(mailed, "Change my name to Bob Miller", session)][-2:] == ["chunk", "done"]


def test_stream_without_mail_tells_of_none(guests):
    types = [event["type"] for event in stream(guests, WHOLE)]
    assert set(types) == {"chunk", "done"} and types[-1] == "done"


def test_stream_errors(parlour):
    provider = Provider()
    try:
        daemon = parlour(upstreams={"peer": provider.section()}, guest="on", session_form="", **SETTINGS)
        for directive in ("[[500]]", "[[cut-rst,tokens=8,pace=1]]"):
            *chunks, error = stream(daemon, directive)
            assert {c["type"] for c in chunks} <= {"chunk"}
            assert error["type"] == "error" and isinstance(error["message"], str) and error["message"]
    finally:
        provider.stop()


# ---- 003.greeting ----

def test_greeting(guests):
    answer = guests.get("/api/greeting").json()
    assert answer["greeting"] == answer["message"] != ""


# ---- 003.session-fields ----

def test_session_fields(guests):
    made = guests.post("/api/sessions").json()
    assert made["status"] == "active" and moment(made["timestamp"]) and "data" not in made
    path = f"/api/sessions/{made['session_id']}"
    fresh = guests.get(path).json()
    assert fresh["data"] == {"name": None, "email": None, "income": None} and fresh["conversation_history"] == []
    stream(guests, "My name is Jane Doe", made["session_id"])
    assert guests.get(path).json()["data"] == {"name": "Jane Doe", "email": None, "income": None}
    stream(guests, WHOLE, made["session_id"])
    done = guests.get(path).json()
    assert (done["status"], done["state"], done["is_complete"]) == ("complete", "open", True)
    assert done["data"] == {"name": "Jane Doe", "email": "jane@doe.io", "income": "[income]"}, "a sensitive value is masked"
    turns = done["conversation_history"]
    assert [turn["role"] for turn in turns] == ["user", "assistant"] * 2 and all(set(t) == {"role", "content", "timestamp"} for t in turns)
    assert sorted(turns, key=lambda turn: moment(turn["timestamp"])) == turns
    assert "[income]" in turns[2]["content"] and "987654" not in json.dumps(done)


def test_session_history_is_the_newest(guests, rows):
    session = guests.post("/api/sessions", {"kind": "chat"}).json()["session_id"]
    rows("INSERT INTO session_messages (session_id, seq, author, content) SELECT '" + session + "', n, CASE n % 2 WHEN 1 THEN 'user' "
         "ELSE 'assistant' END, n::text FROM generate_series(1, 210) n")
    rows(f"UPDATE sessions SET last_seq = 210 WHERE id = '{session}'")
    got = guests.get(f"/api/sessions/{session}").json()
    assert [turn["content"] for turn in got["conversation_history"]] == [str(n) for n in range(11, 211)] and got["data"] == {}


def test_session_list_fields(guests):
    user = guests.register()
    made = user.post("/api/sessions").json()["id"]
    listed = user.get("/api/sessions").json()
    assert [item["session_id"] for item in listed] == [made]
    assert listed[0]["status"] == "active" and moment(listed[0]["timestamp"])
    assert "data" not in listed[0] and "conversation_history" not in listed[0], "only one session shows what was said"


# ---- 003.health ----

def test_health(guests, mailed, parlour, rows):
    health = guests.get("/health").json()
    assert (health["rag_ready"], health["storage_ready"], health["email_ready"]) == (False, True, False)
    assert mailed.get("/health").json()["email_ready"] is True
    admin = analyst(guests, rows, "admin")
    document = admin.post("/api/knowledge", {"title": "Tea", "text": "Tea is hot."}).json()["id"]
    try:
        assert parlour().get("/health").json()["rag_ready"] is True
    finally:
        admin.delete(f"/api/knowledge/{document}")


# ---- 003.guests ----

def test_guests_who_load_the_page_again(parlour):
    """A page that is loaded often, with default settings, creates a session for each load over REST."""
    daemon = parlour(guest="on")
    sessions = [httpx.post(daemon.url + "/api/sessions", **PLAIN).json()["session_id"] for _ in range(60)]
    assert stream(daemon, "Hello!", sessions[-1])[-1]["type"] == "done"


# ---- the page ----

@needs_browser
def test_page(parlour, browse, origin, smtp):  # noqa: F811
    provider = Provider()
    try:
        daemon = parlour(upstreams={"peer": provider.section()}, guest="on", cors_origins=origin, lead_mail_to="sales@example.net",
                         smtp_url=f"smtp://127.0.0.1:{smtp().port}", smtp_tls="off", mail_from="bot@parlour.example", **SETTINGS)
        page = browse("page_003.html", daemon)
        for load in range(5):
            if load:
                page.command("POST", "/refresh")
            wait_for(lambda: page.run("return !document.getElementById('send').disabled"), 10, "the page is ready")
        assert page.text("#health") == "rag_ready no, storage_ready yes, email_ready yes"
        assert page.text(".greeting") and page.text("#status").startswith("active, since ")
        assert page.texts("#data li") == ["name: missing", "email: missing", "income: missing"]
        # the first message contains what the form asks for
        provider.queue("ok,tokens=1,pace=0", "ok,tokens=10,pace=1,gate=1")
        page.type("#text", "What is it?")
        page.click("#send")
        wait_for(lambda: page.text("#log p:last-child").startswith("Parlour") and not page.run(
            "return !!document.querySelector('.bot.whole')"), 10, "words show before the answer is whole")
        provider.open()
        page.wait_shown(".bot.whole")
        page.wait_text("#state", "0 of 3, open")
        page.wait_text("#history .assistant", "Parlour keeps every word")
        page.type("#text", WHOLE)
        page.click("#send")
        page.wait_text("#state", "3 of 3, complete")
        page.wait_text(".notice", "e-mail")
        page.wait_text("#status", "complete, since ")
        page.wait_any("#data li", "income: [INCOME]")
        assert page.texts("#data li")[:2] == ["name: JANE DOE", "email: JANE@DOE.IO"]
        assert len(page.texts("#history li")) == 4
        page.type("#text", "And now? [[500]]")
        page.click("#send")
        page.wait_shown(".error")
    finally:
        provider.stop()
