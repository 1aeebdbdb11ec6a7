# SPDX-License-Identifier: ISC
"""The profile with preferences, and dashboards: grid, owner, versions."""

import pytest


@pytest.fixture(scope="module")
def ben(shared):
    return shared.register()


def card(number=0, **fields):
    return {"id": f"c{number}", "type": "number", "title": f"Card {number}", "query": "messages today", "x": 3 * number % 12,
            "y": number // 4, "w": 3, "h": 1, **fields}


def test_profile_and_what_was_done(ann, rows):
    profile = ann.get("/api/profile").json()
    assert profile["user"] == ann.get("/api/auth/me").json() and profile["preferences"] == {}
    before = profile["usage"]
    room = ann.room()["id"]
    for i in range(3):
        assert ann.say(room, f"hello {i}").status_code == 201
    rows(f"INSERT INTO sessions (kind, user_id, total_tokens, cost_micros) VALUES ('usage', {ann.id}, 120, 2500)")
    after = ann.get("/api/profile").json()["usage"]
    assert {k: after[k] - before[k] for k in after} == {
        "messages": 3, "rooms": 1, "sessions": 1, "answers": 0, "tokens": 120, "cost_usd": 0.0025, "votes": 0}


def test_preferences(ann, ben):
    wanted = {"theme": "dark", "nested": {"a": [1, 2.5, None, "ü"]}, "huge": 12345678901234567890}
    answer = ann.patch("/api/profile", {"preferences": wanted})
    assert answer.status_code == 200 and answer.json()["preferences"] == wanted
    assert ann.patch("/api/profile", {}).json()["preferences"] == wanted, "nothing to change"
    assert ann.patch("/api/profile", {"preferences": {"theme": "light"}}).json()["preferences"] == {"theme": "light"}
    assert ben.get("/api/profile").json()["preferences"] == {}
    for bad in ([], "x", 7, {"blob": "x" * 16384}):
        refused = ann.patch("/api/profile", {"preferences": bad})
        assert refused.status_code == 422 and refused.json()["detail"][0]["loc"] == ["body", "preferences"], bad
    assert ann.patch("/api/profile", {"preferences": {"b": "x" * 16000}}).status_code == 200


def test_tags_of_full_cards(shared):
    """The same version with all members of its cards is another representation, so it has another ETag."""
    user, path = shared.register(), "/api/dashboard/main"
    plain = user.put(path, {"cards": [card(0)]}).headers["ETag"]
    full = user.get(f"{path}?default=1").headers["ETag"]
    assert (plain, full) == ('"1"', '"1.full"') and user.get(path).headers["ETag"] == plain
    for query, tag, status in (("", plain, 304), ("", full, 200), ("?default=1", plain, 200), ("?default=1", full, 304)):
        assert user.get(path + query, headers={"If-None-Match": tag}).status_code == status, (query, tag)
    assert user.request("PUT", path, json={"cards": []}, headers={"If-Match": full}).json()["version"] == 2
    assert user.request("PUT", path, json={"cards": []}, headers={"If-Match": full}).status_code == 412
    for tag in ('".full"', '"x.full"', '"2.fullest"', '"2.full.full"'):
        assert user.request("PUT", path, json={"cards": []}, headers={"If-Match": tag}).status_code == 412, tag
    assert user.request("DELETE", path, headers={"If-Match": '"2.full"'}).status_code == 204


def test_a_dashboard_lives_and_ends(ann, ben, shared):
    path = "/api/dashboard/main"
    assert ann.get(path).status_code == 404
    made = ann.post("/api/dashboard/main", {"cards": [card(0), card(1, query=None, type="line")]})
    assert made.status_code == 200 and made.headers["ETag"] == '"1"', made.text
    body = made.json()
    assert body["layout_id"] == "main" and body["version"] == 1
    assert body["cards"] == [card(0), card(1, query=None, type="line")]
    got = ann.get("/api/dashboard/main")
    assert got.json() == body and got.headers["ETag"] == '"1"'
    assert ann.get(path, headers={"If-None-Match": '"1"'}).status_code == 304
    saved = ann.put("/api/dashboard/main", {"cards": [], "version": 1})
    assert saved.status_code == 200 and saved.json()["version"] == 2 and saved.json()["cards"] == []
    ann.put("/api/dashboard/a.b-c_D", {"cards": []})
    assert [d["layout_id"] for d in ann.get("/api/dashboards").json()] == ["a.b-c_D", "main"]
    assert ben.get(path).status_code == 404 and ben.delete(path).status_code == 404 and ben.get("/api/dashboards").json() == []
    assert ben.post(path, {"cards": []}).json()["version"] == 1, "a name belongs to its owner alone"
    assert ann.get(path).json()["version"] == 2
    assert ann.delete("/api/dashboard/main").status_code == 204 and ann.get(path).status_code == 404
    assert shared.get(path).status_code == 401


def test_versions(ann):
    path = "/api/dashboard/versions"

    def put(match=None, version=None):
        body = {"cards": []} if version is None else {"cards": [], "version": version}
        return ann.put(path, body, headers={} if match is None else {"If-Match": match}).status_code

    assert put(match="*") == 412 and put(match='"1"') == 412 and put(version=1) == 409
    assert put(version=0) == 200
    assert put(version=0) == 409 and put(match='"2"') == 412 and put(match="nonsense") == 412 and put(match='W/"1"') == 412
    assert put(match='"1"', version=2) == 409
    assert put(match='"1"', version=1) == 200 and put(match="*") == 200 and put() == 200
    refused = ann.put(path, {"cards": []}, headers={"If-Match": '"1"'}).json()
    assert refused["code"] == "precondition_failed"
    assert "its version is 4" in ann.put(path, {"cards": [], "version": 1}).json()["detail"]
    assert put(match='"1", "2"') == 412 and put(match='"1","3" , "4"') == 200
    tags = ('W/"5"', '"1", "5"', '"1", W/"5"', "*")
    assert [ann.get(path, headers={"If-None-Match": tag}).status_code for tag in tags] == [304] * 4
    assert ann.get(path, headers={"If-None-Match": '"1", "4"'}).status_code == 200
    assert ann.delete(path, headers={"If-Match": '"1", W/"5"'}).status_code == 412, "weak ones never match"
    assert put(match='"9", "5"') == 200
    assert ann.delete(path, headers={"If-Match": '"1"'}).status_code == 412
    assert ann.delete(path, headers={"If-Match": '"1", "6"'}).status_code == 204
    assert ann.delete(path).status_code == 404


BAD = [
    ({"id": ""}, "id"), ({"id": 7}, "id"), ({"type": "pie"}, "type"), ({"title": None}, "title"), ({"title": "x" * 129}, "title"), ({"title": " \u200b"}, "title"),
    ({"title": "a\u202eb"}, "title"), ({"title": "   "}, "title"),
    ({"query": ""}, "query"), ({"query": "x" * 501}, "query"), ({"x": -1}, "x"), ({"x": 12}, "x"), ({"x": 1.5}, "x"),
    ({"y": 1000}, "y"), ({"w": 0}, "w"), ({"w": 13}, "w"), ({"h": 13}, "h"), ({"x": 10}, "w"), ({"x": 1}, "x"), ({"id": "c0"}, "id")]


def test_the_grid(ann):
    for change, field in BAD:
        answer = ann.put("/api/dashboard/bad", {"cards": [card(0), card(1, **change)]})
        assert answer.status_code == 422, change
        assert [str(p) for p in answer.json()["detail"][0]["loc"]] == ["body", "cards", "1", field], (change, answer.text)
    for cards in ({}, "x", [card(i) for i in range(65)], [1], None):
        assert ann.put("/api/dashboard/bad", {"cards": cards}).status_code == 422, cards
    assert ann.put("/api/dashboard/bad", {}).status_code == 422
    assert ann.get("/api/dashboard/bad").status_code == 404
    for name in ("a" * 65, "a%20b", "%C3%BC"):
        assert ann.put(f"/api/dashboard/{name}", {"cards": []}).status_code == 404
    assert ann.put("/api/dashboard/full", {"cards": [card(i) for i in range(64)]}).status_code == 200


def test_titles_have_one_form(ann):
    cards = [card(0, title="  Cafe\u0301\u00a0"), card(1, title="👩\u200d💻")]
    got = ann.put("/api/dashboard/titles", {"cards": cards, "layout_name": " U\u0308bersicht "}).json()
    assert [c["title"] for c in got["cards"]] == ["Caf\u00e9", "👩\u200d💻"] and got["layout_name"] == "\u00dcbersicht"


def test_native_cards_are_as_they_were(ann):
    """A client that sends only id, type, title, query and place receives only these, and may send all of them back
    changed."""
    got = ann.put("/api/dashboard/native", {"cards": [card(0)]}).json()
    assert got["cards"] == [card(0)] and (got["layout_name"], got["grid_columns"], got["user_id"]) == ("native", 12, ann.id)
    assert ann.put("/api/dashboard/native", {**got, "cards": [{**got["cards"][0], "x": 5}]}).json()["cards"][0]["x"] == 5


def test_so_many_and_no_more(shared):
    eve = shared.register()
    for i in range(100):
        assert eve.put(f"/api/dashboard/d{i}", {"cards": []}).status_code == 200
    assert [eve.put(f"/api/dashboard/e{i}", {"cards": []}).status_code for i in range(3)] == [409] * 3
    assert eve.put("/api/dashboard/d0", {"cards": []}).status_code == 200, "one that is there may be saved"
    assert len(eve.get("/api/dashboards").json()) == 100
