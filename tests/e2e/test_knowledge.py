# SPDX-License-Identifier: ISC
"""The knowledge base: documents, search, files of a directory, passages for answers, and answers without passages."""

import concurrent.futures
import contextlib
import hashlib
import os
import time

import httpx
import psycopg
import pytest

import cluster
from asking import SETTINGS, Provider, ask, listen, message_of, room_of
from parlour import SLOW, wait_for
from usagedata import analyst

PARCELS = ("Refunds are paid within 14 days once the parcel has come back to the warehouse in Bremen.\n\n"
           "A parcel that was damaged on its way is replaced at no cost.")
OPENING = "The office in Lisbon is open from nine to five. On Saturdays nobody is there."
QUESTION = "When do I get the refund for my parcel? [[ok,tokens=3,pace=0]]"
NAMING = "When do I get the refund for my parcel? [1] [[ok,echo=1,pace=0]]"


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
    """Opens a connection that locks passages and documents until it is closed."""
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


def settled(daemon, state):
    """Waits until all workers know the state: each keeps it for five seconds, and each connection may reach another
    worker."""
    wait_for(lambda: all(state_of(daemon) == state for _ in range(8)), 8, f"health says {state}")


def test_life_of_a_document(daemon, operator, rows):
    settled(daemon, "off")
    made = add(operator, "Parcels", PARCELS)
    assert made["chunks"] == 1 and made["bytes"] == len(PARCELS) and made["source"] is None
    assert made["author"] == operator.name and "text" not in made
    assert made["sha256"] == hashlib.sha256(PARCELS.encode()).hexdigest()
    settled(daemon, "up")
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
    assert search(operator, "office -saturdays", operators=True) == [] and len(search(operator, "office -saturdays")) == 1
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


def figure(daemon, name):
    return next(float(line.rsplit(" ", 1)[1]) for line in daemon.ctl("metrics").stdout.splitlines() if line.startswith(name + " "))


def cite(mark, document, text):
    """Returns a citation in the form of answers; its passage is the whole text."""
    return {"mark": mark, "document": document["id"], "title": document["title"], "from": 0, "to": len(text), "text": text}


def test_chat_cites(daemon, operator, provider, rows):
    """An answer cites the passages that it names, and not those that were only offered."""
    made = add(operator, "Parcels", PARCELS)
    answer = operator.post("/api/chat", {"message": NAMING}).json()
    want = [cite(1, made, PARCELS)]
    assert answer["citations"] == want and "knowledge" not in answer
    assert "[1] Parcels\n" + PARCELS in provider.stats()["bodies"][-1]["messages"][0]["content"]
    assert rows(f"SELECT citations FROM session_messages WHERE session_id = '{answer['session_id']}' ORDER BY seq") == [
        (None,), (want,)]
    answer = operator.post("/api/chat", {"message": QUESTION}).json()
    assert "citations" not in answer
    assert "[1] Parcels\n" + PARCELS in provider.stats()["bodies"][-1]["messages"][0]["content"]
    answer = operator.post("/api/chat", {"message": "Hello! [[ok,tokens=2,pace=0]]"}).json()
    assert "citations" not in answer
    assert "Passages" not in provider.stats()["bodies"][-1]["messages"][0]["content"]


def test_room_cites(daemon, operator, provider, rows):
    """In a room, the citation is in the live message, the history, and the generation, also after the document was
    deleted."""
    add(operator, "Refund form", "The refund form is in the cellar. It is green. Parcel.")
    made = add(operator, "Parcels", PARCELS)
    room = room_of(operator)
    sock = listen(operator, room)
    done = ask(sock, room, NAMING.replace("[1]", "[2, 9]"))
    found = provider.stats()["bodies"][-1]["messages"][0]["content"]
    assert "[1] " in found and "[2] " in found
    live = message_of(sock, done.id)
    title = found.split("[2] ")[1].split("\n")[0]
    assert [(c["mark"], c["title"]) for c in live["citations"]] == [(2, title)]
    assert set(live["citations"][0]) == set(cite(1, made, PARCELS)) and "knowledge" not in live
    generation = operator.get(f"/api/generations/{done.id}").json()
    assert generation["citations"] == live["citations"] and generation["knowledge"] is None
    assert operator.delete(f"/api/knowledge/{live['citations'][0]['document']}").status_code == 204
    messages = operator.get(f"/api/rooms/{room}/messages").json()
    assert messages[-1]["citations"] == live["citations"]
    done = ask(sock, room, QUESTION)
    assert "citations" not in message_of(sock, done.id)
    assert operator.get(f"/api/generations/{done.id}").json()["citations"] is None
    assert rows("SELECT sum(cited) FROM v_knowledge") == [(0,)]


def test_local_quotes(parlour, rows):
    """Without a model, the answer quotes the sentence that fits from the best passage, in a chat and in a room."""
    rows("DELETE FROM knowledge_documents")
    daemon = parlour(session_form="", watchdog="10min")
    operator = analyst(daemon, rows, "operator")
    parcels, opening = add(operator, "Parcels", PARCELS), add(operator, "Opening", OPENING)
    says = '"Refunds are paid within 14 days once the parcel has come back to the warehouse in Bremen." [1]'
    for _ in range(2):
        answer = operator.post("/api/chat", {"message": "When are refunds paid for a parcel?"}).json()
        assert answer["response"] == says and answer["citations"] == [cite(1, parcels, PARCELS)]
    room = room_of(operator)
    sock = listen(operator, room)
    done = ask(sock, room, "Is anybody there on a Saturday?")
    assert done.text == '"On Saturdays nobody is there." [1]'
    assert message_of(sock, done.id)["citations"] == [cite(1, opening, OPENING)]
    assert ask(sock, room, "What is 12 * 7?").text == "12 * 7 = 84"
    assert rows("SELECT title, cited FROM v_knowledge ORDER BY title") == [("Opening", 1), ("Parcels", 2)]


def test_search_hangs(daemon, operator, provider, locked):
    """While the tables are locked, answers are created without passages and say so, /health reports it, and nothing
    else waits."""
    began = time.monotonic()
    answer = operator.post("/api/chat", {"message": QUESTION})
    assert answer.status_code == 200 and "citations" not in answer.json(), answer.text
    assert answer.json()["knowledge"] == "late"
    assert 0.4 < time.monotonic() - began < 4 * SLOW
    room = room_of(operator)
    sock = listen(operator, room)
    done = ask(sock, room, QUESTION)
    assert done.state == "done" and message_of(sock, done.id)["knowledge"] == "late"
    assert operator.get(f"/api/generations/{done.id}").json()["knowledge"] == "late"
    assert operator.get(f"/api/rooms/{room}/messages").json()[-1]["knowledge"] == "late"
    health = wait_for(lambda: (h := daemon.get("/health")).json()["services"]["knowledge"] == "down" and h, 7, "health says so")
    assert health.status_code == 200 and health.json()["status"] == "degraded"
    assert figure(daemon, "parlour_knowledge_searches_total{outcome=\"late\"}") == 2
    locked.rollback()
    settled(daemon, "off")


def test_search_fails(daemon, operator, rows, pg, database):
    """If the search fails with an error, the answer reports `failed`; the next successful search turns the knowledge
    base on again."""
    daemon.expect_error("KNOWLEDGE_SEARCH sqlstate=42P01")
    add(operator, "Parcels", PARCELS)
    with psycopg.connect(pg.dsn(database, cluster.OWNER), autocommit=True) as owner:
        owner.execute("ALTER TABLE knowledge_chunks RENAME TO elsewhere")
        try:
            answer = operator.post("/api/chat", {"message": QUESTION})
            assert answer.status_code == 200 and answer.json()["knowledge"] == "failed", answer.text
        finally:
            owner.execute("ALTER TABLE elsewhere RENAME TO knowledge_chunks")
    assert figure(daemon, 'parlour_knowledge_searches_total{outcome="failed"}') == 1
    settled(daemon, "up")
    assert operator.post("/api/chat", {"message": NAMING}).json()["citations"]


def test_starting_and_stopping_while_it_hangs(parlour, operator, locked):
    """A daemon starts while the tables are locked, and stops while a health check waits for them."""
    daemon = parlour(knowledge_timeout="30s", session_form="")
    daemon.register()
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        probes = [pool.submit(daemon.once, "GET", "/health") for _ in range(3)]
        wait_for(lambda: figure(daemon, "parlour_knowledge_checks_total") >= 1, 5, "a probe waits")
        daemon.stop()
        for probe in probes:
            with contextlib.suppress(httpx.HTTPError):
                assert probe.result().json()["services"]["knowledge"] == "down"


def test_health_asks_seldom(daemon, operator):
    """Many health checks cause few statements; the reported state is at most five seconds old."""
    add(operator, "Parcels", PARCELS)
    before, began = figure(daemon, "parlour_knowledge_checks_total"), time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        probes = list(pool.map(lambda _: daemon.get("/health").json()["services"]["knowledge"], range(200)))
    checks, took = figure(daemon, "parlour_knowledge_checks_total") - before, time.monotonic() - began
    assert len(probes) == 200 and checks <= 2 * (2 + took // 5), "each of two workers at the begin, and when five seconds are over"
    settled(daemon, "up")


def test_health_finds_out_by_itself(daemon, operator, pg, database):
    """Without searches, every worker learns of the lock, and of its end, when its state is five seconds old."""
    add(operator, "Parcels", PARCELS)
    settled(daemon, "up")
    for state in ("down", "up"):
        with psycopg.connect(pg.dsn(database, cluster.OWNER)) as held:
            if state == "down":
                held.execute("LOCK TABLE knowledge_documents, knowledge_chunks IN ACCESS EXCLUSIVE MODE")
            began = time.monotonic()
            settled(daemon, state)
            assert time.monotonic() - began < 5 + 2 * SLOW
            held.rollback()


def test_search_figures(daemon, operator):
    add(operator, "Parcels", PARCELS)
    search(operator, "parcel")
    search(operator, "zeppelin")
    assert [figure(daemon, f'parlour_knowledge_searches_total{{outcome="{o}"}}') for o in ("found", "nothing", "failed")] == [1, 1, 0]
    assert figure(daemon, "parlour_knowledge_search_seconds_total") > 0


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


def test_load_languages(daemon, operator):
    """A file name determines the language, otherwise the setting does; a file whose language changed is loaded
    again."""
    directory = daemon.dir + "/knowledge"
    os.mkdir(directory)
    for name, text in (("Versand.de.txt", "Rücksendungen sind kostenlos."), ("v1.2.md", "Version notes."), (".de.txt", "Ohne Namen.")):
        with open(f"{directory}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    os.chmod(directory, 0o755)
    daemon.configure(knowledge_dir=directory)
    assert daemon.ctl("knowledge", "load").stdout == "3 loaded, 0 unchanged, 0 refused\n"
    assert {(d["source"], d["title"], d["language"]) for d in operator.get("/api/knowledge").json()} == {
        ("Versand.de.txt", "Versand", "de"), ("v1.2.md", "v1.2", "en"), (".de.txt", ".de", "en")}
    assert search(operator, "Rücksendung")[0]["title"] == "Versand"
    daemon.configure(knowledge_dir=directory, knowledge_language="fr")
    assert daemon.ctl("knowledge", "load").stdout == "2 loaded, 1 unchanged, 0 refused\n"
    assert sorted(d["language"] for d in operator.get("/api/knowledge").json()) == ["de", "fr", "fr"]
