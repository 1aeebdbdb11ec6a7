# SPDX-License-Identifier: ISC
"""Compares what the clients of the ledger recorded with the content of the database, after the run."""

import math

from ledger_clients import Greedy, Sender, Visitor
from ledger_readers import Compat, Member, Poller, Returner


def check(ledger):
    """Records each difference as a violation."""
    stored = {}
    for room, seq, client_id, text, author in ledger.rows(
            "SELECT room_id, seq, client_id, md5(content), author_id FROM messages WHERE author_kind = 'user' "
            "ORDER BY room_id, seq"):
        stored.setdefault((room, client_id), []).append((seq, text, author))
    senders = [c for c in ledger.clients if isinstance(c, Sender)]
    for sender in senders:
        check_sender(sender, stored)
    mine = {(s.room, key) for s in senders for key in s.sent} | set(ledger.last_words)
    for room, key in stored:
        if (room, key) not in mine:
            ledger.book.violation(2, f"room {room}", f"{key} is stored but was never sent")
    logs = {room: check_room(ledger, room) for room in ledger.rooms}
    for client in ledger.clients:
        if isinstance(client, (Member, Poller)):
            end = ledger.ends.get(client.room, math.inf)
            check_reader(client, {seq: text for seq, text in logs[client.room].items() if seq <= end})
        elif isinstance(client, Visitor):
            check_visitor(ledger, client)
    for compat, visit in ledger.watch.visits:
        check_visit(compat, visit, logs[compat.room])
    check_answers(ledger)


def check_sender(sender, stored):
    last = 0
    for key, text in sender.sent.items():
        found = stored.get((sender.room, key), [])
        if key in sender.acked and [f[0] for f in found] != [sender.acked[key]]:
            sender.wrong(1, f"{key} was acked as {sender.acked[key]} and is stored as {[f[0] for f in found]}")
        if len(found) > 1:
            sender.wrong(2, f"{key} is stored {len(found)} times")
        for seq, what, author in found:
            if what != text or author != sender.user.id:
                sender.wrong(1, f"{key} is stored with another content or author")
            if seq <= last:
                sender.wrong(4, f"{key}: seq {seq} after {last}")
            if key not in sender.refused:
                last = max(last, seq)
    if sender.flight:
        sender.wrong(10, f"{list(sender.flight)} never got an acknowledgement")


def check_room(ledger, room):
    """Returns the log of the room as {seq: digest, or None for a change}."""
    log = ledger.rows(f"SELECT seq, created_at, md5(content) FROM messages WHERE room_id = {room} UNION ALL "
                      f"SELECT seq, created_at, NULL FROM room_changes WHERE room_id = {room} ORDER BY 1")
    who = f"room {room}"
    if [r[0] for r in log] != list(range(1, len(log) + 1)):
        ledger.book.violation(3, who, "seq is not dense")
    if any(a[1] > b[1] for a, b in zip(log, log[1:])):
        ledger.book.violation(3, who, "created_at falls")
    if ledger.rows(f"SELECT last_seq FROM rooms WHERE id = {room}")[0][0] != len(log):
        ledger.book.violation(3, who, "last_seq is not the number of entries")
    return {seq: text for seq, _, text in log}


def check_reader(reader, log):
    """Compares one reader with the log. A history read over HTTP has no changes; a reader that returned with old
    positions has gaps between them."""
    whole = isinstance(reader, Member) and not reader.paged
    due = [s for s, text in log.items() if s > (reader.joined or 0) and (whole or text is not None)]
    missing = [s for s in due if s not in reader.got]
    if missing and not isinstance(reader, Returner):
        reader.wrong(5, f"joined at {reader.joined}, never got {missing[:5]} ({len(missing)} of {len(due)})")
    for seq, text in reader.got.items():
        if seq not in log:
            reader.wrong(2, f"got seq {seq}, which is not stored")
        elif log[seq] != text:
            reader.wrong(5, f"seq {seq} came with another content")


def check_visit(compat, visit, log):
    """Checks that one connection received everything between its first and its last message."""
    due = [s for s, text in log.items() if visit and visit[0] <= s <= visit[-1] and text is not None]
    missing = sorted(set(due) - set(visit))
    if missing:
        compat.wrong(5, f"one compatible socket got {visit[0]} and {visit[-1]}, but not {missing[:5]} ({len(missing)})")
    if any(log.get(s) != compat.got[s] for s in visit):
        compat.wrong(5, "a message came with another content")


def check_answers(ledger):
    """Checks the messages of roles against their generations and their questions."""
    rooms = ", ".join(map(str, ledger.rooms))
    for room, seq, role, reply_to, stop, asked, state, answer_seq, same in ledger.rows(
            "SELECT m.room_id, m.seq, m.author_id, m.reply_to, m.meta->'usage'->>'stop', q.author_kind, g.state, g.answer_seq, "
            "g.room_id = m.room_id AND g.role_id = m.author_id AND g.reply_to_seq = m.reply_to "
            "FROM messages m LEFT JOIN messages q ON q.room_id = m.room_id AND q.seq = m.reply_to AND q.seq < m.seq "
            "LEFT JOIN generations g ON g.id = m.generation_id "
            f"WHERE m.author_kind = 'role' AND m.room_id IN ({rooms}) ORDER BY 1, 2"):
        who = f"room {room}, seq {seq} of role {role}"
        if asked != "user":
            ledger.book.violation(7, who, f"answers {reply_to}, which is {asked or 'not there'}")
        if answer_seq != seq or not same:
            ledger.book.violation(7, who, f"its generation has answer_seq {answer_seq}, or another room, role or question")
        if (state == "interrupted") != (stop == "interrupted"):
            ledger.book.violation(7, who, f"its generation is {state}, the message says {stop}")
    for room, role, reply_to, count in ledger.rows(
            "SELECT room_id, author_id, reply_to, count(*) FROM messages WHERE author_kind = 'role' "
            f"AND room_id IN ({rooms}) GROUP BY 1, 2, 3 HAVING count(*) > 1"):
        ledger.book.violation(7, f"room {room}", f"{count} answers of role {role} to {reply_to}")
    for ident, state in ledger.rows(f"SELECT id, state FROM generations WHERE room_id IN ({rooms}) AND ended_at IS NULL"):
        ledger.book.violation(7, f"generation {ident}", f"is still {state}")


def check_visitor(ledger, visitor):
    for session, said in visitor.said.items():
        lines = ledger.rows("SELECT seq, author, md5(content), reply_to FROM session_messages "
                            f"WHERE session_id = '{session}' ORDER BY seq")
        asked = [line[2] for line in lines if line[1] == "user"]
        if [line[0] for line in lines] != list(range(1, len(lines) + 1)):
            visitor.wrong(13, f"session {session}: seq is not dense")
        if [a for a in asked if a in said] != said:
            visitor.wrong(13, f"session {session}: {len(said)} messages were answered, and they are not stored in order, once")
        if [a for a in asked if a not in said and (session, a) not in visitor.unknown]:
            visitor.wrong(13, f"session {session}: a message is stored that was never sent")
        replies = [line[3] for line in lines if line[1] == "assistant" and line[3] is not None]
        if len(set(replies)) != len(replies):
            visitor.wrong(13, f"session {session}: a message has two answers")


def totals(ledger):
    """Returns figures of the run for its last line."""
    senders = [c for c in ledger.clients if isinstance(c, Sender)]
    members = [c for c in ledger.clients if isinstance(c, Member)]
    answers = ledger.rows("SELECT state, count(*) FROM generations GROUP BY 1 ORDER BY 1")
    return {
        "seed": ledger.seed, "sent": sum(len(s.sent) for s in senders), "acked": sum(len(s.acked) for s in senders),
        "mib": round(sum(s.bytes for s in senders) / 2 ** 20, 1), "repeated": sum(s.retries for s in senders),
        "received": sum(len(m.got) for m in members), "returns": sum(m.returned for m in members),
        "largest_return_mib": round(max(m.largest for m in members) / 2 ** 20, 2),
        "reconnects": sum(c.reconnects for c in ledger.clients), "paged": sum(m.paged for m in members),
        "compatible": sum(len(v) for _, v in ledger.watch.visits),
        "polled": sum(len(c.got) for c in ledger.clients if isinstance(c, Poller)),
        "over_rate": sum(c.refusals for c in senders if isinstance(c, Greedy)), "answers": dict(answers),
        "logins": sum(c.logins for c in ledger.clients if isinstance(c, Visitor)),
        "asked": sum(len(s) for c in ledger.clients if isinstance(c, Visitor) for s in c.said.values()),
        "faults": ledger.faults.count()}
