# SPDX-License-Identifier: ISC
"""What a socket may do before it is let in, and how often it may do the rest."""


def topic(room):
    return f"room:{room}"


def subscribe(sock, room, **fields):
    sock.send("subscribe", topic=topic(room), **fields)
    return sock.expect("subscribed", topic=topic(room))


def test_a_wish_to_listen_is_no_subscription(ann, bob):
    """typing and read right behind a subscribe that will be refused reach nobody."""
    room = ann.room(visibility="private")["id"]
    with ann.ws() as member, bob.ws() as stranger:
        subscribe(member, room)
        for _ in range(5):
            stranger.send("subscribe", topic=topic(room), id="s")
            stranger.send("typing", topic=topic(room), id="t")
            stranger.send("read", topic=topic(room), seq=1, id="r")
            for mark in ("s", "t", "r"):
                assert stranger.expect("error", id=mark)["code"] == ("not_found" if mark == "s" else "validation_error")
        ann.say(room, "the end")
        member.expect("message")
        assert not [f for f in member.inbox if f["type"] in ("typing", "read")]
