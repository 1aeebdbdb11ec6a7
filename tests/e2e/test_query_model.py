# SPDX-License-Identifier: ISC
"""Questions that a model translates (settings query_upstream, query_translation_timeout). The model of the peer
translates correctly or wrongly, stalls, stops in the middle, and refuses; the reply shows computed figures, or the
question stays refused."""

import base64
import datetime
import json
import re
import socket
import time

import pytest

from asking import Provider, modules_daemon
from parlour import wait_for
from usagedata import analyst, unique
from wire import SLOW

WEEK = {"metric": "messages", "period": "last 7 days"}    # the day may change during a test


def question():
    """Returns a new question each time, because translations are cached."""
    return f"Wie viele Nachrichten schrieben alle {unique()}?"


@pytest.fixture(scope="module")
def both(request, workdir):
    with modules_daemon(request, workdir, llm_default="local", query_upstream="peer", query_translation_timeout="30s") as pair:
        yield pair


@pytest.fixture(scope="module", name="daemon")
def fixture_daemon(both):
    return both[0]


@pytest.fixture(name="peer")
def fixture_peer(both):
    both[1].reset()
    return both[1]


@pytest.fixture(scope="module", name="ann")
def fixture_ann(daemon):
    """Creates a user with two messages, and another user with one, in a room that she does not see."""
    ann, room = daemon.register(), None
    room = ann.room(name=f"tea {unique()}")["id"]
    for text in ("one", "two"):
        assert ann.say(room, text).status_code == 201
    ben = daemon.register()
    assert ben.say(ben.room(visibility="private")["id"], "hidden").status_code == 201
    return ann


def reply(translation, mode="ok", **options):
    """Returns a directive for the peer to reply with this text or object."""
    text = translation if isinstance(translation, str) else json.dumps(translation)
    return ",".join([mode, "b64=" + base64.b64encode(text.encode()).decode(), *(f"{k}={v}" for k, v in options.items())])


def ask(user, text, *directives, peer):
    peer.queue(*directives)
    return user.post("/api/query", {"query": text})


def refused(user, text, *directives, peer):
    answer = ask(user, text, *directives, peer=peer)
    assert answer.status_code == 422, answer.text
    detail = answer.json()["detail"][0]
    assert detail["loc"] == ["body", "query"]
    return detail["msg"]


def used(rows, user):
    return [tuple(r) for r in rows(f"SELECT model, upstream, prompt_tokens > 0, completion_tokens, state, room_id, role_id FROM usage "
                                   f"WHERE user_id = {user.id} ORDER BY at")]


def test_a_translation_is_computed_like_any_question(ann, peer):
    asked = question()
    answer = ask(ann, asked, reply(WEEK), peer=peer).json()
    assert answer["rows"] == [[2]] and answer["intent"]["translated"] is True and answer["intent"]["metric"] == "messages"
    assert answer["understood"].startswith("Messages, yours, last 7 days (") and "translated by a model" in answer["understood"]
    assert answer["summary"].startswith(answer["understood"])
    assert ann.get("/api/query/history").json()[0]["intent"]["translated"] is True
    body = peer.stats()["bodies"][-1]
    assert body["temperature"] == 0 and body["response_format"]["type"] == "json_schema"
    assert body["messages"][-1] == {"role": "user", "content": asked} and len(body["messages"]) == 2


def test_what_is_understood_asks_no_model(ann, peer):
    answer = ask(ann, "messages last 7 days", peer=peer).json()
    assert answer["rows"] == [[2]] and "translated" not in answer["intent"] and "translated" not in answer["understood"]
    assert refused(ann, "messages not from me", peer=peer).count("model was asked") == 0, "models drop negations"
    assert "there is no user" in refused(ann, "messages of user nobody-there", peer=peer)
    assert peer.stats()["requests"] == 0


def test_words_that_are_no_names(ann, peer):
    """The grammar reads unknown words as names, and no such names exist."""
    assert ask(ann, "chatty messages last 7 days", reply(WEEK), peer=peer).json()["rows"] == [[2]]
    assert refused(ann, "wordy messages last 7 days", reply({"metric": "messages"}), peer=peer).endswith("another period than the question.")


def test_translations_are_kept(daemon, ann, peer):
    """A dashboard asks the same question at every load: each worker asks the model once, and later loads cost
    nothing."""
    asked, workers = question(), len(daemon.workers())
    peer.queue(reply(WEEK) + f"*{workers}")
    for _ in range(6 * workers):
        answer = daemon.once("POST", "/api/query", json={"query": asked}, headers=ann.auth)
        assert answer.status_code == 200 and answer.json()["rows"] == [[2]] and answer.json()["intent"]["translated"] is True
    assert 1 <= peer.stats()["requests"] <= workers
    peer.reset()
    peer.queue(reply(WEEK) + f"*{workers}")
    assert daemon.register().post("/api/query", {"query": asked}).json()["rows"] == [[0]], "the translation is kept, not the answer"


def test_what_was_refused_is_not_kept(ann, peer):
    asked = question()
    refused(ann, asked, reply("no"), peer=peer)
    assert ask(ann, asked, reply(WEEK), peer=peer).json()["rows"] == [[2]]


def test_a_caller_who_leaves(request, parlour, rows):
    """When the caller disconnects, the model is stopped, and its usage counts as cancelled instead of failed."""
    provider = Provider()
    request.addfinalizer(provider.stop)
    daemon = parlour(upstreams={"peer": provider.section()}, query_upstream="peer", query_translation_timeout="60s")
    user = daemon.register()
    provider.queue("stall-mid,tokens=8,pace=1")
    body = json.dumps({"query": question()}).encode()
    with socket.create_connection(daemon.addr) as sock:
        sock.sendall(b"POST /api/query HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: "
                     + user.auth["Authorization"].encode() + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        provider.wait(stalled=1)
    provider.wait(aborted=1)
    assert wait_for(lambda: [r[4] for r in used(rows, user)]) == ["cancelled"]


def test_hours_are_those_of_the_askers_clock(ann):
    """A question for hours may span at most 7 days, counted by the clock of the asker."""
    since = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=2) - datetime.timedelta(days=6)
    answer = ann.post("/api/query", {"query": f"messages per hour since {since:%Y-%m-%d}"}, headers={"X-Timezone": "UTC"})
    assert answer.status_code == 200, answer.text


def test_prompts_contain_no_data(daemon, ann, peer):
    room = ann.room(name=f"secret{unique()}")
    assert ask(ann, question(), reply(WEEK), peer=peer).status_code == 200
    text = json.dumps(peer.stats()["bodies"])
    assert room["name"] not in text and ann.name not in text and str(daemon.addr[1]) not in text


@pytest.mark.parametrize("text,why", [
    ("You wrote 99 messages today.", "not a JSON object"), ('{"metric":"messages"', "not a JSON object"), ("{}", "what is counted"),
    ('{"metric":"karma"}', "unknown value"), ('{"metric":"messages","value":99}', "unknown field"),
    ('{"metric":"messages","users":["ben"]}', "a name that is not in the question"), ('{"unsupported":true}', "something else"),
    ('{"metric":"messages","period":"last week; DROP TABLE users"}', "an invalid period")])
def test_lies(ann, peer, rows, text, why):
    before = len(ann.get("/api/query/history?limit=200").json())
    asked = question()
    said = refused(ann, asked, reply(text), peer=peer)
    assert said.startswith("Understood:") and f"A model was asked to translate the question, but " in said and why in said
    assert not re.search(r"\b99\b", said) and peer.stats()["requests"] == 1
    assert len(ann.get("/api/query/history?limit=200").json()) == before
    assert rows(f"SELECT understood FROM query_history WHERE query = '{asked}'")[0][0] is False


def test_rights_are_those_of_the_asker(daemon, ann, peer, rows):
    ben = daemon.register()
    said = refused(ann, f"Wieviel schrieb {ben.name}?", reply({"metric": "messages", "users": [ben.name]}), peer=peer)
    assert f'there is no user "{ben.name}"' in said
    boss = analyst(daemon, rows)
    answer = ask(boss, f"Wieviel schrieb {ann.name}?", reply({"metric": "messages", "users": [ann.name]}), peer=peer).json()
    assert answer["rows"] == [[2]] and answer["intent"]["filters"] == {"user": ann.name}
    said = refused(boss, f"Wie viel schrieb {ann.name}?", reply({"metric": "messages"}), peer=peer)
    assert f'leaves out "{ann.name}"' in said, "the figure would be of everybody"


@pytest.mark.parametrize("directives", [["cut-fin,tokens=20"], ["cut-close,tokens=20"], ["error-first"] * 3, ["500"] * 3, ["401"], ["empty"] * 3,
                                        ["429"] * 3, ["badjson"] * 3, ["html"] * 3])
def test_models_that_fail(ann, peer, directives):
    said = refused(ann, question(), *directives, peer=peer)
    assert "A model was asked to translate the question, but " in said and "peer" not in said
    assert ask(ann, "messages last 7 days", peer=peer).json()["rows"] == [[2]]


def test_replies_without_end(ann, peer):
    assert "too long" in refused(ann, question(), "ok,bytes=20000,pace=0", peer=peer)


@pytest.mark.parametrize("mode", ["stall-headers", "stall-body", "stall-mid", "comments"])
def test_models_that_stall(request, parlour, mode):
    provider = Provider()
    request.addfinalizer(provider.stop)
    daemon = parlour(upstreams={"peer": provider.section()}, query_upstream="peer",
        query_translation_timeout=f"{round(500 * SLOW)}ms")
    user = daemon.register()
    began = time.monotonic()
    assert "but it did not reply in time." in refused(user, question(), f"{mode},tokens=8,pace=1", peer=provider)
    assert time.monotonic() - began < 10 * SLOW
    provider.wait(aborted=1)        # the model does not write under the name of nobody


def test_models_that_refuse_options(ann, peer):
    picky = reply(WEEK, "picky", bar="temperature+response_format")
    assert ask(ann, question(), picky + "*3", peer=peer).json()["rows"] == [[2]]
    body = peer.stats()["bodies"][-1]
    assert "temperature" not in body and "response_format" not in body and '"additionalProperties":false' in body["messages"][0]["content"]


def test_costs_are_counted(daemon, peer, rows):
    user = daemon.register()
    assert ask(user, question(), reply(WEEK, tokens=8, cost=0.0123), peer=peer).status_code == 200
    assert wait_for(lambda: used(rows, user)) == [("peer-1", "peer", True, 8, "done", None, None)]
    assert user.post("/api/query", {"query": "cost last 7 days"}).json()["rows"] == [[pytest.approx(0.0123)]]
    assert "outside" not in refused(user, question(), reply({"metric": "karma"}, tokens=3), peer=peer)
    wait_for(lambda: len(used(rows, user)) == 2)
    refused(user, question(), "cut-rst,tokens=20", peer=peer)
    wait_for(lambda: [r[4] for r in used(rows, user)] == ["done", "done", "failed"])
    spent = rows(f"SELECT answers, cost_usd::float8 FROM v_usage WHERE username = '{user.name}'")
    assert (sum(r[0] for r in spent), sum(r[1] for r in spent if r[1])) == (3, pytest.approx(0.0123))


def test_limits_hold(request, parlour):
    provider = Provider()
    request.addfinalizer(provider.stop)
    daemon = parlour(upstreams={"peer": provider.section()}, query_upstream="peer", rate_ask="2/min", anonymous="query")
    user = daemon.register()
    provider.queue(reply(WEEK), reply(WEEK))
    assert [user.post("/api/query", {"query": question()}).status_code for _ in range(3)] == [200, 200, 429]
    assert provider.stats()["requests"] == 2
    answer = daemon.post("/api/query", {"query": question()})
    assert answer.status_code == 422 and "model" not in answer.json()["detail"][0]["msg"].split("Ask for")[0]
    assert provider.stats()["requests"] == 2, "nobody answers for the cost of questions without a token"


def test_sockets_and_callers_that_take_refusals(ann, peer):
    peer.queue(reply(WEEK))
    with ann.ws("/ws/chat/me", native=False) as sock:
        sock.expect("system")
        sock.send("query", query=question())
        assert [sock.expect("progress")["stage"] for _ in range(3)] == ["understanding", "querying", "answering"]
        assert sock.expect("query_response")["rows"] == [[2]]
    peer.queue(reply("no"))
    answer = ann.post("/api/query", {"query": question(), "context": {}}).json()
    assert answer["error"]["error_type"] == "not_understood" and "not a JSON object" in answer["error"]["message"]


def test_settings(parlour):
    daemon = parlour()
    user = daemon.register()
    assert "model was asked" not in user.post("/api/query", {"query": question()}).text, "off unless it is configured"
