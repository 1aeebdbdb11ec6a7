# SPDX-License-Identifier: ISC
"""Answers run as jobs: they stream to viewers on all workers, can be stopped, and continue without their asker."""

import time

import pytest

from asking import (HALF, STALL, WHOLE, answer, as_read, first_text, listen, listen_on, message_of, modules_daemon, room_of, say,
                    text_of)
from parlour import SLOW, wait_for


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


def generation(user, ident):
    return user.get(f"/api/generations/{ident}").json()


# ---- streaming ----

def test_viewers_on_both_workers(daemon, ann, bob, peer):
    """All viewers receive the same text in order; the final message has all members that a client needs."""
    room = room_of(ann)
    viewers = [listen_on(daemon, slot, user, room) for slot in (0, 1) for user in (ann, bob)]
    seq = say(viewers[0], room, "[[ok,tokens=19,pace=15]]")
    role = ann.get(f"/api/rooms/{room}").json()["roles"][0]
    for sock in viewers:
        end = answer(sock)
        assert end.text == WHOLE and end.state == "done"
        assert end.states[:2] == ["queued", "started"] and set(end.states[2:-1]) == {"delta"} and len(end.states) > 4
        assert end.last["offset"] == len(WHOLE.encode())
        for frame in end.frames:
            assert (frame["topic"], frame["role_id"], frame["reply_to"]) == (f"room:{room}", role["id"], seq)
        message = message_of(sock, end.id)
        assert message["content"] == WHOLE and message["reply_to"] == seq and message["model"] == "peer-1"
        assert message["author"] == {"kind": "role", "id": role["id"], "name": role["name"]}
        assert message["seq"] == seq + 1 == end.last["answer_seq"]
        usage = message["usage"]
        assert usage["completion_tokens"] == 19 and usage["prompt_tokens"] > 0 and usage["stop"] == "stop"
        assert usage["total_tokens"] == usage["prompt_tokens"] + 19
        sock.drop()
    stored = ann.get(f"/api/rooms/{room}/messages").json()[-1]
    assert stored == as_read(message), "history and the live frame are the same"


def test_text_comes_before_the_message(daemon, ann, bob):
    """No client receives a delta of an answer after its message."""
    room = room_of(ann)
    viewers = [listen_on(daemon, slot, user, room) for slot, user in ((0, ann), (1, bob))]
    for _ in range(5):
        say(viewers[0], room, "[[ok,tokens=12,pace=1]]")
        for sock in viewers:
            kinds = []
            while not kinds or kinds[-1] != "done":
                frame = sock.recv()
                if frame["type"] == "generation":
                    kinds.append(frame["state"])
                elif frame["type"] == "message" and "generation_id" in frame["message"]:
                    kinds.append("message")
            assert kinds[-2:] == ["message", "done"], kinds
    for sock in viewers:
        sock.drop()


def test_late_viewer(daemon, ann, bob, peer):
    """A viewer that subscribes in the middle first receives the text so far in one delta, on either worker, with or
    without other viewers."""
    room = room_of(ann)
    with listen_on(daemon, 0, ann, room) as asker:
        say(asker, room, "[[ok,tokens=60,pace=1,gate=1]]")
        frames = text_of(asker, 30)
        late = [listen_on(daemon, slot, user, room) for slot in (1, 0) for user in (bob, ann)]
        peer.open()
        whole = answer(asker, frames)
        for sock in late:
            end = answer(sock)
            first = end.frames[0]
            assert first["state"] == "delta" and first["offset"] == 0 and len(first["delta"].encode()) >= 30
            assert first["generation_id"] == whole.id and first["reply_to"] == whole.frames[0]["reply_to"]
            assert end.text == whole.text and end.state == "done"
            sock.drop()


def test_viewer_before_the_first_text(ann, bob):
    room = room_of(ann)
    with listen(ann, room) as asker:
        say(asker, room, "[[stall-body]]")
        asker.expect("generation", state="started")
        with listen(bob, room) as late:
            frame = late.expect("generation")
            assert frame["state"] == "started" and frame["offset"] == 0
            ann.post(f"/api/generations/{frame['generation_id']}/cancel")
            end = answer(late, [frame])
            assert end.state == "cancelled" and end.text == ""


def test_compatible_socket_gets_whole_messages(ann, bob):
    room = room_of(ann)
    with bob.ws(f"/ws/chat/{room}", native=False) as sock:
        sock.send_text('{"message":"[[ok,tokens=3,pace=5]]"}')
        frames = [sock.recv() for _ in range(2)]
        assert [f["type"] for f in frames] == ["message", "message"]
        assert frames[1]["is_ai"] is True and frames[1]["content"] == "Parlour keeps every" and frames[1]["user_id"] is None
        assert frames[1]["role_id"] and frames[1]["username"]


def test_generation_while_running_and_after(ann, bob, daemon):
    room = room_of(ann, visibility="private")
    with listen(ann, room) as sock:
        seq = say(sock, room, STALL)
        frames = text_of(sock, len(HALF))
        ident = frames[0]["generation_id"]
        for slot in (0, 1):
            with daemon.only_worker(slot):
                running = daemon.once("GET", f"/api/generations/{ident}", headers=ann.auth).json()
            assert running["state"] == "running" and running["text"] == HALF and running["room_id"] == room
            assert running["reply_to"] == seq and running["answer_seq"] is None and running["ended_at"] is None
        assert bob.get(f"/api/generations/{ident}").status_code == 404
        assert bob.get(f"/api/generations/{ident}").json()["code"] == "not_found"
        ann.post(f"/api/generations/{ident}/cancel")
        end = answer(sock, frames)
    over = wait_for(lambda: (g := generation(ann, ident))["ended_at"] and g)
    assert over["state"] == "cancelled" and over["answer_seq"] == end.last["answer_seq"] and over["error"] is None
    assert ann.get("/api/generations/00000000-0000-4000-8000-000000000000").status_code == 404
    assert ann.get("/api/generations/nonsense").status_code in (404, 422)


# ---- stopping ----

@pytest.mark.parametrize("way", ["socket", "rest"])
def test_stop_by_the_asker(daemon, ann, bob, peer, way):
    """A stop on another worker than the answer's closes the upstream within a second, and the text so far is stored."""
    room = room_of(ann)
    with listen_on(daemon, 0, ann, room) as sock, listen_on(daemon, 1, bob, room) as viewer, \
            listen_on(daemon, 1, ann, room) as stopper:
        say(sock, room, STALL)
        frames = text_of(sock, len(HALF))
        ident = frames[0]["generation_id"]
        aborted = peer.stats()["aborted"]
        began = time.monotonic()
        if way == "socket":
            stopper.send("stop", generation_id=ident)
        else:
            stopped = ann.post(f"/api/generations/{ident}/cancel")
            assert stopped.status_code == 200 and stopped.json()["id"] == ident
        peer.wait(aborted=aborted + 1)
        assert time.monotonic() - began < 1.0 * SLOW
        for end, at in ((answer(sock, frames), sock), (answer(viewer), viewer)):
            assert end.state == "cancelled" and end.text == HALF
            message = message_of(at, ident)
            assert message["content"] == HALF and message["usage"]["stop"] == "cancelled" and message["model"] == "peer-1"
    wait_for(lambda: generation(ann, ident)["state"] == "cancelled")
    again = ann.post(f"/api/generations/{ident}/cancel")
    assert again.status_code == 200 and again.json()["state"] == "cancelled"
    assert len(ann.get(f"/api/rooms/{room}/messages").json()) == 2


def test_who_may_stop(daemon, ann, bob, peer):
    """The answer is hidden from strangers; members see it but cannot stop it; its asker, moderators, and the owner
    can."""
    guest, member, mod = bob, daemon.register(), daemon.register()
    room = room_of(ann, visibility="private")
    ann.post(f"/api/rooms/{room}/members", {"user_id": member.id})
    ann.post(f"/api/rooms/{room}/members", {"user_id": mod.id, "level": "moderator"})
    for asker, stopper in ((member, mod), (member, ann), (mod, mod), (member, member)):
        with listen(asker, room) as sock:
            say(sock, room, STALL)
            frames = text_of(sock, len(HALF))
            ident = frames[0]["generation_id"]
            assert guest.post(f"/api/generations/{ident}/cancel").status_code == 404
            with guest.ws() as strange:
                strange.send("stop", generation_id=ident, id="s")
                assert strange.expect("error", id="s")["code"] == "not_found"
            if asker is mod:
                assert member.post(f"/api/generations/{ident}/cancel").status_code == 403
                with listen(member, room) as watching:
                    watching.send("stop", generation_id=ident, id="m")
                    assert watching.expect("error", id="m")["code"] == "forbidden"
            assert generation(asker, ident)["state"] == "running"
            assert stopper.post(f"/api/generations/{ident}/cancel").status_code == 200
            assert answer(sock, frames).state == "cancelled"


def test_stop_names_a_generation(ann):
    with ann.ws() as sock:
        for ident in (None, 5, "", "x", "00000000"):
            sock.send("stop", generation_id=ident, id="i")
            assert sock.expect("error", id="i")["code"] == "validation_error"
        sock.send("stop", generation_id="00000000-0000-4000-8000-000000000000", id="u")
        assert sock.expect("error", id="u")["code"] == "not_found"


def test_stop_before_the_first_text(ann, peer):
    """An answer that is stopped before its first text is not stored as a message."""
    room = room_of(ann)
    with listen(ann, room) as sock:
        say(sock, room, "[[stall-headers]]")
        frame = sock.expect("generation", state="started")
        peer.wait(requests=1)
        sock.send("stop", generation_id=frame["generation_id"])
        end = answer(sock, [frame])
        assert end.state == "cancelled" and "answer_seq" not in end.last
        peer.wait(aborted=1)
    assert len(ann.get(f"/api/rooms/{room}/messages").json()) == 1


def test_stop_while_it_waits_to_try_again(ann, peer):
    room = room_of(ann)
    with listen(ann, room) as sock:
        say(sock, room, "[[500,after=15]]")
        frame = sock.expect("generation", state="started")
        peer.wait(requests=1)
        sock.send("stop", generation_id=frame["generation_id"])
        assert answer(sock, [frame]).state == "cancelled"
    assert peer.stats()["requests"] == 1


# ---- going away ----

def test_asker_disconnects(ann, bob, peer):
    """The answer continues without the connection that asked for it."""
    room = room_of(ann)
    with listen(bob, room) as viewer:
        asker = listen(ann, room)
        say(asker, room, "[[ok,tokens=19,pace=1,gate=1]]")
        first_text(asker)
        asker.drop()
        peer.open()
        end = answer(viewer)
        assert end.state == "done" and end.text == WHOLE
    assert ann.get(f"/api/rooms/{room}/messages").json()[-1]["content"] == WHOLE


def test_nobody_listens(ann):
    room = room_of(ann)
    seq = ann.say(room, "[[ok,tokens=19,pace=2]]").json()["seq"]
    stored = wait_for(lambda: (m := ann.get(f"/api/rooms/{room}/messages").json()[-1])["seq"] > seq and m)
    assert stored["content"] == WHOLE and stored["reply_to"] == seq


def test_asker_logs_out(daemon, ann, peer):
    user = daemon.register()
    room = room_of(ann)
    with listen(ann, room) as viewer, listen(user, room) as asker:
        say(asker, room, "[[ok,tokens=19,pace=1,gate=1]]")
        first_text(asker)
        user.post("/api/auth/logout")
        peer.open()
        assert answer(viewer).text == WHOLE


def test_role_taken_out_in_the_middle(ann, peer):
    """The answer of a role that is removed from the room ends and is stored."""
    room = room_of(ann)
    role = ann.get(f"/api/rooms/{room}").json()["roles"][0]["id"]
    with listen(ann, room) as sock:
        say(sock, room, "[[ok,tokens=19,pace=1,gate=1]]")
        frames = first_text(sock)
        assert ann.delete(f"/api/rooms/{room}/roles/{role}").status_code == 204
        peer.open()
        end = answer(sock, frames)
        assert end.state == "done" and message_of(sock, end.id)["content"] == WHOLE
