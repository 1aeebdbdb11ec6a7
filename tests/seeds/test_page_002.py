# SPDX-License-Identifier: ISC
"""Document 002's front end as a page: it signs in by refresh, and reads figures, sessions, insights, and the profile."""

import re

import pytest

import cluster
import page
from browser import installed
from usagedata import analyst, day, send, session, unique

PAGE = """<!DOCTYPE html>
<meta charset=utf-8>
<title>Analytics</title>
<p id=health></p>
<ul id=kpis></ul>
<ul id=sessions></ul>
<p id=page></p>
<button id=next>Next</button>
<p id=profile></p>
<ul id=models></ul>
<ul id=days></ul>
<ul id=insights></ul>
<p id=live></p>
<p id=feed></p>
<script type=module>
const { url, user, password, since } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
const $ = (id) => document.getElementById(id);
const list = (id, texts) => $(id).replaceChildren(...texts.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
const date = (text) => { const time = new Date(text); return Number.isNaN(time.getTime()) ? "Invalid Date" : time.toISOString().slice(0, 10); };
const root = await (await fetch(url + "/")).json();
const health = await (await fetch(url + "/health")).json();
$("health").textContent = `${root.message} ${root.status} ${health.database_connected} ${health.prodlens_cache_exists} ${date(health.timestamp)}`;
const login = await fetch(url + "/auth/refresh", { method: "POST", headers: { "Content-Type": "application/json" },
	body: JSON.stringify({ username: user, password }) });
const { access_token: token } = await login.json();
const get = async (path, query) => (await fetch(`${url}${path}?${new URLSearchParams(query)}`, { headers: { Authorization: "Bearer " + token } })).json();
const kpis = (data) => Object.entries(data).filter(([, kpi]) => kpi.unit)
	.map(([name, kpi]) => `${name} ${kpi.value.toFixed(1)} ${kpi.unit} of ${kpi.threshold.toFixed(1)} ${kpi.status}`);
list("kpis", kpis(await get("/api/metrics", { since, lag_days: 1 })));
let number = 0;
async function more() {
	const got = await get("/api/sessions", { page: ++number, page_size: 4, sort_by: "cost", sort_order: "desc", since });
	list("sessions", got.sessions.map((s) => `${s.session_id} ${date(s.timestamp)} ${s.tokens_in}+${s.tokens_out} ${s.latency_ms.toFixed(0)} ms ${s.status_code} ` +
		`${(s.diff_ratio * 100).toFixed(0)} % ${s.accepted_lines} ${s.repo_slug} $${s.cost_usd.toFixed(2)} ${s.accepted_flag ? "accepted" : "rejected"}`));
	$("page").textContent = `page ${got.page} of ${Math.ceil(got.total_count / got.page_size)}, ${got.has_more ? "more" : "last"}`;
}
$("next").onclick = more;
await more();
const profile = await get("/api/profile", {});
$("profile").textContent = `${profile.developer_id}: ${profile.total_sessions} sessions, ${profile.total_tokens_used} tokens, $${profile.total_cost_usd.toFixed(2)}, ` +
	`${profile.avg_latency_ms.toFixed(0)} ms, ${profile.acceptance_rate.toFixed(0)} %, ${profile.active_repos.map((r) => r.value + " " + r.count).join(" ")}`;
list("models", profile.most_used_models.map((m) => `${m.value} ${m.count}`));
list("days", Object.entries(profile.sessions_by_date).map(([day, count]) => `${date(day)} ${count}`));
const insights = await get("/api/insights", { lag_days: 2 });
list("insights", insights.correlations.map((c) => `${date(insights.generated_at)} ${c.variable1} ${c.variable2} ${c.count} ${c.lag_days} ${c.effect_size.toFixed(1)}`));
const socket = new WebSocket(url.replace("http", "ws") + "/ws/metrics");
socket.onopen = () => socket.send(JSON.stringify({ type: "auth", token }));
socket.onmessage = ({ data }) => {
	const frame = JSON.parse(data);
	if (frame.type === "metrics_update")
		$("live").textContent = `${kpis(frame.data).length} live ${date(frame.timestamp)}`;
};
const feed = new WebSocket(url.replace("http", "ws") + "/ws/sessions");
feed.onopen = () => feed.send(JSON.stringify({ type: "auth", token }));
feed.onmessage = ({ data }) => {
	const frame = JSON.parse(data);
	if (frame.type === "sessions")
		$("feed").textContent = `${frame.data.items.length} items, ${frame.data.items.every((s) => "repo_slug" in s && "tokens_in" in s) ? "whole" : "undefined"}`;
};
</script>"""


@pytest.mark.skipif(not installed(), reason="chromium and chromedriver are not installed")
def test_page(parlour, rows, pg, database):
    """A browser with the page above shows no "undefined", "NaN" or "Invalid Date" anywhere."""
    rows("DELETE FROM sessions")
    rows("DELETE FROM usage_series")
    with page.served(PAGE) as origin, page.chromium() as driver:
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
        with page.opened(driver, origin, url=daemon.url, user="demo", password="demo123", since=str(day(20).date())) as browser:
            figures = page.wait_list(browser, "#kpis li", lambda texts: len(texts) == 9)
            assert all(re.fullmatch(r"\w+ [\d.]+ \S.* of [\d.]+ (good|warning|critical)", text) for text in figures), figures
            assert figures[2].startswith("model_selection_accuracy 50.0 %") and figures[1].startswith("acceptance_rate 50.0 %")
            assert re.fullmatch(r"\S+ is running running true true 20\d\d-\d\d-\d\d", browser.text("#health")), browser.text("#health")
            listed = page.wait_list(browser, "#sessions li", lambda texts: len(texts) == 4)
            assert listed[0] == f"sess-19 {day(20).date()} 600+400 119 ms 200 50 % 19 acme/shop $19.25 rejected"
            browser.wait_text("#page", "page 1 of 5, more")
            for number in range(2, 6):
                browser.click("#next")
                browser.wait_text("#page", f"page {number} of 5, {'last' if number == 5 else 'more'}")
            browser.wait_text("#profile", "demo: 20 sessions, 20000 tokens, $195.00, 110 ms, 50 %, acme/shop 20")
            page.wait_list(browser, "#models li", lambda texts: texts == ["mini 10", "sonnet 10"])
            page.wait_list(browser, "#days li", lambda texts: len(texts) == 20 and all(text.endswith(" 1") for text in texts))
            page.wait_list(browser, "#insights li", lambda texts: len(texts) > 0 and all(" 2 " in text for text in texts))
            browser.wait_text("#live", "9 live 20")
            browser.wait_text("#feed", "20 items, whole")
            shown = browser.text("body")
            assert not [word for word in ("undefined", "NaN", "Invalid Date", "null") if word in shown], shown
