# SPDX-License-Identifier: ISC
"""The knowledge base: documents, search, files of a directory, passages for answers, and answers without them."""

import hashlib
import os
import time

import psycopg
import pytest

import cluster
from asking import SETTINGS, Provider, ask, listen, room_of
from parlour import wait_for
from usagedata import analyst

PARCELS = ("Refunds are paid within 14 days once the parcel has come back to the warehouse in Bremen.\n\n"
           "A parcel that was damaged on its way is replaced at no cost.")
OPENING = "The office in Lisbon is open from nine to five. On Saturdays nobody is there."
QUESTION = "When do I get the refund for my parcel? [[ok,tokens=3,pace=0]]"


@pytest.fixture(scope="module")
def provider():
    made = Provider()
    yield made
    made.stop()


@pytest.fixture
def daemon(parlour, provider, rows):
    rows("DELETE FROM knowledge_documents")
    provider.reset()
    return parlour(upstreams={"peer": provider.section()}, session_form="", **SETTINGS)


@pytest.fixture
def operator(daemon, rows):
    return analyst(daemon, rows, "operator")


@pytest.fixture
def locked(pg, database):
    """A connection that has the passages and documents to itself until it is closed."""
    with psycopg.connect(pg.dsn(database, cluster.OWNER)) as held:
        held.execute("LOCK TABLE knowledge_documents, knowledge_chunks IN ACCESS EXCLUSIVE MODE")
        yield held
        held.rollback()


def add(user, title, text):
    answer = user.post("/api/knowledge", {"title": title, "text": text})
    assert answer.status_code == 201, answer.text
    return answer.json()


def search(user, query, **more):
    answer = user.post("/api/knowledge/search", {"query": query, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def state_of(daemon):
    return daemon.get("/health").json()["services"]["knowledge"]


def test_life_of_a_document(daemon, operator, rows):
    assert state_of(daemon) == "off"
    made = add(operator, "Parcels", PARCELS)
    assert made["chunks"] == 1 and made["bytes"] == len(PARCELS) and made["source"] is None
    assert made["author"] == operator.name and "text" not in made
    assert made["sha256"] == hashlib.sha256(PARCELS.encode()).hexdigest()
    assert state_of(daemon) == "up"
    reader = daemon.register()
    assert reader.get("/api/knowledge").json() == [made]
    assert reader.get(f"/api/knowledge/{made['id']}").json() == {**made, "text": PARCELS}
    assert reader.delete(f"/api/knowledge/{made['id']}").status_code == 403
    assert reader.post("/api/knowledge", {"title": "x", "text": "y"}).status_code == 403
    assert operator.delete(f"/api/knowledge/{made['id']}").status_code == 204
    assert operator.delete(f"/api/knowledge/{made['id']}").status_code == 404
    assert reader.get(f"/api/knowledge/{made['id']}").status_code == 404
    assert rows("SELECT count(*) FROM knowledge_chunks") == [(0,)]
    wait_for(lambda: rows(f"SELECT actor_id FROM audit WHERE action = 'document deleted' AND target = 'knowledge:{made['id']}'")
             == [(operator.id,)], 5, "the deletion is in the audit trail")


@pytest.mark.parametrize("body,field", [
    ({"text": "x"}, "title"), ({"title": "", "text": "x"}, "title"), ({"title": "x"}, "text"),
    ({"title": "x", "text": "x" * 1048577}, "text")])
def test_refused(daemon, operator, body, field):
    answer = operator.post("/api/knowledge", body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", field]


def test_largest(daemon, operator):
    text = ("A sentence of \u00e4\u00f6\u00fc words. \n" * 60000).encode()[:1048576].decode(errors="ignore")
    made = add(operator, "Large", text)
    whole = operator.get(f"/api/knowledge/{made['id']}").json()
    assert whole["text"] == text and whole["chunks"] > 900


def test_search(daemon, operator):
    parcels, opening = add(operator, "Parcels", PARCELS), add(operator, "Opening", OPENING)
    found = search(operator, "damaged parcels")
    assert [p["document"] for p in found] == [parcels["id"]]
    assert found[0]["text"] == PARCELS[found[0]["from"]:found[0]["to"]] and 0.15 <= found[0]["score"] <= 1
    assert [p["title"] for p in search(operator, "Is the office open on a Saturday?")] == ["Opening"]
    assert search(operator, "the weather in Patagonia tomorrow at noon, and nothing about any office") == []
    assert search(operator, "and the of") == search(operator, "!!! ((( '' \\ & | <->") == []
    assert [p["document"] for p in search(operator, "office -saturdays")] == []
    assert len(search(operator, "parcel or office")) == 2 and len(search(operator, "parcel or office", limit=1)) == 1
    assert opening["id"] != parcels["id"]
    assert operator.post("/api/knowledge/search", {"query": ""}).status_code == 422
    assert daemon.post("/api/knowledge/search", {"query": "x"}).status_code == 401


def test_passages_have_places(daemon, operator):
    text = "".join(f"Paragraph {i} speaks of \u00fcber-thing{i} and of nothing else at all.\n\n" for i in range(100))
    made = add(operator, "Things", text)
    assert made["chunks"] > 4
    for hit in search(operator, "thing77 paragraph"):
        assert hit["text"] == text[hit["from"]:hit["to"]]
    assert "thing77 " in search(operator, "\u00fcber-thing77")[0]["text"]


def test_chat_cites(daemon, operator, provider, rows):
    made = add(operator, "Parcels", PARCELS)
    answer = operator.post("/api/chat", {"message": QUESTION}).json()
    want = [{"document": made["id"], "title": "Parcels", "from": 0, "to": len(PARCELS)}]
    assert answer["citations"] == want
    assert "[1] Parcels\n" + PARCELS in provider.stats()["bodies"][-1]["messages"][0]["content"]
    assert rows(f"SELECT citations FROM session_messages WHERE session_id = '{answer['session_id']}' ORDER BY seq") == [
        (None,), (want,)]
    answer = operator.post("/api/chat", {"message": "Hello! [[ok,tokens=2,pace=0]]"}).json()
    assert "citations" not in answer
    assert "Passages" not in provider.stats()["bodies"][-1]["messages"][0]["content"]


def test_role_is_given_passages(daemon, operator, provider):
    add(operator, "Parcels", PARCELS)
    room = room_of(operator)
    sock = listen(operator, room)
    ask(sock, room, QUESTION)
    wait_for(lambda: provider.stats()["bodies"], 10, "the model was asked")
    assert "[1] Parcels\n" + PARCELS in provider.stats()["bodies"][-1]["messages"][0]["content"]


def test_search_hangs(daemon, operator, provider, locked):
    """Somebody has the tables: the answer goes on without them, /health says so, and nothing else waits."""
    began = time.monotonic()
    answer = operator.post("/api/chat", {"message": QUESTION})
    assert answer.status_code == 200 and "citations" not in answer.json(), answer.text
    assert 0.4 < time.monotonic() - began < 4
    health = daemon.get("/health")
    assert health.status_code == 200 and health.json()["status"] == "degraded"
    assert health.json()["services"]["knowledge"] == "down"
    locked.rollback()
    assert state_of(daemon) == "off"


def test_load(daemon, operator, rows):
    directory = daemon.dir + "/knowledge"
    os.mkdir(directory)
    for name, text in (("Parcels.txt", PARCELS), ("opening.md", OPENING), ("other.pdf", "x"), ("bad.txt", "\udcff")):
        with open(f"{directory}/{name}", "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
    os.chmod(directory, 0o755)
    done = daemon.ctl("knowledge", "load", directory, check=False)
    assert done.returncode == 65 and done.stdout == "2 loaded, 0 unchanged, 1 refused\n", done.stderr
    assert "bad.txt: is not valid UTF-8" in done.stderr
    os.unlink(directory + "/bad.txt")
    daemon.configure(knowledge_dir=directory)
    assert daemon.ctl("knowledge", "load").stdout == "0 loaded, 2 unchanged, 0 refused\n"
    before = {d["source"]: d for d in operator.get("/api/knowledge").json()}
    assert set(before) == {"Parcels.txt", "opening.md"} and before["Parcels.txt"]["title"] == "Parcels"
    with open(directory + "/opening.md", "w", encoding="utf-8") as file:
        file.write("The office in Lisbon is closed for good.")
    assert daemon.ctl("knowledge", "load").stdout == "1 loaded, 1 unchanged, 0 refused\n"
    after = {d["source"]: d for d in operator.get("/api/knowledge").json()}
    assert after["opening.md"]["id"] == before["opening.md"]["id"] and after["Parcels.txt"] == before["Parcels.txt"]
    assert "closed for good" in search(operator, "office in Lisbon")[0]["text"]
    assert rows("SELECT count(*) FROM knowledge_chunks") == [(2,)]
    assert daemon.ctl("knowledge", "load", directory + "/none", check=False).returncode == 66
    assert daemon.ctl("knowledge", "drop", check=False).returncode == 64
