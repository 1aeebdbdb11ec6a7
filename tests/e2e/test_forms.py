# SPDX-License-Identifier: ISC
"""Forms through /api/chat: the reply quotes what was not understood and asks again, values can be corrected at any
time, and sensitive values are masked in replies, messages, logs, and views."""

import json
import os
import secrets

import pytest

import cluster
from asking import SETTINGS, Provider


@pytest.fixture
def guests(parlour):
    return parlour(guest="on", guest_sessions_per_address="1000", log_level="debug", access_log="-")


@pytest.fixture
def with_form(binaries, workdir, monkeypatch):
    """with_form(change) changes the sample form; daemons that start later use it."""
    def put(change):
        directory = f"{workdir}/forms-{secrets.token_hex(4)}"
        os.makedirs(directory)
        with open(os.environ["PARLOUR_FORMS_DIR"] + "/contact.conf", encoding="utf-8") as file:
            text = change(file.read())
        with open(directory + "/contact.conf", "w", encoding="utf-8") as out:
            out.write(text)
        cluster.give(directory)
        cluster.give(directory + "/contact.conf")
        monkeypatch.setenv("PARLOUR_FORMS_DIR", directory)

    assert binaries
    return put


@pytest.fixture
def confirming(parlour, with_form):
    """Starts a daemon whose form shows all values before it is complete."""
    with_form(lambda text: text.replace("confirm = off", "confirm = on"))
    return parlour(guest="on", guest_sessions_per_address="1000")


PHONE = "\n[slot phone]\nlabel = telephone number\nwords = phone telephone mobile number cell\nask = What is your telephone number?\nnormalise = phone\n"


def test_a_number_that_the_form_took_was_noted(parlour, with_form):
    """The responder says that it did not note a number only if the form did not take it from the same message."""
    with_form(lambda text: text + PHONE)
    talk = Talk(parlour(guest="on"))
    for text in ("my phone number is 555-1234", "as I said, my phone number is 555-1234"):
        reply = talk(text)
        assert "telephone number" in reply and "note that number" not in reply and "note it" not in reply, (text, reply)
    assert talk.data()["phone"] == "5551234"
    assert talk("my order number is 2024-1128").startswith("I did not note that number, because I cannot look up orders or customers.")


class Talk:
    def __init__(self, api):
        self.api, self.session, self.last = api, None, None

    def __call__(self, text):
        answer = self.api.post("/api/chat", {"message": text, **({"session_id": self.session} if self.session else {})})
        assert answer.status_code == 200, answer.text
        self.last = answer.json()
        self.session = self.last["session_id"]
        return self.last["message"]

    def data(self):
        return self.api.get(f"/api/sessions/{self.session}").json()["data"]


def said(rows, session):
    return [content for (content,) in rows("SELECT content FROM session_messages "
                                           f"WHERE session_id = '{session}' AND author = 'user' ORDER BY seq")]


def test_what_is_not_sure_is_quoted_and_taken_at_a_yes(guests, rows):
    talk = Talk(guests)
    assert talk("Njoku") == "I understood Njoku as your name. Is that right?"
    assert talk.data()["name"] is None and rows("SELECT value FROM v_session_data "
                                                f"WHERE session = '{talk.session[:8]}' AND value IS NOT NULL") == []
    assert rows(f"SELECT form_pending FROM sessions WHERE id = '{talk.session}'") == [({"slot": "name", "value": "Njoku"},)]
    assert talk("yes, that's right") == "Noted: name Njoku. What is your e-mail address?"
    assert talk("not a@x.org but b@y.org") == "I understood b@y.org as your e-mail address. Is that right?"
    assert "Is that right?" in talk("What do you do with it?"), "a question in between leaves it open"
    assert talk("no") == "What is your e-mail address?" and talk.data()["email"] is None
    assert talk("a@x.org or b@y.org") == "I understood a@x.org and b@y.org. Which one is your e-mail address?"
    assert talk("o'brien@example.org").startswith("Noted: e-mail address o'brien@example.org.")
    assert rows(f"SELECT form_pending FROM sessions WHERE id = '{talk.session}'") == [(None,)]


def test_sensitive_values_are_shown_masked_only(guests, rows):
    talk = Talk(guests)
    talk("I'm Jane Doe, jane@doe.io")
    assert talk("between 61 and 67 thousand") == "I understood **,*** to **,***. Which one number is your income?"
    assert talk("6700 a month") == "I understood *,*** a month. How much is your income a year?"
    assert talk("maybe sixty-seven thousand") == "I understood **,*** as your income. Is that right?"
    (pending,) = rows(f"SELECT form_pending FROM sessions WHERE id = '{talk.session}'")[0]
    assert set(pending) == {"slot", "sealed"}
    assert talk("yes").startswith("Noted: income **,*** (kept sealed).") and talk.last["is_complete"]
    talk("so 67,000 or sixty-seven thousand or 67k it is")
    assert said(rows, talk.session) == ["I'm Jane Doe, jane@doe.io", "between [income]", "[income] a month", "maybe [income]", "yes",
                                        "so [income] or [income] or [income] it is"]
    for table, columns in (("session_messages", "content"), ("session_slots", "concat(value, raw)"),
                           # ids, times, and encrypted bytes may contain any digits
                           ("v_session_data", "concat(value, written)")):
        assert rows(f"SELECT 1 FROM {table} WHERE {columns} ~ '67[,.]?000|67k|6700|sixty'") == [], table
    assert "67000" not in guests.log_text() and "sixty-seven" not in guests.log_text()
    assert talk.data()["income"] == "[income]"


def test_what_nobody_asked_for_is_neither_taken_nor_rewritten(guests, rows):
    talk = Talk(guests)
    talk("Ann Lee")
    lines = ["I paid 49.99 yesterday and nothing arrived", "Can you make it 20% cheaper?", "I want to make 2 bookings",
             "my colleague makes 90k", "my order number is 2024-1128", "call me on 555-1234 instead"]
    for line in lines:
        talk(line)
        assert talk.last["data_collected"] == {"name": True, "email": False, "income": False}, line
    assert said(rows, talk.session)[1:] == lines


@pytest.mark.parametrize("text", ["this is ridiculous", "talk to human", "refund", "order status", "go away", "cancel my order",
                                  "sorry, wrong chat", "it is broken"])
def test_no_name_and_no_end(guests, text):
    talk = Talk(guests)
    assert "as your name" not in talk(text)
    assert not any(talk.last["data_collected"].values())
    assert guests.get(f"/api/sessions/{talk.session}").json()["form_state"] == "open"


def test_the_request_does_not_follow_every_answer(guests):
    """The form repeats its request after small talk, unless it was just asked, and otherwise with every third answer;
    it does not after a complaint or a request for a person."""
    ask, talk = "What is your name?", Talk(guests)
    lines = [("this is ridiculous", False), ("hi", True), ("hello", False), ("thanks", True), ("how long does it take", False),
             ("what time do you open?", False), ("do you ship to Norway?", True), ("I want to talk to a person", False), ("thanks", True),
             ("nothing arrived", False), ("where is my parcel?", False), ("when do you open?", True), ("Wo ist mein Paket?", False),
             ("Wann kommt mein Paket?", True)]
    for line, asks in lines:
        assert talk(line).endswith(ask) == asks and talk.last["message"].count(ask) == asks, (line, talk.last["message"])
    assert talk("Ann Lee") == "Noted: name Ann Lee. What is your e-mail address?", "it was open all the time"
    assert guests.get(f"/api/sessions/{talk.session}").json()["form_state"] == "open"


def test_a_proposal_follows_every_answer(guests):
    """A pending proposal is repeated with every answer; otherwise a yes to something else would accept it."""
    talk = Talk(guests)
    talk("Njoku")
    for line in ("how long does it take?", "this is ridiculous, is it?", "what time is it?"):
        assert talk(line).endswith("I understood Njoku as your name. Is that right?"), line


@pytest.mark.parametrize("text", ["Wo ist mein Paket?", "je n'ai rien reçu", "donde esta mi pedido", "non ho ricevuto il pacco",
                                  "não recebi meu pedido", "ik heb niets ontvangen", "你们几点开门", "いつ開きますか", "언제 문을 여나요?",
                                  "Где мой заказ?", "أين طلبي؟", "मेरा ऑर्डर कहाँ है?"])
def test_other_languages_are_no_try_at_a_value(guests, rows, text):
    talk = Talk(guests)
    talk(text)
    talk("Ann Lee")
    assert "recognize" not in talk(text) and "does not look like" not in talk.last["message"]
    assert rows(f"SELECT sum(tries) FROM session_slots WHERE session_id = '{talk.session}'")[0][0] in (None, 0)
    assert talk("ann@lee.org").startswith("Noted: e-mail address ann@lee.org."), "a value that stands alone is read"


def test_values_are_deleted_when_somebody_says_so(guests, rows):
    """A user asks to delete a value: only the messages still contain it, and the form asks for a required value again,
    also after it was complete."""
    talk = Talk(guests)
    talk("My name is Ann Lee, my email is ann@lee.org and I earn 80k")
    assert talk.last["is_complete"]
    assert talk("forget my income") == "Deleted: income. What is your yearly income? A number is enough; it is kept sealed."
    assert talk.data()["income"] is None and talk.last["data_collected"]["income"] is False and not talk.last["is_complete"]
    assert rows(f"SELECT name FROM session_slots WHERE session_id = '{talk.session}' ORDER BY name") == [("email",), ("name",)]
    assert talk("don't delete my name") and talk.data()["name"] == "Ann Lee"
    assert talk("90k").startswith("Noted: income **,*** (kept sealed). That is all I need") and talk.last["is_complete"]
    assert talk("please delete all my data").startswith("Deleted: name, e-mail address, income. What is your name?")
    assert not any(talk.last["data_collected"].values())
    assert rows(f"SELECT count(*) FROM session_slots WHERE session_id = '{talk.session}' AND collected_at IS NOT NULL") == [(0,)]
    assert rows(f"SELECT is_complete, requested_slot FROM sessions WHERE id = '{talk.session}'") == [(False, "name")]
    assert talk("cancel").startswith("All right") and talk("delete my name") == "I have nothing of that kind noted."


def test_a_mistyped_address_is_a_question(guests):
    talk = Talk(guests)
    talk("Ann Lee")
    assert talk("obinze@example,org") == "Did you mean obinze@example.org?" and talk.data()["email"] is None
    assert talk("no") == "What is your e-mail address?" and talk.data()["email"] is None
    assert talk("obinze @ gmail.con") == "Did you mean obinze@gmail.com?"
    assert talk("yes").startswith("Noted: e-mail address obinze@gmail.com.")


def test_corrections_in_ordinary_words_also_after_the_end(guests):
    talk = Talk(guests)
    assert talk("My name is Ann Lee, my email is ann@lee.org and I earn 80k").endswith("Is there anything else?")
    assert talk("wait, it's Anne Lee, not Ann Lee") == "Corrected: name Anne Lee."
    assert talk("my name is actually Robert") == "Corrected: name Robert."
    assert talk("not ann@lee.org but bob@lee.org") == "Corrected: e-mail address bob@lee.org."
    assert talk("sorry, it's rob@lee.org") == "I understood rob@lee.org as your e-mail address. Is that right?"
    assert talk("no") == "All right, nothing is changed." and talk.data()["email"] == "bob@lee.org"
    assert talk("I earn 90k now") == "Corrected: income **,*** (kept sealed)."
    assert talk("my email is wrong") == "What is your e-mail address?"
    assert talk("rob@lee.org") == "Corrected: e-mail address rob@lee.org." and talk.last["is_complete"]


def test_an_address_after_the_hand_over(guests, rows):
    talk = Talk(guests)
    talk("Ann Lee")
    for text in ("no", "nope", "none"):
        talk(text)
    assert guests.get(f"/api/sessions/{talk.session}").json()["form_state"] == "handed_over"
    assert talk("ann@lee.org") == "Noted: e-mail address ann@lee.org."
    assert talk("my name is Anna Lee") == "Corrected: name Anna Lee."
    assert dict(rows(f"SELECT slot, value FROM v_session_data WHERE session = '{talk.session[:8]}' AND value IS NOT NULL")) == {
        "name": "Anna Lee", "email": "ann@lee.org"}


def test_all_is_shown_before_a_form_with_confirm_is_complete(confirming):
    talk = Talk(confirming)
    shown = talk("My name is Ann Lee, my email is ann@lee.org and I earn 80k")
    assert shown.endswith("Please check: name Ann Lee; e-mail address ann@lee.org; income **,*** (kept sealed). Is all of that right?")
    assert not talk.last["is_complete"]
    assert talk("no") == "What should I change?"
    assert talk("it's Anne Lee, not Ann Lee") == "Corrected: name Anne Lee. Please check: name Anne Lee; e-mail address ann@lee.org; " \
        "income **,*** (kept sealed). Is all of that right?"
    assert talk("What happens then?").endswith("Is all of that right?") and not talk.last["is_complete"]
    assert talk("yes").startswith("That is all I need") and talk.last["is_complete"]


def greeting_of(api, session):
    with api.ws(f"/ws/{session}", protocols=()) as sock:
        return sock.expect("message")["message"]


def test_who_comes_back_hears_what_is_open(guests):
    """A user who returns sees the pending proposal instead of the request before it, masked if sensitive; then the
    request, then nothing."""
    session = guests.post("/api/sessions").json()["id"]
    assert greeting_of(guests, session).endswith("What is your name?"), "a new one begins with a greeting of the form"
    talk = Talk(guests)
    talk.session = session
    talk("Njoku")
    assert greeting_of(guests, session) == "Good to have you back. I understood Njoku as your name. Is that right?"
    talk("yes")
    assert greeting_of(guests, session) == "Good to have you back. What is your e-mail address?"
    talk("njoku@example.org")
    talk("maybe 80k")
    assert greeting_of(guests, session) == "Good to have you back. I understood **,*** as your income. Is that right?"
    assert talk("yes").startswith("Noted: income **,*** (kept sealed).")
    assert greeting_of(guests, session) == "Good to have you back."
    talk("my email is wrong")
    assert greeting_of(guests, session) == "Good to have you back. What is your e-mail address?", "a correction is still owed"


def test_who_comes_back_is_asked_to_confirm(confirming):
    talk = Talk(confirming)
    shown = talk("My name is Ann Lee, my email is ann@lee.org and I earn 80k")
    back = greeting_of(confirming, talk.session)
    assert back.startswith("Good to have you back. Please check: name Ann Lee;") and shown.endswith(back.split("back. ")[1])


def test_a_question_with_the_value_is_masked(guests, rows):
    """The question "Is 80k enough?" reveals as much as "80k", so it is masked as well."""
    talk = Talk(guests)
    talk("I'm Jane Doe, jane@doe.io")
    for line in ("is 67k enough?", "do you take people with $67,000 a year?", "can I return it in 2 weeks?"):
        talk(line)
    assert said(rows, talk.session)[1:] == ["is [income] enough?", "do you take people with $[income] a year?",
                                            "can I return it in 2 weeks?"]
    assert talk.last["data_collected"]["income"] is False and "67k" not in guests.log_text()


def test_a_form_with_confirm_can_be_cancelled(confirming):
    talk = Talk(confirming)
    talk("My name is Ann Lee, my email is ann@lee.org and I earn 80k")
    assert talk("cancel").startswith("All right") and not talk.last["is_complete"]
    assert confirming.get(f"/api/sessions/{talk.session}").json()["form_state"] == "cancelled"


def test_a_model_cannot_give_wrong_values(parlour):
    """Values that a model copies pass the same checks; only the message decides whether the user refused to give a
    value."""
    provider = Provider()
    try:
        daemon = parlour(upstreams={"peer": provider.section()}, guest="on", guest_sessions_per_address="1000",
                         **{**SETTINGS, "sessions_per_user": "1000"})
        user = daemon.register()
        for slots in ({"name": "brien"}, {"email": "brien@example.org"}, {"income": "80"}, {"income": "49.99"}):
            text = f"my order of 49.99 was for 80000 and o'brien@example.org {json.dumps({'slots': slots})} [[ok,echo=1]]"
            talk = Talk(user)
            talk(text)
            assert not any(talk.last["data_collected"].values()), slots
    finally:
        provider.stop()
