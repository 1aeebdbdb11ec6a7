# SPDX-License-Identifier: ISC
"""The chat page in real browsers, one per user. Skipped without Chromium."""

import contextlib
import json
import pathlib
import secrets

import httpx
import pytest

from browser import PASSWORD, Driver, installed
from parlour import SLOW, free_port, wait_for
from usagedata import analyst

pytestmark = pytest.mark.skipif(not installed(), reason="chromium and chromedriver are not installed")


@pytest.fixture(scope="module")
def driver():
    process = Driver()
    yield process
    process.stop()


@pytest.fixture
def browsers(driver):
    """browsers() starts a new browser, which is closed after the test; its console must not contain errors."""
    made = []

    def make(**how):
        made.append(driver.browser(**how))
        return made[-1]

    yield make
    problems = []
    for number, one in enumerate(made):
        with contextlib.suppress(AssertionError, httpx.HTTPError):
            one.screenshot(f"end-{number}-{secrets.token_hex(2)}")
            problems += one.problems()
        one.quit()
    assert not problems, problems


@pytest.fixture(scope="module")
def host(shared):
    """Creates the owner of the rooms over HTTP."""
    return shared.register("host" + secrets.token_hex(3))


@pytest.fixture(scope="module")
def lobby(host):
    """Creates a public room with one AI role that answers when it is mentioned."""
    role = host.role("guide" + secrets.token_hex(3))
    room = host.room("room " + secrets.token_hex(3), role_ids=[role["id"]], reply_policy="mention")
    return {**room, "role": role["name"]}


def unique(word):
    return f"{word}-{secrets.token_hex(4)}"


def test_two_people_and_an_answer(browsers, shared, lobby):
    """One user registers and another logs in; both see each other, a message, and a streaming answer."""
    cfo = shared.register("cfo" + secrets.token_hex(3), "demo demo").name
    ann, bob = browsers(), browsers()
    name = "ann" + secrets.token_hex(3)
    ann.register(shared.url, name)
    bob.login(shared.url, cfo, "demo demo")
    for one in (ann, bob):
        one.room(lobby["name"])
    for one in (ann, bob):
        wait_for(lambda one=one: {name, cfo} <= set(one.texts("#here-list .who > span")), 10, "both are here")
    text = unique("hello")
    ann.say(text)
    bob.wait_any("#log .message .text", text)
    ann.wait_any("#log .message.mine .text", text)
    bob.say(f"@{lobby['role']} count to 400")
    for one in (ann, bob):
        wait_for(lambda one=one: "10, 11" in one.text("#tail .message.running .text"), 15, "the answer streams")
    ann.screenshot("streaming")
    for one in (ann, bob):
        wait_for(lambda one=one: any("399, 400." in t for t in one.messages(".role")), 30, "the answer is whole")
        wait_for(lambda one=one: one.texts("#tail .message") == [], 5, "nothing is left at the end")
    assert len([t for t in ann.messages(".role") if "399, 400." in t]) == 1
    ann.screenshot("two-people")


def test_a_late_viewer_and_stop(browsers, shared, lobby):
    ann, bob = browsers(), browsers()
    ann.register(shared.url, "late" + secrets.token_hex(3))
    bob.register(shared.url, "later" + secrets.token_hex(3))
    ann.room(lobby["name"])
    ann.say(f"@{lobby['role']} count to 500")
    wait_for(lambda: "40, 41" in ann.text("#tail .message.running .text"), 15, "the answer streams")
    bob.room(lobby["name"])
    wait_for(lambda: "1, 2, 3, 4, 5" in bob.text("#tail .message.running .text"), 5, "a late viewer has the text from its start")
    assert not bob.shown("#running .stop"), "only the asker, moderators and the owner stop an answer"
    ann.click("#running .stop")
    for one in (ann, bob):
        wait_for(lambda one=one: "Stopped." in one.text("#log .message.role:last-of-type"), 10, "the text stays, marked as stopped")
        assert not one.shown("#tail .message") and not one.shown("#running .stop")
    answer = bob.messages(".role")[-1]
    assert answer.startswith("1, 2, 3") and "500." not in answer


def test_a_forgotten_password(browsers, parlour, smtp):
    """A user resets the password from the link on the login page to the login with the new password; no address
    contains the token."""
    peer = smtp()
    daemon = parlour(smtp_url=f"smtp://127.0.0.1:{peer.port}", smtp_tls="off", mail_from="bot@parlour.example",
                     public_url="https://chat.example.org", rate_login="1000/min")
    user, ann = daemon.register("forgets" + secrets.token_hex(3)), browsers()
    ann.open(daemon.url)
    wait_for(lambda: ann.shown("#door-form"), 10, "the log-in page")
    ann.click("#door-form a[href='/reset-password']")
    wait_for(lambda: ann.shown("#ask"), 10, "the form for the link")
    ann.type("#ask-name", user.name)
    ann.click("#ask button")
    ann.wait_text("#said-title", "Check your mail")
    mail = wait_for(lambda: peer.mails and peer.mails[0], 20, "the mail came")
    link = next(word for word in mail.body.split() if word.startswith("https://chat.example.org/"))
    ann.open(link.replace("https://chat.example.org", daemon.url))
    wait_for(lambda: ann.shown("#set"), 10, "the form for the password")
    assert ann.run("return location.href") == daemon.url + "/reset-password", "the token is not in the address"
    ann.type("#set-password", "battery staple 7")
    ann.type("#set-again", "battery staple 8")
    ann.click("#set button")
    ann.wait_text("#set-error", "The two passwords are different.")
    ann.type("#set-again", "battery staple 7", clear=True)
    ann.click("#set button")
    ann.wait_text("#said-title", "Your password is set")
    ann.open("about:blank")
    ann.open(link.replace("https://chat.example.org", daemon.url))
    wait_for(lambda: ann.shown("#set"), 10, "the link opens again")
    for field in ("#set-password", "#set-again"):
        ann.type(field, "something else 3", clear=True)
    ann.click("#set button")
    ann.wait_text("#set-error", "no longer valid")
    ann.login(daemon.url, user.name, "battery staple 7")


def test_an_invite_and_a_new_account(browsers, parlour, rows):
    """The link shows who invites into which room; the new account is a member of the room, and the link is used up."""
    daemon = parlour(registration="invite", rate_login="1000/min", invite_access="user")
    host = "h" + secrets.token_hex(3)
    made = daemon.ctl("user", "add", host).stdout
    host = daemon.login(host, made.split("password: ")[1].strip())
    room = host.room("Tea " + unique("room"), visibility="private")
    invite = host.post("/api/invites", {"room_id": room["id"], "uses": 2}).json()
    ann, name = browsers(), "ann" + secrets.token_hex(3)
    ann.open(daemon.url + "/")
    ann.wait_shown("#door-closed")
    assert "invite link" in ann.text("#door-closed") and not ann.shown("#door-register")
    ann.open(daemon.url + "/join/" + invite["token"])
    ann.wait_shown("#form")
    assert ann.text("#form .invite-title") == f"{host.name} invites you to the room “{room['name']}”"
    ann.screenshot("join")
    for field, text in (("#form-name", host.name), ("#form-email", name + "@example.org"), ("#form-password", PASSWORD)):
        ann.type(field, text)
    ann.click("#form-go")
    ann.wait_text("#form-error", "already in use")
    ann.type("#form-name", name, clear=True)
    ann.click("#form-go")
    ann.wait_chat(name)
    ann.wait_text("#room-title", room["name"])
    ann.say(unique("hello"))
    assert host.get(f"/api/invites/{invite['id']}").json()["used"] == 1
    bob = browsers()
    bob.open(daemon.url + "/join/" + invite["token"])
    bob.wait_shown("#form")
    bob.type("#form-name", "bob" + name)
    bob.type("#form-email", "bob" + name + "@example.org")
    bob.type("#form-password", PASSWORD)
    bob.click("#form-go")
    bob.wait_chat("bob" + name)
    bob.open(daemon.url + "/join/" + invite["token"])
    bob.wait_text("#said-title", "not valid")
    assert rows(f"SELECT count(*) FROM members WHERE room_id = {room['id']}") == [(3,)]


def test_an_invite_and_an_account(browsers, shared, host):
    """A logged-in user joins with one button; others log in first."""
    room = host.room("Tea " + unique("room"), visibility="private")
    token = host.post("/api/invites", {"room_id": room["id"], "uses": 2, "level": "moderator"}).json()["token"]
    name, other = "joins" + secrets.token_hex(3), shared.register("later" + secrets.token_hex(3), PASSWORD)
    ann, bob = browsers(), browsers()
    ann.register(shared.url, name)
    ann.open(shared.url + "/join/" + token)
    ann.wait_text("#known-go", f"Join as {name}")
    assert "a moderator" in ann.text("#known .invite-text")
    ann.click("#known-go")
    ann.wait_chat(name)
    ann.wait_text("#room-title", room["name"])
    bob.open(shared.url + "/join/" + token)
    bob.wait_shown("#form")
    bob.click("#tab-login")
    bob.type("#form-name", other.name)
    bob.type("#form-password", "wrong wrong 9")
    bob.click("#form-go")
    bob.wait_text("#form-error", "Incorrect")
    bob.type("#form-password", PASSWORD, clear=True)
    bob.click("#form-go")
    bob.wait_chat(other.name)
    bob.wait_text("#room-title", room["name"])


def test_a_blocked_user(browsers, shared, host):
    """Messages of a blocked user are folded in history and live; the user can read them, and unblocking shows them."""
    room, other = host.room("Tea " + unique("room")), shared.register("rude" + secrets.token_hex(3), PASSWORD)
    first, second = unique("rude"), unique("ruder")
    other.say(room["id"], first)
    ann = browsers().register(shared.url, "calm" + secrets.token_hex(3))
    ann.room(room["name"])
    ann.wait_any("#log .message .text", first)
    wait_for(lambda: ann.run("const b = [...document.querySelectorAll('#member-list li')].find(l => l.textContent.includes(arguments[0]))"
                             "?.querySelector('.block'); b?.click(); return !!b", other.name), 10, "a button to block")
    ann.wait_shown("#log .folded summary")
    assert not ann.shown("#log .folded .text")
    other.say(room["id"], second)
    wait_for(lambda: len(ann.texts("#log .folded")) == 2, 10, "what comes live is folded, too")
    ann.screenshot("blocked")
    ann.click("#log .folded summary")
    ann.wait_any("#log .folded .text", first)
    ann.run("[...document.querySelectorAll('#member-list .block')].find(b => b.textContent === 'Unblock').click()")
    wait_for(lambda: not ann.shown("#log .folded"), 10, "nothing is folded")
    assert ann.messages()[-2:] == [first, second]


def test_the_bell(browsers, shared, host):
    """The bell counts unread notifications live; its list leads to the room, and marking as read reaches other tabs."""
    room, name = host.room("Tea " + unique("room")), "bell" + secrets.token_hex(3)
    ann = browsers().register(shared.url, name)
    ann.room(room["name"])
    ann.say(unique("hello"))            # joins
    ann.wait_text("#link-text", "Live")
    word = unique("called")
    host.say(room["id"], f"@{name} {word} <b>")
    ann.wait_text("#inbox-count", "1")
    ann.click("#inbox-open")
    ann.wait_any("#inbox-list .text", f"@{name} {word} <b>")
    assert host.name in ann.text("#inbox-list .unread") and room["name"] in ann.text("#inbox-list .unread")
    ann.screenshot("inbox")
    host.say(room["id"], f"@{name} again")
    ann.wait_text("#inbox-count", "2")
    wait_for(lambda: len(ann.texts("#inbox-list .unread")) == 2, 10, "the open list grows")
    ann.click("#inbox-list .unread button")
    wait_for(lambda: ann.run("return location.hash") == f"#/room/{room['id']}", 10)
    ann.wait_text("#inbox-count", "1")
    ann.click("#inbox-open")
    ann.wait_shown("#inbox-read")
    ann.click("#inbox-read")
    wait_for(lambda: ann.text("#inbox-count") == "" and not ann.texts("#inbox-list .unread"), 10, "nothing is unread")


def test_edit_and_delete(browsers, shared, host):
    """Both users see the new text, the earlier texts, and that a message was deleted."""
    room = host.room("Desk " + unique("room"))
    ann, bob = (browsers().register(shared.url, name + secrets.token_hex(3)) for name in ("ann", "bob"))
    first, second = unique("draft"), unique("final")
    for one in (ann, bob):
        one.room(room["name"])
    ann.say(first)
    bob.wait_any("#log .message .text", first)
    assert "Edit" not in bob.text("#log .message .tools") and "Delete" not in bob.text("#log .message .tools")
    ann.run("[...document.querySelectorAll('#log .message.mine .tools button')].find(b => b.textContent === 'Edit').click()")
    ann.wait_shown("#log .edit textarea")
    ann.type("#log .edit textarea", second, clear=True)
    ann.click("#log .edit .primary")
    for one in (ann, bob):
        one.wait_any("#log .message .text", second)
        assert not one.shown("#log .edit") and first not in one.messages()
    bob.click("#log .message .edited")
    wait_for(lambda: first in bob.text("#log .versions"), 10, "the earlier text")
    bob.say("in between")
    bob.run("[...document.querySelectorAll('#log .message:not(.mine) .tools button')].find(b => b.textContent === 'Reply').click()")
    bob.say("an answer")
    for one in (ann, bob):
        wait_for(lambda one=one: second in one.text("#log .quote"), 10, "the answer quotes it")
    bob.screenshot("edited")
    ann.run("window.confirm = () => true; [...document.querySelectorAll('#log .message.mine .tools button')]"
            ".find(b => b.textContent === 'Delete').click()")
    for one in (ann, bob):
        wait_for(lambda one=one: "was deleted" in one.text("#log .message .deleted"), 10, "it says that it was deleted")
        wait_for(lambda one=one: "deleted message" in one.text("#log .quote"), 10, "also where it is quoted")
        assert second not in one.text("#log") and not one.shown("#log .edited")
    bob.command("POST", "/refresh")
    bob.room(room["name"])
    wait_for(lambda: "was deleted" in bob.text("#log .message .deleted"), 10, "the same after a reload")
    ann.screenshot("deleted")


def press(one, label, which=""):
    """A button among the tools of the last message of others, or of all that fit."""
    one.run("[...document.querySelectorAll('#log .message' + arguments[1] + ' .tools button')].findLast(b => b.textContent === arguments[0]).click()",
            label, which)


def test_reactions_and_pins(browsers, shared, host):
    """One picks an emoji, the other sees it and agrees; a pin is marked for both; all of it is there after a reload."""
    room = host.room("Desk " + unique("room"))
    ann, bob = (browsers().register(shared.url, name + secrets.token_hex(3)) for name in ("ann", "bob"))
    for one in (ann, bob):
        one.room(room["name"])
    bob.say("hello")
    lunch = unique("lunch?")
    ann.say(lunch)
    bob.wait_any("#log .message .text", lunch)
    ann.wait_any("#log .message.mine .text", lunch)
    press(bob, "React", ":not(.mine)")
    bob.wait_shown("#log .picker")
    bob.screenshot("picker")
    bob.click("#log .picker button")
    for one in (ann, bob):
        one.wait_text("#log .reaction", "\U0001f44d 1")
    assert bob.shown("#log .reaction.on") and not ann.shown("#log .reaction.on")
    ann.click("#log .reaction")
    bob.wait_text("#log .reaction", "\U0001f44d 2")
    press(bob, "React", ":not(.mine)")
    bob.wait_shown("#log .picker input")
    bob.type("#log .picker input", "no")
    bob.run("document.querySelector('#log .picker').requestSubmit()")
    bob.wait_text("#notices", "must be one emoji")
    bob.click("#log .reaction")
    ann.wait_text("#log .reaction", "\U0001f44d 1")
    assert "Pin" not in ann.text("#log .message .tools")
    seq = int(ann.run("return document.querySelector('#log .reaction').closest('.message').dataset.seq"))
    assert host.put(f"/api/rooms/{room['id']}/messages/{seq}/pin").status_code == 204
    for one in (ann, bob):
        one.wait_text("#log .pinned", "pinned")
    bob.command("POST", "/refresh")
    bob.room(room["name"])
    bob.wait_text("#log .reaction", "\U0001f44d 1")
    bob.wait_text("#log .pinned", "pinned")
    bob.screenshot("reactions")
    bob.run("document.getElementById('pins-open').click()")
    bob.wait_text("#pins-list", "lunch?")
    bob.screenshot("pins")


def test_registration_is_closed(browsers, parlour):
    ann = browsers()
    ann.open(parlour(registration="closed").url + "/")
    ann.wait_shown("#door-closed")
    assert "closed" in ann.text("#door-closed") and not ann.shown("#door-register")


def test_markup_is_text(browsers, shared, lobby):
    """HTML in messages is shown as text; light Markdown is formatted."""
    ann = browsers().register(shared.url, "mark" + secrets.token_hex(3))
    ann.room(lobby["name"])
    evil = f'<img src=x onerror="document.title=1"> <script>1</script> {unique("evil")}'
    ann.say(evil)
    ann.wait_any("#log .message .text", evil)
    assert ann.run("return document.querySelectorAll('#log img, #log script').length") == 0
    ann.say(f"**bold** `a<b` [site](https://example.org/) javascript:alert(1) {unique('md')}")
    wait_for(lambda: ann.run("return document.querySelectorAll('#log .text strong, #log .text code, #log .text a').length") == 3, 5,
             "bold, code and one link")
    assert ann.run("return [...document.querySelectorAll('#log .text a')].map(a => a.href)") == ["https://example.org/"]


def test_history_scrolls_back(browsers, shared, host):
    room = host.room("long " + secrets.token_hex(3))
    for i in range(130):
        host.say(room["id"], f"line {i}")
    ann = browsers().register(shared.url, "reader" + secrets.token_hex(3))
    ann.room(room["name"])
    ann.wait_any("#log .message .text", "line 129")
    assert len(ann.messages()) == 50
    for _ in range(2):
        count = len(ann.messages())
        ann.run("document.getElementById('scroller').scrollTop = 0")
        wait_for(lambda count=count: len(ann.messages()) > count, 5, "older messages")
    assert ann.messages() == [f"line {i}" for i in range(130)]
    ann.run("document.getElementById('scroller').scrollTop = 300")
    host.say(room["id"], "while reading above")
    wait_for(lambda: "1 new" in ann.text("#newest"), 5, "told, but not moved")
    ann.click("#newest")
    ann.wait_any("#log .message .text", "while reading above")


def test_history_scrolls_back_behind_a_short_page(browsers, shared, host, rows):
    """The server ends pages of long texts early; the page must not take a short page for the start of the room."""
    room = host.room("texts " + secrets.token_hex(3))
    for i in range(12):
        assert host.say(room["id"], f"line {i}").status_code == 201
    rows(f"UPDATE messages SET content = content || repeat(E'\\nmore of it', 15000) WHERE room_id = {room['id']}")
    ann = browsers().register(shared.url, "reader" + secrets.token_hex(3))
    ann.room(room["name"])

    def lines():
        return ann.run("return [...document.querySelectorAll('#log .message .text')].map(n => /^line \\d+/.exec(n.textContent)?.[0])")
    wait_for(lambda: "line 11" in lines(), 10, "the newest one")
    assert len(lines()) == 6, "six of 165 KB are less than 1 MiB, seven are more"
    ann.run("document.getElementById('scroller').scrollTop = 0")
    wait_for(lambda: lines() == [f"line {i}" for i in range(12)], 10, "all")


def test_lost_connection(browsers, shared, host, lobby):
    """After a lost connection nothing is missing or duplicated; messages written meanwhile are sent."""
    ann = browsers().register(shared.url, "cut" + secrets.token_hex(3))
    ann.room(lobby["name"])
    before, during, own = unique("before"), unique("during"), unique("own")
    ann.say(before)
    ann.wait_any("#log .message:not(.pending) .text", before)
    worker = next(iter(shared.workers().values())) if hasattr(shared, "workers") else None
    ann.offline(True)
    for pid in shared.workers().values() if worker else ():
        shared.kill_child(pid)
    wait_for(lambda: "Live" not in ann.text("#link"), 15, "the page knows that it is cut off")
    ann.say(own)
    ann.wait_text("#tail .message.pending .note", "connection is back")
    wait_for(lambda: shared.get("/readyz").status_code == 200, 20, "new workers")
    host.say(lobby["id"], during)
    ann.offline(False)
    ann.wait_text("#link", "Live", 45)
    ann.wait_any("#log .message .text", during)
    ann.wait_any("#log .message.mine .text", own)
    texts = ann.messages()
    assert [texts.count(t) for t in (before, during, own)] == [1, 1, 1]
    assert [m["content"] for m in host.get(f"/api/rooms/{lobby['id']}/messages").json()].count(own) == 1


def test_too_far_behind(browsers, parlour):
    """If more was missed than the server replays, the page reads the newest history again, without a gap."""
    daemon = parlour(recover_limit="10")
    host = daemon.register()
    room = host.room("busy")["id"]
    ann = browsers().register(daemon.url, "behind" + secrets.token_hex(3))
    ann.room("busy")
    ann.say("seen")
    ann.wait_any("#log .message.mine .text", "seen")
    ann.offline(True)
    for pid in daemon.workers().values():
        daemon.kill_child(pid)
    wait_for(lambda: "Live" not in ann.text("#link"), 15, "the page knows that it is cut off")
    wait_for(lambda: daemon.get("/readyz").status_code == 200, 20, "new workers")
    for i in range(70):
        host.say(room, f"missed {i}")
    ann.offline(False)
    ann.wait_any("#log .message .text", "missed 69", 45)
    ann.run("document.getElementById('scroller').scrollTop = 0")
    wait_for(lambda: ann.messages() == ["seen"] + [f"missed {i}" for i in range(70)], 10, "all of it, once, in order")


def test_restart_and_reload(browsers, parlour):
    """The page reconnects after HUP and after a restart."""
    daemon = parlour(listen=f"127.0.0.1:{free_port()}")     # no other process gets the port before the restart
    ann = browsers().register(daemon.url, "stays" + secrets.token_hex(3))
    daemon.register().room("stay")
    ann.command("POST", "/refresh")
    ann.room("stay")
    daemon.reload()
    ann.wait_text("#link", "Live", 30)
    ann.say("after reload")
    ann.wait_any("#log .message.mine:not(.pending) .text", "after reload", 20)
    daemon.stop()
    wait_for(lambda: "Live" not in ann.text("#link"), 15, "the page knows that it is cut off")
    daemon.start()
    ann.wait_text("#link", "Live", 45)
    ann.say("after restart")
    ann.wait_any("#log .message.mine:not(.pending) .text", "after restart")


def test_too_fast(browsers, parlour):
    """Messages refused by the rate limit are shown as waiting, sent again automatically, and stored once each."""
    daemon = parlour(rate_send="60/min burst 2")
    host = daemon.register()
    room = host.room("slow")["id"]
    ann = browsers().register(daemon.url, "fast" + secrets.token_hex(3))
    ann.room("slow")
    for i in range(4):
        ann.say(f"quick {i}")
    wait_for(lambda: ann.texts("#tail .message") == [] and len(ann.messages()) == 4, 20, "all four are sent")
    assert sorted(m["content"] for m in host.get(f"/api/rooms/{room}/messages").json()) == [f"quick {i}" for i in range(4)]


def test_expired_tokens_are_renewed(browsers, parlour):
    daemon = parlour(access_token_life="8s")
    daemon.register().room("short")
    ann = browsers().register(daemon.url, "renew" + secrets.token_hex(3))
    ann.room("short")
    first = ann.run("return JSON.parse(sessionStorage.getItem('parlour.session')).access")
    wait_for(lambda: ann.run("return JSON.parse(sessionStorage.getItem('parlour.session')).access") != first, 20, "a new token")
    text = unique("still-here")
    ann.wait_text("#link", "Live")
    ann.say(text)
    ann.wait_any("#log .message.mine .text", text)
    ann.command("POST", "/refresh")
    ann.wait_any("#log .message.mine .text", text)


def test_a_session_that_is_ended(browsers, shared):
    name = "ended" + secrets.token_hex(3)
    ann = browsers().register(shared.url, name)
    other = shared.login(name, PASSWORD)
    assert other.post("/api/auth/logout", {"scope": "global"}).status_code == 204
    ann.wait_shown("#door", 15)
    wait_for(lambda: "Sign in again" in ann.text("#door-error"), 5, "it says why")


def test_rooms_and_roles(browsers, shared):
    """A user creates a role and a room, adds the role, and leaves."""
    ann = browsers().register(shared.url, "maker" + secrets.token_hex(3))
    role, room = "critic" + secrets.token_hex(3), "den " + secrets.token_hex(3)
    ann.click("#roles-open")
    ann.wait_shown("#roles-dialog")
    ann.click("#role-new summary")
    ann.type("#role-name", role)
    ann.type("#role-text", "You are a critic.")
    ann.click("#role-form .primary")
    wait_for(lambda: role in ann.text("#roles-list"), 10, "the role is listed")
    ann.click("#roles-dialog [data-close]")
    ann.click("#rooms-new")
    ann.wait_shown("#room-dialog")
    ann.type("#new-name", room)
    ann.click("#room-form .primary")
    ann.wait_text("#room-title", room)
    ann.wait_shown("#room-roles-change")
    ann.click("#room-roles-change")
    wait_for(lambda: ann.run("const b = [...document.querySelectorAll('#roles-list li')].find(li => li.innerText.includes(arguments[0]))"
                             "?.querySelector('button[aria-pressed]'); b?.click(); return !!b", role), 5, "a button to let it take part")
    ann.wait_text("#room-roles", role)
    ann.click("#roles-dialog [data-close]")
    ann.say("help")
    wait_for(lambda: ann.messages(".role"), 20, "with one role in the room it answers everything")
    ann.screenshot("own-room")


def test_private_room(browsers, shared):
    """The owner adds a user by name and removes the user again."""
    name = "guest" + secrets.token_hex(3)
    guest = browsers().register(shared.url, name)
    owner = browsers().register(shared.url, "owner" + secrets.token_hex(3))
    room = "cellar " + secrets.token_hex(3)
    owner.click("#rooms-new")
    owner.wait_shown("#room-dialog")
    owner.type("#new-name", room)
    owner.click("#room-form input[value=private]")
    owner.click("#room-form .primary")
    owner.wait_text("#room-title", room)
    owner.wait_shown("#member-add")
    owner.type("#member-name", "@" + name)
    owner.click("#member-add button")
    wait_for(lambda: len(owner.texts("#member-list li")) == 2, 10, "two members")
    guest.command("POST", "/refresh")
    guest.room(room)
    owner.say("between us")
    guest.wait_any("#log .message .text", "between us")
    # in one step, because the list is rendered again when somebody joins or leaves
    wait_for(lambda: owner.run("const b = document.querySelector('#member-list li button'); b?.click(); return !!b"), 10, "a button to remove the guest")
    wait_for(lambda: "no longer in this room" in guest.text("#notices"), 10, "the guest is told")
    assert room not in guest.texts("#rooms-list .name") and guest.messages() == []


def test_sources_of_an_answer(browsers, parlour, rows):
    """An answer from the knowledge base shows its document below its text, also after a reload."""
    daemon = parlour()
    boss = analyst(daemon, rows, "operator")
    made = boss.post("/api/knowledge", {"title": "Parcels <b>", "text": "Refunds are paid within 14 days."}).json()
    room = boss.room("desk", role_ids=[boss.role("clerk")["id"]], reply_policy="all")
    reader = browsers().register(daemon.url, "reader")
    reader.room(room["name"])
    reader.say("When are refunds paid?")
    reader.wait_any("#log .message .text", '"Refunds are paid within 14 days." [1]')
    reader.wait_any("#log .sources li", "[1] Parcels <b>")
    assert boss.delete(f"/api/knowledge/{made['id']}").status_code == 204
    reader.command("POST", "/refresh")
    reader.room(room["name"])
    reader.wait_any("#log .sources li", "[1] Parcels <b>")


def test_errors_are_sentences(browsers, shared):
    ann = browsers()
    ann.open(shared.url + "/")
    ann.wait_shown("#door")
    ann.type("#door-name", "nobody-at-all")
    ann.type("#door-password", "wrong wrong")
    ann.click("#door-go")
    ann.wait_text("#door-error", "Incorrect username or password")
    ann.click("#door-register")
    ann.type("#door-email", "x@example.org")
    ann.type("#door-password", "short", clear=True)
    ann.click("#door-go")
    ann.wait_text("#door-error", "Password must have at least 8 bytes.")
    assert "{" not in ann.text("#door-error")


def test_a_telephone(browsers, shared, lobby):
    ann = browsers(phone=True).register(shared.url, "phone" + secrets.token_hex(3))
    in_sight = "return document.querySelector(arguments[0]).checkVisibility({visibilityProperty: true})"
    assert not ann.run(in_sight, "#rooms-list")
    ann.click("#rooms-toggle")
    wait_for(lambda: ann.run(in_sight, "#rooms-list"), 5, "the list of rooms slides in")
    ann.room(lobby["name"])
    text = unique("thumb")
    ann.type("#text", text)
    ann.click("#send")
    ann.wait_any("#log .message.mine .text", text)
    assert ann.run("return document.documentElement.scrollWidth <= innerWidth"), "something is wider than the screen"
    ann.screenshot("telephone")
    ann.click("#people-toggle")
    wait_for(lambda: ann.run(in_sight, "#here-list"), 5, "who is here slides in")
    assert not ann.run(in_sight, "#rooms-list")


MENTIONED = """
return (async (cases, names) => {
	const { markdown } = await import("/static/markdown.js");
	return cases.map(([text]) => {
		const box = document.createElement("div");
		box.append(...markdown(text, names));
		return [...box.querySelectorAll(".mention")].map((node) => node.textContent.slice(1).toLowerCase());
	});
})(...arguments);
"""


def test_mentions_are_what_the_server_takes_for_mentions(browsers, shared):
    """The page and the server use the same table of mentions, tests/mentions.json: tests/unit/test_mention.c."""
    cases = json.loads((pathlib.Path(__file__).parents[1] / "mentions.json").read_text("utf-8"))
    names = ["bot", "José", "助手", "Product Manager", "Product"]
    browser = browsers()
    browser.open(shared.url + "/")
    for (text, want), got in zip(cases, browser.run(MENTIONED, cases, names)):
        assert set(got) == {name.lower() for name in want}, text
    assert len(cases) > 160


LONG = """
return (async (cases, names) => {
	const { markdown } = await import("/static/markdown.js");
	return cases.map(([unit, bytes]) => {
		const text = unit.repeat(bytes / unit.length), box = document.createElement("div"), began = performance.now();
		for (const node of markdown(text, names))
			box.append(node);
		return [performance.now() - began, box.textContent.length];
	});
})(...arguments);
"""


def test_long_messages_do_not_stop_the_page(browsers, shared):
    """Each case fills a whole message or answer; rendering in quadratic time would take minutes."""
    units = ["@", "@bot", "@bot1 ", "@日", "a", "a.+-", "`a", "~~~\n", "http://", "http://a,,,b", ",", "[a](http://", "**a", "- a\n",
             "a\n", "\n"]
    cases = [(unit, size) for size in (65536, 262144) for unit in units]
    browser = browsers()
    browser.open(shared.url + "/")
    names = ["bot"] + [f"bot{i}" for i in range(100)]
    for case, (ms, length) in zip(cases, browser.run(LONG, cases, names)):
        assert ms < 10000 * SLOW, case
        assert length > 0 or case[0] in ("\n", "~~~\n"), case


def badge(browser, room):
    """What the list shows behind the name of a room."""
    return browser.run("""const a = [...document.querySelectorAll('#rooms-list a')].find(a => a.querySelector('.name').textContent === arguments[0]);
        return a && [...a.querySelectorAll('.count')].map(n => n.textContent).join(' ')""", room)


def test_unread(browsers, shared, host):
    """Numbers and mentions in the list, live, on two devices of one user in step; the line above what is new; seen is read."""
    user = shared.register("reader" + secrets.token_hex(3), PASSWORD)
    rooms = [host.room(unique("room")) for _ in range(2)]
    for room in rooms:
        assert user.post(f"/api/rooms/{room['id']}/join").status_code == 200
    desk, phone = browsers(), browsers(phone=True)
    for one in (desk, phone):
        one.login(shared.url, user.name, PASSWORD)
    desk.room(rooms[0]["name"])
    phone.open(f"{shared.url}/#/room/{rooms[0]['id']}")
    name = rooms[1]["name"]
    host.say(rooms[1]["id"], unique("early"))
    first = unique("first")
    host.say(rooms[1]["id"], f"@{user.name} {first}")
    for one in (desk, phone):
        wait_for(lambda one=one: badge(one, name) == "@ 2", 10, f"two messages, one of them a mention: {badge(one, name)}")
    desk.screenshot("unread-list")
    desk.room(name)
    wait_for(lambda: desk.text("#log .line.new") == "New messages", 10, "the line")
    assert desk.run("return document.querySelector('#log .line.new').nextElementSibling.innerText").find("early") >= 0
    desk.screenshot("unread-line")
    for one in (desk, phone):
        wait_for(lambda one=one: badge(one, name) == "", 10, f"read here, read there: {badge(one, name)}")
    host.say(rooms[1]["id"], unique("seen"))
    wait_for(lambda: [r["unread"] for r in user.get("/api/rooms?limit=200").json() if r["id"] == rooms[1]["id"]] == [0], 10, "seen at once")
    host.say(rooms[0]["id"], unique("there"))
    wait_for(lambda: [r["unread"] for r in user.get("/api/rooms?limit=200").json() if r["id"] == rooms[0]["id"]] == [0], 10,
             "seen on the phone")
    wait_for(lambda: badge(desk, rooms[0]["name"]) == "", 10, "and not new at the desk")
    phone.screenshot("unread-phone")
