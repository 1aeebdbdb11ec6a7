# SPDX-License-Identifier: ISC
"""Texts that look the same are stored in one spelling, and no invisible text is stored: passwords, names, addresses,
messages."""

import json
import unicodedata

import pytest

PASSWORD = "pässwörd-한글-1"
INVISIBLE = {"blank": " ", "blanks": " \t ", "U+00A0": "\u00a0", "U+3000": "\u3000", "U+200B": "\u200b", "U+202E": "\u202e",
             "BOM": "\ufeff", "tag": "\U000e0061", "Hangul filler": "\u3164", "Braille blank": "\u2800", "soft hyphen": "\u00ad",
             "joiner": "\u200d", "selector": "\ufe0f"}


def nfd(text):
    return unicodedata.normalize("NFD", text)


def nfc(text):
    return unicodedata.normalize("NFC", text)


@pytest.mark.parametrize("made,typed", [(nfc, nfd), (nfd, nfc), (nfd, nfd), (nfc, nfc)])
def test_password_registered_in_one_form_and_typed_in_the_other(shared, made, typed):
    user = shared.register(password=made(PASSWORD))
    assert shared.post("/api/auth/login", {"username": user.name, "password": typed(PASSWORD)}).status_code == 200
    form = {"username": user.name, "password": typed(PASSWORD)}
    assert shared.http.post("/api/auth/token", data=form).status_code == 200
    assert shared.post("/api/auth/login", {"username": user.name, "password": PASSWORD.upper()}).status_code == 401


@pytest.mark.parametrize("before,after", [("", " "), (" ", ""), ("\t", "\r\n"), ("", "\u00a0"), ("\u3000", "")])
def test_blank_before_or_behind_a_login_name(shared, before, after):
    user = shared.register()
    for name in (user.name, user.name.upper(), f"{user.name}@example.org"):
        answer = shared.post("/api/auth/login", {"username": before + name + after, "password": user.password})
        assert answer.status_code == 200, (name, answer.text)
    form = {"username": before + user.name + after, "password": user.password}
    assert shared.http.post("/api/auth/token", data=form).status_code == 200
    assert shared.post("/api/auth/refresh", form).status_code == 200
    made = shared.post("/api/auth/register", {"username": before + user.name + "x" + after, "password": "long enough 1",
                                              "email": before + user.name + "x@example.org" + after})
    assert made.status_code == 201 and made.json()["user"]["username"] == user.name + "x"
    assert made.json()["user"]["email"] == user.name + "x@example.org"
    assert shared.post("/api/auth/login", {"username": user.name, "password": user.password + " "}).status_code == 401


@pytest.mark.parametrize("name", INVISIBLE)
def test_address_with_an_invisible_character(shared, name):
    address = f"a{INVISIBLE[name]}b@example.org"
    answer = shared.post("/api/auth/register", {"username": "seen", "password": "long enough 1", "email": address})
    assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["body", "email"], answer.text


def test_address_with_a_zero_width_blank_behind_it(shared):
    answer = shared.post("/api/auth/register", {"username": "seen", "password": "long enough 1", "email": "a@example.org\u200b"})
    assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["body", "email"] and "U+200B" in answer.text, answer.text


@pytest.mark.parametrize("name", INVISIBLE)
def test_names_without_a_visible_character(shared, name):
    text, user = INVISIBLE[name], shared.register()
    for path, body, field in (
            ("/api/rooms", {"name": text}, "name"), ("/api/roles", {"name": text}, "name"),
            ("/api/auth/register", {"username": text, "email": "z@example.org", "password": "long enough 1"}, "username"),
            ("/api/auth/register", {"username": "zed", "email": "z@example.org", "password": "long enough 1", "name": text}, "name")):
        answer = user.post(path, body)
        assert answer.status_code == 422 and [d["loc"] for d in answer.json()["detail"]] == [["body", field]], (path, body, answer.text)


@pytest.mark.parametrize("text", ["Te\u200ba room", "\u202emoor aeT", "Tea\U000e0061 room", "Tea\troom", "\u2066Tea room", "\u200dTea"])
def test_names_with_an_invisible_character(shared, text):
    user = shared.register()
    for path, body in (("/api/rooms", {"name": text}), ("/api/roles", {"name": text})):
        answer = user.post(path, body)
        assert answer.status_code == 422 and "invisible character U+" in answer.text, answer.text


@pytest.mark.parametrize("text,stored", [(nfd("Café Zürich"), "Café Zürich"), ("  Tea room ", "Tea room"), ("می\u200cخواهم", "می\u200cخواهم"),
                                         ("👩\u200d👧 \u2764\ufe0f", "👩\u200d👧 \u2764\ufe0f"), ("漢字", "漢字")])
def test_names_that_are_good(shared, text, stored):
    user = shared.register()
    for path in ("/api/rooms", "/api/roles"):
        made = user.post(path, {"name": text})
        assert made.status_code == 201 and made.json()["name"] == stored, made.text


@pytest.mark.parametrize("name", INVISIBLE)
def test_messages_without_a_visible_character(shared, name):
    text, user = INVISIBLE[name], shared.register()
    room = user.room()["id"]
    refused = user.say(room, text)
    assert refused.status_code == 422 and "visible" in refused.text and "content" in refused.text, refused.text
    with user.ws("/ws") as sock:
        sock.send("subscribe", topic=f"room:{room}")
        sock.expect("subscribed")
        sock.send("send", topic=f"room:{room}", content=text, client_id="c1")
        assert "visible" in json.dumps(sock.expect("error"))
        sock.send("send", topic=f"room:{room}", content=text + "!" + text, client_id="c2")
        assert sock.expect("message")["message"]["content"] == text + "!" + text, "what was said is not changed"
    chat = user.post("/api/chat", {"message": text})
    assert chat.status_code == 422 and chat.json()["detail"][0]["loc"] == ["body", "message"], chat.text


def test_knowledge_finds_one_form_by_the_other(shared, rows):
    user = shared.register()
    rows(f"UPDATE users SET access = 'operator' WHERE id = {user.id} RETURNING 1")
    user = shared.login(user.name)
    for form, word in ((nfc, "Übergröße"), (nfd, "Köhlerstraße")):
        made = user.post("/api/knowledge", {"title": form("Größe"), "text": form(f"Die {word} ist im Lager.")})
        assert made.status_code == 201 and made.json()["title"] == "Größe", made.text
        for asked in (nfc(word), nfd(word), nfc(word).lower()):
            found = user.post("/api/knowledge/search", {"query": asked})
            assert found.status_code == 200 and found.json(), (form, asked)


def test_questions_name_a_room_in_either_form(shared):
    user = shared.register()
    room = user.post("/api/rooms", {"name": nfd("Café Ämter")}).json()
    user.say(room["id"], "one")
    for name in (nfc("Café Ämter"), nfd("Café Ämter")):
        answer = user.post("/api/query", {"query": f'messages in room "{name}"'})
        assert answer.status_code == 200 and answer.json()["rows"] == [[1]], answer.text


@pytest.mark.parametrize("name", INVISIBLE)
def test_questions_to_people_without_a_visible_character(shared, name):
    text, user = INVISIBLE[name], shared.register()
    channel = {"kind": "web", "destination": user.name}
    for body, field in (({"question": text}, "question"), ({"question": "Well?", "options": ["yes", text]}, "options"),
                        ({"question": f"Go\u2028on?{text}"}, "question")):
        answer = user.post("/api/feedback-requests", {"channel": channel, **body})
        assert answer.status_code == 422 and answer.json()["detail"][0]["loc"][:2] == ["body", field], (body, answer.text)
    good = user.post("/api/feedback-requests", {"channel": channel, "question": f" {nfd('Größe?')}\n\t1. small\r\n\t2. large\n", "options": ["1", "2"]})
    assert good.status_code == 201 and good.json()["question"] == "Größe?\n\t1. small\r\n\t2. large", good.text


def test_imported_messages_without_a_visible_character(shared, rows):
    """The error names the line, and the other lines are stored."""
    def load(kind, records):
        path = f"{shared.dir}/{kind}.jsonl"
        with open(path, "w", encoding="utf-8") as file:
            file.write("".join(json.dumps(record) + "\n" for record in records))
        return shared.ctl("import", kind, path, "--source", "unseen", check=False)

    assert load("users", [{"id": 1, "username": "unseen1", "email": "unseen1@example.org"}]).returncode == 0
    assert load("rooms", [{"id": 1, "name": "Unseen", "owner_id": 1, "created_at": "2024-03-01T00:00:00Z"}]).returncode == 0
    texts = [*INVISIBLE.values(), "\n\r\n", "\U000e0100", "\u200b \u3164\ufe0f", "seen", "\u200bseen too", "\u2764\ufe0f", "."]
    done = load("messages", [{"id": i, "room_id": 1, "user_id": 1, "content": text, "created_at": f"2024-03-01T10:{i:02}:00Z"}
                             for i, text in enumerate(texts)])
    bad = len(texts) - 4
    assert done.returncode == 65, done.stdout + done.stderr
    assert (done.stdout + done.stderr).count("content must have a visible character") == bad, done.stdout + done.stderr
    for line in range(1, bad + 1):
        assert f":{line}: " in done.stdout + done.stderr or f"line {line}:" in done.stdout + done.stderr, (line, done.stderr)
    assert [r[0] for r in rows("SELECT m.content FROM messages m JOIN rooms r ON r.id = m.room_id WHERE r.name = 'Unseen' ORDER BY m.seq")] == texts[bad:]


def test_imports_follow_the_same_rules(shared, rows):
    lines = [{"id": "1", "username": "imp1", "email": "imp1@example.org", "name": nfd("Zoë Ä")},
             {"id": "2", "username": "imp2", "email": "imp2@example.org", "name": "a\u200bb"},
             {"id": "3", "username": "imp3", "email": "imp3@example.org\u200b", "name": "Three"},
             {"id": "4", "username": "imp4", "email": "imp4@example.org", "name": "\u3164"}]
    path = f"{shared.dir}/forms.jsonl"
    with open(path, "w", encoding="utf-8") as file:
        file.write("".join(json.dumps(line) + "\n" for line in lines))
    done = shared.ctl("import", "users", path, "--source", "forms", check=False)
    assert done.returncode == 65, done.stdout + done.stderr
    assert (done.stdout + done.stderr).count("invisible") == 3, done.stdout + done.stderr
    assert [r[0] for r in rows("SELECT name FROM users WHERE username LIKE 'imp_'")] == ["Zoë Ä"]
