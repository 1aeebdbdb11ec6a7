# SPDX-License-Identifier: ISC
"""AI roles in rooms: which role answers whom, what the model receives, and the limits on answers."""

import pytest

from asking import SETTINGS, Provider, answer, ask, listen, message_of, modules_daemon, say, text_of
from parlour import wait_for

QUICK = "[[ok,tokens=1,pace=0]]"


@pytest.fixture(scope="module")
def both(request, workdir):
    with modules_daemon(request, workdir) as pair:
        yield pair


@pytest.fixture(scope="module")
def daemon(both):
    return both[0]


@pytest.fixture
def peer(both):
    both[1].reset()
    return both[1]


@pytest.fixture(scope="module")
def ann(daemon):
    return daemon.register()


@pytest.fixture(scope="module")
def bob(daemon):
    return daemon.register()


@pytest.fixture(scope="module")
def asked(rows):
    """asked(room) returns [(role id, seq of the question)] of all answers that were ever started in the room, in
    order."""
    return lambda room: [tuple(r) for r in rows(
        f"SELECT role_id, reply_to_seq FROM generations WHERE room_id = {room} ORDER BY created_at")]


# ---- roles ----

def test_role_crud(ann, bob):
    made = ann.post("/api/roles", {"name": "Crud.Role-1", "instructions": "Sing.", "upstream": "peer", "model": "peer-2",
                                   "temperature": 0.25, "max_tokens": 77})
    assert made.status_code == 201
    role = made.json()
    assert made.headers["Location"] == f"/api/roles/{role['id']}"
    assert (role["upstream"], role["model"], role["temperature"], role["max_tokens"]) == ("peer", "peer-2", 0.25, 77)
    assert bob.get(f"/api/roles/{role['id']}").json() == role
    changed = ann.patch(f"/api/roles/{role['id']}", {"name": "Crud.Role-2", "upstream": "local"}).json()
    assert changed["name"] == "Crud.Role-2" and changed["upstream"] == "local" and changed["instructions"] == "Sing."
    assert changed["updated_at"] > role["updated_at"]
    assert bob.patch(f"/api/roles/{role['id']}", {"name": "Mine"}).status_code == 403
    assert bob.delete(f"/api/roles/{role['id']}").status_code == 403
    assert ann.delete(f"/api/roles/{role['id']}").status_code == 204
    for method in ("get", "delete"):
        assert getattr(ann, method)(f"/api/roles/{role['id']}").status_code == 404
    assert ann.patch(f"/api/roles/{role['id']}", {"name": "Gone"}).status_code == 404


@pytest.mark.parametrize("field,values", [
    ("name", ["", " ", "x" * 33, "123", "me", "a\nb", "a b" * 22, None, 5]), ("upstream", ["", "nosuch", 5, "x" * 65]),
    ("avatar", ["x" * 33, 5]), ("description", ["x" * 2001, 5]), ("temperature", [-0.1, 2.1, "hot"]), ("max_tokens", [0, -1, 100001, 1.5, "many"]),
    ("instructions", ["x" * 20001, 5]), ("model", ["x" * 129, 5])])
def test_role_rules(ann, field, values):
    for value in values:
        answered = ann.post("/api/roles", {"name": "Ruled", field: value})
        assert answered.status_code == 422, (field, value, answered.text)
        assert answered.json()["detail"][0]["loc"][-1] == field


NAMES = [("Product Manager", "Product_Manager"), ("Chef de cuisine étoilé", "Chef_de_cuisine_etoile"), ("C++ / R&D!", "C_R_D"),
         ("ärztin", "arztin"), ("日本語", "role"), ("😀", "role"), ("Me!", "role"), ("  Spaced out ", "Spaced_out"),
         ("A very long name of a role that nobody can mention as it is", "A_very_long_name_of_a_role_t"), ("Plain-1.x", "Plain-1.x")]


@pytest.mark.parametrize("name, mention", NAMES, ids=[mention for _, mention in NAMES])
def test_names_that_cannot_be_mentioned(daemon, asked, name, mention):
    """A role keeps any display name; the name for mentions is derived from it, with a number if it is taken."""
    one, two = daemon.register(), daemon.register()
    first = one.role(name=name)
    assert first["name"] == name.strip()
    taken = [first["mention_name"]]
    assert taken[0] == mention or (mention == "role" and taken[0].startswith("role")), taken
    again = one.post("/api/roles", {"name": name.upper().strip()})
    assert again.status_code == 409, "one owner calls one role so"
    other = two.post("/api/roles", {"name": name})
    if name == mention:
        assert other.status_code == 409, "a name that is given for mentions is nobody else's"
        return
    assert other.status_code == 201 and other.json()["name"] == name.strip() and other.json()["mention_name"] not in taken
    assert other.json()["mention_name"].startswith("role" if mention == "role" else mention + "_")
    room = two.room()["id"]
    for text in (f"@{name.strip()} {QUICK}", f"ask @{other.json()['mention_name'].lower()}. {QUICK}"):
        with listen(two, room) as sock:
            ask(sock, room, text)
    assert {role for role, _ in asked(room)} == {other.json()["id"]}


def test_the_longest_name_is_meant(ann, asked):
    short, long = ann.role(name="Sales"), ann.role(name="Sales Lead")
    room = ann.room(role_ids=[short["id"], long["id"]])["id"]
    want = []
    with listen(ann, room) as sock:
        for text, role in (("@Sales Lead {}", long), ("@sales {}", short), ("@Sales_Lead {}", long), ("@Sales Leader {}", short)):
            seq = say(sock, room, text.format(QUICK))
            answer(sock, reply_to=seq)
            want.append((role["id"], seq))
    assert asked(room) == want


def test_renamed_roles(ann):
    role = ann.role(name="Growth Hacker", avatar="🚀", description="Grows.")
    path = f"/api/roles/{role['id']}"
    for name, mention in (("growth hacker", "growth_hacker"), ("Hacker", "Hacker"), ("The Hacker", "The_Hacker")):
        changed = ann.patch(path, {"name": name}).json()
        assert (changed["name"], changed["mention_name"], changed["avatar"]) == (name, mention, "🚀")
        assert ann.get(path).json() == changed
    assert ann.patch(path, {"avatar": "", "ai_instructions": "Sing."}).json()["avatar"] is None
    got = ann.get(path).json()
    assert (got["instructions"], got["ai_instructions"], got["description"]) == ("Sing.", "Sing.", "Grows.")
    ann.role(name="Other Name")
    assert ann.patch(path, {"name": "other name"}).status_code == 409
    assert ann.patch(path, {"name": ann.name}).status_code == 409
    assert ann.get(path).json()["mention_name"] == "The_Hacker"
    assert ann.role(name="Growth Hacker")["mention_name"] == "Growth_Hacker", "old names are free again"


def test_names_are_one_space(daemon, ann):
    """Users and roles share one set of names, regardless of case."""
    assert ann.post("/api/roles", {"name": ann.name.upper()}).status_code == 409
    role = ann.role()
    body = {"username": role["name"].upper(), "email": "clash@example.org", "password": "correct horse 9"}
    assert daemon.post("/api/auth/register", body).status_code == 409


def test_only_moderators_attach(ann, bob):
    room, role = ann.room()["id"], bob.role()
    bob.post(f"/api/rooms/{room}/join")
    assert bob.put(f"/api/rooms/{room}/roles/{role['id']}").status_code == 403
    assert ann.put(f"/api/rooms/{room}/roles/{role['id']}").status_code == 200, "whoever may read a role may attach it"
    assert bob.delete(f"/api/rooms/{room}/roles/{role['id']}").status_code == 403
    private = ann.room(visibility="private")["id"]
    assert bob.put(f"/api/rooms/{private}/roles/{role['id']}").status_code == 404


# ---- who answers ----

# tests/mentions.json defines mentions; tests/unit/test_mention.c and test_page.py check it. The cases here run through
# the whole server.
SILENT = ["no mention", "mail a@{n}", "x@{n}", "ä@{n}", "9@{n}", "_@{n}", "`@{n}`", "``a ` @{n}``", "```\n@{n}\n```",
          "@{n}x", "@{n}_", "@{n}-x", "@ {n}", "{n}", "@", "@@", "`a` `@{n}`", "@x{n}",
          "https://example.org/@{n}/x", "?u=@{n}", "npm i @{n}/core", "@{n}@example.social", "@{n}é", "~~~\n@{n}\n~~~",
          "```\n@{n}", "    @{n}"]
SPOKEN = ["@{n}", "@{n}.", "@{n}...", "@{n}, hello", "hello @{n}!", "(@{n})", "\n@{n}", "@{n}: x", "@@{n}", "`@{n}` but @{n}",
          "an open ` before @{n}", "@{n}'s", "@{u}", "@{l}-", "/@{n}/", "@other @{n}?",
          "你好，@{n}", "交给@{n}", "\u00a0@{n}", "\u3000@{n}", "“@{n}”", "—@{n}"]


def test_mention(ann, asked, peer):
    role = ann.role()
    names = {"n": role["name"], "u": role["name"].upper(), "l": role["name"].lower()}
    room = ann.room(role_ids=[role["id"]], reply_policy="mention")["id"]
    want = []
    with listen(ann, room) as sock:
        for text in SILENT:
            say(sock, room, text.format(**names))
        for text in SPOKEN:
            peer.queue("ok,tokens=1,pace=0")
            seq = say(sock, room, text.format(**names))
            assert answer(sock).frames[0]["reply_to"] == seq, text
            want.append((role["id"], seq))
    assert asked(room) == want


def test_policies(ann, asked):
    """With off no role answers, with all every message is answered; the default is all if one role joins first, and
    mention if several do."""
    role, other = ann.role(), ann.role()
    name = "@" + role["name"]
    cases = [({"reply_policy": "off"}, [role], []), ({"reply_policy": "all"}, [role], [0, 1]),
             ({"reply_policy": "mention"}, [role], [1]), ({}, [role], [0, 1]), ({}, [role, other], [1])]
    for fields, roles, expected in cases:
        room = ann.room(role_ids=[r["id"] for r in roles], **fields)["id"]
        want = []
        with listen(ann, room) as sock:
            for i, text in enumerate((QUICK, name + QUICK)):
                seq = say(sock, room, text)
                if i in expected:
                    assert answer(sock).frames[0]["reply_to"] == seq, (fields, text)
                    want.append((role["id"], seq))
            if not expected:    # a later message in the same room is answered, so the earlier one has been processed
                barrier = ann.room(role_ids=[role["id"]])["id"]
                with listen(ann, barrier) as other_sock:
                    ask(other_sock, barrier, QUICK)
        assert asked(room) == want, fields


FIRST = [({"role_ids": [0]}, "all"), ({"role_ids": [0, 1]}, "mention"), ({"role_ids": []}, "all"), ({}, "all"),
         ({"role_ids": [0], "reply_policy": "mention"}, "mention"), ({"role_ids": [], "reply_policy": "off"}, "off")]


@pytest.mark.parametrize("fields, policy", FIRST, ids=lambda v: v if isinstance(v, str) else str(len(v.get("role_ids", ()))))
def test_the_first_role_fixes_the_policy(ann, fields, policy):
    """Roles that join or leave later do not change when the other roles answer."""
    roles = [ann.role()["id"] for _ in range(3)]
    fields = {**fields, **({"role_ids": [roles[i] for i in fields["role_ids"]]} if "role_ids" in fields else {})}
    path = f"/api/rooms/{ann.room(**fields)['id']}"
    for role in roles:
        assert ann.put(f"{path}/roles/{role}").json()["reply_policy"] == policy
    for role in roles:
        assert ann.delete(f"{path}/roles/{role}").status_code == 204
        assert ann.get(path).json()["reply_policy"] == policy
    assert ann.put(f"{path}/roles/{roles[0]}").json()["reply_policy"] == policy


def test_rooms_take_roles_of_their_owner(ann, bob, asked):
    """In a room created without role_ids, a role of its owner joins and answers when somebody mentions it."""
    role, other, foreign = ann.role(), ann.role(), bob.role()
    room = ann.room()["id"]
    want = []
    with listen(bob, room) as sock:
        for text, who in ((QUICK, None), (f"@{foreign['name']} {QUICK}", None), (f"@{role['name']} {QUICK}", role), (QUICK, None),
                          (f"@{other['name']} {QUICK}", other), (f"@{role['name']} {QUICK}", role)):
            seq = say(sock, room, text)
            if who:
                assert answer(sock, role_id=who["id"]).frames[0]["reply_to"] == seq
                want.append((who["id"], seq))
        joined = [frame["body"] for frame in sock.inbox if frame["type"] == "role_attached"]
    assert asked(room) == want
    assert [(body["role_id"], body["name"]) for body in joined] == [(r["id"], r["name"]) for r in (role, other)]
    seen = ann.get(f"/api/rooms/{room}").json()
    assert [r["id"] for r in seen["roles"]] == [role["id"], other["id"]] and seen["reply_policy"] == "mention"


def test_rooms_that_take_no_roles(ann, asked):
    """No role joins a room that was created with a list (also an empty one), that has policy off, or from which a
    moderator has removed a role."""
    role, other = ann.role(), ann.role()
    text = f"@{role['name']} {QUICK}"
    rooms = [ann.room(role_ids=[])["id"], ann.room(role_ids=[other["id"]], reply_policy="mention")["id"],
             ann.room(reply_policy="off")["id"], ann.room()["id"]]
    ann.put(f"/api/rooms/{rooms[3]}/roles/{role['id']}")
    ann.delete(f"/api/rooms/{rooms[3]}/roles/{role['id']}")
    barrier = ann.room()["id"]
    for room in rooms:
        ann.say(room, text)
    with listen(ann, barrier) as sock:      # a later message is answered, so the earlier one has been processed
        ask(sock, barrier, text)
    assert [asked(room) for room in rooms] == [[]] * 4


def test_several_roles(ann, asked):
    """Each mentioned role answers once, however often the text mentions it; other roles do not answer."""
    roles = [ann.role() for _ in range(3)]
    room = ann.room(role_ids=[r["id"] for r in roles])["id"]
    with listen(ann, room) as sock:
        seq = say(sock, room, f"@{roles[2]['name']} and @{roles[0]['name']} and @{roles[0]['name']} {QUICK}")
        ends = [answer(sock, role_id=roles[i]["id"]) for i in (0, 2)]
        assert [e.state for e in ends] == ["done", "done"]
        authors = {message_of(sock, e.id)["author"]["name"] for e in ends}
        assert authors == {roles[0]["name"], roles[2]["name"]}
    assert sorted(asked(room)) == [(roles[0]["id"], seq), (roles[2]["id"], seq)]


def test_roles_trigger_nothing(ann, asked, peer):
    """An answer that mentions another role or its own role is not a question, also under `all`."""
    one, two = ann.role(), ann.role()
    room = ann.room(role_ids=[one["id"]], reply_policy="mention")["id"]
    with listen(ann, room) as sock:
        peer.queue("ok,echo=1,pace=1,gate=1")
        say(sock, room, f"@{one['name']} say @{two['name']} and @{one['name']}")
        frames = text_of(sock, 1)
        ann.put(f"/api/rooms/{room}/roles/{two['id']}")     # after the question, before the answer
        peer.open()
        assert f"@{two['name']} and" in answer(sock, frames).text
        ask(sock, room, f"@{two['name']} {QUICK}")
    assert [role for role, _ in asked(room)] == [one["id"], two["id"]]
    single = ann.room(role_ids=[one["id"]], reply_policy="all")["id"]
    with listen(ann, single) as sock:
        ask(sock, single, QUICK)
        ask(sock, single, QUICK)
    assert len(asked(single)) == 2


def test_repeated_message_asks_once(ann, asked):
    role = ann.role()
    room = ann.room(role_ids=[role["id"]])["id"]
    with listen(ann, room) as sock:
        seq = ann.say(room, QUICK, client_id="same").json()["seq"]
        answer(sock, reply_to=seq)
        assert ann.say(room, QUICK, client_id="same").json()["duplicate"] is True
        last = say(sock, room, QUICK)
        answer(sock, reply_to=last)
    assert [s for _, s in asked(room)] == [seq, last]


def test_detached_role_is_silent(ann, asked):
    role, other = ann.role(), ann.role()
    room = ann.room(role_ids=[role["id"], other["id"]], reply_policy="all")["id"]
    ann.delete(f"/api/rooms/{room}/roles/{role['id']}")
    with listen(ann, room) as sock:
        seq = say(sock, room, QUICK)
        answer(sock, reply_to=seq)
    assert asked(room) == [(other["id"], seq)]


# ---- what the model is told ----

def test_history_is_context(ann, bob, peer):
    """The model receives the system prompt and the messages, oldest first: people and other roles with their names, the
    role's own messages without."""
    role, other = ann.role(instructions="Speak like a pirate.", temperature=0.5, max_tokens=123, model="peer-2"), ann.role()
    room = ann.room(name="The Löwen", role_ids=[role["id"], other["id"]])["id"]
    with listen(ann, room) as sock:
        ann.say(room, "first words")
        bob.say(room, "second wörds")
        ask(sock, room, f"@{other['name']} [[ok,tokens=2,pace=0]]")
        ask(sock, room, f"@{role['name']} [[ok,tokens=3,pace=0]]")
        gone = ann.say(room, "taken back").json()["seq"]
        ann.delete(f"/api/rooms/{room}/messages/{gone}")
        ask(sock, room, f"@{role['name']} now? {QUICK}")
    body, headers = peer.stats()["bodies"][-1], peer.stats()["headers"][-1]
    system, *said = body["messages"]
    assert system["role"] == "system" and "Speak like a pirate." in system["content"]
    assert role["name"] in system["content"] and "The Löwen" in system["content"]
    # adjacent messages of one side are joined, because chat templates of many models require turns
    expected = [("user", [f"{ann.name}: first words", f"{bob.name}: second wörds",
                          f"{ann.name}: @{other['name']} [[ok,tokens=2,pace=0]]", f"{other['name']}: Parlour keeps",
                          f"{ann.name}: @{role['name']} [[ok,tokens=3,pace=0]]"]),
                ("assistant", ["Parlour keeps every"]), ("user", [f"{ann.name}: @{role['name']} now? {QUICK}"])]
    assert [(m["role"], [part for part in m["content"].split("\n\n") if part != f"{ann.name}: taken back"])
            for m in said] == expected
    assert (body["model"], body["temperature"], body["max_tokens"], body["stream"]) == ("peer-2", 0.5, 123, True)
    assert body["stream_options"] == {"include_usage": True}
    assert headers["authorization"] == "Bearer sk-peer-secret"


def test_nothing_that_was_not_set_is_sent(ann, peer):
    role = ann.role(instructions="")
    room = ann.room(role_ids=[role["id"]])["id"]
    with listen(ann, room) as sock:
        ask(sock, room, QUICK)
    body = peer.stats()["bodies"][-1]
    assert set(body) == {"model", "messages", "stream", "stream_options"} and body["model"] == "peer-1"


def test_context_limits(parlour, peer):
    """llm_history limits the number of messages and llm_context their bytes; the question is always included."""
    daemon = parlour(upstreams={"peer": peer.section()}, **{**SETTINGS, "llm_history": "4", "llm_context": "1k"})
    user = daemon.register()
    role = user.role()
    room = user.room(role_ids=[role["id"]], reply_policy="mention")["id"]

    def told(text):
        with listen(user, room) as sock:
            ask(sock, room, f"@{role['name']} {text}{QUICK}")
        return [part for m in peer.stats()["bodies"][-1]["messages"][1:] for part in m["content"].split("\n\n")]

    for i in range(6):
        user.say(room, f"m{i}")
    said = told("a")
    assert [s.split(": ")[1] for s in said[:3]] == ["m3", "m4", "m5"] and len(said) == 4
    user.say(room, "x" * 600)
    user.say(room, "y" * 600)
    said = told("b")
    assert len(said) == 2 and said[0].endswith("y" * 600)
    said = told("z" * 3000)
    assert len(said) == 1 and "z" * 3000 in said[0]


def test_what_came_after_the_question_is_not_told(ann, peer):
    """A role that was busy answers the newest question, with the history up to that question."""
    role = ann.role()
    room = ann.room(role_ids=[role["id"]], reply_policy="mention")["id"]
    with listen(ann, room) as sock:
        peer.queue("stall-mid,tokens=4,pace=0", "ok,tokens=1,pace=0")
        say(sock, room, f"@{role['name']} one")
        frames = text_of(sock, 10)
        seq = say(sock, room, f"@{role['name']} two")
        say(sock, room, "after")
        ann.post(f"/api/generations/{frames[0]['generation_id']}/cancel")
        assert answer(sock, frames).state == "cancelled"
        assert answer(sock, reply_to=seq).state == "done"
    said = [m["content"] for m in peer.stats()["bodies"][-1]["messages"][1:]]
    assert said[-1].endswith(f"{ann.name}: @{role['name']} two")


# ---- one at a time ----

def test_one_generation_and_one_follow_up(ann, bob, peer, asked):
    """Three questions of two people to a busy role lead to one more answer, to the newest question."""
    role = ann.role()
    room = ann.room(role_ids=[role["id"]])["id"]
    with listen(ann, room) as sock, listen(bob, room) as other:
        peer.queue("stall-mid,tokens=4,pace=0", "ok,tokens=2,pace=0", "ok,tokens=3,pace=0")
        first = say(sock, room, "one")
        frames = text_of(sock, 10)
        say(other, room, "two")
        say(sock, room, "three")
        newest = say(other, room, "four")
        wait_for(lambda: ann.get(f"/api/generations/{frames[0]['generation_id']}").json()["state"] == "running")
        assert asked(room) == [(role["id"], first)]
        assert ann.post(f"/api/generations/{frames[0]['generation_id']}/cancel").status_code == 200
        assert answer(sock, frames).state == "cancelled"
        follow = answer(sock)
        assert follow.frames[0]["reply_to"] == newest and follow.state == "done"
        assert bob.get(f"/api/generations/{follow.id}").json()["reply_to"] == newest
        after = ask(sock, room, QUICK)
        assert after.state == "done"
    assert [seq for _, seq in asked(room)] == [first, newest, after.frames[0]["reply_to"]]
    assert peer.stats()["requests"] == 3


def test_roles_and_rooms_do_not_wait_for_each_other(ann, peer):
    one, two = ann.role(), ann.role()
    room = ann.room(role_ids=[one["id"], two["id"]], reply_policy="mention")["id"]
    elsewhere = ann.room(role_ids=[one["id"]])["id"]
    with listen(ann, room) as sock, listen(ann, elsewhere) as other:
        peer.queue("stall-mid,tokens=4,pace=0", "ok,tokens=1,pace=0", "ok,tokens=1,pace=0")
        say(sock, room, f"@{one['name']}")
        frames = text_of(sock, 10)
        assert ask(sock, room, f"@{two['name']}").state == "done"
        assert ask(other, elsewhere, "x").state == "done"
        ann.post(f"/api/generations/{frames[0]['generation_id']}/cancel")
        assert answer(sock, frames).state == "cancelled"


# ---- limits ----

def test_ask_limit(parlour, peer):
    """The message is stored; the answer beyond the limit is a failed generation."""
    daemon = parlour(upstreams={"peer": peer.section()}, **{**SETTINGS, "rate_ask": "60/min burst 2"})
    user = daemon.register()
    room = user.room(role_ids=[user.role()["id"]])["id"]
    with listen(user, room) as sock:
        ends = [ask(sock, room, QUICK) for _ in range(3)]
        assert [e.state for e in ends] == ["done", "done", "failed"]
        assert ends[2].error == "rate_limited" and ends[2].last["error"]["temporary"] is True
        assert ends[2].states == ["failed"]
    assert [m["content"] for m in user.get(f"/api/rooms/{room}/messages").json()].count(QUICK) == 3
    assert user.get("/api/auth/me").status_code == 200, "the other classes are not touched"


def test_what_was_answered_does_not_fail_when_it_is_sent_again(parlour, peer):
    """A message that is sent again near the limit is not reported as failed if it already has its answer."""
    daemon = parlour(upstreams={"peer": peer.section()}, **{**SETTINGS, "rate_ask": "1/h burst 1"})
    user = daemon.register()
    room = user.room(role_ids=[user.role()["id"]])["id"]
    words = {"topic": f"room:{room}", "content": QUICK, "client_id": "first"}
    with listen(user, room) as sock:
        sock.send("send", **words)
        seq = sock.expect("ack")["seq"]
        assert answer(sock, reply_to=seq).state == "done"
        sock.send("send", **words)
        again = sock.expect("ack")
        assert again["duplicate"] and again["seq"] == seq
        late = ask(sock, room, QUICK)
        assert late.state == "failed" and late.error == "rate_limited"
        assert [f for f in sock.inbox if f["type"] == "generation" and f["reply_to"] == seq and f["state"] == "failed"] == []


def test_ask_limit_of_one_room(parlour, peer):
    daemon = parlour(upstreams={"peer": peer.section()}, **{**SETTINGS, "rate_ask_session": "60/min burst 1"})
    user = daemon.register()
    role = user.role()
    rooms = [user.room(role_ids=[role["id"]])["id"] for _ in range(2)]
    for room in rooms:
        with listen(user, room) as sock:
            assert [ask(sock, room, QUICK).state for _ in range(2)] == ["done", "failed"]


def test_table_full(parlour, peer):
    """With four places taken, the fifth question gets `busy`; a place that becomes free is used again."""
    daemon = parlour(upstreams={"peer": peer.section()}, **{**SETTINGS, "generations": "4"})
    user = daemon.register()
    role = user.role()
    rooms = [user.room(role_ids=[role["id"]])["id"] for _ in range(5)]
    sockets = [listen(user, room) for room in rooms]
    running = []
    for sock, room in list(zip(sockets, rooms))[:4]:
        say(sock, room, "[[stall-mid,tokens=4,pace=0]]")
        running.append(text_of(sock, 10))
    refused = ask(sockets[4], rooms[4], QUICK)
    assert refused.state == "failed" and refused.error == "busy" and refused.last["error"]["temporary"] is True
    user.post(f"/api/generations/{running[0][0]['generation_id']}/cancel")
    assert answer(sockets[0], running[0]).state == "cancelled"
    wait_for(lambda: ask(sockets[4], rooms[4], QUICK).state == "done", 10, "a place is free again")
    for frames, sock in list(zip(running, sockets))[1:]:
        user.post(f"/api/generations/{frames[0]['generation_id']}/cancel")
        assert answer(sock, frames).state == "cancelled"
    for sock in sockets:
        sock.drop()


# ---- the list of models ----

def test_models(both, parlour, ann):
    """The list has all models with their upstream, from a cache in each worker; if an upstream does not respond, it has
    those that the configuration names."""
    models = ann.get("/api/llm/models").json()
    assert {(m["id"], m["upstream"], m["is_default"]) for m in models} == {
        ("local-1", "local", False), ("peer-1", "peer", True), ("peer-2", "peer", False)}
    asked_before = both[1].stats()["models"]
    for _ in range(20):
        assert ann.get("/api/llm/models").json() == models
    assert both[1].stats()["models"] <= asked_before + 1, "each worker keeps the list"
    gone = Provider()
    gone.stop()
    daemon = parlour(upstreams={"gone": gone.section(model="gone-1"), "listed": gone.section(models="a, b")})
    user = daemon.register()
    assert {(m["id"], m["upstream"], m["is_default"]) for m in user.get("/api/llm/models").json()} == {
        ("local-1", "local", True), ("gone-1", "gone", False), ("a", "listed", False), ("b", "listed", False)}
