# SPDX-License-Identifier: ISC
"""The daily mail with unread notifications: when, what, to whom, once, and how users end it."""

import datetime
import re
import signal
from zoneinfo import ZoneInfo

import pytest

from conftest import finish, maker
from mail_peer import MailPeer
from parlour import wait_for
from test_feedback_requests import ask

PUBLIC = "https://chat.example.org"
SETTINGS = "/api/notifications/settings"
KINDS = ("mention", "reply", "added", "invite", "question")
MAIL = dict.fromkeys(KINDS, "mail")


@pytest.fixture(scope="module", name="peer")
def fixture_peer():
    peer = MailPeer()
    peer.start()
    yield peer
    peer.stop()


def settings_of(peer, **more):
    return {"smtp_url": f"smtp://127.0.0.1:{peer.port}", "smtp_tls": "off", "mail_from": "bot@parlour.example",
            "public_url": PUBLIC, "email_verification": "off", "server_name": "Tea house", **more}


@pytest.fixture(scope="module", name="daemon")
def fixture_daemon(request, workdir, peer):
    make, made = maker(request, workdir)
    yield make(**settings_of(peer, watchdog="120s"))
    finish(made, request.session.testsfailed > 0)


def process(daemon, kind):
    return next(iter(daemon.procs(kind).values()))


@pytest.fixture(autouse=True)
def empty(rows, peer):
    rows("DELETE FROM jobs")
    rows("UPDATE notification_digests SET due_at = NULL")
    peer.mails.clear()


def verified(daemon, rows, domain="example.net"):
    user = daemon.register()
    rows(f"UPDATE users SET email = '{user.name}@{domain}', email_verified_at = now() WHERE id = {user.id}")
    return user


@pytest.fixture(name="pair")
def fixture_pair(daemon, rows):
    """Ann, and bob with a verified address who chose mail for everything, in a room."""
    ann, bob = daemon.register(), verified(daemon, rows)
    room = ann.room()
    assert bob.post(f"/api/rooms/{room['id']}/join").status_code == 200
    assert bob.patch(SETTINGS, MAIL).status_code == 200
    return ann, bob, room


def unread(user):
    return user.get("/api/notifications").json()["unread"]


def notified(user, count):
    wait_for(lambda: unread(user) == count, 10, f"{count} notifications")


def due(rows, *users, age=True):
    """It is the hour of these users; their notifications are not of this moment."""
    ids = ", ".join(str(user.id) for user in users)
    if age:
        rows(f"UPDATE notifications SET created_at = created_at - interval '1 minute' WHERE user_id IN ({ids})")
    rows(f"UPDATE notification_digests SET due_at = clock_timestamp() - interval '1 second' WHERE user_id IN ({ids})")


def looked(rows, *users):
    """The clerk has looked at users whose mail was due."""
    for user in users:
        wait_for(lambda u=user: rows(f"SELECT due_at > clock_timestamp() FROM notification_digests WHERE user_id = {u.id}") == [(True,)], 15)


def arrived(peer, count=1):
    wait_for(lambda: len(peer.mails) >= count, 20, f"{count} mails")
    assert len(peer.mails) == count
    return peer.mails[-1]


def states(rows, user):
    return [state for (state,) in rows(f"SELECT state FROM jobs WHERE kind = 'digest' AND key LIKE 'user {user.id} %' ORDER BY created_at")]


# ---- choices ----

def test_choices_and_the_hour(daemon, rows):
    """PATCH changes what it names, PUT everything; the next mail is due at the hour of the user's clock, also after a move."""
    bob = verified(daemon, rows)
    everything = {**dict.fromkeys(KINDS, "live"), "digest_hour": 8, "digest_at": None}
    assert bob.get(SETTINGS).json() == everything == bob.patch(SETTINGS, {}).json()
    assert bob.patch(SETTINGS, {"digest_hour": 17, "reply": "off"}).json() == {**everything, "digest_hour": 17, "reply": "off"}
    chosen = bob.patch(SETTINGS, {"mention": "mail"}).json()
    assert (chosen["mention"], chosen["reply"], chosen["digest_hour"]) == ("mail", "off", 17)
    for zone in ("UTC", "Asia/Tokyo", "America/New_York"):
        assert bob.patch("/api/profile", {"timezone": zone}).status_code == 200
        at = datetime.datetime.fromisoformat(bob.get(SETTINGS).json()["digest_at"])
        now = datetime.datetime.now(datetime.timezone.utc)
        assert at.astimezone(ZoneInfo(zone)).strftime("%H:%M:%S") == "17:00:00", zone
        assert now < at <= now + datetime.timedelta(hours=25)
    assert bob.patch(SETTINGS, {"mention": "live"}).json()["digest_at"] is None
    assert bob.put(SETTINGS, {}).json() == everything


# ---- the mail ----

def test_what_it_says(daemon, rows, peer, pair):
    """Who, where, which kind, how often; unread only, of kinds with mail; no text of a message, and none in the database."""
    ann, bob, room = pair
    first = bob.say(room["id"], "a question").json()["seq"]
    for i in range(3):
        ann.say(room["id"], f"@{bob.name} s3cret-{i}")
    ann.say(room["id"], "s3cret-reply", reply_to=first)
    ask(ann, bob.name)
    notified(bob, 5)
    read = bob.get("/api/notifications").json()["items"][-1]
    assert (read["kind"], bob.post(f"/api/notifications/{read['id']}/read").status_code) == ("mention", 200)
    assert bob.patch(SETTINGS, {"reply": "live"}).status_code == 200
    due(rows, bob)
    mail = arrived(peer)
    assert mail.to == [f"{bob.name}@example.net"] and mail.subject == "Tea house: 3 unread notifications"
    body = mail.body.replace("\r\n", "\n")
    assert f"{bob.name}, you have 3 unread notifications at Tea house." in body
    assert f"- {ann.name} mentioned you: {room['name']} (2 times)\n" in body and f"- {ann.name} asks you a question\n" in body
    assert f"Read them here: {PUBLIC}/\n" in body and "replied" not in body and "s3cret" not in mail.raw.decode()
    job = wait_for(lambda: states(rows, bob) == ["done"] and rows("SELECT payload::text FROM jobs WHERE kind = 'digest'")[0][0], 10)
    assert ann.name not in job and bob.name not in job
    assert daemon.metric("parlour_jobs_total", kind="digest", outcome="done") >= 1


def test_once_a_day_and_each_notification_once(rows, peer, pair):
    ann, bob, room = pair
    ann.say(room["id"], f"@{bob.name} one")
    notified(bob, 1)
    due(rows, bob)
    arrived(peer)
    ann.say(room["id"], f"@{bob.name} two")
    notified(bob, 2)
    due(rows, bob)
    looked(rows, bob)
    assert states(rows, bob) in (["done"], ["running"]), "no second one on the same day"
    rows(f"UPDATE notification_digests SET queued_on = queued_on - 1 WHERE user_id = {bob.id}")
    due(rows, bob)
    assert arrived(peer, 2).subject == "Tea house: 1 unread notification", "the first one is not repeated"
    rows(f"UPDATE notification_digests SET queued_on = queued_on - 1 WHERE user_id = {bob.id}")
    due(rows, bob)
    looked(rows, bob)
    assert len(states(rows, bob)) == 2, "nothing new: no mail"


def test_who_gets_none(daemon, rows, peer, pair):
    """Not without a verified address, not when everything is read, not when disabled, and nothing of blocked users."""
    ann, bob, room = pair
    people = [verified(daemon, rows) for _ in range(4)]
    for user in people:
        user.post(f"/api/rooms/{room['id']}/join")
        user.patch(SETTINGS, {"mention": "mail"})
        ann.say(room["id"], f"@{user.name} hello")
        notified(user, 1)
    unverified, reader, disabled, blocker = people
    rows(f"UPDATE users SET email_verified_at = NULL WHERE id = {unverified.id}")
    reader.post("/api/notifications/read-all", {})
    rows(f"UPDATE users SET disabled = true WHERE id = {disabled.id}")
    blocker.put(f"/api/users/{ann.id}/block")
    ann.say(room["id"], f"@{bob.name} hello")
    notified(bob, 1)
    due(rows, *people, bob)
    looked(rows, *people, bob)
    assert arrived(peer).to == [f"{bob.name}@example.net"]
    assert rows("SELECT count(*) FROM jobs WHERE kind = 'digest'") == [(1,)]


def test_read_before_it_is_sent(daemon, rows, peer, pair):
    """What is read while the mail waits is left out; a mail that has nothing to say is dropped."""
    ann, bob, room = pair
    ann.say(room["id"], f"@{bob.name} hello")
    notified(bob, 1)
    due(rows, bob)
    with daemon.stopped(process(daemon, "courier")):
        looked(rows, bob)
        assert states(rows, bob) == ["waiting"]
        bob.post("/api/notifications/read-all", {})
    wait_for(lambda: states(rows, bob) == ["dropped"], 20)
    assert peer.mails == []


def test_a_deleted_account_gets_none(daemon, rows, peer, pair):
    ann, bob, room = pair
    ann.say(room["id"], f"@{bob.name} hello")
    notified(bob, 1)
    due(rows, bob)
    with daemon.stopped(process(daemon, "courier")):
        looked(rows, bob)
        assert bob.post("/api/profile/delete", {"password": "correct horse 9"}).status_code in (202, 204)
        assert states(rows, bob) == []
    wait_for(lambda: rows(f"SELECT count(*) FROM notification_digests WHERE user_id = {bob.id}") == [(0,)], 20)
    assert peer.mails == []


def test_processes_die(daemon, rows, peer, pair):
    """The clerk dies before, the courier in the middle: one mail, or the same one again with its Message-ID."""
    ann, bob, room = pair
    ann.say(room["id"], f"@{bob.name} hello")
    notified(bob, 1)
    hold = []
    peer.on_data = lambda mail: hold.append(mail) or daemon.kill_child(process(daemon, "courier"), signal.SIGKILL) if not hold else None
    try:
        due(rows, bob)
        daemon.kill_child(process(daemon, "clerk"), signal.SIGKILL)
        wait_for(lambda: states(rows, bob) == ["done"], 40)
    finally:
        peer.on_data = None
    assert len({mail.id for mail in hold + peer.mails}) == 1
    assert {mail.to[0] for mail in hold + peer.mails} == {f"{bob.name}@example.net"}


# ---- the end of it ----

def test_unsubscribe(daemon, rows, peer, pair):
    """GET changes nothing; POST, as RFC 8058 has it, ends the mails of this user and keeps the notifications."""
    ann, bob, room = pair
    ann.say(room["id"], f"@{bob.name} hello")
    notified(bob, 1)
    due(rows, bob)
    mail = arrived(peer)
    link = mail.message["List-Unsubscribe"].strip("<>")
    assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert re.fullmatch(re.escape(PUBLIC) + r"/unsubscribe/[A-Za-z0-9_-]{34}", link) and f"Stop these mails: {link}" in mail.body
    path = link.removeprefix(PUBLIC)
    assert path.rpartition("/")[2] not in daemon.log_text()
    page = daemon.get(path)
    assert page.status_code == 200 and "Unsubscribe" in page.text and bob.name not in page.text
    assert "<script" not in page.text and page.headers["Cache-Control"] == "no-store"
    assert bob.get(SETTINGS).json()["mention"] == "mail"
    assert bob.patch(SETTINGS, {"reply": "off"}).status_code == 200
    for how in ({"data": {"List-Unsubscribe": "One-Click"}}, {"files": {"List-Unsubscribe": (None, "One-Click")}}, {}):
        answer = daemon.http.post(path, **how)
        assert answer.status_code == 200 and "Unsubscribed" in answer.text, how
    chosen = bob.get(SETTINGS).json()
    assert (chosen["mention"], chosen["reply"], chosen["digest_at"]) == ("live", "off", None)
    assert unread(bob) == 1
    for bad in ("x", path[13:-1] + ("A" if path[-1] != "A" else "B") * 2, "-" * 34, "%00"):
        assert daemon.get(f"/unsubscribe/{bad}").status_code == 404
        assert daemon.http.post(f"/unsubscribe/{bad}").status_code == 404
    assert "Invalid link" in daemon.get("/unsubscribe/x", headers={"Accept": "text/html"}).text
    assert daemon.once("POST", path, headers={"Origin": "https://evil.example"}).status_code == 403


def test_without_a_public_url(daemon, parlour, peer, rows):
    """No links, no List-Unsubscribe. The other daemon's courier would send it, too, so it stands still."""
    bare = parlour(**settings_of(peer, public_url=""))
    ann, bob = bare.register(), verified(bare, rows)
    room = ann.room()["id"]
    bob.post(f"/api/rooms/{room}/join")
    bob.patch(SETTINGS, {"mention": "mail"})
    ann.say(room, f"@{bob.name} hello")
    notified(bob, 1)
    with daemon.stopped(process(daemon, "courier")):
        due(rows, bob)
        mail = arrived(peer)
        assert mail.message["List-Unsubscribe"] is None and "http" not in mail.body and "change the notification settings" in mail.body
