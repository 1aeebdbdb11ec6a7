# SPDX-License-Identifier: ISC
"""Import accepts what other programs write: byte order marks, times, numbers, flags, tables."""

import json
import os

import pytest

from usagedata import analyst, lines, unique

BOM = "\ufeff"
HEAD = "session_id,developer_id,timestamp"
ONE = {"session_id": "a", "developer_id": "dev-1", "timestamp": "2026-11-20T09:00:00Z"}
TWO = {**ONE, "session_id": "b", "timestamp": "2026-11-21T09:00:00Z"}
TABLE = f"{HEAD}\na,dev-1,2026-11-20T09:00:00Z\nb,dev-1,2026-11-21T09:00:00Z\n"
NINE = "2026-11-20T09:00:00"

# id, text, the stored values of its two sessions besides ids and times
TEXTS = [
    ("lines-with-byte-order-mark", BOM + lines([ONE, TWO])),
    ("array-with-byte-order-mark", BOM + json.dumps([ONE, TWO])),
    ("table", TABLE),
    ("table-with-byte-order-mark", BOM + TABLE),
    ("table-with-crlf", TABLE.replace("\n", "\r\n")),
    ("table-with-semicolons", TABLE.replace(",", ";")),
    ("table-with-tabs", TABLE.replace(",", "\t")),
    ("table-with-quotes", TABLE.replace("dev-1", '"dev-1"')),
    ("table-of-excel", BOM + "sep=;\r\n" + TABLE.replace(",", ";").replace("\n", ";\r\n")),
    ("table-in-another-order", "timestamp,note,developer_id,session_id\n2026-11-20T09:00:00Z,\"x,\ny\",dev-1,a\n2026-11-21T09:00:00Z,,dev-1,b"),
]
TIMES = [NINE + "Z", NINE, "2026-11-20 09:00:00+00", "2026-11-20 09:00:00.000000+00", "2026-11-20 14:30:00+05:30", NINE + "+0000", "2026-11-20T09:00Z",
         "2026-11-20 09:00:00 +0000", "2026-11-20 09:00:00 UTC", "2026-11-20T10:00+01", "2026-11-20 09:00:00,000"]
# id, name of the field in the input and in the reply, value, value in the reply
VALUES = [("count-with-fraction", "total_tokens", 2500.0, 2500), ("count-in-scientific-notation", "total_tokens", "2.5e3", 2500),
          ("flag-one", "accepted_flag", 1, True), ("flag-zero", "accepted_flag", 0, False), ("flag-one-with-fraction", "accepted_flag", 1.0, True),
          ("flag-of-psql", "accepted_flag", "t", True), ("flag-of-python", "accepted_flag", "False", False), ("empty-flag", "accepted_flag", "", None),
          ("null-of-psql", "accepted_flag", "\\N", None), ("cost", "cost_usd", 0.45, 0.45), ("empty-model", "model", "", None)]


@pytest.fixture(name="boss")
def fixture_boss(shared, rows):
    return analyst(shared, rows)


@pytest.fixture(name="bring")
def fixture_bring(shared, boss):
    """Imports a text of sessions by REST or parlourctl under a separate source; returns the source and the result."""
    def bring(text, kind="application/x-ndjson", how="rest"):
        source = unique()
        if how == "rest":
            answer = boss.request("POST", "/api/sessions/import", params={"source": source}, content=text.encode(), headers={"Content-Type": kind})
            assert answer.status_code == 200, answer.text
            return source, (answer.json()["imported"], answer.json()["refused"])
        done = shared.ctl("import", "usage", written(shared, text), "--source", source, check=False)
        return source, (int(done.stdout.split()[0]), done.stderr.splitlines())
    return bring


def written(daemon, text):
    path = f"{daemon.dir}/{unique()}"
    with open(path, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("how", ["rest", "parlourctl"])
@pytest.mark.parametrize("text", [text for _, text in TEXTS], ids=[name for name, _ in TEXTS])
def test_texts(bring, rows, text, how):
    kind = "application/json" if text.lstrip(BOM).startswith("[") else "text/csv" if "{" not in text else "application/x-ndjson"
    source, result = bring(text, kind, how)
    assert result == (2, [])
    assert rows(f"SELECT external_id, developer, to_char(started_at AT TIME ZONE 'UTC', 'DD HH24') FROM sessions WHERE source = '{source}' ORDER BY 1") == [
        ("a", "dev-1", "20 09"), ("b", "dev-1", "21 09")]


@pytest.mark.parametrize("form", ["json", "csv"])
@pytest.mark.parametrize("time", TIMES, ids=lambda time: time.replace(" ", "_"))
def test_times(bring, rows, time, form):
    text = json.dumps({**ONE, "timestamp": time}) if form == "json" else f'{HEAD}\na,dev-1,"{time}"\n'
    source, result = bring(text)
    assert result == (1, [])
    assert rows(f"SELECT extract(epoch FROM started_at)::bigint FROM sessions WHERE source = '{source}'") == [(1795165200,)]


@pytest.mark.parametrize("form", ["json", "csv"])
@pytest.mark.parametrize("field,value,want", [row[1:] for row in VALUES], ids=[row[0] for row in VALUES])
def test_values(bring, boss, field, value, want, form):
    if form == "json" and isinstance(value, str):
        value = 2500.0 if field == "total_tokens" else want
    name = unique()
    text = json.dumps({**ONE, "session_id": name, field: value}) if form == "json" else f"{HEAD},{field}\n{name},dev-1,2026-11-20T09:00:00Z,{value}\n"
    assert bring(text)[1] == (1, [])
    assert boss.get("/api/sessions/" + name).json()[field] == want


@pytest.mark.parametrize("text,complaint", [
    (f"{HEAD},total_tokens\na,d,{NINE},12.5\n", "total_tokens must be a whole number"),
    (f"{HEAD},accepted_flag\na,d,{NINE},perhaps\n", "accepted_flag must be true, false or null"),
    (f"{HEAD}\na,d,20.11.2026\n", "timestamp must be a time"), (f"{HEAD}\na,d,{NINE},more\n", "has more values than columns"),
    (f'{HEAD}\na,"d,{NINE}\n', "has a quote that is not closed"), ("session_id,model\na,b\n", "developer_id must be a string"),
    (lines([{**ONE, "total_tokens": "5"}]), "total_tokens must be a whole number"), (lines([{**ONE, "accepted_flag": 2}]), "accepted_flag must be"),
], ids=["half-a-token", "unclear-flag", "unclear-date", "more-values", "open-quote", "no-developer", "text-for-a-number", "two-for-a-flag"])
def test_what_stays_refused(bring, text, complaint):
    imported, refused = bring(text)[1]
    assert imported == 0 and complaint in refused[0]["error"]


@pytest.mark.parametrize("text,outcome", [
    ("2026-11-20,ann,{0},5\n", (1, 0)), (BOM + "2026-11-20,ann,{0},5\n", (1, 0)), ("2026-11-20;ann;{0};0,5\n", (1, 0)),
    ("name;value;day;developer\r\n{0};5,0;2026-11-20;ann\r\n", (1, 0)), ("2026-11-20,ann,{0},\n", (0, 1)),
    ("2026-11-20,ann,{0},5\n2026-11-21,ann,{0},\n2026-11-22,ann,{0},7", (2, 1)),
    (BOM + '{{"day":"2026-11-20","developer":"ann","name":"{0}","value":5}}', (1, 0)),
], ids=["table", "byte-order-mark", "semicolons", "columns-by-name", "empty-last-cell", "empty-last-cell-between-others", "lines-with-byte-order-mark"])
def test_series(shared, rows, text, outcome):
    name = "s" + unique()
    done = shared.ctl("import", "series", written(shared, text.format(name)), check=False)
    assert done.returncode == (65 if outcome[1] else 0), done.stderr
    assert (int(done.stdout.split()[0]), len(done.stderr.splitlines())) == outcome
    assert rows(f"SELECT count(*) FROM usage_series WHERE name = '{name}'") == [(outcome[0],)]


def test_utf16_is_named(shared, boss):
    text = lines([ONE]).encode("utf-16")
    done = shared.ctl("import", "usage", written(shared, text), check=False)
    assert done.returncode == 65 and "is UTF-16: convert the file to UTF-8" in done.stderr
    answer = boss.request("POST", "/api/sessions/import", content=text, headers={"Content-Type": "text/csv"})
    assert answer.json()["refused"] == [{"line": 1, "error": "is UTF-16: convert the file to UTF-8"}]


def test_accounts_and_rooms_with_a_byte_order_mark_and_times_of_psql(shared, rows):
    name = "u" + unique()
    done = shared.ctl("import", "users", written(shared, BOM + json.dumps({"id": 1, "username": name, "created_at": "2024-01-02 03:04:05+00"})),
                      "--source", name)
    assert done.stdout.startswith("1 imported")
    for number, time in enumerate(TIMES[:-1]):
        record = {"id": number, "name": f"Room {number}", "owner_id": 1, "created_at": time.replace("2026-11-20", "2024-11-20")}
        assert shared.ctl("import", "rooms", written(shared, BOM + json.dumps(record)), "--source", name).stdout.startswith("1 imported"), time
    found = rows(f"SELECT DISTINCT extract(epoch FROM created_at)::bigint FROM rooms WHERE owner_id = (SELECT id FROM users WHERE username = '{name}')")
    assert found == [(1732093200,)]


@pytest.mark.parametrize("kind,body", [
    ("application/json", '{"username":"%s","password":"%s"}'), ("application/x-www-form-urlencoded", "username=%s&password=%s")], ids=["json", "form"])
def test_bodies_with_a_byte_order_mark(shared, kind, body):
    user = shared.register()
    answer = shared.http.post("/api/auth/login", content=(BOM + body % (user.name, user.password)).encode(), headers={"Content-Type": kind})
    assert answer.status_code == 200 and answer.json()["user"]["username"] == user.name


def test_knowledge_files_with_a_byte_order_mark(shared, rows):
    name = unique()
    folder = f"{shared.dir}/{name}"
    os.mkdir(folder)
    with open(f"{folder}/{name}.md", "w", encoding="utf-8") as file:
        file.write(BOM + "Opening hours")
    shared.ctl("knowledge", "load", folder)
    assert rows(f"SELECT content FROM knowledge_documents WHERE source = '{name}.md'") == [("Opening hours",)]
