# SPDX-License-Identifier: ISC
"""Document 002: the nine KPIs of its front end, from usage sessions and imported series."""

import pytest

from parlour import wait_for
from usagedata import analyst, day, send, session, settled, unique


# ---- 002.kpis, 002.series ----

NINE = {"ai_interaction_velocity": "sessions/hour", "acceptance_rate": "%", "model_selection_accuracy": "%", "error_rate": "%",
        "token_efficiency": "accepted/1k tokens", "pr_throughput": "PRs/week", "commit_frequency": "commits/day", "pr_merge_time_hours": "hours",
        "rework_rate": "%"}


def like_prodlens(figures):
    assert list(figures)[:9] == list(NINE) and set(figures) - set(NINE) <= {"timestamp"}
    for name, unit in NINE.items():
        figure = figures[name]
        assert set(figure) == {"value", "unit", "threshold", "status"} and figure["unit"] == unit
        assert isinstance(figure["value"], (int, float)) and isinstance(figure["threshold"], (int, float))
        assert figure["status"] in ("good", "warning", "critical")


def written(daemon, text):
    path = f"{daemon.dir}/{unique()}"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def outcomes(daemon):
    """Imports fourteen days: 2 commits a day; on every second day two pull requests merged after 10 h and one after 40
    h; one reopened."""
    lines = [f"{day(n).date()},ann,commits,2" for n in range(1, 15)]
    for n in range(2, 15, 2):
        lines += [f"{day(n).date()},ann,prs_merged,2", f"{day(n).date()},ann,pr_merge_hours,10", f"{day(n).date()},bob,prs_merged,1",
                  f"{day(n).date()},bob,pr_merge_hours,40"]
    return daemon.ctl("import", "series", written(daemon, "\n".join(lines + [f"{day(2).date()},bob,rework,1"])))


def fortnight(**more):
    return {"start": day(14).isoformat(), "end": day(0).isoformat(), **more}


@pytest.fixture(scope="module")
def prodlens(request, workdir):
    from conftest import finish, maker  # pylint: disable=import-outside-toplevel
    make, made = maker(request, workdir)
    yield make(anonymous="metrics", workers=1, metrics_style="prodlens", approved_models="claude-* GPT-4?")
    finish(made, request.session.testsfailed > 0)


@pytest.fixture
def clean(rows):
    rows("DELETE FROM sessions")
    rows("DELETE FROM usage_series")


def test_nine_numbers_without_data(prodlens, clean):
    figures = settled(prodlens, "/api/metrics", lambda a: a["commit_frequency"]["value"] == 0 and a["error_rate"]["value"] == 0)
    like_prodlens(figures)
    assert {f["value"] for n, f in figures.items() if n != "timestamp"} == {0} and {f["status"] for n, f in figures.items() if n != "timestamp"} == {"warning"}


def test_nine_numbers_from_sessions_and_series(prodlens, rows, clean):
    boss = analyst(prodlens, rows)
    outcomes(prodlens)
    models = ["claude-3-sonnet", "Claude-x", "gpt-4o", "gpt-4.1", "mini", None]
    send(boss, [session(n, day(3, n), model=model, accepted_flag=n % 2, status_code=500 if n == 0 else 200) for n, model in enumerate(models)])
    figures = wait_for(lambda: (a := boss.get("/api/metrics", params=fortnight()).json()) and a["commit_frequency"]["value"] and a["error_rate"]["value"] and a,
                       12, "the figures")
    like_prodlens(figures)
    got = {name: figure["value"] for name, figure in figures.items() if name != "timestamp"}
    assert got["model_selection_accuracy"] == pytest.approx(60) and got["acceptance_rate"] == 50 and got["error_rate"] == pytest.approx(100 / 6)
    assert got["commit_frequency"] == pytest.approx(2) and got["pr_throughput"] == pytest.approx(21 / 2)
    assert got["pr_merge_time_hours"] == pytest.approx(20) and got["rework_rate"] == pytest.approx(100 / 21)
    assert [figures[n]["status"] for n in ("model_selection_accuracy", "pr_merge_time_hours", "rework_rate", "error_rate")] == ["warning", "good", "good", "critical"]
    later = boss.get("/api/metrics", params=fortnight(lag_days=7)).json()
    assert later["commit_frequency"]["value"] == pytest.approx(1) and later["error_rate"] == figures["error_rate"]
    bob = boss.get("/api/metrics", params=fortnight(developer_id="bob")).json()
    assert bob["pr_merge_time_hours"]["value"] == pytest.approx(40) and bob["commit_frequency"]["value"] == 0
    plain = prodlens.register().get("/api/metrics", params=fortnight()).json()
    like_prodlens(plain)
    assert plain["commit_frequency"]["value"] == 0, "series of persons are for analysts"


def test_metrics_update_on_the_socket(prodlens):
    """The newer name of the frame has the same data; the older one is still sent."""
    with prodlens.ws("/ws/metrics", protocols=()) as sock:
        older, newer = sock.recv(), sock.expect("metrics_update")
    assert (older["type"], newer["type"]) == ("metrics", "metrics_update") and older["data"] == newer["data"]
    like_prodlens(newer["data"])


def test_ours_and_those_with_data(opened_ours, rows, clean):
    boss = analyst(opened_ours, rows)
    before = settled(boss, "/api/metrics", lambda a: a["error_rate"]["value"] is None)
    assert sum(isinstance(f, dict) for f in before.values()) == 9 and "commit_frequency" not in before
    outcomes(opened_ours)
    after = wait_for(lambda: (a := boss.get("/api/metrics", params=fortnight()).json()) and "commit_frequency" in a and a, 12, "figures of series")
    assert set(after) - set(before) == {"pr_throughput", "commit_frequency", "pr_merge_time_hours", "rework_rate"}
    assert after["pr_throughput"] == {"value": 10.5, "unit": "PRs/week", "status": "good"}
    with boss.ws("/ws/metrics", native=False) as sock:
        assert sock.recv()["type"] == "metrics"
        sock.send("ping")
        assert sock.recv()["type"] == "pong", "no second name of the frame"


@pytest.fixture(scope="module")
def opened_ours(request, workdir):
    from conftest import finish, maker  # pylint: disable=import-outside-toplevel
    make, made = maker(request, workdir)
    yield make(workers=1)
    finish(made, request.session.testsfailed > 0)
