# SPDX-License-Identifier: ISC
"""Jobs in SQL, without a daemon: the migration from outbox, concurrent claims, lanes, leases, pauses, and ends."""

import glob
import os
import threading
import uuid

import psycopg
import pytest

import cluster
from parlour import wait_for

SQL = os.path.join(os.path.dirname(__file__), "../../sql")
DAY_US = 86400 * 1000000


@pytest.fixture(name="sql")
def fixture_sql(pg_dsn):
    """sql(text, *params) returns all rows; each call is a transaction."""
    with psycopg.connect(pg_dsn, autocommit=True) as conn:
        conn.execute("DELETE FROM jobs")
        yield lambda text, *params: conn.execute(text, params or None).fetchall()


def add(sql, kind="mail", lane="example.net", key=None):
    return sql("SELECT job_add(%s, %s, %s, '{}')::text", kind, key or str(uuid.uuid4()), lane)[0][0]


def claim(sql, owner="h/1/0/1", kinds=("mail", "slack"), lane_max=(9, 9), lanes=(), limit=10):
    rows = sql("SELECT id FROM jobs_claim(%s, %s::text[], %s::bigint[], %s::text[], %s, 60000000)", owner, list(kinds), list(lane_max),
               list(lanes), limit)
    return [row[0] for row in rows]


def state(sql, job):
    return sql("SELECT state, tries, owner, round(extract(epoch FROM due_at - now())), last_error FROM jobs WHERE id = %s", job)[0]


def end(sql, job, result, owner="h/1/0/1", error=None, delay=None):
    assert sql("SELECT job_end(%s, %s, %s, %s, %s)", job, owner, result, error, delay) == [("ok",)]


def test_the_move_from_outbox(pg):
    """The migration loses and repeats nothing: ids (Message-IDs), tries, and times stay; a mail that was being sent
    counts as tried."""
    pg.admin("CREATE DATABASE moving")
    try:
        with psycopg.connect(pg.dsn("moving", cluster.OWNER), autocommit=True) as conn:
            files = sorted(glob.glob(SQL + "/[0-9]*.sql"))
            at = next(i for i, name in enumerate(files) if name.endswith("_jobs.sql"))
            for name in files[:at]:
                with open(name, encoding="utf-8") as file:
                    conn.execute(file.read())
            user = conn.execute("SELECT id FROM user_create('ann', NULL, NULL, 'hash', 'user')").fetchone()[0]
            request = str(uuid.uuid4())
            conn.execute("SELECT feedback_request_create(%s, %s, 'mail', 'ben@Example.org', '?', NULL, NULL, 1000000, 'deny', NULL, NULL)",
                         (request, user))
            conn.execute("SELECT mail_queue('dora@example.net', 's', 'b')")
            for word in ("sending", "sent", "failed", "dropped"):
                conn.execute("INSERT INTO outbox (kind, destination, subject, body, state, tries, sent_at, last_error) VALUES ('mail', "
                             "%s || '@example.net', 's', 'b', %s, 3, CASE WHEN %s = 'sent' THEN now() END, 'why')", (word, word, word))
            before = conn.execute("SELECT id, destination, tries, created_at FROM outbox ORDER BY id").fetchall()
            with open(files[at], encoding="utf-8") as file:
                conn.execute(file.read())
            after = conn.execute("SELECT id, payload ->> 'to', tries, created_at FROM jobs ORDER BY id").fetchall()
            assert after == before and len(after) == 6
            states = dict(conn.execute("SELECT split_part(payload ->> 'to', '@', 1), state FROM jobs").fetchall())
            assert states == {"ben": "waiting", "dora": "waiting", "sending": "waiting", "sent": "done", "failed": "dead",
                              "dropped": "dropped"}
            assert conn.execute("SELECT key, lane, request_id::text FROM jobs WHERE payload ->> 'to' = 'ben@Example.org'").fetchall() == [
                (f"request {request}", "example.org", request)]
            assert conn.execute("SELECT due_at > now() + interval '6 seconds' FROM jobs WHERE payload ->> 'to' = 'sending@example.net'"
                                ).fetchall() == [(True,)], "with the pause of a failed try"
            taken = conn.execute("SELECT kind FROM jobs_claim('h/1/0/1', '{mail}', '{9}', '{}', 10, 1)").fetchall()
            assert len(taken) == 2
    finally:
        pg.drop("moving")


def test_one_job_per_kind_and_key(sql):
    first = add(sql, key="k")
    assert add(sql, key="k") is None and add(sql, kind="slack", key="k")
    assert claim(sql, kinds=["mail"]) == [first] and add(sql, key="k") is None, "while it runs, too"
    end(sql, first, "done")
    assert add(sql, key="k")


def test_claims_side_by_side(sql, pg_dsn):
    """When several couriers claim at once, each job is claimed once."""
    jobs = {add(sql) for _ in range(60)}
    taken, lock = [], threading.Lock()

    def work(number):
        with psycopg.connect(pg_dsn, autocommit=True) as conn:
            own = lambda text, *params: conn.execute(text, params or None).fetchall()
            while got := claim(own, owner=f"h/{number}/0/1", limit=3):
                with lock:
                    taken.extend(got)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 60 and set(taken) == jobs


def test_a_locked_job_is_passed_over(sql, pg_dsn):
    first, second = add(sql), add(sql)
    with psycopg.connect(pg_dsn) as conn:
        conn.execute("SELECT 1 FROM jobs WHERE id = %s FOR UPDATE", (first,))
        assert claim(sql) == [second]


@pytest.mark.parametrize("lanes, lane_max, limit, want", [
    ([], 2, 10, {"slow": 2, "quick": 2, "other": 1}),
    (["mail slow"], 2, 10, {"slow": 1, "quick": 2, "other": 1}),
    (["mail slow", "mail slow"], 2, 10, {"quick": 2, "other": 1}),
    (["slack slow", "slack slow"], 2, 10, {"slow": 2, "quick": 2, "other": 1}),
    ([], 2, 3, {"slow": 2, "quick": 1}),
    ([], 9, 10, {"slow": 6, "quick": 3, "other": 1}),
])
def test_a_slow_lane_leaves_room(sql, lanes, lane_max, limit, want):
    for lane, count in (("slow", 6), ("quick", 3), ("other", 1)):
        for _ in range(count):
            add(sql, lane=lane)
    claim(sql, lanes=lanes, lane_max=(lane_max, 9), limit=limit)
    assert dict(sql("SELECT lane, count(*) FROM jobs WHERE state = 'running' GROUP BY 1")) == want


def test_kinds_that_are_off_wait(sql):
    mail, slack = add(sql), add(sql, kind="slack", lane="slack")
    assert claim(sql, kinds=["slack"], lane_max=[9]) == [slack] and state(sql, mail)[0] == "waiting"


@pytest.mark.parametrize("tries, low, high", [(1, 2, 2.2), (2, 4, 4.4), (5, 32, 35.2), (9, 512, 563.2), (10, 900, 990), (1000, 900, 990)])
def test_pauses(sql, tries, low, high):
    assert sql("SELECT bool_and(extract(epoch FROM job_backoff(%s)) BETWEEN %s AND %s) FROM generate_series(1, 100)", tries, low, high) == [
        (True,)]


def test_ends(sql):
    """done and dead are final, and retry waits; a second report about the same attempt changes nothing."""
    done, dead, retry, late = (add(sql) for _ in range(4))
    assert len(claim(sql)) == 4
    for _ in range(2):
        end(sql, done, "done")
        end(sql, dead, "dead", error="no")
        end(sql, retry, "retry", error="later", delay=100 * 1000000)
    assert state(sql, done)[:3] == ("done", 1, None) and state(sql, dead) [:3] == ("dead", 1, None)
    assert state(sql, retry) == ("waiting", 1, None, 100, "later")
    sql("UPDATE jobs SET give_up_at = now() WHERE id = %s RETURNING 1", late)
    end(sql, late, "retry", error="still later")
    assert state(sql, late)[:2] == ("dead", 1), "its time is over"
    end(sql, dead, "done")
    assert state(sql, dead)[0] == "done", "who knows that it happened is right"


def test_another_couriers_try_is_not_ended(sql):
    job = add(sql)
    claim(sql)
    end(sql, job, "retry", owner="h/2/0/1")
    assert state(sql, job)[:3] == ("running", 1, "h/1/0/1")
    end(sql, job, "done", owner="h/2/0/1")
    assert state(sql, job)[0] == "done"


def test_what_dead_couriers_had(sql):
    """Jobs of dead couriers: if the death is known, they are free at once; if the courier is silent, after its lease. A
    job that its courier does not know was never started, so no attempt is counted."""
    mine, unheard, dead, silent, alive = (add(sql) for _ in range(5))
    sql("UPDATE jobs SET state = 'running', tries = 1, due_at = now() + interval '1 minute', owner = CASE id::text WHEN %s THEN 'h/1/0/1' "
        "WHEN %s THEN 'h/1/0/1' WHEN %s THEN 'h/9/0/1' WHEN %s THEN 'x/2/0/1' ELSE 'h/7/0/1' END RETURNING 1", mine, unheard, dead, silent)
    sql("UPDATE jobs SET due_at = now() - interval '1 second' WHERE id = %s RETURNING 1", silent)
    assert sorted(sql("SELECT unnest(jobs_owners('h'))")) == [("h/1/0/1",), ("h/7/0/1",), ("h/9/0/1",)]
    tend = "SELECT jobs_tend('h/1/0/1', '{h/9/0/1}', ARRAY[%s], 60000000, %s)"
    assert sql(tend, mine, False) == [(1,)] and state(sql, silent)[:3] == ("running", 1, "x/2/0/1"), "it may only have been cut off"
    assert sql(tend, mine, True) == [(1,)]
    assert state(sql, mine)[:3] == ("running", 1, "h/1/0/1") and state(sql, alive)[:3] == ("running", 1, "h/7/0/1")
    assert state(sql, unheard)[:4] == ("waiting", 0, None, 0)
    for job in (dead, silent):
        assert state(sql, job) == ("waiting", 1, None, 2, "The process that had it ended in the middle of the try.")


@pytest.mark.parametrize("late", ["job_retry", "job_end", "jobs_tend"])
def test_locks_are_taken_in_one_order(sql, pg, pg_dsn, database, late):
    """The row of the feedback request is locked before its job, so that a transaction that ends or deletes the request
    causes no deadlock."""
    request = str(uuid.uuid4())
    user = sql("SELECT id FROM user_create(%s, NULL, NULL, 'hash', 'user')", "u" + request[:8])[0][0]
    sql("SELECT feedback_request_create(%s, %s, 'mail', 'ben@example.org', '?', NULL, NULL, 1000000000, 'deny', NULL, NULL)", request, user)
    job = sql("SELECT id::text FROM jobs WHERE request_id = %s", request)[0][0]
    if late != "job_retry":
        assert claim(sql) == [job]
        sql("UPDATE jobs SET give_up_at = now(), due_at = now() - interval '1 s' RETURNING 1")
    call = {"job_retry": f"SELECT job_retry('{job}')", "job_end": f"SELECT job_end('{job}', 'h/1/0/1', 'retry', 'late', NULL)",
            "jobs_tend": "SELECT jobs_tend('h/2/0/1', '{}', '{}', 60000000, true)"}[late]
    failed = []

    def work():
        try:
            with psycopg.connect(pg_dsn, autocommit=True, application_name="late") as conn:
                conn.execute(call)
        except psycopg.Error as why:
            failed.append(why)

    with psycopg.connect(pg_dsn) as conn:
        conn.execute("SELECT 1 FROM feedback_requests WHERE id = %s FOR UPDATE", (request,))
        thread = threading.Thread(target=work)
        thread.start()
        waiting = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'late' AND wait_event_type = 'Lock'"
        wait_for(lambda: pg.admin(waiting, database) or not thread.is_alive(), 10, "it waits, or is through")
        conn.execute("SELECT feedback_request_end(%s, 'cancelled', NULL, NULL, NULL, NULL, NULL)", (request,))
        conn.execute("DELETE FROM feedback_requests WHERE id = %s", (request,))
    thread.join()
    assert not failed and sql("SELECT 1 FROM jobs WHERE id = %s", job) == []


def test_old_ones_are_deleted(sql):
    old, young, waiting = add(sql), add(sql), add(sql)
    claim(sql, limit=2)
    end(sql, old, "done")
    end(sql, young, "dead")
    sql("UPDATE jobs SET created_at = now() - interval '90 days', finished_at = CASE WHEN id = %s THEN now() - interval '31 days' ELSE "
        "finished_at END RETURNING 1", old)
    assert sql("SELECT jobs_purge(10)") == [(1,)]
    assert sorted(sql("SELECT id::text FROM jobs")) == sorted([(young,), (waiting,)])


def test_people_see_no_text(pg, database):
    """The role parlour_report can read v_jobs, which contains neither the content nor session ids, but not the
    table."""
    pg.admin("SELECT mail_queue('a@example.net', 'subject-x', 'body-x')", database)
    session = str(uuid.uuid4())
    pg.admin(f"SELECT session_create('{session}', 0, '127.0.0.1', 'guided', NULL, NULL, 10, 60000000)", database)
    pg.admin(f"SELECT job_add('mail', 'lead {session} a@example.net', 'example.net', '{{}}', NULL, '{session}')", database)
    with psycopg.connect(pg.dsn(database, "parlour_report"), autocommit=True) as conn:
        seen = str(conn.execute("SELECT * FROM v_jobs").fetchall())
        assert "subject-x" not in seen and session not in seen and f"lead {session[:8]} a@example.net" in seen
        assert "a@example.net" in str(conn.execute("SELECT * FROM v_outbox").fetchall())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("SELECT payload FROM jobs")
