# SPDX-License-Identifier: ISC
"""Document 002's front end and API tests: what they read and send beyond what the document prints."""

import json

import pytest

from parlour import wait_for
from usagedata import analyst, day, lines, noise, send, session, settled, unique

EXTRA = {"tokens_in": 600, "tokens_out": 400, "latency_ms": 850.5, "status_code": 200, "diff_ratio": 0.25, "accepted_lines": 12,
         "repo_slug": "acme/shop"}


@pytest.fixture(scope="module")
def opened(request, workdir):
    """A daemon whose figures are public, like the optional authentication of that system."""
    from conftest import finish, maker  # pylint: disable=import-outside-toplevel
    make, made = maker(request, workdir)
    yield make(anonymous="metrics insights sessions profile", workers=1)
    finish(made, request.session.testsfailed > 0)


@pytest.fixture(scope="module")
def boss(opened, rows):
    """An analyst, after 29 whole days of usage of 7 developers in two repositories; commits follow sessions after two
    days. The period of /api/insights begins 30 days before now, in the middle of a day."""
    user, random = analyst(opened, rows), noise(3)
    counts = [random.randint(3, 12) for _ in range(29)]
    done = send(user, [session(i * 100 + k, day(29 - i, k), accepted_flag=int(random.random() < 0.4), **{**EXTRA, "repo_slug": f"acme/{'web' if k % 3 else 'shop'}"})
                for i, count in enumerate(counts) for k in range(count)])
    assert done["imported"] == sum(counts), done["refused"][:1]
    opened.ctl("import", "series", written(opened, "\n".join(f"{day(29 - i).date()},dev-1,commits,{3 * counts[i - 2]}" for i in range(2, 29))))
    return user


def written(daemon, text):
    path = f"{daemon.dir}/{unique()}"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


# ---- 002.refresh ----

@pytest.mark.parametrize("path", ["/auth/refresh", "/api/auth/refresh"])
@pytest.mark.parametrize("form", ["json", "form"])
def test_refresh_by_password(opened, path, form):
    user = opened.register()
    words = {"username": user.name, "password": user.password}
    answer = opened.post(path, words) if form == "json" else opened.post(path, data=words)
    assert answer.status_code == 200 and answer.json()["token_type"] == "bearer"
    fresh = opened.post(path, {"refresh_token": answer.json()["refresh_token"]})
    assert fresh.status_code == 200 and fresh.json()["access_token"]


@pytest.mark.parametrize("body,field", [({}, "refresh_token"), ({"username": "x"}, "password"), ({"password": "x"}, "username")],
                         ids=["nothing", "no-password", "no-name"])
def test_refresh_names_what_is_missing(opened, body, field):
    refused = opened.post("/auth/refresh", body)
    assert refused.status_code == 422 and refused.json()["detail"][0]["loc"] == ["body", field]


# ---- 002.health ----

def test_root_fields(opened):
    root = opened.get("/").json()
    assert root["message"] and root["status"] == "running" and root["version"]


# ---- 002.insights, 002.parameters ----

def test_insights_fields(boss):
    got = settled(boss, "/api/insights", lambda a: a["correlations"])
    assert got["generated_at"].startswith("20")
    for item in got["correlations"]:
        assert item["count"] == item["n"] >= 10 and item["effect_size"] == pytest.approx(abs(item["r"])) and 0 <= item["lag_days"] <= 7


@pytest.mark.parametrize("lag", [0, 2, 12])
def test_lag_days(boss, lag):
    found = settled(boss, f"/api/insights?lag_days={lag}", lambda a: a["correlations"])["correlations"]
    assert {item["lag_days"] for item in found} == {lag}
    sessions_commits = [item for item in found if (item["variable1"], item["variable2"]) == ("ai_sessions", "commits")][0]
    assert (sessions_commits["r"] > 0.99) == (lag == 2)


@pytest.mark.parametrize("path", ["/api/metrics", "/api/metrics/raw", "/api/insights", "/api/sessions"])
def test_since_is_start(boss, path):
    since = day(5).isoformat()
    until = day(-1).isoformat()   # a period that ends now is longer for the second reply
    by_since, by_start = (boss.get(path, params={name: since, "end": until}).json() for name in ("since", "start"))
    for got in (by_since, by_start):
        if isinstance(got, dict):
            got.pop("timestamp", None), got.pop("generated_at", None)  # pylint: disable=expression-not-assigned
    assert by_since == by_start != boss.get(path, params={"end": until}).json()
    both = boss.get(path, params={"since": since, "start": since})
    assert both.status_code == 422 and both.json()["detail"][0]["loc"] == ["query", "since"]
    assert boss.get(path, params={"since": "last week"}).status_code == 422


def test_since_takes_a_date(boss):
    assert boss.get("/api/sessions", params={"since": str(day(5).date()), "limit": 200}).json() == boss.get(
        "/api/sessions", params={"start": day(5).isoformat(), "limit": 200}).json()


@pytest.mark.parametrize("name,field", [("timestamp", "timestamp"), ("cost", "cost_usd"), ("tokens", "total_tokens"), ("cost_usd", "cost_usd"),
                                        ("total_tokens", "total_tokens")])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_sort_by_and_sort_order(boss, name, field, order):
    values = [item[field] for item in boss.get(f"/api/sessions?sort_by={name}&sort_order={order}&page_size=100").json()["items"]]
    assert values == sorted(values, reverse=order == "desc") and len(values) == 100


@pytest.mark.parametrize("query", ["sort_by=price", "sort_order=up", "sort=cost&sort_by=cost", "order=asc&sort_order=asc"])
def test_sort_is_not_ignored(boss, query):
    assert boss.get("/api/sessions?" + query).status_code == 422


# ---- 002.session-fields ----

def test_session_fields(opened, boss):
    name = unique()
    send(boss, [{"session_id": name, "developer_id": "dev-9", "timestamp": day(2).isoformat(), "accepted_flag": 1, **EXTRA}])
    one = boss.get("/api/sessions/" + name).json()
    assert {key: one[key] for key in EXTRA} == EXTRA and (one["total_tokens"], one["accepted_flag"]) == (1000, True)
    listed = boss.get("/api/sessions?developer_id=dev-9").json()[0]
    assert {key: listed[key] for key in EXTRA} == EXTRA
    shown = opened.get("/api/sessions/" + name).json()
    assert shown["repo_slug"] is None and shown["latency_ms"] == EXTRA["latency_ms"]
    own = boss.post("/api/sessions").json()
    assert (own["tokens_in"], own["tokens_out"], own["latency_ms"], own["status_code"], own["repo_slug"]) == (0, 0, None, None, None)


def test_session_fields_on_the_socket(boss):
    name = unique()
    send(boss, [{"session_id": name, "developer_id": "dev-9", "timestamp": day(0).isoformat(), **EXTRA}])
    with boss.ws("/ws/sessions", native=False) as sock:
        items = sock.expect("sessions", timeout=12)["data"]["items"]
    assert all(set(EXTRA) <= set(item) for item in items)


@pytest.mark.parametrize("status,failed", [(200, False), (399, False), (400, True), (503, True), (None, False)])
def test_status_code_is_an_error(boss, status, failed):
    name = unique()
    send(boss, [{"session_id": name, "developer_id": name, "timestamp": day(2).isoformat(), "status_code": status}])
    assert settled(boss, f"/api/metrics?developer_id={name}", lambda a: a["error_rate"]["value"] is not None)["error_rate"]["value"] == 100 * failed


# ---- 002.page-members ----

def test_page_members(boss):
    first = boss.get("/api/sessions?page=1&page_size=5").json()
    assert first["sessions"] == first["items"] and len(first["sessions"]) == 5
    assert first["total_count"] == first["total"] > 5 and first["has_more"] is True and (first["page"], first["page_size"]) == (1, 5)
    last = boss.get(f"/api/sessions?page={-(-first['total'] // 5)}&page_size=5").json()
    assert last["has_more"] is False and last["next"] is None and 1 <= len(last["sessions"]) <= 5
    beyond = boss.get("/api/sessions?page=9999&page_size=5").json()
    assert (beyond["sessions"], beyond["total_count"], beyond["has_more"]) == ([], first["total"], False)


# ---- 002.profile ----

def test_profile_sums(opened, rows):
    """The profile of an analyst has the imported sessions with their name; figures are numbers, also without
    sessions."""
    user = analyst(opened, rows)
    empty = user.get("/api/profile").json()
    assert (empty["developer_id"], empty["total_sessions"], empty["avg_latency_ms"], empty["acceptance_rate"]) == (user.name, 0, 0, 0)
    assert (empty["most_used_models"], empty["active_repos"], empty["sessions_by_date"]) == ([], [], {})
    records = [{"session_id": f"{user.name}-{n}", "developer_id": user.name, "timestamp": f"2026-11-{10 + n % 2}T09:00:00Z",
                "model": "opus" if n < 3 else "mini", "cost_usd": 0.5, "accepted_flag": n < 2, **EXTRA, "latency_ms": 100 * n,
                "repo_slug": "acme/shop" if n else "acme/web"} for n in range(4)]
    send(user, records)
    got = user.get("/api/profile").json()
    assert (got["total_sessions"], got["total_tokens_used"], got["total_cost_usd"]) == (4, 4000, 2)
    assert (got["avg_latency_ms"], got["acceptance_rate"]) == (150, 50)
    assert got["most_used_models"] == [{"value": "opus", "count": 3}, {"value": "mini", "count": 1}]
    assert got["active_repos"] == [{"value": "acme/shop", "count": 3}, {"value": "acme/web", "count": 1}]
    assert got["sessions_by_date"] == {"2026-11-10": 2, "2026-11-11": 2}
    patched = user.patch("/api/profile", {"preferences": {"theme": "dark"}}).json()
    assert patched["total_sessions"] == 4


def test_profile_of_a_developer(opened, boss):
    got = boss.get("/api/profile?developer_id=dev-1").json()
    assert got["developer_id"] == "dev-1" and got["total_sessions"] > 10 and got["total_sessions"] == sum(got["sessions_by_date"].values())
    assert {item["value"] for item in got["active_repos"]} == {"acme/web", "acme/shop"}
    plain = opened.register()
    assert plain.get("/api/profile?developer_id=dev-1").status_code == 403
    assert opened.get("/api/profile?developer_id=dev-1").status_code == 403
    assert plain.get("/api/profile").json()["total_sessions"] == 0, "a name in an import is no account"


def test_profile_without_a_token(opened, boss):
    nobody = settled(boss, "/api/profile?developer_id=dev-1", lambda a: a["total_sessions"])
    assert nobody
    got = opened.get("/api/profile").json()
    assert got["developer_id"] is None and got["total_sessions"] > 100 and got["active_repos"] == []
    assert {item["value"] for item in got["most_used_models"]} >= {"sonnet", "mini"}


# ---- 002 as CSV ----

def test_its_table_as_csv(boss):
    """The table of sessions is imported in the form of sqlite3 -csv -header."""
    text = ("id,session_id,developer_id,timestamp,model,tokens_in,tokens_out,latency_ms,status_code,accepted_flag,repo_slug,event_date,total_tokens,"
            "cost_usd,diff_ratio,accepted_lines\r\n1,s-1,dev-1,2024-10-28T11:30:00,claude-3-sonnet,600,400,850.5,200,1,acme/shop,2024-10-28,1000,0.45,0.25,12\r\n"
            "2,s-2,dev-1,2024-10-28T12:30:00,,,,,,,,2024-10-28,,,,\r\n")
    done = boss.request("POST", "/api/sessions/import", content=text.encode(), headers={"Content-Type": "text/csv"})
    assert done.json() == {"imported": 2, "duplicates": 0, "refused": []}
    one = boss.get("/api/sessions/s-1").json()
    assert {key: one[key] for key in EXTRA} == EXTRA and (one["cost_usd"], one["accepted_flag"]) == (0.45, True)
    assert json.loads(lines([one]))["timestamp"].startswith("2024-10-28T11:30:00")


# ---- with a daemon of their own ----

def test_refresh_by_password_counts_as_login(parlour):
    daemon = parlour(rate_login="5/h", workers=1)
    codes = [daemon.post("/auth/refresh", {"username": "nobody", "password": "wrong password"}).status_code for _ in range(7)]
    assert codes == [401] * 5 + [429] * 2 and daemon.post("/auth/token", {"username": "a", "password": "b"}).status_code == 429


def test_health_fields(parlour, rows):
    rows("DELETE FROM sessions")
    daemon = parlour(workers=1)
    health = daemon.get("/health").json()
    assert health["timestamp"].startswith("20") and health["database_connected"] is True and health["prodlens_cache_exists"] is False
    send(analyst(daemon, rows), [session(1, day(1))])
    wait_for(lambda: daemon.get("/health").json()["prodlens_cache_exists"] is True, 12, "usage was imported")
