# SPDX-License-Identifier: ISC
"""Profiles: display name, language, time zone, preferences."""

import pytest

from usagedata import unique

PATH = "/api/profile"                             # covers: PATCH /api/profile


def refused(answer, *fields, status=422):
    assert answer.status_code == status, answer.text
    return [".".join(e["loc"][1:]) for e in answer.json()["detail"]] == list(fields)


def test_all_fields_and_none(shared):
    user = shared.register()
    first = user.get(PATH).json()
    assert (first["user"]["name"], first["locale"], first["timezone"]) == (None, None, None)
    done = user.patch(PATH, {"name": " Ann  B. ", "locale": "de-at", "timezone": "europe/berlin", "preferences": {"theme": "dark"}})
    assert done.status_code == 200, done.text
    profile = done.json()
    assert (profile["user"]["name"], profile["locale"], profile["timezone"], profile["preferences"]) == \
        ("Ann  B.", "de-AT", "Europe/Berlin", {"theme": "dark"})
    assert user.get(PATH).json() == profile and user.get("/api/auth/me").json() == profile["user"]
    for nothing in ({}, {"name": None, "locale": None, "timezone": None, "preferences": None}):
        assert user.patch(PATH, nothing).json() == profile, nothing
    assert user.patch(PATH, {"locale": "sr-latn"}).json()["locale"] == "sr-Latn"
    none = user.patch(PATH, {"name": "", "locale": " ", "timezone": ""}).json()
    assert (none["user"]["name"], none["locale"], none["timezone"], none["preferences"]) == (None, None, None, {"theme": "dark"})


@pytest.mark.parametrize("body, fields", [
    ({"nmae": "x"}, ["nmae"]), ({"name": "x", "access": "admin", "email": "a@b.org"}, ["access", "email"]),
    ({"name": 7}, ["name"]), ({"name": "x" * 101}, ["name"]), ({"name": "a\u200bb"}, ["name"]), ({"name": "\u2800"}, ["name"]),
    ({"locale": "de_DE"}, ["locale"]), ({"locale": "german-language-tag"}, ["locale"]), ({"locale": ["de"]}, ["locale"]),
    ({"locale": "de-" + "x" * 62}, ["locale"]), ({"timezone": "Mars/Phobos"}, ["timezone"]), ({"timezone": "+05:30"}, ["timezone"]),
    ({"timezone": "EST5EDT4"}, ["timezone"]), ({"timezone": "posix/Europe/Berlin"}, ["timezone"]), ({"timezone": 1}, ["timezone"]),
    ({"preferences": []}, ["preferences"]), ({"preferences": [], "locale": "?", "timezone": "UTC"}, ["preferences", "locale"]),
    ({"locale": "?", "other": 1}, ["other"])])
def test_what_is_refused(shared, body, fields):
    user = shared.register()
    before = user.patch(PATH, {"name": "Was Here", "locale": "en", "timezone": "UTC"}).json()
    assert refused(user.patch(PATH, body), *fields), body
    assert user.get(PATH).json() == before


def test_many_unknown_fields_are_not_all_named(shared):
    answer = shared.register().patch(PATH, {f"field{i}": i for i in range(1000)})
    assert answer.status_code == 422 and len(answer.json()["detail"]) == 16
    assert {e["type"] for e in answer.json()["detail"]} == {"extra_forbidden"}


@pytest.mark.parametrize("zone", ["UTC", "Etc/GMT+5", "America/Argentina/Buenos_Aires", "Asia/Kathmandu"])
def test_time_zones(shared, zone):
    assert shared.register().patch(PATH, {"timezone": zone}).json()["timezone"] == zone


def test_a_name_of_somebody_else(shared):
    """The change is refused as a whole: the time zone does not change either."""
    other, user = shared.register(), shared.register()
    role = shared.register().post("/api/roles", {"name": unique()}).json()
    for name in (other.name, other.name.upper(), role["name"]):
        answer = user.patch(PATH, {"name": name, "timezone": "Asia/Tokyo", "preferences": {"a": 1}})
        assert answer.status_code == 409 and answer.json()["code"] == "taken", answer.text
    after = user.get(PATH).json()
    assert (after["timezone"], after["preferences"]) == (None, {})
    assert user.patch(PATH, {"name": user.name.upper()}).status_code == 200, "one's own"


def test_the_zone_of_questions(shared):
    user = shared.register()

    def zone_of(header=None):
        answer = user.request("POST", "/api/query", {"query": "messages today"}, headers={"X-Timezone": header} if header else {})
        return answer.json()["intent"]["timezone"]

    assert zone_of() == "UTC"
    user.patch(PATH, {"preferences": {"timezone": "Asia/Kolkata"}})
    assert zone_of() == "Asia/Kolkata"
    user.patch(PATH, {"timezone": "Pacific/Auckland"})
    assert (zone_of(), zone_of("Europe/Berlin")) == ("Pacific/Auckland", "Europe/Berlin")
    user.patch(PATH, {"timezone": ""})
    assert zone_of() == "Asia/Kolkata"


def test_the_description_says_that_fields_are_refused(shared):
    schemas = shared.get("/openapi.json").json()["components"]["schemas"]
    assert schemas["profile_in"]["additionalProperties"] is False and "additionalProperties" not in schemas["register_in"]
