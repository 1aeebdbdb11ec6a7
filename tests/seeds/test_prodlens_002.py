# SPDX-License-Identifier: ISC
"""Document 002: its SQLite file, its demo accounts."""

import hashlib
import sqlite3

import pytest

import cluster
from usagedata import analyst, unique

TABLES = """
CREATE TABLE sessions (id INTEGER PRIMARY KEY, session_id TEXT, developer_id TEXT, timestamp TEXT, model TEXT, tokens_in INTEGER, tokens_out INTEGER,
    latency_ms REAL, status_code INTEGER, accepted_flag INTEGER, repo_slug TEXT, event_date TEXT, total_tokens INTEGER, cost_usd REAL, diff_ratio REAL,
    accepted_lines INTEGER);
CREATE TABLE pull_requests (id INTEGER PRIMARY KEY, number INTEGER, title TEXT, author TEXT, state TEXT, created_at TEXT, merged_at TEXT, updated_at TEXT,
    reopened INTEGER);
CREATE TABLE commits (sha TEXT PRIMARY KEY, author TEXT, timestamp TEXT);
CREATE TABLE etag_state (endpoint TEXT PRIMARY KEY, etag TEXT);
CREATE TABLE etl_runs (id INTEGER PRIMARY KEY, started_at TEXT);
"""
SESSIONS = [
    (1, "s-1", "dev-1", "2024-10-28T11:30:00+00:00", "claude-3-sonnet", 1500, 1000, 850.5, 200, 1, "acme/shop", "2024-10-28", 2500, 0.45, 0.25, 12),
    (2, "s-1", "dev-1", "2024-10-28T11:31:00+00:00", "claude-3-sonnet", 10, 5, 90.0, 500, 0, "acme/shop", "2024-10-28", 15, 0.01, None, None),
    (3, None, None, "2024-10-29 08:00:00", None, None, None, None, None, None, None, "2024-10-29", None, None, None, None),
    (4, "s-4", "dev-2", "2024-10-29T09:00:00Z", "mini", 100, 50, 10.0, 200, None, None, "2024-10-29", 0, 0.0, 1.5, 0),
]
PULLS = [(1, 11, "one", "ann", "closed", "2024-10-20T00:00:00Z", "2024-10-20T10:00:00Z", None, 0),
         (2, 12, "two", "ann", "closed", "2024-10-19T04:00:00Z", "2024-10-20T10:00:00Z", None, 1),
         (3, 13, "open", "ann", "open", "2024-10-20T00:00:00Z", None, None, 0), (4, 14, "who", None, "closed", "2024-10-21T00:00:00Z", "2024-10-21T12:00:00Z", None, None)]
COMMITS = [("a1", "ann", "2024-10-20T10:00:00Z"), ("a2", "ann", "2024-10-20T23:59:59Z"), ("a3", "bob", "2024-10-21T00:30:00+02:00")]
FIGURES = [("2024-10-20", "ann", "commits", 2), ("2024-10-20", "ann", "pr_merge_hours", 20), ("2024-10-20", "ann", "prs_merged", 2), ("2024-10-20", "ann", "rework", 1),
           ("2024-10-20", "bob", "commits", 1), ("2024-10-21", "unknown", "pr_merge_hours", 12), ("2024-10-21", "unknown", "prs_merged", 1),
           ("2024-10-21", "unknown", "rework", 0)]


@pytest.fixture(name="cache")
def fixture_cache(shared, rows):
    rows("DELETE FROM sessions WHERE source = 'prodlens'")
    rows("DELETE FROM usage_series")
    path = f"{shared.dir}/{unique()}.db"
    with sqlite3.connect(path) as file:
        file.executescript(TABLES)
        for table, records in (("sessions", SESSIONS), ("pull_requests", PULLS), ("commits", COMMITS)):
            file.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(records[0]))})", records)
    file.close()
    return path


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def bring(daemon, path, *options, check=True):
    return daemon.ctl("import", "prodlens", path, *options, check=check)


def stored(rows):
    return rows("SELECT day::text, developer, name, round(value::numeric, 6)::float FROM usage_series ORDER BY 1, 2, 3")


def test_it_is_imported(shared, rows, cache):
    before = digest(cache)
    assert bring(shared, cache).stdout == "sessions: 4 imported, 0 duplicates, 0 refused\nfigures: 8 new or changed, 0 unchanged, 0 refused\n"
    assert digest(cache) == before
    boss = analyst(shared, rows)
    first = boss.get("/api/sessions/s-1").json()
    assert {n: first[n] for n in ("developer_id", "model", "tokens_in", "tokens_out", "total_tokens", "latency_ms", "status_code", "accepted_flag", "repo_slug",
                                  "cost_usd", "diff_ratio", "accepted_lines")} == {
        "developer_id": "dev-1", "model": "claude-3-sonnet", "tokens_in": 1500, "tokens_out": 1000, "total_tokens": 2500, "latency_ms": 850.5, "status_code": 200,
        "accepted_flag": True, "repo_slug": "acme/shop", "cost_usd": 0.45, "diff_ratio": 0.25, "accepted_lines": 12}
    assert first["timestamp"].startswith("2024-10-28T11:30:00")
    assert rows("SELECT external_id, developer, errors, total_tokens::int, accepted_flag FROM sessions WHERE source = 'prodlens' ORDER BY started_at") == [
        ("s-1", "dev-1", 0, 2500, True), ("s-1#2", "dev-1", 1, 15, False), ("row-3", "unknown", 0, 0, None), ("s-4", "dev-2", 0, 150, None)]
    assert stored(rows) == FIGURES


def test_again_stores_nothing_twice(shared, rows, cache):
    bring(shared, cache)
    assert bring(shared, cache).stdout == "sessions: 0 imported, 4 duplicates, 0 refused\nfigures: 0 new or changed, 8 unchanged, 0 refused\n"
    with sqlite3.connect(cache) as file:
        file.execute("INSERT INTO sessions (session_id, developer_id, timestamp) VALUES ('s-5', 'dev-1', '2024-10-30T00:00:00Z')")
        file.execute("INSERT INTO commits VALUES ('a4', 'bob', '2024-10-20T22:40:00Z')")
    file.close()
    assert bring(shared, cache).stdout == "sessions: 1 imported, 4 duplicates, 0 refused\nfigures: 1 new or changed, 7 unchanged, 0 refused\n"


def test_dry_run(shared, rows, cache):
    assert bring(shared, cache, "--dry-run").stdout == ("dry run: sessions: 4 imported, 0 duplicates, 0 refused\n"
                                                        "dry run: figures: 8 new or changed, 0 unchanged, 0 refused\n")
    assert rows("SELECT count(*) FROM sessions WHERE source = 'prodlens'") == [(0,)] and stored(rows) == []


def test_a_source_of_its_own(shared, rows, cache):
    source = unique()
    bring(shared, cache, "--source", source)
    assert rows(f"SELECT count(*) FROM sessions WHERE source = '{source}'") == [(4,)]


def test_a_writer_is_at_work(shared, cache):
    """The file is in WAL mode with rows that are not in the main file yet, while a writer is active; uncommitted rows
    do not count."""
    writer = sqlite3.connect(cache, isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("INSERT INTO sessions (session_id, developer_id, timestamp) VALUES ('s-6', 'dev-1', '2024-10-30T00:00:00Z')")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO sessions (session_id, developer_id, timestamp) VALUES ('s-7', 'dev-1', '2024-10-30T00:00:00Z')")
    assert bring(shared, cache).stdout.startswith("sessions: 5 imported")
    writer.close()


@pytest.mark.parametrize("sql,complaint", [
    ("UPDATE sessions SET timestamp = 'yesterday' WHERE id = 4", "timestamp must be a time"), ("UPDATE sessions SET accepted_flag = 7 WHERE id = 4", "accepted_flag must be"),
    ("UPDATE sessions SET cost_usd = -1 WHERE id = 4", "cost_usd must be"), ("UPDATE commits SET timestamp = 'soon' WHERE sha = 'a3'", "day must be"),
], ids=["time", "flag", "cost", "commit"])
def test_what_is_wrong_is_named(shared, cache, sql, complaint):
    with sqlite3.connect(cache) as file:
        file.execute(sql)
    file.close()
    done = bring(shared, cache, check=False)
    assert done.returncode == 65 and complaint in done.stderr and "1 refused" in done.stdout


@pytest.mark.parametrize("text,complaint", [(b"no database, but long enough to be read as one" * 30, "not a database"), (b"", "has no table sessions")],
                         ids=["text", "empty"])
def test_other_files(shared, text, complaint):
    path = f"{shared.dir}/{unique()}"
    with open(path, "wb") as file:
        file.write(text)
    done = bring(shared, path, check=False)
    assert done.returncode == 66 and complaint in done.stderr
    assert bring(shared, path + "-nowhere", check=False).returncode == 66


def test_only_sessions(shared, cache):
    with sqlite3.connect(cache) as file:
        file.executescript("DROP TABLE commits; DROP TABLE pull_requests; ALTER TABLE sessions DROP COLUMN diff_ratio")
    file.close()
    assert bring(shared, cache).stdout == "sessions: 4 imported, 0 duplicates, 0 refused\nfigures: 0 new or changed, 0 unchanged, 0 refused\n"


def test_demo_accounts(shared, pg, database):
    dsn = pg.dsn(database, cluster.OWNER)
    assert shared.post("/auth/token", {"username": "demo", "password": "demo123"}).status_code == 401, "nobody has it by default"
    shared.ctl("seed-demo", "--dsn", dsn)
    assert shared.post("/auth/token", {"username": "demo", "password": "demo123"}).status_code == 401
    for _ in range(2):
        shared.ctl("seed-demo", "--compat", "--dsn", dsn)
    for name, password in (("demo", "demo123"), ("developer", "dev123"), ("cfo", "demo")):
        answer = shared.post("/auth/token", data={"username": name, "password": password})
        assert answer.status_code == 200 and answer.json()["user"]["username"] == name
    tokens = shared.post("/auth/refresh", {"username": "demo", "password": "demo123"}).json()
    assert shared.get("/api/sessions", headers={"Authorization": "Bearer " + tokens["access_token"]}).status_code == 200
