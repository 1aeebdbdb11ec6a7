# SPDX-License-Identifier: ISC
"""The built-in responder in a chat session: values of the user, its earlier answers, and requests for a person."""

import pytest

from mail_peer import RudePeer
from parlour import wait_for
from usagedata import analyst

MAIL = {"public_url": "https://chat.example.org", "mail_from": "bot@example.org", "person_channel": "mail",
        "person_mail": "desk@example.org"}


def say(user, message, session=None):
    answer = user.post("/api/chat", {"message": message, **({"session_id": session} if session else {})})
    assert answer.status_code == 200, answer.text
    return answer.json()


def requests(user):
    return user.get("/api/feedback-requests").json()


def test_what_was_collected_and_said(parlour, rows):
    """The answer to a question about a collected name is that name, not a document about names; a sensitive value is
    not shown."""
    daemon = parlour(guest="on")
    operator = analyst(daemon, rows, "operator")
    made = operator.post("/api/knowledge", {"title": "Names", "text": "My name is on the parcel. Your name is on the label."})
    ident = say(daemon, "Hello!")["session_id"]
    assert say(daemon, "What is my name?", ident)["message"].startswith("You have not told me your name yet.")
    say(daemon, "My name is Ann Lee", ident)
    say(daemon, "ann@lee.org", ident)
    say(daemon, "123456", ident)
    assert say(daemon, "what is my name?", ident)["message"].startswith("Your name, as I have noted it: Ann Lee.")
    assert "ann@lee.org" in say(daemon, "Do you remember my e-mail address?", ident)["message"]
    income = say(daemon, "what is my yearly income?", ident)["message"]
    assert "123" not in income and income.startswith("I have noted your income and keep it sealed. I show it only in part: ***,***.")
    first = say(daemon, "whats the story with my refund", ident)["message"]
    assert first.startswith("I do not know that.")
    assert say(daemon, "can you repeat that?", ident)["message"] == first
    assert operator.delete(f"/api/knowledge/{made.json()['id']}").status_code == 204


def test_a_wish_for_a_person_is_mailed_once(parlour, smtp):
    mail = smtp()
    daemon = parlour(session_form="", smtp_url=f"smtp://127.0.0.1:{mail.port}", smtp_tls="off", **MAIL)
    user = daemon.register()
    one = say(user, "Can I speak to someone about my refund?")
    assert one["message"] == "I have asked a person to take over, by mail. Their answer will be among your feedback requests."
    made = requests(user)
    assert len(made) == 1 and made[0]["run_id"] == one["session_id"] and "about my refund?" in made[0]["question"]
    assert "already" in say(user, "human please", one["session_id"])["message"] and len(requests(user)) == 1
    wait_for(lambda: requests(user)[0]["status"] == "sent", 15, "the mail is out")
    assert say(user, "Agent!")["message"].startswith("I have asked a person to take over"), "another session, another request"
    assert len(requests(user)) == 2
    assert say(user, "the agent said it costs 5 per person")["message"].startswith("I do not know that.")


def test_a_wish_that_was_not_delivered_is_reported(parlour):
    """The mail server refuses the address: the next answer reports that once, and another request for a person creates
    another feedback request."""
    peer = RudePeer()
    peer.plan["rcpt"] = ["550 5.1.1 no such mailbox"]
    try:
        daemon = parlour(session_form="", smtp_url=f"smtp://127.0.0.1:{peer.port}", smtp_tls="off",
                         person_contact="write to help@example.org.", **MAIL)
        user = daemon.register()
        one = say(user, "human please")
        assert one["message"].startswith("I have asked a person to take over, by mail.")
        wait_for(lambda: requests(user)[0]["delivery_error"], 20, "the mail was refused")
        told = "My request to a person was not delivered by mail. To reach one: write to help@example.org."
        assert say(user, "what is 12 * 7?", one["session_id"])["message"] == told + " 12 * 7 = 84"
        assert say(user, "what is 2 * 7?", one["session_id"])["message"] == "2 * 7 = 14", "once is enough"
        again = say(user, "human please", one["session_id"])["message"]
        assert again.startswith(told + " I have asked a person to take over, by mail."), again
        wait_for(lambda: requests(user)[0]["status"] == "sent", 20, "the second mail is out")
        assert "already" in say(user, "human please", one["session_id"])["message"] and len(requests(user)) == 2
    finally:
        peer.stop()


@pytest.mark.parametrize("limit,other_too", [("rate_person", False), ("rate_channel", True)])
def test_wishes_for_a_person_are_limited(parlour, smtp, limit, other_too):
    """Many sessions of one user, or many users, cannot flood the recipients; the reply says so."""
    mail = smtp()
    daemon = parlour(session_form="", smtp_url=f"smtp://127.0.0.1:{mail.port}", smtp_tls="off", sessions_per_user="10",
                     **{**MAIL, limit: "2/hour"})
    user, other = daemon.register(), daemon.register()
    for _ in range(2):
        assert say(user, "human please")["message"].startswith("I have asked a person to take over")
    assert say(user, "human please")["message"].startswith("I cannot ask for a person again right now.")
    assert len(requests(user)) == 2
    limited = say(other, "human please")["message"].startswith("I cannot ask for a person again right now.")
    assert limited == other_too and len(requests(other)) == (0 if other_too else 1)


def test_a_wish_for_a_person_in_a_room(parlour):
    """A role without a model says how to reach a person; it creates no request, because everybody in the room reads its
    answer."""
    daemon = parlour(person_contact="write to help@example.org.", **MAIL)
    user = daemon.register()
    room = user.room(role_ids=[user.role()["id"]])["id"]
    user.post(f"/api/rooms/{room}/messages", {"content": "I want to talk to a human"})
    answer = wait_for(lambda: [m for m in user.get(f"/api/rooms/{room}/messages").json() if m["message_type"] == "ai_response"])
    assert answer[0]["content"] == "I cannot connect you to a person from here. To reach one: write to help@example.org."
    assert requests(user) == []


@pytest.mark.parametrize("settings,says", [
    ({}, "I cannot connect you to a person from here: please use"),
    ({"person_contact": "write to help@example.org."}, "I cannot connect you to a person from here. To reach one: write to help@example.org."),
    ({"person_channel": "slack", "person_contact": "call 555."}, "I cannot connect you to a person from here. To reach one: call 555.")])
def test_how_to_reach_a_person(parlour, settings, says):
    """Guests, and users of a server without a configured channel, read how to reach a person."""
    daemon = parlour(session_form="", guest="on", **settings)
    user = daemon.register()
    for one in (daemon, user):
        assert say(one, "I want to talk to a human")["message"].startswith(says)
    assert requests(user) == []
