# SPDX-License-Identifier: ISC
"""An impatient customer: a conversation of 60 turns with typos, no punctuation, anger, interruptions, and corrections,
with the built-in responder and with a model.

After each turn, the test compares the values of the form with what the customer has given, and the stored message with
what may be stored of it. PARLOUR_TRANSCRIPTS names a directory for the conversations as plain text.
"""

import dataclasses
import json
import os
import re

import pytest

from asking import SETTINGS, Provider
from usagedata import analyst

DOCUMENTS = {
    "Returns": "You can return an item within 30 days of delivery. Return shipping is free. Refunds are paid within 14 days after "
               "the parcel has reached our warehouse.",
    "Delivery": "We deliver to Germany, Austria, Norway, and Sweden. Delivery takes three to five working days. Shipping costs 4.90 "
                "euros; orders over 50 euros ship for free.",
    "Support hours": "Our support team answers from Monday to Friday, 9:00 to 17:00 Central European Time.",
    "Recorder DS-7604NI": "The recorder DS-7604NI has four channels and is not waterproof. It works between -10 and 55 degrees "
                          "Celsius. The warranty is two years.",
    "Premium plan": "The premium plan costs 29 euros a month and includes express delivery. It can be cancelled at the end of each "
                    "month."}
MAIL = {"public_url": "https://chat.example.org", "mail_from": "bot@example.org", "person_channel": "mail",
        "person_mail": "desk@example.org"}
SORRY, UNKNOWN = "I am sorry about that.", "I do not know that."
NAME, EMAIL, INCOME = "What is your name?", "What is your e-mail address?", "What is your yearly income?"
NO_INCOME = ("36k", "3k", "36,000", "36000", "40k", "40,000", "40000")


@dataclasses.dataclass
class Turn:
    """One turn. form: texts that every reply must contain; offline: further texts without a model; takes: values that
    change; stored: the message as stored, if it differs from the sent one; finds: the values that the model reports."""
    said: str
    form: str = ""
    offline: str = ""
    lacks: tuple = ()
    takes: dict = dataclasses.field(default_factory=dict)
    stored: str = ""
    finds: dict = dataclasses.field(default_factory=dict)


TURNS = [
    Turn("hi", NAME, "Hello."),
    Turn("wheres my parcel", "", "I cannot look up your parcel", lacks=(NAME, "Refunds are paid")),
    Turn("i ordered 2 weeks ago and NOTHING arrived", "", SORRY, lacks=(NAME,), finds={"income": "2"}),
    Turn("how long does delivery take", NAME, "three to five working days"),
    Turn("why do u need my name", "", "would like to know how to address you", lacks=(NAME, "I did not recognize")),
    Turn("this is ridiculous", "", SORRY, lacks=(NAME,), finds={"name": "ridiculous"}),
    Turn("just answer my question", "", "I understand that this is not what you expect.", lacks=(NAME, "I did not recognize", "Monday")),
    Turn("ok fine its obinze okonkwo", "I understood Obinze Okonkwo as your name. Is that right?", finds={"name": "obinze okonkwo"}),
    Turn("yes", "Noted: name Obinze Okonkwo. " + EMAIL, takes={"name": "Obinze Okonkwo"}),
    Turn("no wait its Obinze Okonkwoh with an h at the end", "I understood Obinze Okonkwoh as your name. Is that right?"),
    Turn("yes!!", "Corrected: name Obinze Okonkwoh. " + EMAIL, takes={"name": "Obinze Okonkwoh"}),
    Turn("my order number is 2024-1128", "", "I did not note that number, because I cannot look up orders", lacks=(EMAIL, "896"), finds={"income": "2024"}),
    Turn("why do you need my email", "", "We answer you at this address.", lacks=(EMAIL,)),
    Turn("obinze@example,org", "Did you mean obinze@example.org?", finds={"email": "obinze@example,org"}),
    Turn("obinze.okonkwo@gmial.com", "Did you mean obinze.okonkwo@gmail.com?",
         finds={"email": "obinze.okonkwo@gmial.com"}),
    Turn("no", EMAIL),
    Turn("its obinze.okonkwo@example.org", "Noted: e-mail address obinze.okonkwo@example.org. " + INCOME,
         takes={"email": "obinze.okonkwo@example.org"}, finds={"email": "obinze.okonkwo@example.org"}),
    Turn("no thats wrong", "What should I change? So far I have: name Obinze Okonkwoh; e-mail address obinze.okonkwo@example.org."),
    Turn("its obinze@okonkwo.org", "I understood obinze@okonkwo.org as your e-mail address. Is that right?",
         finds={"email": "obinze@okonkwo.org"}),
    Turn("yep", "Corrected: e-mail address obinze@okonkwo.org. " + INCOME, takes={"email": "obinze@okonkwo.org"}),
    Turn("do you deliver to norway", "", "Norway", lacks=(INCOME,)),
    Turn("HELLO??", INCOME, "Hello again."),
    Turn("is the DS-7604NI waterproof", "", "is not waterproof", lacks=(INCOME,), finds={"income": "7604"}),
    Turn("i paid 49.99 yesterday and nothing arrived", "", SORRY, lacks=(INCOME, "I need a number"), finds={"income": "49.99"}),
    Turn("is 36k enough for the premium plan", INCOME, "29 euros a month", stored="is [income] enough for the premium plan",
         finds={"income": "36k"}),
    Turn("about 3k a month", "I understood *,*** a month. How much is your income a year?", stored="about [income] a month",
         finds={"income": "about 3k a month"}),
    Turn("36k a year i said", "Noted: income **,*** (kept sealed). That is all I need", stored="[income] a year i said",
         takes={"income": "[income]"}, finds={"income": "36k a year"}),
    Turn("can you repeat that", "", "That is all I need"),
    Turn("what is my name", "", "Your name, as I have noted it: Obinze Okonkwoh."),
    Turn("thats not my name its Obinze Okonkwo", "I understood Obinze Okonkwo as your name. Is that right?"),
    Turn("yes of course", "Corrected: name Obinze Okonkwo.", takes={"name": "Obinze Okonkwo"}),
    Turn("you got my email wrong", EMAIL),
    Turn("obinze@okonkwo.org", "I have that already: e-mail address obinze@okonkwo.org.", finds={"email": "obinze@okonkwo.org"}),
    Turn("whats my email", "", "Your e-mail address, as I have noted it: obinze@okonkwo.org."),
    Turn("as i said before my email is obinze@okonkwo.org", "I have that already: e-mail address obinze@okonkwo.org."),
    Turn("i earn 40k now", "Corrected: income **,*** (kept sealed).", stored="i earn [income] now"),
    Turn("what is my income", "", "I have noted your income and keep it sealed. I show it only in part: **,***."),
    Turn("so is 40k enough or not", "", stored="so is [income] enough or not"),
    Turn("thanks for nothing", "", SORRY, lacks=("welcome",)),
    Turn("you are useless", "", "I understand that this is not what you expect."),
    Turn("are you a robot", "", "I am an automatic assistant, not a person.", lacks=("parlour.conf", "local-1")),
    Turn("how late is it", "", "My clock says"),
    Turn("10/12/2025", "", UNKNOWN, lacks=(" = ",)),
    Turn("do you offer 24/7 support", "", "I have no answer to that.", lacks=(" = ",)),
    Turn("call me at 555-1234", "", "I did not note that number, because I cannot make calls.", lacks=(" = ",)),
    Turn("i want a person to be fired for this", "", SORRY, lacks=("I have asked a person",)),
    Turn("no thanks to your product i lost money", "", "I understand that this is not what you expect.", lacks=("welcome",)),
    Turn("i want to speak to someone who knows something", "", "I have asked a person to take over, by mail."),
    Turn("HUMAN NOW", "", "I have asked a person already, by mail."),
    Turn("where is my refund", "", "paid within 14 days"),
    Turn("whats the story with my refund", "", UNKNOWN, lacks=("nce upon",)),
    Turn("how much is 12 * 7", "", "12 * 7 = 84"),
    Turn("my colleague makes 90k", "", UNKNOWN),
    Turn("can you make it 20% cheaper", "", "I have no answer to that."),
    Turn("cancel my order", "", "I cannot do that"),
    Turn("forget my income", "Deleted: income. " + INCOME, takes={"income": None}),
    Turn("cancel", "All right, I do not ask any further."),
    Turn("my wife is Ann she ordered it", "", UNKNOWN),
    Turn("你们几点开门", "", "我是没有语言模型的自动助手，只能看懂英文。"),
    Turn("什么时候送到", "", "请用英文书写。"),
    Turn("are you still there", "", "Yes, I am here."),
    Turn("ok", "", "All right."),
    Turn("its me again", "", "Hello again."),
    Turn("bye", "", "Goodbye."),
]
RETURNS_BEFORE = {"yes!!": "Good to have you back. I understood Obinze Okonkwoh as your name. Is that right?",
                  "do you deliver to norway": f"Good to have you back. {INCOME} A number is enough; it is kept sealed.", "its me again": "Good to have you back."}


AGAIN = ("can you repeat that",)     # the form repeats its request


def repeated(reply, last):
    """Returns sentences of the built-in responder that the previous reply also had; a pending proposal is repeated each
    time."""
    sentences = [s.strip() for s in re.split(r"(?<=[.!?])\s+", reply) if len(s) > 12 and not s.startswith(("Is that right", "I understood"))]
    return [s for s in sentences if s in last]


class Record:
    """Writes the conversation as plain text if a directory is named."""

    def __init__(self, name):
        directory = os.environ.get("PARLOUR_TRANSCRIPTS")
        self.file = open(os.path.join(directory, name), "w", encoding="utf-8") if directory else None  # pylint: disable=consider-using-with
        self.number = 0

    def line(self, who, text):
        if self.file:
            self.number += who == "customer"
            mark = f"{self.number:2}" if who == "customer" else "  "
            self.file.write(f"{mark} {who + ':':10} " + text.replace("\n\n", "\n").replace("\n", "\n" + " " * 14) + "\n")
            self.file.flush()


def hold(user, rows, record, provider):
    """Runs all turns and reports all problems together."""
    known, session, wrong, last = {"name": None, "email": None, "income": None}, None, [], ""
    for turn in TURNS:
        if turn.said in RETURNS_BEFORE:
            with user.ws(f"/ws/{session}", native=False) as sock:
                greeting = sock.expect("message")["message"]
            record.line("(returns)", greeting)
            if greeting != RETURNS_BEFORE[turn.said]:
                wrong.append(f"before {turn.said!r} the greeting is {greeting!r}")
        if provider:
            provider.texts({"Extract form values": json.dumps({"slots": turn.finds, "question": turn.said.endswith("?")}),
                            "You are the assistant": "As the model, I would say: let me look into that."})
        answer = user.post("/api/chat", {"message": turn.said, **({"session_id": session} if session else {})})
        assert answer.status_code == 200, answer.text
        reply, session = answer.json()["message"], answer.json()["session_id"]
        stored = rows(f"SELECT content FROM session_messages WHERE session_id = '{session}' AND author = 'user' "
                      "ORDER BY seq DESC LIMIT 1")[0][0]
        record.line("customer", turn.said + (f"     (stored: {stored})" if stored != turn.said else ""))
        record.line("chatbot", reply)
        known.update(turn.takes)
        data = user.get(f"/api/sessions/{session}").json()["data"]
        for fault in ([f"has {data}, not {known}"] if data != known else []) + \
                [f"{word!r} is in {reply!r}" for word in turn.lacks + NO_INCOME if word in reply] + \
                [f"{word!r} is missing in {reply!r}" for word in (turn.form, "" if provider else turn.offline) if word not in reply] + \
                ([f"is stored as {stored!r}"] if stored != (turn.stored or turn.said) else []) + \
                [f"{twice!r} is said again" for twice in repeated(reply, last) if not provider and turn.said not in AGAIN]:
            wrong.append(f"{turn.said!r}: {fault}")
        last = reply
    assert len(TURNS) >= 60 and not wrong, "\n".join(wrong)
    return session


@pytest.fixture
def shop(parlour, smtp, rows):
    """Starts a daemon with documents in its knowledge base, and creates a customer."""
    mail = smtp()

    def make(**settings):
        daemon = parlour(smtp_url=f"smtp://127.0.0.1:{mail.port}", smtp_tls="off", **MAIL, **settings)
        operator = analyst(daemon, rows, "operator")
        for title, text in DOCUMENTS.items():
            assert operator.post("/api/knowledge", {"title": title, "text": text}).status_code == 201
        return daemon.register()
    return make


def test_offline(shop, rows):
    user = shop()
    session = hold(user, rows, Record("conversation-offline.txt"), None)
    (asked,) = user.get("/api/feedback-requests").json()
    assert asked["run_id"] == session and "speak to someone who knows something" in asked["question"]


def test_with_a_model(shop, rows):
    """The model reports values that are not in the message and copies text; the form accepts no wrong value."""
    provider = Provider()
    try:
        user = shop(upstreams={"peer": provider.section()}, **SETTINGS)
        hold(user, rows, Record("conversation-model.txt"), provider)
    finally:
        provider.stop()
