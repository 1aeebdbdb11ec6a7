# SPDX-License-Identifier: ISC
"""The front end of document 002 as a page: it signs in with a refresh token, and reads figures, sessions, insights, and
the profile."""

import re

import cluster
from pages import browse, driver, needs_browser, origin  # noqa: F401  pylint: disable=unused-import
from usagedata import analyst, day, send, session, unique


@needs_browser
def test_page(parlour, browse, origin, rows, pg, database):  # noqa: F811
    """The page shows each figure and field."""
    rows("DELETE FROM sessions")
    rows("DELETE FROM usage_series")
    daemon = parlour(cors_origins=origin, metrics_style="prodlens", approved_models="son*", workers=1)
    daemon.ctl("seed-demo", "--compat", "--dsn", pg.dsn(database, cluster.OWNER))
    done = send(analyst(daemon, rows), [session(n, day(n % 20 + 1), developer_id="demo", tokens_in=600, tokens_out=400, total_tokens=1000, latency_ms=100 + n,
                                                status_code=200, diff_ratio=0.5, accepted_lines=n, repo_slug="acme/shop", accepted_flag=n % 2 == 0,
                                                cost_usd=0.25 + n) for n in range(20)])
    assert done["imported"] == 20, done
    path = f"{daemon.dir}/{unique()}"
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(f"{day(n).date()};demo;commits;{n % 5}" for n in range(1, 20)))
    daemon.ctl("import", "series", path)
    page = browse("page_002.html", daemon, user="demo", password="demo123", since=str(day(20).date()))
    figures = page.wait_list("#kpis li", lambda texts: len(texts) == 9)
    assert all(re.fullmatch(r"\w+ [\d.]+ \S.* of [\d.]+ (good|warning|critical)", text) for text in figures), figures
    assert figures[2].startswith("model_selection_accuracy 50.0 %") and figures[1].startswith("acceptance_rate 50.0 %")
    assert re.fullmatch(r"\S+ is running running true true 20\d\d-\d\d-\d\d", page.text("#health")), page.text("#health")
    listed = page.wait_list("#sessions li", lambda texts: len(texts) == 4)
    assert listed[0] == f"sess-19 {day(20).date()} 600+400 119 ms 200 50 % 19 acme/shop $19.25 rejected"
    page.wait_text("#page", "page 1 of 5, more")
    for number in range(2, 6):
        page.click("#next")
        page.wait_text("#page", f"page {number} of 5, {'last' if number == 5 else 'more'}")
    page.wait_text("#profile", "demo: 20 sessions, 20000 tokens, $195.00, 110 ms, 50 %, acme/shop 20")
    page.wait_list("#models li", lambda texts: texts == ["mini 10", "sonnet 10"])
    page.wait_list("#days li", lambda texts: len(texts) == 20 and all(text.endswith(" 1") for text in texts))
    page.wait_list("#insights li", lambda texts: len(texts) > 0 and all(" 2 " in text for text in texts))
    page.wait_text("#live", "9 live 20")
    page.wait_text("#feed", "20 items, whole")
