# SPDX-License-Identifier: ISC
"""Lists by pages: {items, total, page, page_size, next} if the query contains page, page_size or cursor."""

import pytest

from parlour import wait_for


@pytest.fixture(name="full", scope="module")
def fixture_full(shared, rows):
    """Creates a user who has five objects of every kind, and returns the user and the id of a room."""
    user = shared.register()
    rows(f"UPDATE users SET access = 'operator' WHERE id = {user.id}")
    user = shared.login(user.name)
    room = user.room()["id"]
    for i in range(5):
        other = shared.register()
        user.role()
        user.room()
        user.post("/api/sessions", {})
        if i > 0:
            assert user.post(f"/api/rooms/{room}/members", {"user_id": other.id}).status_code == 201
        said = user.say(room, str(i)).json()["seq"]
        assert user.post("/api/feedback", {"target": {"kind": "message", "id": f"{room}.{said}"}, "score": 1}).status_code == 201
        ask = {"question": str(i), "channel": {"kind": "web", "destination": other.name}}
        assert user.post("/api/feedback-requests", ask).status_code == 201
        assert user.post("/api/knowledge", {"title": f"T{i}", "text": "Text."}).status_code == 201
        assert user.post("/api/query", {"query": "my messages last 7 days"}).status_code in (200, 201)
        assert user.put(f"/api/dashboard/d{i}", {"cards": []}).status_code == 200
        user = shared.login(user.name)
    return user, room


@pytest.mark.parametrize("path", [
    "/api/roles", "/api/rooms", "/api/rooms/{room}/members", "/api/feedback", "/api/feedback-requests",
    "/api/feedback-requests?role=asker&status=sent", "/api/knowledge", "/api/query/history", "/api/dashboards",
    "/api/auth/sessions", "/api/sessions", "/api/suggestions", "/api/llm/models", "/api/provider-keys"])
def test_pages_cover_the_list(full, path):
    user, room = full
    path = path.format(room=room)
    join = "&" if "?" in path else "?"
    if "status=sent" in path:
        wait_for(lambda: len(user.get(path).json()) == 5)
    whole = user.get(path + join + "limit=200").json() if "limit" in str(user.get(path + join + "limit=0").text) \
        else user.get(path).json()
    assert isinstance(whole, list)
    if path.rsplit("/", 1)[-1] not in ("suggestions", "models", "provider-keys"):
        assert len(whole) >= 3
    items, address, pages = [], f"{path}{join}page=1&page_size=2", 0
    while address:
        answer = user.get(address)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        pages += 1
        assert set(page) == {"items", "total", "total_count", "page", "page_size", "next", "has_more"} | ({"sessions"} if "/api/sessions" in path else set())
        assert page["total_count"] == page["total"] and page["has_more"] == (page["next"] is not None)
        assert (page["total"], page["page"], page["page_size"]) == (len(whole), pages, 2), page
        items += page["items"]
        address = page["next"]
    assert items == whole
    behind = user.get(f"{path}{join}page={pages + 5}&page_size=2").json()
    assert behind["items"] == [] and behind["next"] is None and behind["total"] == len(whole), behind
    by_cursor = user.get(f"{path}{join}cursor=1").json()
    assert by_cursor["total"] == len(whole) and by_cursor["page_size"] == 50
    for bad in ("page=0", "page_size=0", "page_size=201", "page=x", "cursor=0"):
        assert user.get(path + join + bad).status_code == 422, bad


def test_pages_tell_strangers_nothing(full, shared):
    user, _ = full
    private = user.room(visibility="private")["id"]
    assert shared.register().get(f"/api/rooms/{private}/members?page=1").status_code == 404
    assert user.get(f"/api/rooms/{private}/members?page=1").json()["total"] == 1
    assert user.get("/api/rooms/x/members?page=1").status_code == 404


def test_all_login_sessions_are_listed(shared, rows):
    user = shared.register()
    rows(f"INSERT INTO login_sessions (user_id, expires_at) SELECT {user.id}, now() + interval '1 day' "
         "FROM generate_series(1, 450)")
    rows(f"INSERT INTO login_sessions (user_id, expires_at, ended_at) SELECT {user.id}, now() + interval '1 day', now() "
         "FROM generate_series(1, 9)")
    alive = [i for i, in rows(f"SELECT id FROM login_sessions WHERE user_id = {user.id} AND ended_at IS NULL ORDER BY id DESC")]
    assert len(alive) == 451
    for size in (200, 70):
        items, address = [], f"/api/auth/sessions?page_size={size}"
        while address:
            page = user.get(address).json()
            assert page["total"] == 451 and len(page["items"]) <= size
            items += page["items"]
            address = page["next"]
        assert [i["id"] for i in items] == alive
    first = user.get("/api/auth/sessions")
    assert [i["id"] for i in first.json()] == alive[:200]
    second = user.get(first.links["next"]["url"])
    assert [i["id"] for i in second.json()] == alive[200:400]
    assert user.delete(f"/api/auth/sessions/{alive[-1]}").status_code == 204
