# SPDX-License-Identifier: ISC
"""Costs of answers: parlourctl price, costs that providers report, and the places that show them."""

import pytest

from asking import SETTINGS, Provider, modules_daemon, room_of
from parlour import wait_for
from usagedata import settled

# 8 words are written; the peer reports the number of words in the request
TOLD = "[[ok,tokens=8,pace=1,cost=0.0123]] hello"
UNTOLD = "[[ok,tokens=8,pace=1]] hello"


@pytest.fixture(scope="module")
def both(request, workdir):
    with modules_daemon(request, workdir) as pair:
        yield pair


@pytest.fixture(scope="module", name="daemon")
def fixture_daemon(both):
    return both[0]


@pytest.fixture(autouse=True)
def no_prices(rows):
    rows("DELETE FROM model_prices")


@pytest.fixture
def user(daemon):
    return daemon.register()


def price(daemon, *words, check=True):
    return daemon.ctl("price", *words, check=check)


def in_room(user, rows, content):
    """Returns (upstream, model, prompt, completion, cost) of the answer to a question in a room."""
    room = room_of(user)
    seq = user.say(room, content).json()["seq"]
    row = tuple(wait_for(lambda: rows(
        "SELECT u.upstream, u.model, u.prompt_tokens, u.completion_tokens, u.cost_micros, g.id::text FROM usage u "
        f"JOIN generations g ON g.id = u.generation_id WHERE g.room_id = {room} AND g.reply_to_seq = {seq}"))[0])
    told = user.get(f"/api/generations/{row[5]}").json()["cost_usd"]
    assert told == (None if row[4] is None else pytest.approx(row[4] / 1e6))
    return row[:5]


def in_session(user, content):
    answer = user.post("/api/chat", {"message": content, "session_id": user.post("/api/sessions", {"kind": "chat"}).json()["id"]})
    assert answer.status_code == 200, answer.text
    return user.get(f"/api/sessions/{answer.json()['session_id']}").json()


def spent(rows, user):
    return [tuple(r) for r in rows("SELECT upstream, answers, cost_usd::float8, without_price FROM v_spend_today "
                                   f"WHERE username = '{user.name}' ORDER BY 1")]


def test_a_price_is_charged_in_rooms_and_sessions(daemon, user, rows):
    assert price(daemon, "set", "peer-1", "3", "15").stdout == "price set; the cost of 0 earlier answers was added\n"
    upstream, model, read, written, cost = in_room(user, rows, UNTOLD)
    assert (upstream, model, written) == ("peer", "peer-1", 8) and read > 0
    assert cost == 3 * read + 15 * 8, "dollars per million tokens are millionths of a dollar per token"
    session = in_session(user, UNTOLD)
    tokens = session["total_tokens"]
    assert session["cost_usd"] == pytest.approx((3 * (tokens - 8) + 15 * 8) / 1e6)
    listed = user.get("/api/sessions").json()
    assert [s["cost_usd"] for s in listed] == [session["cost_usd"]]
    total = cost / 1e6 + session["cost_usd"]
    assert spent(rows, user) == [("peer", 2, pytest.approx(total), 0)]
    got = settled(user, "/api/metrics", lambda a: a["active_users"]["value"] == 1 and a["cost_per_session"]["value"])
    assert got["cost_per_session"]["value"] == pytest.approx(total / 2)
    assert got["cost_per_accepted"]["value"] is None
    user.post("/api/feedback", {"target": {"kind": "session", "id": session["id"]}, "score": 1})
    got = settled(user, "/api/metrics", lambda a: a["cost_per_accepted"]["value"])
    assert got["cost_per_accepted"]["value"] == pytest.approx(session["cost_usd"])
    assert user.get("/api/profile").json()["usage"]["cost_usd"] == pytest.approx(total)


def test_what_the_provider_says_wins(daemon, user, rows):
    price(daemon, "set", "peer-1", "3", "15")
    assert in_room(user, rows, TOLD)[4] == 12300
    assert in_session(user, TOLD)["cost_usd"] == pytest.approx(0.0123)
    assert spent(rows, user) == [("peer", 2, pytest.approx(0.0246), 0)]
    price(daemon, "remove", "peer-1")
    assert in_room(user, rows, TOLD)[4] == 12300, "it needs no price"


def test_no_price_is_not_a_price_of_nothing(daemon, user, rows):
    read = in_room(user, rows, UNTOLD)[2]
    session = in_session(user, UNTOLD)
    assert session["cost_usd"] == 0
    assert spent(rows, user) == [("peer", 2, None, 2)]
    assert price(daemon, "set", "peer-1", "1", "2").stdout == "price set; the cost of 2 earlier answers was added\n"
    dear = (read + 2 * 8) / 1e6
    session = user.get(f"/api/sessions/{session['id']}").json()
    assert session["cost_usd"] == pytest.approx((session["total_tokens"] - 8 + 2 * 8) / 1e6)
    assert spent(rows, user) == [("peer", 2, pytest.approx(dear + session["cost_usd"]), 0)]
    price(daemon, "set", "peer-1", "1000", "2000")
    assert spent(rows, user)[0][2] == pytest.approx(dear + session["cost_usd"]), "what was charged stays"


def test_tokens_that_nobody_counted_have_no_cost(daemon, user, rows):
    price(daemon, "set", "peer-1", "3", "15")
    assert in_room(user, rows, "[[ok,tokens=8,pace=1,usage=0]] hello")[2:] == (0, 0, None)
    assert spent(rows, user) == [("peer", 1, None, 1)]


def test_the_local_responder_is_known_to_cost_nothing(parlour, rows):
    daemon = parlour()
    user = daemon.register()
    assert in_room(user, rows, "hello")[0] == "local"
    assert in_session(user, "hello")["cost_usd"] == 0
    assert spent(rows, user) == [("local", 2, 0, 0)]


def test_a_forms_own_questions_cost_too(parlour, rows):
    provider = Provider()
    try:
        daemon = parlour(upstreams={"peer": provider.section()}, **SETTINGS)
        user = daemon.register()
        price(daemon, "set", "peer-1", "3", "15")
        session = user.post("/api/sessions", {}).json()["id"]
        answer = user.post("/api/chat", {"message": "My name is Ann Example.", "session_id": session})
        assert answer.status_code == 200 and answer.json()["data_collected"]["name"]
        read, written, cost, upstream = rows(
            "SELECT prompt_tokens, completion_tokens, cost_micros, upstream FROM session_messages "
            f"WHERE session_id = '{session}' AND author = 'assistant'")[0]
        assert upstream == "peer" and written > 0 and cost == 3 * read + 15 * written
    finally:
        provider.stop()


# ---- which price ----

CASES = [
    # prices: (upstream, model, prompt, completion, from); query: (upstream, model, day); expected price of a prompt
    # token
    ([("*", "m", 1, 0, "2026-01-01")], ("a", "m", "2026-05-01"), 1),
    ([("*", "m", 1, 0, "2026-01-01")], ("a", "n", "2026-05-01"), None),
    ([("*", "m", 1, 0, "2026-01-01"), ("a", "m", 2, 0, "2026-01-01")], ("a", "m", "2026-05-01"), 2),
    ([("*", "m", 1, 0, "2026-01-01"), ("a", "m", 2, 0, "2026-01-01")], ("b", "m", "2026-05-01"), 1),
    ([("*", "m", 1, 0, "2026-01-01"), ("*", "m", 3, 0, "2026-04-01")], ("a", "m", "2026-03-31"), 1),
    ([("*", "m", 1, 0, "2026-01-01"), ("*", "m", 3, 0, "2026-04-01")], ("a", "m", "2026-04-01"), 3),
    ([("*", "m", 1, 0, "2026-01-01")], ("a", "m", "2025-12-31"), None),
    ([("*", "m", 1, 0, "2026-01-01")], ("a", "m-2026-02-13", "2026-05-01"), 1),
    ([("*", "m", 1, 0, "2026-01-01")], ("a", "m-20260213", "2026-05-01"), 1),
    ([("*", "m", 1, 0, "2026-01-01"), ("*", "m-20260213", 4, 0, "2026-01-01")], ("a", "m-20260213", "2026-05-01"), 4),
    ([("*", "m", 1, 0, "2026-01-01")], ("a", "m-mini", "2026-05-01"), None),
]


@pytest.mark.parametrize("prices,asked,each", CASES)
def test_which_price(daemon, rows, prices, asked, each):
    for upstream, model, prompt, completion, start in prices:
        price(daemon, "set", model, str(prompt), str(completion), "--from", start,
              *(["--upstream", upstream] if upstream != "*" else []))
    assert rows(f"SELECT usage_cost('{asked[0]}', '{asked[1]}', 100, 7, NULL, '{asked[2]} 12:00+00')")[0][0] == (each and each * 100)


def test_list_and_remove(daemon, rows):
    assert price(daemon, "list").stdout == ""
    price(daemon, "set", "big/model", "0.15", "0.6", "--from", "2026-01-01")
    price(daemon, "set", "big/model", "3", "15.25", "--upstream", "peer", "--from", "2026-01-01")
    price(daemon, "set", "big/model", "4", "16", "--upstream", "peer", "--from", "2026-06-01")
    assert [line.split() for line in price(daemon, "list").stdout.splitlines()] == [
        ["UPSTREAM", "MODEL", "PROMPT", "COMPLETION", "FROM"], ["*", "big/model", "0.15", "0.6", "2026-01-01"],
        ["peer", "big/model", "3", "15.25", "2026-01-01"], ["peer", "big/model", "4", "16", "2026-06-01"]]
    assert rows("SELECT valid_until::text FROM v_prices WHERE prompt_usd = 3")[0][0] == "2026-06-01"
    assert price(daemon, "remove", "big/model", "--upstream", "peer", "--from", "2026-06-01").stdout == "1 removed\n"
    gone = price(daemon, "remove", "big/model", "--upstream", "other", check=False)
    assert gone.returncode == 65 and "there is no such price" in gone.stderr
    assert price(daemon, "remove", "big/model").stdout == "1 removed\n"
    assert len(price(daemon, "list").stdout.splitlines()) == 2


@pytest.mark.parametrize("words", [
    [], ["set"], ["set", "m", "1"], ["set", "m", "1", "2", "3"], ["set", "m", "-1", "2"], ["set", "m", "1", "x"], ["set", "", "1", "2"],
    ["set", "m", "1.", "2"], ["set", "m", ".5", "2"], ["set", "m", "1e3", "2"], ["set", "m", "1", "1234567"],
    ["set", "m", "1", "2", "--from", "yesterday"], ["set", "m", "1", "2", "--upstream", "local"], ["list", "--upstream", "x"],
    ["set", "m", "1", "2", "--from", "9999-99-99"], ["set", "m", "1", "2", "--from", "2026-02-29"],
    ["set", "m", "1", "2", "--from", "0000-01-01"], ["set", "m\nlevel=error", "1", "2"], ["set", "m\x7f", "1", "2"],
    ["set", "m\u0085", "1", "2"], ["set", "m", "1", "2", "--upstream", "a\tb"], ["show"], ["remove"]])
def test_wrong_words(daemon, rows, words):
    done = price(daemon, *(["--", *words] if "-1" in words else words), check=False)
    assert done.returncode == 64 and done.stderr.startswith("parlourctl: "), done
    assert rows("SELECT count(*) FROM model_prices")[0][0] == 0


def test_a_day_that_there_is_not(daemon):
    done = price(daemon, "set", "m", "1", "2", "--from", "2026-02-30", check=False)
    assert done.returncode == 64 and "--from is a date" in done.stderr
    assert price(daemon, "set", "leap", "1", "2", "--from", "2024-02-29").returncode == 0
    assert price(daemon, "remove", "leap").stdout == "1 removed\n"
    done = price(daemon, "set", "a\nb", "1", "2", check=False)
    assert done.returncode == 64 and "must not contain control characters" in done.stderr
