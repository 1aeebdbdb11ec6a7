# SPDX-License-Identifier: ISC
"""Signaling of calls on /ws/signaling/{room_id}: between members, to one peer or to all, across all workers."""

import pytest

import wire
from parlour import wait_for

SETTINGS = {"watchdog": "10min"}


@pytest.fixture
def room(ann, bob):
    made = ann.room()["id"]
    assert bob.post(f"/api/rooms/{made}/join").status_code == 200
    return made


def call(user, room, **how):
    return user.ws(f"/ws/signaling/{room}", native=False, **how)


def barrier(*socks):
    """Waits until all frames that these sockets sent are processed, and the replies are in their inboxes."""
    for sock in socks:
        sock.send("barrier")
        assert "type must be" in sock.expect("error", code="unknown_type")["message"]


def meet(a, b):
    """Both join, one after the other; returns their peer ids."""
    a.send("join")
    barrier(a)
    b.send("join")
    second = a.expect("join")["from"]
    a.send("offer", to=second, sdp="x")
    first = b.expect("offer")["from"]
    return first, second


def test_a_call(ann, bob, room):
    with call(ann, room) as a, call(bob, room) as b:
        a.send("join")
        barrier(a)
        b.send("join", media={"video": True})
        joined = a.expect("join")
        assert joined == {"type": "join", "media": {"video": True}, "from": joined["from"], "user_id": bob.id,
                          "username": bob.name}
        sdp = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n" + "a=candidate é✓\r\n" * 20
        a.send("offer", to=joined["from"], sdp=sdp)
        offer = b.expect("offer")
        assert offer["sdp"] == sdp and offer["to"] == joined["from"] and offer["user_id"] == ann.id
        b.send("answer", to=offer["from"], sdp="v=0")
        assert a.expect("answer")["from"] == joined["from"]
        for n in range(20):
            a.send("candidate", to=joined["from"], candidate={"candidate": f"c{n}", "sdpMLineIndex": 0})
        assert [b.expect("candidate")["candidate"]["candidate"] for n in range(20)] == [f"c{n}" for n in range(20)]
        b.send("leave")
        assert a.expect("leave")["from"] == joined["from"]
        a.send("offer", to=joined["from"], sdp="late")
        barrier(a, b)
        assert not a.inbox and not b.inbox


def test_to_one_peer_only(ann, bob, room):
    """Two sockets of one user are two peers."""
    with call(ann, room) as a, call(bob, room) as b, call(bob, room) as other:
        _, second = meet(a, b)
        other.send("join")
        third = a.expect("join")["from"]
        assert b.expect("join")["from"] == third and third != second
        a.send("offer", to=third, sdp="for the third")
        assert other.expect("offer")["sdp"] == "for the third"
        barrier(a, b, other)
        assert not b.inbox and not a.inbox


def test_disconnect_is_a_leave(ann, bob, room):
    with call(ann, room) as a:
        b = call(bob, room)
        _, second = meet(a, b)
        b.drop()
        assert a.expect("leave")["from"] == second


def test_who_did_not_join_hears_nothing(ann, bob, room):
    with call(ann, room) as a, call(bob, room) as b:
        barrier(b)
        a.send("join")
        barrier(a, b)
        assert not b.inbox
        b.send("leave")
        assert b.expect("error")["code"] == "validation_error"
        b.drop()
        barrier(a)
        assert not a.inbox


def test_senders_cannot_be_forged(ann, bob, room):
    with call(ann, room) as a, call(bob, room) as b:
        first, second = meet(a, b)
        b.send("offer", **{"to": first, "from": "0" * 16, "user_id": ann.id, "username": ann.name, "sdp": "x"})
        offer = a.expect("offer")
        assert (offer["from"], offer["user_id"], offer["username"]) == (second, bob.id, bob.name)


def test_other_rooms_are_out_of_reach(ann, bob, room):
    elsewhere = ann.room()["id"]
    with call(ann, room) as a, call(bob, room) as b, call(ann, elsewhere) as c:
        first, _ = meet(a, b)
        c.send("join")
        c.send("offer", to=first, sdp="x")
        barrier(c, a)
        assert not a.inbox


def test_to_all_others_without_joining(ann, bob, shared, room):
    """A socket that has not joined can send data without `to`, and gets replies alone; join and leave go only to those
    that joined."""
    other = shared.register()
    other.post(f"/api/rooms/{room}/join")
    with call(ann, room) as a, call(bob, room) as b, call(other, room) as c:
        barrier(a, b, c)
        # covers: signaling > ice_candidate
        # covers: signaling < ice_candidate
        for kind in ("offer", "answer", "candidate", "ice_candidate"):
            a.send(kind, data={"sdp": kind, "n": [1, None]})
            for sock in (b, c):
                frame = sock.expect(kind)
                assert frame == {"type": kind, "data": {"sdp": kind, "n": [1, None]}, "from": frame["from"], "user_id": ann.id,
                                 "username": ann.name}
        caller = frame["from"]
        c.send("join")
        c.send("answer", to=caller, data="for the caller")
        assert a.expect("answer")["data"] == "for the caller"
        barrier(a, b, c)
        assert not a.inbox and not b.inbox and not c.inbox
        a.drop()
        c.send("leave")
        barrier(b, c)
        assert not b.inbox and not c.inbox, "who did not join does not leave"
        b.send("offer", to=caller, data=1)
        assert b.expect("error")["message"] == "join must be the first frame"


@pytest.mark.parametrize("frame,code", [
    ({"type": "offer", "sdp": "x"}, "validation_error"),
    ({"type": "answer", "to": 5}, "validation_error"),
    ({"type": "candidate", "to": "short"}, "validation_error"),
    ({"type": "dance"}, "unknown_type"), ({"sdp": "x"}, "unknown_type"),
    ({"type": "join", "odd \"name": 1}, "bad_frame"),
    ({"type": "join", "x": "a" * 32768}, "too_large"),
])
def test_bad_frames(ann, bob, room, frame, code):
    with call(ann, room) as a, call(bob, room) as b:
        meet(a, b)
        a.send(**{("type_" if k == "type" else k): v for k, v in frame.items()})
        error = a.expect("error")
        assert set(error) == {"type", "message", "code"} and error["code"] == code
        a.send_text("[1]")
        assert a.expect("error")["code"] == "bad_frame"
        barrier(a, b)
        assert not b.inbox


def test_members_only(ann, bob):
    public, private = ann.room()["id"], ann.room(visibility="private")["id"]
    for number, code in ((public, 4403), (private, 4404), (999999999, 4404)):
        with call(bob, number) as sock:
            assert sock.wait_closed() == code
    # and the request has not made anybody a member
    assert bob.get(f"/api/rooms/{public}").json()["level"] is None
    with pytest.raises(wire.Refused) as refused:
        call(bob, "name")
    assert refused.value.status == 404


def test_who_is_removed_is_out(ann, bob, room):
    with call(ann, room) as a:
        b = call(bob, room)
        _, second = meet(a, b)
        assert ann.delete(f"/api/rooms/{room}/members/{bob.id}").status_code == 204
        assert b.wait_closed() == 4404
        assert a.expect("leave")["from"] == second


def test_token_in_the_first_frame(shared, ann, room):
    with shared.ws(f"/ws/signaling/{room}", protocols=()) as sock:
        sock.send("join")
        assert sock.expect("error")["code"] == "unauthorized"
        sock.send("auth", token=ann.access)
        sock.send("join")
        barrier(sock)
        assert not sock.inbox
    with shared.ws(f"/ws/signaling/{room}", protocols=()) as sock:
        sock.send("auth", token="bad")
        assert sock.wait_closed() == 4401


def test_frames_count_against_a_limit(parlour):
    daemon = parlour(rate_read="1/min burst 100", workers=1)
    ann, bob = daemon.register(), daemon.register()
    room = ann.room()["id"]
    bob.post(f"/api/rooms/{room}/join")
    with call(ann, room) as a, call(bob, room) as b:
        first, _ = meet(a, b)
        for _ in range(300):
            b.send("candidate", to=first)
        assert b.expect("error")["code"] == "rate_limited"


def test_over_workers_and_when_one_dies(parlour):
    daemon = parlour(workers=2, **SETTINGS)
    ann, bob = daemon.register(), daemon.register()
    room = ann.room()["id"]
    bob.post(f"/api/rooms/{room}/join")
    slots = daemon.workers(2)
    with daemon.only_worker(list(slots)[0]):
        a = call(ann, room)
        barrier(a)
    with daemon.only_worker(list(slots)[1]):
        b = call(bob, room)
        barrier(b)
    first, second = meet(a, b)
    b.send("answer", to=first, sdp="y" * 30000)
    assert a.expect("answer")["sdp"] == "y" * 30000
    b.send("leave")
    assert a.expect("leave")["from"] == second
    b.send("join")
    assert a.expect("join")["from"] == second
    daemon.kill_child(list(slots.values())[1])
    assert a.expect("leave")["from"] == second
    wait_for(lambda: len(daemon.workers(2)) == 2, 10)
    a.drop()
