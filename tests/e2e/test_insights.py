# SPDX-License-Identifier: ISC
"""Insights: correlations, unusual days, and sentences, compared with SciPy on the same rows if it is installed."""

import numpy
import pytest
from scipy import stats

from usagedata import analyst, day, noise, send, session, settled

DAYS = 28
MINIMUM = 10


@pytest.fixture(name="boss", scope="module")
def fixture_boss(shared, rows):
    return analyst(shared, rows)


@pytest.fixture(autouse=True)
def clean(rows):
    yield
    rows("DELETE FROM sessions; DELETE FROM usage_series")


def fill(boss, shared, seed=1):
    """Imports sessions whose number varies by day, commits that follow them after two days, and independent reviews.
    Returns daily counts and series."""
    random = noise(seed)
    counts = [random.randint(5, 40) for _ in range(DAYS)]
    records, number = [], 0
    for back, count in zip(range(DAYS, 0, -1), counts):
        for _ in range(count):
            number += 1
            records.append(session(number, day(back, number % 20), accepted_flag=random.random() < 0.4))
    series = {"commits": {}, "reviews": {}}
    for i in range(DAYS):
        if i >= 2:
            series["commits"][i] = 3 * counts[i - 2] + random.randint(0, 12)
        if i % 9:
            series["reviews"][i] = random.randint(0, 20)
    send(boss, records)
    text = "\n".join(f"{day(DAYS - i).date()},dev-{k % 3},{name},{value}" for name, values in series.items()
                     for k, (i, value) in enumerate(values.items()))
    path = shared.dir + "/series.csv"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    shared.ctl("import", "series", path)
    return counts, records, series


def test_lagged_correlation_is_found(boss, shared):
    counts, _, _ = fill(boss, shared)
    got = settled(boss, "/api/insights", lambda a: a["correlations"])
    assert list(got) == ["key_findings", "correlations", "anomalies", "recommendations", "generated_at"]
    assert got["key_findings"][0].startswith(f"{sum(counts)} sessions by 7 users")
    by_pair = {(c["variable1"], c["variable2"]): c for c in got["correlations"]}
    best = by_pair["ai_sessions", "commits"]
    assert best["lag_days"] == 2 and best["r"] > 0.9 and best["significant"] and best["n"] == DAYS - 2
    assert best["p_value"] < best["q_value"] < 0.001
    assert not by_pair["ai_sessions", "reviews"]["significant"]
    assert any(f.startswith("More ai_sessions goes with more commits 2 days later (r = 0.9") for f in got["key_findings"])
    assert set(best) == {"variable1", "variable2", "lag_days", "n", "count", "r", "effect_size", "p_value", "q_value", "significant"}


def daily(numpy, records, series):
    """Returns the columns as the server defines them: NaN if a figure is unknown."""
    nan = float("nan")
    index = {day(back).date().isoformat(): DAYS - back for back in range(DAYS, 0, -1)}
    n, yes, tokens, cost = ([0.0] * DAYS for _ in range(4))
    for r in records:
        i = index[r["timestamp"][:10]]
        n[i] += 1
        yes[i] += r["accepted_flag"]
        tokens[i] += r["total_tokens"]
        cost[i] += r["cost_usd"]
    own = {"ai_sessions": n, "tokens": tokens, "cost_usd": cost, "acceptance_rate": [100 * y / k for y, k in zip(yes, n)],
           "error_rate": [0.0] * DAYS}
    other = {name: [float(values.get(i, nan)) for i in range(DAYS)] for name, values in series.items()}
    return {k: numpy.array(v) for k, v in own.items()}, {k: numpy.array(v) for k, v in other.items()}


def adjusted(p):
    order, least, q = sorted(range(len(p)), key=lambda i: p[i]), 1.0, [0.0] * len(p)
    for rank in range(len(p), 0, -1):
        least = min(least, p[order[rank - 1]] * len(p) / rank)
        q[order[rank - 1]] = least
    return q


def test_same_as_scipy(boss, shared):
    _, records, series = fill(boss, shared, seed=7)
    own, other = daily(numpy, records, series)
    tests = []
    pairs = [(a, b, own[a], other[b]) for a in own for b in other]
    pairs += [("ai_sessions", b, own["ai_sessions"], own[b]) for b in ("acceptance_rate", "error_rate")]
    for a, b, x, y in pairs:
        for lag in range(8):
            left, right = x[:DAYS - lag], y[lag:]
            good = ~numpy.isnan(left) & ~numpy.isnan(right)
            left, right = left[good], right[good]
            if len(left) >= MINIMUM and numpy.ptp(left) > 0 and numpy.ptp(right) > 0:
                result = stats.pearsonr(left, right)
                tests.append([a, b, lag, len(left), result[0], result[1]])
    for test, q in zip(tests, adjusted([t[5] for t in tests])):
        test.append(q)
    best = {}
    for test in sorted(tests, key=lambda t: t[5]):
        best.setdefault((test[0], test[1]), test)
    got = settled(boss, "/api/insights", lambda a: len(a["correlations"]) == len(best))["correlations"]
    assert len(got) == len(best) > 6
    for c in got:
        _, _, lag, n, r, p, q = best[c["variable1"], c["variable2"]]
        assert (c["lag_days"], c["n"], c["significant"]) == (lag, n, q < 0.05)
        assert c["r"] == pytest.approx(r, rel=1e-9) and c["p_value"] == pytest.approx(p, rel=1e-7)
        assert c["q_value"] == pytest.approx(q, rel=1e-7)


def test_days_out_of_line(boss):
    records, number = [], 0
    for back in range(20, 0, -1):
        for _ in range(120 if back == 6 else 10 + back % 3):
            number += 1
            records.append(session(number, day(back), total_tokens=100, accepted_flag=True))
    send(boss, records)
    got = settled(boss, "/api/insights", lambda a: a["anomalies"])
    odd = {a["metric"]: a for a in got["anomalies"]}
    assert set(odd) == {"ai_sessions", "tokens", "cost_usd"}
    assert odd["ai_sessions"] == {"metric": "ai_sessions", "timestamp": day(6).strftime("%Y-%m-%dT00:00:00.000000Z"),
                                  "value": 120, "median": 11, "mad": 1}
    assert any(f.startswith("ai_sessions was 120 on ") for f in got["key_findings"])


def test_recommendations_name_their_figures(boss):
    send(boss, [session(n, day(2), accepted_flag=n % 10 == 0, cost_usd=3) for n in range(50)])
    got = settled(boss, "/api/insights", lambda a: a["recommendations"])["recommendations"]
    assert any(r.startswith("acceptance_rate: acceptance is 10 % (bad, from 50 sessions; good is at least 25 %)") for r in got)
    assert any(r.startswith("cost_per_session: cost of a session is 3 USD (bad") for r in got)


def test_good_figures_need_no_advice(boss):
    send(boss, [session(n, day(2), accepted_flag=True) for n in range(30)])
    got = settled(boss, "/api/insights", lambda a: a["recommendations"])
    assert len(got["recommendations"]) == 1 and got["recommendations"][0].startswith("No change is needed: all 7 figures")


def test_small_samples_say_so(boss):
    send(boss, [session(n, day(n % 5 + 1)) for n in range(8)])
    got = settled(boss, "/api/insights", lambda a: "8 sessions" in a["key_findings"][0])
    assert got.pop("generated_at")
    assert got == {"key_findings": ["There are 8 sessions in this window; findings need at least 20."], "correlations": [],
                   "anomalies": [], "recommendations": []}


def test_users_see_no_series_of_others(shared, boss):
    fill(boss, shared, seed=3)
    got = shared.register().get("/api/insights").json()
    assert got["correlations"] == [] and got["anomalies"] == []
