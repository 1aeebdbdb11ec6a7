# SPDX-License-Identifier: ISC
"""Leads: a complete form queues one mail per session, without sensitive values, whatever process dies."""

import contextlib
import os
import random
import re
import subprocess
import threading
import time

import httpx
import pytest

import cluster
from parlour import PLAIN, clean_env, free_port, wait_for

TEAM = ("sales@example.net", "boss@example.net")
WHOLE = "My name is Jane Doe, my email is jane@doe.io and I make 987654 a year"


@pytest.fixture(autouse=True)
def empty_queue(rows):
    rows("DELETE FROM jobs")


@pytest.fixture
def post(parlour):
    """post(port) starts a daemon that mails leads through the server on that port."""
    def make(port, **settings):
        return parlour(**{"smtp_url": f"smtp://127.0.0.1:{port}/parlour.example", "smtp_tls": "off", "guest": "on",
                          "mail_from": "bot@parlour.example", "lead_mail_to": " ".join(TEAM), "sessions_per_user": "1000",
                          "rate_ask_session": "off", "rate_ask": "off", **settings})
    return make


def chat(api, message, session=None):
    answer = api.post("/api/chat", {"message": message, **({"session_id": session} if session else {})})
    assert answer.status_code == 200, answer.text
    return answer.json()


def look(api, session):
    answer = api.get(f"/api/sessions/{session}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def queued(rows, session):
    return rows(f"SELECT payload ->> 'to', id::text FROM jobs WHERE session_id = '{session}' ORDER BY 1")


def sent(api, session):
    return wait_for(lambda: look(api, session)["lead_mail"] == "sent", 10, "the lead's mails are sent")


# ---- what is sent ----

def test_off(shared, parlour, smtp, rows):
    """Without a mail server, or with one but without a recipient, nothing is queued, and the session says so."""
    peer = smtp()
    nobody = parlour(smtp_url=f"smtp://127.0.0.1:{peer.port}", smtp_tls="off", mail_from="bot@parlour.example")
    serverless = parlour(lead_mail_to=TEAM[0], lead_mail_person="on")
    for daemon in (shared, nobody, serverless):
        user = daemon.register()
        one = chat(user, "Ann Lee")["session_id"]
        assert look(user, one)["lead_mail"] is None and look(user, one)["form_state"] == "open"
        assert chat(user, WHOLE, one)["is_complete"]
        state = look(user, one)
        assert (state["lead_mail"], state["form_state"], state["answer"]) == ("off", "complete", "done")
        assert queued(rows, one) == []
    assert rows("SELECT count(*) FROM jobs") == [(0,)] and peer.mails == []


def test_lead_to_the_team_and_thanks_to_the_person(post, smtp, rows):
    peer = smtp()
    daemon = post(peer.port, lead_mail_person="on")
    user = daemon.register()
    one = chat(user, WHOLE)["session_id"]
    sent(user, one)
    assert sorted(m.to[0] for m in peer.mails) == sorted([*TEAM, "jane@doe.io"])
    assert sorted(peer.ids()) == sorted(f"<{ident}@parlour.example>" for _, ident in queued(rows, one))
    for mail in peer.mails:
        text = mail.raw.decode() + mail.subject + mail.body
        assert "987654" not in text and one not in text and "auto-generated" in text
        if mail.to[0] in TEAM:
            assert mail.subject == "Contact details: complete"
            body = mail.body.replace("\r\n", "\n")
            assert "name: Jane Doe\ne-mail address: jane@doe.io\nincome: sealed\n" in body
            assert f"Account: {user.name}\nSession: {one[:8]}\n" in body
        else:
            assert mail.subject == "Contact details: thank you" and "Jane" not in mail.body, "no text of the person's own"
    assert rows("SELECT 1 FROM jobs o WHERE o::text LIKE '%987654%'") == []
    assert chat(user, "change my name to Bob Miller", one)["message"] == "Corrected: name Bob Miller."
    assert chat(user, "actually I earn 123000", one)["is_complete"]
    assert len(queued(rows, one)) == 3, "a lead is told of once"
    assert "jane@doe.io" not in daemon.log_text()


def test_person_only_and_person_in_the_team(post, smtp, rows):
    peer = smtp()
    alone = post(peer.port, lead_mail_to="", lead_mail_person="on")
    one = chat(alone, WHOLE)["session_id"]
    sent(alone, one)
    assert [m.to for m in peer.mails] == [["jane@doe.io"]]
    both = post(peer.port, lead_mail_to="Jane@doe.io", lead_mail_person="on")
    two = chat(both, WHOLE)["session_id"]
    sent(both, two)
    assert len(queued(rows, two)) == 1 and "Account: guest" in peer.mails[-1].body


def test_server_that_is_away_and_one_that_refuses(post, smtp):
    port = free_port()
    daemon = post(port, lead_mail_to=TEAM[0])
    one = chat(daemon, WHOLE)["session_id"]
    assert look(daemon, one)["lead_mail"] == "queued", "the session goes on when mail is down"
    peer = smtp(port=port)
    sent(daemon, one)
    peer.rcpt_answers = ["550 no such user"]
    two = chat(daemon, WHOLE)["session_id"]
    wait_for(lambda: look(daemon, two)["lead_mail"] == "failed", 10)
    assert len(peer.mails) == 1


def test_handed_over(post, smtp, rows):
    """After three answers without a value, the form is handed over: a person gets a mail with the values so far."""
    peer = smtp()
    daemon = post(peer.port, lead_mail_person="on")
    one = chat(daemon, "Ann Lee")["session_id"]
    for text in ("none", "nope", "never"):
        answer = chat(daemon, text, one)
    assert answer["message"].startswith("I do not get on with this") and not answer["is_complete"]
    state = look(daemon, one)
    assert state["form_state"] == "handed_over" and state["data_collected"] == {"name": True, "email": False, "income": False}
    sent(daemon, one)
    assert [m.subject for m in peer.mails] == ["Contact details: a person is needed"] * 2
    assert "name: Ann Lee" in peer.mails[0].body and "e-mail address: -" in peer.mails[0].body
    assert "email" not in chat(daemon, "Who are you?", one)["message"], "the talk goes on without the form"
    assert rows(f"SELECT DISTINCT state FROM v_session_data WHERE session = '{one[:8]}'") == [("handed_over",)]


def test_cancel(post, smtp, rows):
    peer = smtp()
    daemon = post(peer.port)
    one = chat(daemon, "Ann Lee")["session_id"]
    assert chat(daemon, "please stop", one)["message"] == "All right, I do not ask any further. What else can I do for you?"
    assert look(daemon, one)["form_state"] == "cancelled" and look(daemon, one)["state"] == "open"
    assert chat(daemon, "what is 2 + 3?", one)["message"] == "2 + 3 = 5"
    assert chat(daemon, "change my name to Bob", one)["message"] == "Corrected: name Bob."
    assert look(daemon, one)["data_collected"]["name"] and queued(rows, one) == []
    with daemon.ws(f"/ws/{one}", protocols=()) as sock:
        assert "?" not in sock.expect("message")["message"].removesuffix("What can I do for you?"), "nothing is asked for"


# ---- what dies ----

def finish_form(url, session):
    with contextlib.suppress(httpx.HTTPError):
        httpx.post(url + "/api/chat", json={"message": "90000", "session_id": session}, **PLAIN)


def test_killed_worker_around_completion(post, smtp, rows):
    """After kill -9 at any moment, a complete form has its mail queued, an incomplete one has not, and each mail is
    sent once."""
    peer = smtp()
    daemon = post(peer.port, lead_mail_to=TEAM[0], workers=1)
    seen, dice = [], random.Random(7)
    for _ in range(3):
        wait_for(daemon.is_ready)
        some = [chat(daemon, "I am Jane Doe, jane@doe.io")["session_id"] for _ in range(10)]
        seen += some
        pid = daemon.workers(1)[0]
        threads = [threading.Thread(target=finish_form, args=(daemon.url, one)) for one in some]
        for thread in threads:
            thread.start()
        time.sleep(dice.random() * 0.006)
        daemon.kill_child(pid)
        for thread in threads:
            thread.join()
        wait_for(lambda gone=pid: daemon.workers(1)[0] != gone)
    wait_for(daemon.is_ready)
    whole = 0
    for one in seen:
        complete = look(daemon, one)["is_complete"]
        assert len(queued(rows, one)) == (1 if complete else 0)
        whole += complete
        if not complete:
            assert chat(daemon, "90000", one)["is_complete"]
        sent(daemon, one)
        assert collected(rows, one) == {"name": "Jane Doe", "email": "jane@doe.io", "income": "sealed"}
    print(f"{whole} of {len(seen)} were complete when their worker died")
    assert len(peer.mails) == len(seen) and len(set(peer.ids())) == len(seen)


def collected(rows, session):
    return dict(rows(f"SELECT slot, value FROM v_session_data WHERE session = '{session[:8]}'"))


def test_killed_daemon_before_the_mail_is_sent(post, smtp, rows):
    port = free_port()
    daemon = post(port, lead_mail_to=TEAM[0])
    one = chat(daemon, WHOLE)["session_id"]
    daemon.kill_all()
    ident = queued(rows, one)[0][1]
    peer = smtp(port=port)
    daemon.start()
    sent(daemon, one)
    assert peer.ids() == [f"<{ident}@parlour.example>"]


# ---- form files ----

def test_broken_form_files(parlour, workdir, monkeypatch):
    directory = workdir + "/forms-of-our-own"
    os.makedirs(directory, exist_ok=True)
    path = directory + "/contact.conf"
    source = os.environ["PARLOUR_FORMS_DIR"] + "/contact.conf"
    with open(source, encoding="utf-8") as file:
        good = file.read()

    def write(text):
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        cluster.give(directory)
        cluster.give(path)

    write(good)
    monkeypatch.setenv("PARLOUR_FORMS_DIR", directory)
    daemon = parlour(guest="on", sessions_per_user="1000")
    one = chat(daemon, "Hello!")["session_id"]
    write(good.replace("What is your name?", "Your name, please?").replace("cancel stop quit", "basta quit"))
    daemon.reload()
    wait_for(lambda: all(daemon.post("/api/sessions").json()["greeting"].endswith("Your name, please?") for _ in range(4)))
    assert not look(daemon, one)["form_state"] == "cancelled"
    assert chat(daemon, "stop", chat(daemon, "Hello!")["session_id"])["message"] != "All right, I do not ask any further."
    assert chat(daemon, "Basta!", one)["message"].startswith("All right")
    line = good.split("\n").index("[slot email]") + 1
    for bad, where, why in ((good.replace("[slot email]", "[slot email]\npattern = ([a-z"), line + 1, "slot email: pattern"),
                            (good.replace("[slot email]", "[slot email]\nfind = [a-z]+@[a-z]+"), line + 1, "slot email: find: remove it"),
                            (good.replace("[slot email]", "[slot email]\nmood = good"), line + 1, "mood"),
                            (good + "\n[slot extra]\nlabel = x\n", None, "label and ask must be given"),
                            (good.replace("person = email", "person = mail"), None, "person: there is no slot of that name")):
        write(bad)
        refused = daemon.reload(good=False)
        assert re.search(r"contact\.conf:\d+: ", refused["why"]) and why in refused["why"], refused
        assert where is None or f":{where}: " in refused["why"]
        test = subprocess.run(cluster.as_user([daemon.binaries["parlourd"], "-t", "-c", daemon.config]), capture_output=True,
                              text=True, timeout=30, check=False, env=clean_env())
        assert test.returncode == 78 and refused["why"].split("contact.conf")[1] in test.stderr
        assert daemon.post("/api/sessions").status_code == 201, "the old forms stay"
    daemon.stop()
    daemon.expect_error("form|contact.conf")
    daemon.start(ready=False)
    assert daemon.wait_exit() == 78
    write(good)
    daemon.start()
    assert chat(daemon, "Hello!")["message"]
