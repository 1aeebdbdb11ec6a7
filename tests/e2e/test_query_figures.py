# SPDX-License-Identifier: ISC
"""Figures of questions, compared with separate statements and calendars: periods and steps in time zones of all kinds,
averages, medians, shares, thresholds, comparisons, rates; and names that are hidden."""

from datetime import datetime, timedelta, timezone
from statistics import mean, median
from zoneinfo import ZoneInfo

import pytest

from usagedata import analyst, avoid_midnight, unique

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Auckland", "America/St_Johns")
# ends of months, a leap day, the nights of clock changes, ends of years: the data lies around these local midnights
EDGES = ("2024-02-29", "2024-03-01", "2025-01-01", "2025-03-31", "2025-04-01", "2025-03-30", "2025-10-26", "2025-11-02", "2025-12-31",
         "2026-01-01", "2026-03-29", "2026-04-01", "2026-07-01", "2026-10-01", "2026-10-25")
PERIODS = (("on 2024-02-29", "2024-02-29", "2024-03-01"), ("in February 2024", "2024-02-01", "2024-03-01"),
           ("on 30 March 2025", "2025-03-30", "2025-03-31"), ("on 26 October 2025", "2025-10-26", "2025-10-27"),
           ("on Nov 2, 2025", "2025-11-02", "2025-11-03"), ("in March 2025", "2025-03-01", "2025-04-01"),
           ("on 31 March 2025", "2025-03-31", "2025-04-01"), ("in 2025", "2025-01-01", "2026-01-01"),
           ("Q4 2025", "2025-10-01", "2026-01-01"), ("in H1 2026", "2026-01-01", "2026-07-01"),
           ("on 2025-12-31", "2025-12-31", "2026-01-01"), ("between 2025-12-31 and 2026-01-01", "2025-12-31", "2026-01-02"),
           ("from March 2025 to October 2025", "2025-03-01", "2025-11-01"), ("until 2024-02-29", None, "2024-03-01"),
           ("before March 2025", None, "2025-03-01"), ("first quarter of 2026", "2026-01-01", "2026-04-01"),
           ("since 2026-10-01", "2026-10-01", None), ("after 2026-09-30", "2026-10-01", None), ("all time", None, None))


@pytest.fixture(scope="module")
def boss(shared, rows):
    return analyst(shared, rows)


def moment(day, zone):
    """Returns the local midnight as a point in time."""
    return datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).astimezone(timezone.utc)


@pytest.fixture(scope="module")
def tag(rows):
    """Imports sessions in each zone just before, at, and just after each midnight; the token counts are powers, so that
    different sums differ."""
    name = unique()
    number = 0
    for zone in ZONES:
        for day in EDGES:
            at = moment(day, zone)
            for off in (-1, 0, 1, 3 * 3600):
                number += 1
                add(rows, name, f"dev-{number % 5}-{name}", at + timedelta(seconds=off), 1000 + number * number, number)
    return name


def add(rows, model, who, at, tokens, cost, accepted=None, errors=0):  # pylint: disable=too-many-arguments,too-many-positional-arguments
    flag = "NULL" if accepted is None else str(accepted)
    rows("INSERT INTO sessions (kind, source, external_id, developer, model, total_tokens, cost_micros, accepted_flag, errors, started_at) "
         f"VALUES ('usage', 'figures', '{unique()}', '{who}', '{model}', {tokens}, {cost * 1000}, {flag}, {errors}, '{at.isoformat()}') "
         "RETURNING 1")


def ask(user, text, zone=None, status=200):
    answer = user.request("POST", "/api/query", json={"query": text}, headers={"X-Timezone": zone} if zone else {})
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.mark.parametrize("zone", ZONES)
def test_periods(boss, tag, rows, zone):
    for words, start, end in PERIODS:
        answer = ask(boss, f'tokens with model "{tag}" {words}', zone)
        where = f"model = '{tag}'"
        if start:
            where += f" AND started_at >= '{moment(start, zone).isoformat()}'"
        if end:
            where += f" AND started_at < '{moment(end, zone).isoformat()}'"
        expected = rows(f"SELECT coalesce(sum(total_tokens), 0)::bigint FROM sessions WHERE {where}")[0][0]
        assert expected > 0 and answer["rows"] == [[expected]], (zone, words, answer["understood"])
        assert answer["intent"]["timezone"] == zone and zone in answer["summary"]


@pytest.mark.parametrize("zone", ZONES)
def test_steps(boss, tag, rows, zone):
    start, end = moment("2025-01-01", zone), moment("2026-01-01", zone)
    for step in ("day", "week", "month", "quarter", "year"):
        answer = ask(boss, f'tokens per {step} with model "{tag}" in 2025', zone)
        expected = rows(f"SELECT to_char(date_trunc('{step}', started_at AT TIME ZONE '{zone}'), 'YYYY-MM-DD'), sum(total_tokens)::bigint "
                        f"FROM sessions WHERE model = '{tag}' AND started_at >= '{start.isoformat()}' AND started_at < '{end.isoformat()}' "
                        "GROUP BY 1 ORDER BY 1")
        assert answer["rows"] == [list(r) for r in expected], (zone, step)
        # 2025 begins and ends on a Wednesday: its first and last week are incomplete
        assert answer["partial"] == ([key for key in ("2024-12-30", "2025-12-29") if key in [r[0] for r in expected]] if step == "week" else [])
        assert ("not whole" in answer["summary"]) == bool(answer["partial"])


@pytest.mark.parametrize("zone", ZONES)
def test_hours_of_the_day_and_weekdays(boss, tag, rows, zone):
    """Hours and weekdays follow the clock of the asker, before and after clock changes; the most common is first only
    when asked for."""
    start, end = moment("2025-01-01", zone), moment("2026-01-01", zone)
    inside = f"model = '{tag}' AND started_at >= '{start.isoformat()}' AND started_at < '{end.isoformat()}'"
    local = f"started_at AT TIME ZONE '{zone}'"
    for words, key, order in (("hour of the day", f"to_char({local}, 'HH24:00')", f"to_char({local}, 'HH24:00')"),
                              ("weekday", f"to_char({local}, 'FMDay')", f"extract(isodow FROM {local})")):
        answer = ask(boss, f'tokens per {words} with model "{tag}" in 2025', zone)
        expected = rows(f"SELECT {key}, sum(total_tokens)::bigint FROM sessions WHERE {inside} GROUP BY {key}, {order} ORDER BY {order}")
        assert answer["rows"] == [list(r) for r in expected] and len(expected) > 2, (zone, words)
        assert answer["partial"] == [] and answer["columns"][0]["type"] == "text" and answer["card"]["type"] == "bar"
        assert answer["intent"]["sort"]["order"] == "asc"
        top = ask(boss, f'top 1 {"weekdays" if words == "weekday" else "hours of the day"} by tokens with model "{tag}" in 2025', zone)
        assert top["rows"][0][1] == max(r[1] for r in expected)
    both = ask(boss, f'sessions by weekday with model "{tag}" in October 2025 vs March 2025', zone)
    assert {row[0]: row[1:3] for row in both["rows"]} == {
        day: [sum(n for d, month, n in found if (d, month) == (day, 10)), sum(n for d, month, n in found if (d, month) == (day, 3))]
        for found in [[tuple(r) for r in rows(f"SELECT to_char({local}, 'FMDay'), extract(month FROM {local})::integer, count(*)::integer "
                                              f"FROM sessions WHERE model = '{tag}' AND extract(year FROM {local}) = 2025 "
                                              f"AND extract(month FROM {local}) IN (3, 10) GROUP BY 1, 2")]]
        for day in {d for d, _, _ in found}}


def test_hours_in_the_nights_when_clocks_change(boss, rows):
    """An hour that occurs twice is two rows with different offsets; an hour that is skipped has no row."""
    model = unique()
    for number, at in enumerate(("2025-10-26T00:30", "2025-10-26T00:59", "2025-10-26T01:30", "2025-10-26T02:00", "2025-03-30T00:59",
                                 "2025-03-30T01:00")):
        add(rows, model, "dev", datetime.fromisoformat(at).replace(tzinfo=timezone.utc), 10 ** number, 1)
    answer = ask(boss, f"tokens per hour with model {model} on 2025-10-26", "Europe/Berlin")
    assert answer["rows"] == [["2025-10-26T02:00+02:00", 11], ["2025-10-26T02:00+01:00", 100], ["2025-10-26T03:00+01:00", 1000]]
    assert answer["columns"][0] == {"name": "hour", "type": "time", "unit": None} and answer["partial"] == []
    answer = ask(boss, f"tokens per hour with model {model} on 2025-03-30", "Europe/Berlin")
    assert answer["rows"] == [["2025-03-30T01:00+01:00", 10000], ["2025-03-30T03:00+02:00", 100000]]
    answer = ask(boss, f"tokens per hour with model {model} on 2025-10-25", "America/St_Johns")
    assert answer["rows"] == [["2025-10-25T22:00-02:30", 11], ["2025-10-25T23:00-02:30", 1100]]
    answer = ask(boss, f"tokens per hour of the day with model {model} on 2025-10-26", "Europe/Berlin")
    assert answer["rows"] == [["02:00", 111], ["03:00", 1000]]
    assert ask(boss, f"top 1 hours by tokens with model {model} on 2025-10-26", "Europe/Berlin")["rows"][0][1] == 1000
    refused = ask(boss, f"tokens per hour with model {model} in October 2025", "Europe/Berlin", 422)["detail"][0]["msg"]
    assert "at most 7 days" in refused


def test_the_hour_that_is_not_over(boss, rows):
    model, now = unique(), datetime.now(timezone.utc)
    add(rows, model, "dev", now, 7, 1)
    answer = ask(boss, f"tokens per hour with model {model} last 24 hours", "+05:30")
    local = now.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert answer["rows"] == [[local.strftime("%Y-%m-%dT%H:00+05:30"), 7]]
    if datetime.fromisoformat(answer["created_at"].replace("Z", "+00:00")).astimezone(local.tzinfo).hour == local.hour:
        assert answer["partial"] == [answer["rows"][0][0]]


def test_users_by_both_of_their_names(shared, boss, rows):
    """Usage that names a developer and belongs to an account is found by either name."""
    user, model = shared.register(), unique()
    rows("INSERT INTO sessions (kind, source, external_id, user_id, developer, model, total_tokens) "
         f"VALUES ('usage', 'figures', '{unique()}', {user.id}, 'dev-{model}', '{model}', 40) RETURNING 1")
    for name in (user.name, f"dev-{model}"):
        assert ask(boss, f"tokens of {name} with model {model}")["rows"] == [[40]], name


def test_shares_of_ones_own(shared, boss, work):
    ann = shared.register()
    assert ann.say(ann.room(name=f"room-{unique()}")["id"], "hello").status_code == 201
    for text in ("share of messages by user", f"share of messages of {ann.name}"):
        assert "only your own data" in ask(ann, text, status=422)["detail"][0]["msg"]
    assert ask(ann, "share of messages by weekday")["rows"][0][1] == 100
    assert ask(boss, f"share of tokens by user with model x-{work} in October 2026")["rows"]


def test_thresholds_from_below_say_who_is_left_out(boss, work):
    answer = ask(boss, f"users with less than 1000 tokens with model y-{work} in October 2026")
    assert "under 1000 (those with none are left out)" in answer["understood"]
    assert "left out" not in ask(boss, f"users with more than 10 tokens with model y-{work} in October 2026")["understood"]


def test_offsets_and_unknown_zones(boss, tag, rows):
    at = datetime(2026, 9, 30, 18, 30, tzinfo=timezone.utc)
    expected = rows(f"SELECT sum(total_tokens)::bigint FROM sessions WHERE model = '{tag}' AND started_at >= '{at.isoformat()}'")[0][0]
    for zone in ("+05:30", "+0530"):
        assert ask(boss, f'tokens with model "{tag}" since 2026-10-01', zone)["rows"] == [[expected]]
    for zone in ("Mars/Phobos", "EST", "IST", "Foo/Bar5", "Etc/GMT+99", "+25:00", "+5", "x' OR true --", "localtime"):
        refused = ask(boss, "tokens today", zone, 422)
        assert refused["detail"][0]["loc"] == ["header", "X-Timezone"], zone


def test_zone_of_preferences_and_setting(parlour, rows):
    daemon = parlour(timezone="Asia/Kolkata")
    user = daemon.register()
    assert ask(user, "tokens today")["intent"]["timezone"] == "Asia/Kolkata"
    user.request("PATCH", "/api/profile", {"preferences": {"timezone": "Pacific/Auckland"}})
    assert ask(user, "tokens today")["intent"]["timezone"] == "Pacific/Auckland"
    assert ask(user, "tokens today", "Europe/Berlin")["intent"]["timezone"] == "Europe/Berlin"
    user.request("PATCH", "/api/profile", {"preferences": {"timezone": "Nowhere/Land"}})
    assert ask(user, "tokens today")["intent"]["timezone"] == "Asia/Kolkata"
    user.request("PATCH", "/api/profile", {"preferences": {"timezone": 7}})
    assert ask(user, "tokens today")["intent"]["timezone"] == "Asia/Kolkata"


@pytest.mark.parametrize("zone", ("UTC", "Asia/Kathmandu", "America/New_York"))
def test_periods_that_end_now(boss, rows, zone):
    """The test uses hours around now, so that days, months, and years of the zone begin where its clock says."""
    avoid_midnight(zone)
    model = unique()
    now = datetime.now(timezone.utc)
    for hours in (0.01, 5, 20, 23.9, 24.1, 30, 50, 24 * 6.5, 24 * 8, 24 * 29.5, 24 * 31, 24 * 70, 24 * 200, 24 * 370):
        add(rows, model, "x", now - timedelta(hours=hours), int(hours * 100) + 1, 1)
    midnight = datetime.now(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    month = midnight.replace(day=1)
    before = (month - timedelta(days=1)).replace(day=1)
    monday = midnight - timedelta(days=midnight.weekday())
    year = midnight.replace(month=1, day=1)
    quarter = month.replace(month=(month.month - 1) // 3 * 3 + 1)
    for words, start, end in (("today", midnight, None), ("yesterday", midnight - timedelta(days=1), midnight),
                              ("this week", monday, None), ("last week", monday - timedelta(days=7), monday), ("this month", month, None),
                              ("last month", before, month), ("this quarter", quarter, None), ("year to date", year, None),
                              ("last year", year.replace(year=year.year - 1), year), ("last 7 days", midnight - timedelta(days=6), None),
                              ("past month", midnight - timedelta(days=29), None), ("", midnight - timedelta(days=29), None),
                              ("3 days ago", midnight - timedelta(days=3), midnight - timedelta(days=2))):
        where = f"started_at >= '{start.isoformat()}'" + (f" AND started_at < '{end.isoformat()}'" if end else "")
        expected = rows(f"SELECT coalesce(sum(total_tokens), 0)::bigint FROM sessions WHERE model = '{model}' AND {where}")[0][0]
        answer = ask(boss, f"tokens with model {model} {words}", zone)
        assert answer["rows"] == [[expected]], (words, answer["understood"])
    expected = rows(f"SELECT sum(total_tokens)::bigint FROM sessions WHERE model = '{model}' AND started_at >= now() - interval '24 hours'")
    assert ask(boss, f"tokens with model {model} last 24 hours", zone)["rows"] == [[expected[0][0]]]


@pytest.fixture(scope="module")
def work(rows):
    """Imports usage of three users with two models in two months, and of a user whose sessions all failed."""
    name = unique()
    plan = ((1, "a", "x", 100, True, 0), (1, "a", "x", 300, False, 1), (5, "a", "y", 50, None, 0), (5, "b", "x", 700, True, 0),
            (20, "b", "y", 10, True, 2), (31, "c", "y", 900, False, 0), (31, "f", "y", 0, None, 3))
    for month, factor in ((9, 1), (10, 3)):
        for day, who, model, tokens, accepted, errors in plan:
            at = datetime(2026, month, min(day, 30) if month == 9 else day, 12, tzinfo=timezone.utc)
            add(rows, f"{model}-{name}", f"{who}-{name}", at, tokens * factor, tokens * factor, accepted, errors)
    return name


def plain(answer, name):
    return [[v.replace(f"-{name}", "") if isinstance(v, str) else v if v is None else round(v, 6) for v in row] for row in answer["rows"]]


def test_aggregates(boss, work):
    only = f"of models x-{work} and y-{work}"
    october = [300, 900, 150, 2100, 30, 2700, 0]
    # two models are shown separately; a single one is summed
    x = [300, 900, 2100]
    assert ask(boss, f"average tokens per session with model x-{work} in October 2026")["rows"] == [[pytest.approx(mean(x))]]
    assert ask(boss, f"median tokens per session with model x-{work} in October 2026")["rows"] == [[median(x)]]
    assert ask(boss, f"average tokens per user with model x-{work} in October 2026")["rows"] == [[pytest.approx((1200 + 2100) / 2)]]
    assert ask(boss, f"average tokens per day with model x-{work} in October 2026")["rows"] == [[pytest.approx(3300 / 31)]]
    assert ask(boss, f"median tokens per day with model x-{work} in October 2026")["rows"] == [[0]], "29 of 31 days had none"
    assert ask(boss, f"average tokens per week with model x-{work} by month in October 2026")["rows"] == [["2026-10-01", 660.0]]
    got = plain(ask(boss, f"average tokens per session {only} by user in October 2026"), work)
    assert [row for row in got if row[0] == "a"] == [["a", "x", 600], ["a", "y", 150]]
    got = plain(ask(boss, f"share of tokens {only} in October 2026"), work)
    everything = ask(boss, "tokens in October 2026")["rows"][0][0]
    assert got == [["x", round(100 * 3300 / everything, 6)], ["y", round(100 * 2880 / everything, 6)]]
    assert sum(october) == 6180


def test_averages_over_long_periods(boss, rows):
    """Averages over 1,000 years of days are computed within the time limit of a statement."""
    model = unique()
    rows("INSERT INTO sessions (kind, source, external_id, developer, model, total_tokens, cost_micros, errors, started_at) "
         f"SELECT 'usage', 'figures', '{model}-' || g, 'dev-' || g % 9, '{model}', 10, 10, 0, timestamptz '2026-10-01Z' - g * interval '1 day' "
         "FROM generate_series(1, 1200) g RETURNING 1")
    for who, count in (("", 1), ("by user ", 9)):
        before = datetime.now(timezone.utc).date()
        got = ask(boss, f"average tokens per day {who}with model {model} last 1000 years")["rows"]
        days = {(day - day.replace(year=day.year - 1000)).days + 1 for day in (before, datetime.now(timezone.utc).date())}
        assert len(got) == count
        assert any(sum(row[-1] for row in got) == pytest.approx(12000 / n) for n in days)
    got = ask(boss, f"median tokens per day by year and user with model {model} since 1970-01-02")["rows"]
    assert len(got) > 20 and all(row[-1] == 0 for row in got)
    got = ask(boss, f"average tokens per day by year with model {model} since 1970-01-02")["rows"]
    assert [row for row in got if row[0] in ("2024-01-01", "2025-01-01")] == [["2024-01-01", 10], ["2025-01-01", 10]]
    assert ask(boss, f"median tokens per week with model {model} in 2025")["rows"] == [[70]]
    assert ask(boss, f"average tokens per week by month with model {model} in June 2025")["rows"] == [["2025-06-01", 50]]
    assert ask(boss, f"average tokens per quarter with model {model} in 2025")["rows"] == [[912.5]]
    assert ask(boss, f"average tokens per month by quarter with model {model} in H1 2025")["rows"] == [["2025-01-01", 300],
        ["2025-04-01", pytest.approx(910 / 3)]]


def test_rates_and_errors(boss, work):
    ask_x = f"with model x-{work} in October 2026"
    assert ask(boss, f"acceptance rate {ask_x}")["rows"] == [[pytest.approx(200 / 3)]]
    assert ask(boss, f"error rate {ask_x}")["rows"] == [[pytest.approx(100 / 3)]]
    assert ask(boss, f"errors {ask_x}")["rows"] == [[1]]
    assert ask(boss, f"errors with model y-{work} in October 2026")["rows"] == [[5]]
    assert plain(ask(boss, f"acceptance rate by user with model y-{work} in October 2026"), work) == [["b", 100], ["c", 0]]
    assert ask(boss, f"active users with model y-{work} in October 2026")["rows"] == [[4]]
    nothing = ask(boss, f"acceptance rate with model y-{work} in 2020")
    assert nothing["rows"] == [] and "there are no data" in nothing["summary"], "no figure is not 0"


def test_rows_without_a_value_are_left_out(boss, work):
    assert plain(ask(boss, f"bottom 2 users by tokens with model y-{work} in October 2026"), work) == [["b", 30], ["a", 150]]
    assert plain(ask(boss, f"who spent the least with model y-{work} in October 2026"), work) == [["b", 0.03], ["a", 0.15], ["c", 2.7]]


def test_thresholds(boss, work):
    only = f"with model y-{work} in October 2026"
    for words, people in (("more than 30", "ca"), ("at least 30", "cab"), ("under 150", "b"), ("at most 150", "ab"), ("exactly 150", "a"),
                          ("over 1,000", "c"), ("> 2.7k", ""), ("5k or more", "")):
        answer = ask(boss, f"users with {words} tokens {only}")
        assert "".join(row[0] for row in plain(answer, work)) == people, words
    answer = ask(boss, f"users who spent more than $1.50 {only}")
    assert plain(answer, work) == [["c", 2.7]] and "1 user: 2.7" in answer["summary"]
    assert answer["intent"]["threshold"] == {"is": "over", "value": 1.5}


def test_comparisons(boss, work):
    answer = ask(boss, f"tokens with model x-{work} in October 2026 vs September 2026")
    assert answer["rows"] == [[3300, 1100, 2200]] and [c["name"] for c in answer["columns"]] == ["tokens", "earlier", "change"]
    assert "earlier 1100: up 2200 (200%)" in answer["summary"] and answer["intent"]["compared_with"]["text"] == "September 2026"
    assert ask(boss, f"tokens with model x-{work} in September 2026 vs October 2026")["rows"] == answer["rows"], "the later one first"
    answer = ask(boss, f"tokens by user with model x-{work} in November 2025 vs October 2026")
    assert plain(answer, work) == [["b", 2100, 0, 2100], ["a", 1200, 0, 1200]]
    answer = ask(boss, f"average tokens per session with model x-{work} in October 2026 vs October 2025")
    assert answer["rows"] == [[1100, None, None]] and "no figure" in answer["summary"]


def test_names_that_are_hidden(shared, rows, boss):
    ann, ben = shared.register(), shared.register()
    room = ben.post("/api/rooms", {"name": f"secret {unique()}", "visibility": "private"}).json()
    model = f"m-{unique()}"
    add(rows, model, f"dev-{model}", datetime.now(timezone.utc), 5, 5)
    for text in (f'messages in room "{room["name"]}"', f"messages in {room['name']}", f"messages of {ben.name}", f"cost of dev-{model}",
                 f"cost of {model}", f'tokens by model "{model}"'):
        name = unique()
        hidden = ask(ann, text, status=422)["detail"][0]["msg"]
        absent = text
        for word in (room["name"], ben.name, f"dev-{model}", model):
            absent = absent.replace(word, name)
        told = ask(ann, absent, status=422)["detail"][0]["msg"]
        for word in (room["name"], ben.name, f"dev-{model}", model):
            hidden = hidden.replace(word, "NAME")
        assert hidden == told.replace(name, "NAME"), text
        assert ask(boss, text)["rows"] is not None
    assert ask(ben, f'messages in room "{room["name"]}"')["rows"] == [[0]]
    assert ask(ben, f"messages of {ben.name}")["rows"] == [[0]]
