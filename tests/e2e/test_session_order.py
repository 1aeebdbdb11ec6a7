# SPDX-License-Identifier: ISC
"""Messages in one session: their values are kept, answers are in order, and answers of dead processes are marked."""

import concurrent.futures
import contextlib
import threading

import psycopg
import pytest

import cluster
from asking import HALF, SETTINGS, STALL, WHOLE, Provider
from parlour import wait_for

FILLING = ("my name is Ann Lee", "my email is ann@lee.org", "I earn 80000 a year")


@pytest.fixture(scope="module")
def provider():
    made = Provider()
    yield made
    made.stop()


@pytest.fixture
def modelled(parlour, provider):
    """modelled(**settings) starts a daemon whose default upstream is the provider, and creates a user."""
    def make(**settings):
        provider.reset()
        daemon = parlour(upstreams={"peer": provider.section()}, guest="on", sessions_per_user="1000", rate_ask="off",
                         rate_ask_session="off", **{**SETTINGS, **settings})
        return daemon, daemon.register()
    return make


def start(user, **body):
    return user.post("/api/sessions", body or None).json()["id"]


def said(rows, session):
    return [tuple(r) for r in rows("SELECT seq, author, content, state, reply_to FROM session_messages "
                                   f"WHERE session_id = '{session}' ORDER BY seq")]


def open_questions(rows, session):
    return rows(f"SELECT count(*) FROM session_questions WHERE session_id = '{session}'")[0][0]


def on_worker(daemon, user, slot, session):
    with daemon.only_worker(slot):
        sock = user.ws(f"/ws/{session}", native=False)
    sock.expect("message")
    return sock


# ---- slots ----

@pytest.mark.parametrize("slow", [False, True])
def test_messages_at_once_lose_no_slot(modelled, provider, rows, slow):
    """Three messages at once on both workers each fill their own slot, although the model is slow to read each of
    them."""
    daemon, user = modelled(**({} if slow else {"llm_default": "local"}))
    sessions = [start(user) for _ in range(6)]
    text = "{}. [[ok,tokens=3,pace=5]]" if slow else "{}"
    with concurrent.futures.ThreadPoolExecutor(18) as pool:
        answers = list(pool.map(lambda job: daemon.once("POST", "/api/chat", headers=user.auth, json={
            "message": text.format(job[1]), "session_id": job[0]}), [(s, f) for s in sessions for f in FILLING]))
    assert [a.status_code for a in answers] == [200] * 18, [a.text for a in answers]
    for one in sessions:
        state = user.get(f"/api/sessions/{one}").json()
        assert state["is_complete"] and all(state["data_collected"].values()), state
        assert dict(rows(f"SELECT slot, value FROM v_session_data WHERE session = '{one[:8]}'")) == {
            "name": "Ann Lee", "email": "ann@lee.org", "income": "sealed"}
        lines = said(rows, one)
        assert [line[0] for line in lines] == list(range(1, 7))
        replies = [line[4] for line in lines if line[1] == "assistant"]
        assert replies == sorted(line[0] for line in lines if line[1] == "user"), "answers in the order of the messages"
        assert sum("That is all I need" in line[2] for line in lines) == 1, "one of them was the last"
        assert open_questions(rows, one) == 0


def test_slots_survive_the_worker(modelled, provider, rows):
    """After kill -9 during the answer, the slots that the message filled are stored."""
    daemon, user = modelled(workers=1, llm_delta="0ms")
    one = start(user)
    provider.queue("ok,tokens=1,pace=0", "stall-mid,tokens=8,pace=1")
    caught = threading.Thread(target=lambda: pytest.raises(Exception, daemon.once, "POST", "/api/chat", headers=user.auth, json={
        "message": "My name is Ann Lee. What do you think about momentum?", "session_id": one}))
    caught.start()
    provider.wait(streams=2)
    wait_for(lambda: user.get(f"/api/sessions/{one}").json()["answer"] == "pending")
    provider.half(lambda: user.get("/readyz"))
    daemon.kill_child(daemon.workers()[0])
    caught.join()
    wait_for(lambda: len(daemon.workers()) == 1)
    state = wait_for(lambda: (s := user.get(f"/api/sessions/{one}").json())["answer"] == "interrupted" and s)
    assert state["data_collected"] == {"name": True, "email": False, "income": False}
    assert said(rows, one)[1][2:4] == (HALF, "interrupted")
    with user.ws(f"/ws/{one}", native=False) as sock:
        greeting = sock.expect("message")
        assert "My last answer was interrupted" in greeting["message"]
        assert greeting["message"].endswith("What is your e-mail address?")
        provider.queue("ok,tokens=1,pace=0")
        sock.send(message="ann@lee.org")
        assert sock.expect("message")["data_collected"]["email"]
    assert user.get(f"/api/sessions/{one}").json()["answer"] == "done"
    assert rows(f"SELECT count(*) FROM v_unanswered WHERE room = 'session {one[:8]}'") == [(0,)]


def test_the_form_asks_again_after_an_interrupted_answer(modelled, provider):
    """The next answer repeats the request of the form, because the answer that the clerk or another worker marked lacks
    it."""
    daemon, user = modelled(workers=1, llm_delta="0ms")
    one = start(user)
    ask = lambda text: user.post("/api/chat", {"session_id": one, "message": text}).json()["message"]
    assert ask("What do you think about momentum?").endswith("What is your name?")
    provider.queue("ok,tokens=1,pace=0", "stall-mid,tokens=8,pace=1")
    caught = threading.Thread(target=lambda: pytest.raises(Exception, daemon.once, "POST", "/api/chat", headers=user.auth, json={
        "message": "What do you think about gravity?", "session_id": one}))
    caught.start()
    wait_for(lambda: user.get(f"/api/sessions/{one}").json()["answer"] == "pending")
    provider.half(lambda: user.get("/readyz"))
    daemon.kill_child(daemon.workers()[0])
    caught.join()
    wait_for(lambda: len(daemon.workers()) == 1)
    wait_for(lambda: user.get(f"/api/sessions/{one}").json()["answer"] == "interrupted")
    assert ask("What is mass?").endswith("What is your name?")


# ---- order ----

def test_answers_come_in_order(modelled, provider, rows):
    """The second message, on the other worker, waits for the first answer, and its context contains that answer."""
    daemon, user = modelled(session_form="")
    one = start(user, kind="chat")
    first, second = (on_worker(daemon, user, slot, one) for slot in (0, 1))
    first.send(message="First [[ok,tokens=9,pace=1,gate=1]]")
    provider.wait(gated=1)
    second.send(message="Second [[ok,tokens=2,pace=0]]")
    wait_for(lambda: open_questions(rows, one) == 2)
    assert provider.stats()["requests"] == 1
    provider.open()
    answer = first.expect("message")["message"]
    assert second.expect("message")["message"] == "Parlour keeps"
    assert [(line[1], line[4]) for line in said(rows, one)] == [
        ("user", None), ("user", None), ("assistant", 1), ("assistant", 2)]
    assert [m["content"] for m in provider.stats()["bodies"][-1]["messages"][1:]] == [
        "First [[ok,tokens=9,pace=1,gate=1]]", answer, "Second [[ok,tokens=2,pace=0]]"]
    for sock in (first, second):
        sock.close()


def test_the_first_ones_worker_dies(modelled, provider, rows):
    """The worker whose answer the other message waits for is killed."""
    daemon, user = modelled(session_form="")
    one = start(user, kind="chat")
    first, second = (on_worker(daemon, user, slot, one) for slot in (0, 1))
    first.send(message=STALL)
    provider.wait(streams=1)
    second.send(message="Second [[ok,tokens=2,pace=0]]")
    wait_for(lambda: open_questions(rows, one) == 2)
    daemon.kill_child(daemon.workers()[0])
    assert first.wait_closed() == 1006
    assert second.expect("message")["message"] == "Parlour keeps"
    assert [line[2:] for line in said(rows, one)[2:]] == [(HALF, "interrupted", 1), ("Parlour keeps", "done", 2)]
    second.close()


def test_the_waiting_ones_worker_dies(modelled, provider, rows):
    daemon, user = modelled(session_form="")
    one = start(user, kind="chat")
    first, second = (on_worker(daemon, user, slot, one) for slot in (0, 1))
    first.send(message="First [[ok,tokens=19,pace=1,gate=1]]")
    provider.wait(gated=1)
    second.send(message="Second")
    wait_for(lambda: open_questions(rows, one) == 2)
    daemon.kill_child(daemon.workers()[1])
    assert second.wait_closed() == 1006
    provider.open()
    assert first.expect("message")["message"]
    lines = wait_for(lambda: (s := said(rows, one)) and len(s) == 4 and s)
    assert sorted(line[2:] for line in lines if line[4] == 2) == [("", "interrupted", 2)]
    assert open_questions(rows, one) == 0
    first.close()


def test_stop_while_one_waits(modelled, provider, rows):
    """After TERM, both answers are ended at once and marked."""
    daemon, user = modelled(session_form="", stop_timeout="1s", llm_delta="0ms")
    one = start(user, kind="chat")
    first, second = (on_worker(daemon, user, slot, one) for slot in (0, 1))
    first.send(message=STALL)
    provider.wait(streams=1)
    second.send(message="Second")
    wait_for(lambda: open_questions(rows, one) == 2)
    provider.half(first.pong)
    assert daemon.stop() == 0
    assert sorted(line[2:] for line in said(rows, one)[2:]) == [("", "interrupted", 2), (HALF, "interrupted", 1)]
    for sock in (first, second):
        sock.drop()


# ---- the whole daemon ----

def test_killed_daemon(modelled, provider, rows):
    """After kill -9 of all processes, the next start marks the message, views and the user see that, and the session
    continues."""
    daemon, user = modelled()
    one = start(user)
    sock = user.ws(f"/ws/{one}", native=False)
    sock.expect("message")
    provider.queue("ok,tokens=1,pace=0", "stall-mid,tokens=8,pace=1")
    sock.send(message="My name is Ann Lee. What do you think about momentum?")
    provider.wait(streams=2)
    wait_for(lambda: open_questions(rows, one) == 1)
    with daemon.stopped(*daemon.children()):  # none may see that the others die
        daemon.kill_all()
    sock.drop()
    assert said(rows, one) == [(1, "user", "My name is Ann Lee. What do you think about momentum?", "done", None)]
    daemon.start()
    wait_for(lambda: said(rows, one)[1:] == [(2, "assistant", "", "interrupted", 1)], 12, "it is marked")
    assert open_questions(rows, one) == 0
    assert rows(f"SELECT asker, seq, state FROM v_unanswered WHERE room = 'session {one[:8]}'") == [(user.name, 1, "interrupted")]
    user = daemon.login(user.name)
    assert [(m["author"], m["state"], m["reply_to"]) for m in user.get(f"/api/sessions/{one}/messages").json()] == [
        ("user", "done", None), ("assistant", "interrupted", 1)]
    state = user.get(f"/api/sessions/{one}").json()
    assert state["answer"] == "interrupted" and state["data_collected"]["name"]
    with user.ws(f"/ws/{one}", native=False) as back:
        assert "My last answer was interrupted" in back.expect("message")["message"]
        provider.queue("ok,tokens=1,pace=0", "ok,tokens=2,pace=0")
        back.send(message="What do you think about momentum?")
        assert back.expect("message")["message"] == "Parlour keeps\n\nWhat is your e-mail address?"
    assert rows(f"SELECT count(*) FROM v_unanswered WHERE room = 'session {one[:8]}'") == [(0,)]


def test_a_clerk_that_is_away_interrupts_nothing(modelled, provider, rows):
    """An answer that was marked too early is corrected when it ends."""
    daemon, user = modelled(session_form="")
    one = start(user, kind="chat")
    sock = user.ws(f"/ws/{one}", native=False)
    sock.expect("message")
    clerk = next(iter(daemon.procs("clerk").values()))
    with daemon.stopped(clerk):
        sock.send(message="[[ok,tokens=19,pace=1,gate=1]]")
        provider.wait(gated=1)
        rows("UPDATE session_questions SET seen_at = now() - interval '1 hour'")
        assert rows("SELECT session_questions_interrupt(10)") == [(1,)]
        assert said(rows, one)[1][2:4] == ("", "interrupted")
        provider.open()
        answer = sock.expect("message")["message"]
    assert said(rows, one)[1:] == [(2, "assistant", answer, "done", 1)]
    sock.close()


# ---- the database ----

@contextlib.contextmanager
def locked(pg, database, session):
    """Blocks changes of the session inside the block."""
    with psycopg.connect(pg.dsn(database, cluster.OWNER)) as conn:
        conn.execute("SELECT FROM sessions WHERE id = %s FOR UPDATE", (session,))
        yield


def test_connection_lost_while_it_is_stored(modelled, pg, database, rows):
    """It is unknown whether the message was stored: it is sent again and stored once."""
    daemon, user = modelled(llm_default="local", db_lock_timeout="20s")
    one = start(user)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with locked(pg, database, one):
            asked = pool.submit(user.post, "/api/chat", {"message": "My name is Ann Lee", "session_id": one})
            waiting = wait_for(lambda: rows("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                                            "AND query LIKE '%session_say%'"), 10, "it waits for the lock")
            rows(f"SELECT pg_terminate_backend({waiting[0][0]})")
        answer = asked.result(20)
    assert answer.status_code == 200, answer.text
    assert answer.json()["data_collected"]["name"]
    assert [line[1] for line in said(rows, one)] == ["user", "assistant"] and open_questions(rows, one) == 0


def test_database_restarts_during_an_answer(modelled, provider, pg, database, rows):
    """The database restarts while the model answers: the answer is stored when the connections are back."""
    daemon, user = modelled(session_form="", db_lock_timeout="200ms")
    one = start(user, kind="chat")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(user.post, "/api/chat", {"message": "[[ok,tokens=19,pace=1,gate=1]]", "session_id": one})
        provider.wait(gated=1)
        with locked(pg, database, one):
            assert rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'parlour%' "
                        "AND datname = current_database()")
            provider.open()
            wait_for(lambda: rows("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%session_answer%'"),
                     10, "the answer is being stored over a new connection")
        asked.result(20)
    wait_for(lambda: [line[2:] for line in said(rows, one)[1:]] == [(WHOLE, "done", 1)], 10, "it is stored")
    assert open_questions(rows, one) == 0
