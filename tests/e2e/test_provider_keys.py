# SPDX-License-Identifier: ISC
"""Users' own keys for providers are encrypted, masked, and used only for questions of their owner."""

import pytest

from asking import Provider, SETTINGS, ask, listen
from conftest import finish, maker

KEY = "sk-or-v1-0123456789abcdefghij"
MASKED = "sk-o...ghij"


@pytest.fixture(scope="module")
def both(request, workdir):
    make, made = maker(request, workdir)
    provider = Provider()
    upstreams = {"peer": provider.section(provider="openai"),
                 "claude": provider.section(provider="anthropic", dialect="anthropic"),
                 "plain": provider.section()}
    try:
        yield make(upstreams=upstreams, **SETTINGS), provider
        finish(made, request.session.testsfailed > 0)
    finally:
        provider.stop()


@pytest.fixture
def peer(both):
    both[1].reset()
    return both[1]


@pytest.fixture
def ann(both):
    return both[0].register()


def put(user, provider, key=KEY):
    reply = user.put(f"/api/provider-keys/{provider}", {"key": key})
    assert reply.status_code == 200, reply.text
    return reply.json()


def used(user, peer, upstream):
    """Returns the credentials with which the upstream was asked for an answer to this user."""
    room = user.room(role_ids=[user.role(upstream=upstream)["id"]])["id"]
    with listen(user, room) as sock:
        assert ask(sock, room, "[[ok,tokens=1]]").state == "done"
    head = peer.stats()["headers"][-1]
    return head.get("authorization", head.get("x-api-key"))


# ---- storing ----

def test_life(ann):
    assert ann.get("/api/provider-keys").json() == []
    assert ann.get("/api/provider-keys/openai").status_code == 404
    made = put(ann, "openai")
    assert set(made) == {"provider", "masked", "readable", "created_at", "updated_at"}
    assert (made["provider"], made["masked"], made["readable"]) == ("openai", MASKED, True)
    assert ann.get("/api/provider-keys/openai").json() == made
    again = put(ann, "openai", "sk-another-key-0123456789")
    assert again["masked"] == "sk-a...6789" and again["created_at"] == made["created_at"]
    assert again["updated_at"] > made["updated_at"]
    put(ann, "anthropic")
    assert [k["provider"] for k in ann.get("/api/provider-keys/").json()] == ["anthropic", "openai"]
    assert ann.delete("/api/provider-keys/openai").status_code == 204
    assert ann.delete("/api/provider-keys/openai").status_code == 404
    assert [k["provider"] for k in ann.get("/api/provider-keys").json()] == ["anthropic"]


def test_only_ones_own(both, ann):
    put(ann, "openai")
    bob = both[0].register()
    assert bob.get("/api/provider-keys").json() == []
    assert bob.get("/api/provider-keys/openai").status_code == 404
    assert bob.delete("/api/provider-keys/openai").status_code == 404
    assert both[0].get("/api/provider-keys").status_code == 401


@pytest.mark.parametrize("key", ["short", "with a blank in it", "new\nline-in-key", "umläut-in-the-key", "x" * 513, "", None, 5])
def test_bad_keys(ann, key):
    reply = ann.put("/api/provider-keys/openai", {"key": key})
    assert reply.status_code == 422
    assert reply.json()["detail"][0]["loc"] == ["body", "key"]
    assert not isinstance(key, str) or len(key) < 6 or key not in reply.text


@pytest.mark.parametrize("provider", ["other", "auto", "local", "OpenAI", "x" * 100])
def test_bad_providers(ann, provider):
    reply = ann.put(f"/api/provider-keys/{provider}", {"key": KEY})
    assert reply.status_code == 404 and "openai, anthropic, or openrouter" in reply.json()["detail"]
    assert ann.get(f"/api/provider-keys/{provider}").status_code == 404


def test_short_keys_show_nothing(ann):
    assert put(ann, "openai", "sk-12345678")["masked"] == "..."


def test_sealed_in_the_database(ann, rows):
    put(ann, "openai")
    put(ann, "anthropic")
    sealed = rows(f"SELECT encode(sealed, 'escape') FROM provider_keys WHERE user_id = {ann.id}")
    assert len(sealed) == 2 and sealed[0] != sealed[1] and KEY not in str(sealed)


def test_damaged_and_moved_rows_do_not_break_the_list(both, ann, rows, peer):
    for provider in ("openai", "anthropic", "openrouter"):
        put(ann, provider)
    rows(f"UPDATE provider_keys SET sealed = '\\x01' WHERE user_id = {ann.id} AND provider = 'openai' RETURNING 1")
    rows(f"UPDATE provider_keys k SET sealed = o.sealed FROM provider_keys o WHERE k.user_id = {ann.id} AND "
         f"k.provider = 'anthropic' AND o.user_id = {ann.id} AND o.provider = 'openrouter' RETURNING 1")
    shown = {k["provider"]: (k["readable"], k["masked"]) for k in ann.get("/api/provider-keys").json()}
    assert shown == {"openai": (False, None), "anthropic": (False, None), "openrouter": (True, MASKED)}
    # questions still work with the key of the section
    assert used(ann, peer, "peer") == "Bearer sk-peer-secret"
    assert "a user's own key cannot be opened" in both[0].log_text()


# ---- using ----

def test_the_askers_key_wins(both, ann, peer):
    assert used(ann, peer, "peer") == "Bearer sk-peer-secret"
    put(ann, "openai", "sk-anns-own-key-000000000")
    put(ann, "anthropic", "sk-ant-anns-own-key-00000")
    assert used(ann, peer, "peer") == "Bearer sk-anns-own-key-000000000"
    assert used(ann, peer, "claude") == "sk-ant-anns-own-key-00000"
    assert used(ann, peer, "plain") == "Bearer sk-peer-secret"
    ann.delete("/api/provider-keys/openai")
    assert used(ann, peer, "peer") == "Bearer sk-peer-secret"


def said_with(daemon, user, peer, message="Hello [[ok,tokens=1,pace=0]]"):
    """Returns the credentials that each request to the upstream used for an answer in a new session."""
    before = len(peer.stats()["headers"])
    answer = user.post("/api/chat", {"message": message})
    assert answer.status_code == 200, answer.text
    user.delete(f"/api/sessions/{answer.json()['session_id']}")
    return {h.get("authorization", h.get("x-api-key")) for h in peer.stats()["headers"][before:]}


def test_in_sessions(both, ann, peer):
    """The answer of the chatbot and the form questions to the model use the key of the user of the session."""
    daemon, bob = both[0], both[0].register()
    assert said_with(daemon, ann, peer) == {"Bearer sk-peer-secret"}
    put(ann, "openai", "sk-anns-own-key-000000000")
    assert said_with(daemon, ann, peer) == {"Bearer sk-anns-own-key-000000000"}
    with ann.ws("/ws/new", native=False) as sock:
        sock.expect("message")
        sock.send(message="Hello [[ok,tokens=1,pace=0]]")
        sock.expect("message")
    assert peer.stats()["headers"][-1]["authorization"] == "Bearer sk-anns-own-key-000000000"
    assert said_with(daemon, bob, peer) == {"Bearer sk-peer-secret"}
    ann.delete("/api/provider-keys/openai")
    assert said_with(daemon, ann, peer) == {"Bearer sk-peer-secret"}
    assert "anns-own" not in daemon.log_text()


def listed(user):
    answer = user.get("/api/llm/models")
    assert answer.status_code == 200, answer.text
    return {(m["upstream"], m["key"]) for m in answer.json()}


def test_models_by_key(parlour, peer):
    """The list of models is requested with the key of each user, and says whose key answers would use."""
    daemon = parlour(workers=1, upstreams={"peer": peer.section(provider="openai"), "plain": peer.section(),
                                           "bare": peer.section(provider="openrouter", key="", model="bare-1")}, **{**SETTINGS})
    ann, bob = daemon.register(), daemon.register()
    assert listed(bob) == {("local", "server"), ("peer", "server"), ("plain", "server"), ("bare", "none")}
    put(ann, "openai", "sk-anns-own-key-000000000")
    put(ann, "openrouter", "sk-or-anns-own-0000000000")
    peer.reset()
    assert listed(ann) == {("local", "server"), ("peer", "own"), ("plain", "server"), ("bare", "own")}
    keys = [h.get("authorization") for h in peer.stats()["headers"]]
    assert sorted(keys) == ["Bearer sk-anns-own-key-000000000", "Bearer sk-or-anns-own-0000000000"]
    assert listed(ann) and listed(bob) and peer.stats()["models"] == 2, "kept, for each key by itself"
    put(ann, "openai", "sk-anns-new-key-000000000")
    listed(ann)
    assert peer.stats()["headers"][-1]["authorization"] == "Bearer sk-anns-new-key-000000000"
    ann.delete("/api/provider-keys/openai")
    assert ("peer", "server") in listed(ann) and peer.stats()["models"] == 3


def test_not_for_others_in_the_same_room(both, ann, peer):
    bob = both[0].register()
    put(ann, "openai", "sk-anns-own-key-000000000")
    room = ann.room(role_ids=[ann.role(upstream="peer")["id"]])["id"]
    for user, key in ((bob, "sk-peer-secret"), (ann, "sk-anns-own-key-000000000"), (bob, "sk-peer-secret")):
        with listen(user, room) as sock:
            assert ask(sock, room, "[[ok,tokens=1]]").state == "done"
        assert peer.stats()["headers"][-1]["authorization"] == "Bearer " + key


def test_never_in_logs_or_errors(both, ann, peer):
    put(ann, "openai", "sk-very-secret-key-000000")
    room = ann.room(role_ids=[ann.role(upstream="peer")["id"]])["id"]
    with listen(ann, room) as sock:
        end = ask(sock, room, "[[400]]")
        assert end.state == "failed" and "sk-very-secret" not in str(end.last)
    log = both[0].log_text()
    assert "sk-very-secret" not in log and KEY not in log
