# SPDX-License-Identifier: ISC
"""Upstreams in the format of Anthropic, and the fields that OpenRouter adds to the format of OpenAI."""

import pytest

from asking import Provider, SETTINGS, ask, listen, message_of
from conftest import finish, maker

TEN = "Parlour keeps every word in order and forgets none of"


@pytest.fixture(scope="module")
def both(request, workdir):
    """One daemon and one peer: upstream `peer` uses the format of Anthropic, `new` its later version, and `router` is
    OpenRouter."""
    make, made = maker(request, workdir)
    provider = Provider()
    base = provider.section(dialect="anthropic")
    upstreams = {"peer": base, "new": {**base, "api_version": "2026-10-21", "max_tokens": "77"},
                 "router": provider.section(provider="openrouter")}
    try:
        yield make(upstreams=upstreams, public_url="https://chat.example.org", **SETTINGS), provider
        finish(made, request.session.testsfailed > 0)
    finally:
        provider.stop()


@pytest.fixture
def peer(both):
    both[1].reset()
    return both[1]


@pytest.fixture(scope="module")
def ann(both):
    return both[0].register()


@pytest.fixture(scope="module")
def role(ann):
    return ann.role(instructions="Be brief.", temperature=0.5)


@pytest.fixture
def room(ann, role):
    return ann.room(role_ids=[role["id"]])["id"]


@pytest.mark.parametrize("mode", ["ok", "split", "json", "think", "unknown", "twice"])
def test_whole_answers(ann, room, peer, mode):
    with listen(ann, room) as sock:
        end = ask(sock, room, f"[[{mode},pace=1]]")
        assert (end.state, end.text) == ("done", TEN)
        message = message_of(sock, end.id)
        assert message["model"] == "peer-1"
        assert message["usage"] == {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20, "stop": "stop"}


@pytest.mark.parametrize("finish_,stop", [("max_tokens", "length"), ("refusal", "content_filter"), ("new_one", "other"),
                                          ("stop_sequence", "stop")])
def test_stop_reasons(ann, room, peer, finish_, stop):
    with listen(ann, room) as sock:
        end = ask(sock, room, f"[[ok,tokens=2,pace=0,finish={finish_}]]")
        assert end.state == "done" and message_of(sock, end.id)["usage"]["stop"] == stop


def test_request(ann, room, role, peer):
    with listen(ann, room) as sock:
        ask(sock, room, "one [[ok,tokens=1]]")
        ask(sock, room, "two [[ok,tokens=1]]")
    stats = peer.stats()
    head, body = stats["headers"][-1], stats["bodies"][-1]
    assert head["x-api-key"] == "sk-peer-secret" and head["anthropic-version"] == "2023-06-01"
    assert "authorization" not in head
    assert set(body) == {"model", "max_tokens", "system", "messages", "temperature", "stream"}
    assert body["max_tokens"] == 4096 and body["temperature"] == 0.5 and body["stream"] is True
    assert "Be brief." in body["system"]
    assert [m["role"] for m in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][-1]["content"] == f"{ann.name}: two [[ok,tokens=1]]"


def test_two_in_a_row_are_one_turn(ann, room, peer):
    quiet = ann.room(role_ids=[], reply_policy="all")["id"]
    ann.say(quiet, "first")
    role = ann.role()
    assert ann.put(f"/api/rooms/{quiet}/roles/{role['id']}").status_code == 200
    with listen(ann, quiet) as sock:
        ask(sock, quiet, "second [[ok,tokens=1]]")
    messages = peer.stats()["bodies"][-1]["messages"]
    assert len(messages) == 1 and messages[0]["content"] == f"{ann.name}: first\n\n{ann.name}: second [[ok,tokens=1]]"


def test_later_version_takes_no_temperature(ann, peer):
    role = ann.role(upstream="new", temperature=0.5)
    room = ann.room(role_ids=[role["id"]])["id"]
    with listen(ann, room) as sock:
        ask(sock, room, "[[ok,tokens=1]]")
    stats = peer.stats()
    assert stats["headers"][-1]["anthropic-version"] == "2026-10-21"
    assert "temperature" not in stats["bodies"][-1] and stats["bodies"][-1]["max_tokens"] == 77


@pytest.mark.parametrize("mode,code,text", [
    ("nostop,pace=0", "upstream_truncated", TEN),
    ("cut-fin", "upstream_truncated", "Parlour keeps every word in"),
    ("error-mid", "upstream_error", "Parlour keeps every word in"),
    ("spliced", "upstream_error", "Parlour"),
    ("error-first,error=authentication_error", "upstream_auth", ""),
    ("error-first,error=invalid_request_error", "upstream_error", ""),
    ("400", "upstream_error", ""), ("401", "upstream_auth", ""),
])
def test_failures(ann, room, peer, mode, code, text):
    with listen(ann, room) as sock:
        end = ask(sock, room, f"[[{mode}]]")
        assert (end.state, end.text) == ("failed", text)
        assert end.last["error"]["code"] == code
    assert peer.stats()["requests"] == 1


@pytest.mark.parametrize("first", ["529", "error-first", "500", "429,after=0"])
def test_tried_again(ann, room, peer, first):
    peer.queue(first, "ok,pace=0")
    with listen(ann, room) as sock:
        assert ask(sock, room, "hello").text == TEN
    assert peer.stats()["requests"] == 2


def test_limit_without_end_is_not_tried_again(ann, room, peer):
    """A 429 without Retry-After means that the account has no credit, so it is not retried."""
    with listen(ann, room) as sock:
        assert ask(sock, room, "[[429,error=rate_limit_error]]").state == "failed"
    assert peer.stats()["requests"] == 1


def test_models(ann, peer):
    models = [m["id"] for m in ann.get("/api/llm/models").json() if m["upstream"] == "peer"]
    assert models == ["peer-1", "peer-2"]


def test_key_stays_out_of_the_log(both):
    assert "sk-peer-secret" not in both[0].log_text()


# ---- OpenRouter ----

@pytest.fixture
def router_room(ann):
    return ann.room(role_ids=[ann.role(upstream="router")["id"]])["id"]


def test_openrouter_learns_who_asks(ann, router_room, peer):
    with listen(ann, router_room) as sock:
        assert ask(sock, router_room, "[[ok,pace=0]]").text == TEN
    head = peer.stats()["headers"][-1]
    assert head["http-referer"] == "https://chat.example.org" and head["x-openrouter-title"] == "Parlour"
    assert head["authorization"] == "Bearer sk-peer-secret"


def test_openrouter_error_next_to_choices(ann, router_room, peer):
    with listen(ann, router_room) as sock:
        end = ask(sock, router_room, "[[error-mid]]")
        assert (end.state, end.text) == ("failed", "Parlour keeps every word in")


def test_others_are_not_told(ann, room, peer):
    with listen(ann, room) as sock:
        ask(sock, room, "[[ok,tokens=1]]")
    assert "http-referer" not in peer.stats()["headers"][-1]
