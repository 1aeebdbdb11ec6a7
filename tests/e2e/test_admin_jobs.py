# SPDX-License-Identifier: ISC
"""Operators and admins list, show, retry, and drop jobs."""

import uuid

import pytest

from parlour import wait_for
from test_admin_users import at_level
from test_people import word
from test_rooms import link_next

JOBS = "/api/admin/jobs"                  # covers: GET /api/admin/jobs
# covers: GET /api/admin/jobs/{job_id}
# covers: DELETE /api/admin/jobs/{job_id}
# covers: POST /api/admin/jobs/{job_id}/retry


@pytest.fixture(name="boss", scope="module")
def fixture_boss(shared, rows):
    return at_level(shared, rows, "operator")


def job(rows, kind="quiet_kind", state="waiting", key=None, to="ann@example.org"):
    """Inserts a job of a kind that no courier takes."""
    done = "NULL" if state in ("waiting", "running") else "clock_timestamp()"
    return str(rows("INSERT INTO jobs (kind, key, lane, state, payload, finished_at, last_error) VALUES "
                    f"('{kind}', '{key or word()}', 'lane', '{state}', '{{\"to\": \"{to}\", \"body\": \"SECRET link\"}}', {done}, 'no route') "
                    "RETURNING id")[0][0])


def state(rows, one):
    return rows(f"SELECT state FROM jobs WHERE id = '{one}'")[0][0]


def test_list_show_and_filters(boss, rows):
    kind = "k" + "".join(c for c in uuid.uuid4().hex if c.isalpha())
    made = [job(rows, kind, what) for what in ("waiting", "dead", "done", "dropped", "dead")][::-1]
    seen, path = [], f"{JOBS}?kind={kind}&limit=2"
    while path:
        answer = boss.get(path)
        assert answer.status_code == 200 and len(answer.json()) <= 2 and "SECRET" not in answer.text
        seen += answer.json()
        path = link_next(answer)
    assert [one["id"] for one in seen] == made, "newest first, each once"
    assert [one["id"] for one in boss.get(f"{JOBS}?kind={kind}&state=dead").json()] == [made[0], made[3]]
    one = boss.get(f"{JOBS}/{made[0]}").json()
    assert one == seen[0] and (one["to"], one["last_error"], one["state"], one["tries"]) == ("ann@example.org", "no route", "dead", 0)
    assert boss.get(f"{JOBS}?kind={kind}&before={made[-1]}").json() == [], "there is no older one"
    rows(f"DELETE FROM jobs WHERE id = '{made[2]}'")
    answer = boss.get(f"{JOBS}?kind={kind}&before={made[2]}")
    assert answer.status_code == 404 and "no longer exists" in answer.json()["detail"], "older ones exist: an empty page would be wrong"
    for wrong in (uuid.uuid4(), "x", "1"):
        assert boss.get(f"{JOBS}/{wrong}").status_code == 404


@pytest.mark.parametrize("before, retry, drop", [("waiting", "waiting", "dropped"), ("dead", "waiting", "dropped"),
                                                 ("dropped", "waiting", None), ("done", None, None), ("running", None, None)])
def test_retry_and_drop(boss, rows, before, retry, drop):
    one, two = job(rows, state=before), job(rows, state=before)
    answer = boss.post(f"{JOBS}/{one}/retry")
    assert answer.status_code == (200 if retry else 409), answer.text
    assert state(rows, one) == (retry or before)
    if retry:
        assert answer.json()["state"] == "waiting" and answer.json()["finished_at"] is None
    answer = boss.delete(f"{JOBS}/{two}")
    assert answer.status_code == (204 if drop else 409), answer.text
    assert state(rows, two) == (drop or before)
    want = [(f"job:{one}", "job retried")] * bool(retry) + [(f"job:{two}", "job dropped")] * bool(drop)
    assert rows(f"SELECT target, action FROM audit WHERE target IN ('job:{one}', 'job:{two}') AND actor_id = {boss.id} ORDER BY id") == want


def test_a_newer_job_of_the_same_key(boss, rows):
    key = word()
    old = job(rows, state="dead", key=key)
    job(rows, key=key)
    answer = boss.post(f"{JOBS}/{old}/retry")
    assert answer.status_code == 409 and "same key" in answer.json()["detail"] and state(rows, old) == "dead"


def test_jobs_that_do_not_exist(boss):
    for wrong in (uuid.uuid4(), "x", "7", "%00"):
        assert boss.post(f"{JOBS}/{wrong}/retry").status_code == 404
        assert boss.delete(f"{JOBS}/{wrong}").status_code == 404


def test_a_mail_that_was_given_up_goes_out_after_all(parlour, rows, smtp):
    """An operator sees the reply of the mail server, retries the mail that was given up, and it arrives."""
    peer = smtp()
    daemon = parlour(public_url="https://chat.example.org", smtp_url=f"smtp://127.0.0.1:{peer.port}/parlour.example", smtp_tls="off",
                     mail_from="bot@parlour.example")
    boss, to = at_level(daemon, rows, "operator"), word() + "@example.org"
    one = job(rows, "mail", "dead", to=to)
    rows(f"UPDATE jobs SET payload = payload || '{{\"subject\": \"Hello\"}}' WHERE id = '{one}'")
    assert boss.post(f"{JOBS}/{one}/retry").status_code == 200
    wait_for(lambda: [mail for mail in peer.mails if to in str(mail.to)], 20, "the mail came")
    wait_for(lambda: boss.get(f"{JOBS}/{one}").json()["state"] == "done", 20)
