# SPDX-License-Identifier: ISC
"""Pages of messages are limited to 1 MiB of texts, and all pages together contain every message."""

import pytest

from test_rooms import link_next

MIB = 1 << 20
# sizes of texts, oldest first, and the number of messages in the pages: from the newest backwards, and from the oldest
SIZES = [
    ("quarters", [MIB // 4] * 9, [4, 4, 1], [4, 4, 1]),
    ("each is too much", [2 * MIB] * 3, [1, 1, 1], [1, 1, 1]),
    ("exactly full", [MIB // 2] * 2, [2], [2]),
    ("one byte too much", [MIB // 2, MIB // 2 + 1], [1, 1], [1, 1]),
    ("a small one between", [MIB, 1, MIB], [1, 1, 1], [1, 1, 1]),
    ("empty ones cost nothing", [0, MIB, 0, 0], [4], [4]),
    ("empty ones between", [0, MIB, 0, MIB, 0], [3, 2], [3, 2]),
    ("the longest first", [4 * MIB] + [100] * 60, [60, 1], [1, 60]),
    ("the longest last", [100] * 60 + [4 * MIB], [1, 60], [60, 1]),
]


def room_of(user, rows, sizes):
    """Creates a room with texts of these sizes: (address of its messages, their seqs)."""
    room = user.room()["id"]
    seqs = [user.say(room, "x").json()["seq"] for _ in sizes]
    for size in set(sizes):
        those = ", ".join(str(seq) for seq, own in zip(seqs, sizes) if own == size)
        rows(f"UPDATE messages SET content = repeat('ü', {size // 2}) || repeat('x', {size % 2}) "
             f"WHERE room_id = {room} AND seq IN ({those})")
    return f"/api/rooms/{room}/messages", seqs


def session_of(user, rows, sizes):
    """Creates a session with texts of these sizes; half of each text is reasoning of the model."""
    session = user.post("/api/sessions", {"kind": "chat"}).json()["id"]
    for seq, size in enumerate(sizes, 1):
        rows("INSERT INTO session_messages (session_id, seq, author, content, reasoning) VALUES "
             f"('{session}', {seq}, 'assistant', repeat('x', {size - size // 2}), repeat('y', {size // 2}))")
    rows(f"UPDATE sessions SET last_seq = {len(sizes)} WHERE id = '{session}'")
    return f"/api/sessions/{session}/messages", list(range(1, len(sizes) + 1))


def walk(user, path):
    """Follows the pages from here: lists of seqs."""
    pages = []
    while path:
        reply = user.get(path)
        assert reply.status_code == 200, reply.text
        pages.append([m["seq"] for m in reply.json()])
        path = link_next(reply)
    return pages


def cut(seqs, counts):
    """Splits the seqs into pages of these lengths."""
    pages, at = [], 0
    for count in counts:
        pages.append(seqs[at:at + count])
        at += count
    return pages


@pytest.mark.parametrize("place", [room_of, session_of], ids=["room", "session"])
@pytest.mark.parametrize("sizes, back, forth", [row[1:] for row in SIZES], ids=[row[0] for row in SIZES])
def test_pages_are_bounded_in_bytes(shared, rows, place, sizes, back, forth):
    ann = shared.register()
    path, seqs = place(ann, rows, sizes)
    assert walk(ann, path + "?limit=200") == [page[::-1] for page in cut(seqs[::-1], back)], "from the newest"
    assert walk(ann, path + "?limit=200&after=0") == cut(seqs, forth), "from the oldest"


def test_a_short_page_does_not_shorten_the_next_ones(shared, rows):
    ann = shared.register()
    path, seqs = room_of(ann, rows, [10] * 40 + [2 * MIB])
    assert [len(page) for page in walk(ann, path + "?limit=20")] == [1, 20, 20]
    assert sorted(sum(walk(ann, path + "?limit=20"), [])) == seqs


def test_offset_reaches_every_message(shared, rows):
    """A client that adds the number of received messages to its offset reaches every message, like the client in
    document 004 with full pages."""
    ann = shared.register()
    path, seqs = room_of(ann, rows, [MIB // 4] * 9)
    seen = []
    while True:
        page = [m["seq"] for m in ann.get(f"{path}?limit=50&offset={len(seen)}").json()]
        if not page:
            break
        seen = page + seen
    assert seen == seqs


def test_conversation_history_is_bounded(shared, rows):
    ann = shared.register()
    path, _ = session_of(ann, rows, [MIB // 4] * 9)
    turns = ann.get(path.removesuffix("/messages")).json()["conversation_history"]
    assert len(turns) == 4, "the newest ones"
