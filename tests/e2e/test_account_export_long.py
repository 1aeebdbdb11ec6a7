# SPDX-License-Identifier: ISC
"""Exports of accounts that take a while: made once, whatever dies meanwhile, and sent in parts."""

import contextlib
import json
import os
import signal

import httpx
import pytest

from conftest import finish, maker
from parlour import SLOW, porters, wait_for
from test_account_export import PATH, document, export, slowly, writer


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


@pytest.fixture(name="reader", scope="module")
def fixture_reader(request, workdir, rows):
    """(daemon with one worker, user whose export has 12 MB)"""
    make, made = maker(request, workdir)
    daemon = make(workers=1, rate_login="10000/min", write_timeout="2s")
    user = writer(daemon, rows, 800, 15000)
    export(user)
    yield daemon, user
    finish(made, request.session.testsfailed > 0)


@contextlib.contextmanager
def reading(daemon, user):
    with httpx.Client(base_url=daemon.url, timeout=20 * SLOW) as client, client.stream("GET", PATH, headers=user.auth) as answer:
        assert answer.status_code == 200 and answer.headers["transfer-encoding"] == "chunked"
        yield answer.iter_raw(65536)


def test_long_for_a_slow_client(reader):
    """A worker sends a document in parts: it neither keeps it in memory nor does it stop for others."""
    daemon, user = reader
    pid = next(iter(daemon.workers().values()))
    before, most, text = resident(pid), 0, bytearray()
    with reading(daemon, user) as pieces:
        for number, piece in enumerate(pieces):
            text += piece
            if number % 20 == 5:
                most = max(most, resident(pid))
                assert daemon.get("/livez").status_code == 200
    data = json.loads(text)
    assert len(text) > 12_000_000 and len(data["messages"]) == 800
    assert most - before < 4000, f"{before} kB before, {most} kB meanwhile"


def test_a_worker_dies_while_it_sends(reader):
    """The client notices that the document is incomplete, and gets it from the next worker."""
    daemon, user = reader
    pids = daemon.workers()
    with pytest.raises(httpx.HTTPError), reading(daemon, user) as pieces:
        next(pieces)
        daemon.kill_child(next(iter(pids.values())))
        for _ in pieces:
            pass
    wait_for(lambda: daemon.procs("worker") not in ({}, pids) and daemon.is_ready(), 10 * SLOW, "another worker")
    daemon.open_http()
    assert len(document(user).json()["messages"]) == 800


def test_removed_while_it_is_sent(reader, rows):
    """A document that goes away is cut, not ended."""
    daemon, user = reader
    with pytest.raises(httpx.HTTPError), reading(daemon, user) as pieces:
        next(pieces)
        rows(f"DELETE FROM account_exports WHERE user_id = {user.id}")
        for _ in pieces:
            pass


def killed(daemon, rows, pg, who):
    if who == "porter":
        for pid in porters(daemon):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    elif who == "courier":
        pids = list(daemon.procs("courier").values())
        daemon.kill_child(pids[0])
        wait_for(lambda: list(daemon.procs("courier").values()) not in ([], pids), 10 * SLOW, "another courier")
    elif who == "everything":
        daemon.kill_all()
        daemon.start()
        daemon.open_http()
    else:
        pg.stop("immediate")
        pg.start()
        wait_for(daemon.is_ready, 20 * SLOW, "the server is ready again")


def hurried(rows, done):
    """Without the pause after an attempt that failed."""
    if done():
        return True
    rows("UPDATE jobs SET due_at = clock_timestamp(), tries = 0 WHERE kind = 'account_export' AND state = 'waiting'")
    rows("SELECT pg_notify('parlour_jobs', '')")
    return False


def test_killed_in_the_middle(reader, rows, pg):
    """kill -9 of everything that makes it: the export goes on where it was, and is one document."""
    daemon, _ = reader
    daemon.expect_error("$.")
    user = writer(daemon, rows, 400, 16000)
    rows("CHECKPOINT")                             # so that PostgreSQL recovers soon

    def parts():
        return rows(f"SELECT parts FROM account_exports WHERE user_id = {user.id}")[0][0]
    with slowly(rows, 0.1):
        assert user.post(PATH).status_code == 202
        for most, who in ((8, "porter"), (20, "courier"), (32, "everything"), (50, "PostgreSQL")):
            wait_for(lambda most=most: hurried(rows, lambda: parts() >= most), 30 * SLOW, f"part {most}")
            assert rows(f"SELECT finished_at FROM account_exports WHERE user_id = {user.id}") == [(None,)], "not complete yet"
            killed(daemon, rows, pg, who)
        wait_for(lambda: hurried(rows, lambda: user.get(PATH).status_code == 200), 60 * SLOW, "the export is complete")
    data = user.get(PATH).json()
    seqs = [(m["room_id"], m["seq"]) for m in data["messages"]]
    assert len(seqs) == 400 and seqs == sorted(set(seqs)), "each message once"
    assert rows(f"SELECT count(*), sum(bytes) FROM account_exports WHERE user_id = {user.id}") == \
        rows(f"SELECT 1, sum(octet_length(p.body)) FROM account_export_parts p JOIN account_exports e ON e.id = p.export_id WHERE e.user_id = {user.id}")
