# SPDX-License-Identifier: ISC
"""Feedback requests: life cycle, time-outs, permissions, and Slack. test_mail.py covers mail."""

import threading
import time
import uuid

import pytest

from mail_peer import SlackPeer
from parlour import PLAIN, SLOW, Client, wait_for

URL = "/api/feedback-requests"
PUBLIC = "https://chat.example.org/base"


def ask(user, to, kind="web", **more):
    channel = {"kind": kind, **({"destination": to} if to else {})}
    return user.post("/api/feedback-requests", {"question": "Ship it?", "channel": channel, **more})


def respond(user, request, **body):
    return user.post(f"/api/feedback-requests/{request}/respond", body)


@pytest.fixture(scope="module")
def ben(shared):
    return shared.register()


@pytest.fixture
def slack():
    peer = SlackPeer()
    yield peer
    peer.stop()


def test_life_cycle(ann, ben):
    state = {"step": 3, "deep": [1, {"a": None}], "big": 1e300}
    made = ask(ann, ben.name, context={"diff": "+1"}, options=["yes", "no"], run_id="run-1", state=state)
    assert made.status_code == 201, made.text
    body = made.json()
    assert body["status"] == "sent" and body["sent_at"] and body["on_timeout"] == "deny" and body["asker"] == ann.name
    assert body["channel"] == {"kind": "web", "destination": ben.name} and body["options"] == ["yes", "no"]
    assert body["state"] == state and body["run_id"] == "run-1" and body["context"] == {"diff": "+1"}
    assert made.headers["Location"] == f"{URL}/{body['id']}"
    seen = ben.get(f"/api/feedback-requests/{body['id']}").json()
    assert seen["question"] == "Ship it?" and seen["state"] is None and seen["run_id"] is None
    assert [r["id"] for r in ben.get("/api/feedback-requests?role=asked&status=sent").json()] == [body["id"]]
    answer = ben.post(f"/api/feedback-requests/{body['id']}/respond", {"answer": "yes", "comment": "go"})
    assert answer.status_code == 200, answer.text
    end = ann.get(f"/api/feedback-requests/{body['id']}").json()
    assert (end["status"], end["answer"], end["comment"]) == ("answered", "yes", "go")
    assert end["answered_by"] == ben.name and end["answered_via"] == "web" and end["ended_at"] and end["outcome"] is None


def test_48_hours(ann, ben, rows):
    request = ask(ann, ben.name).json()["id"]
    assert rows(f"SELECT abs(extract(epoch FROM due_at - created_at) - 172800) < 1 FROM feedback_requests WHERE id = '{request}'") \
        == [(True,)]


def test_who_may(shared, ann, ben):
    cyd = shared.register()
    request = ask(ann, ben.name).json()["id"]
    assert cyd.get(f"/api/feedback-requests/{request}").status_code == 404
    assert respond(cyd, request, answer="x").status_code == 404
    assert respond(ann, request, answer="x").status_code == 403
    assert ben.post(f"/api/feedback-requests/{request}/cancel").status_code == 403
    assert cyd.post(f"/api/feedback-requests/{request}/cancel").status_code == 404
    assert ann.get(f"/api/feedback-requests/{uuid.uuid4()}").status_code == 404
    assert ann.get("/api/feedback-requests/12").status_code == 404
    assert shared.get("/api/feedback-requests").status_code == 401
    gone = ann.post(f"/api/feedback-requests/{request}/cancel")
    assert gone.status_code == 200 and gone.json()["status"] == "cancelled"
    assert ann.post(f"/api/feedback-requests/{request}/cancel").status_code == 409
    assert respond(ben, request, answer="x").status_code == 409


def test_declining(ann, ben):
    request = ask(ann, ben.name).json()["id"]
    assert respond(ben, request, decline=True).json()["detail"][0]["loc"] == ["body", "comment"]
    assert respond(ben, request).json()["detail"][0]["loc"] == ["body", "answer"]
    assert respond(ben, request, decline=True, answer="x", comment="c").status_code == 422
    end = respond(ben, request, decline=True, comment="not mine").json()
    assert end["status"] == "declined" and end["comment"] == "not mine" and end["answer"] is None


def test_options_bind(ann, ben):
    request = ask(ann, ben.name, options=["a", "b"]).json()["id"]
    answer = respond(ben, request, answer="c")
    assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["body", "answer"]
    assert respond(ben, request, answer="b").json()["answer"] == "b"


def test_the_first_answer_wins(shared, ann, ben):
    for _ in range(5):
        request = ask(ann, ben.name).json()["id"]
        codes, gate = [], threading.Barrier(4)

        def go(n, request=request, gate=gate, codes=codes):
            with Client(base_url=shared.url, headers=ben.auth, **PLAIN) as http:
                gate.wait()
                codes.append((http.post(f"{URL}/{request}/respond", json={"answer": str(n)}).status_code, n))

        threads = [threading.Thread(target=go, args=(n,)) for n in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert sorted(c for c, _ in codes) == [200, 409, 409, 409]
        winner = next(n for c, n in codes if c == 200)
        assert ann.get(f"{URL}/{request}").json()["answer"] == str(winner)


@pytest.mark.parametrize("fields, loc", [
    ({"question": ""}, ["body", "question"]),
    ({"question": "x" * 2001}, ["body", "question"]),
    ({"channel": {"kind": "pigeon"}}, ["body", "channel", "kind"]),
    ({"channel": {"kind": "web"}}, ["body", "channel", "destination"]),
    ({"channel": {"kind": "web", "destination": "nobody-of-that-name"}}, ["body", "channel", "destination"]),
    ({"channel": {"kind": "mail", "destination": "a@b.org"}}, ["body", "channel", "kind"]),
    ({"channel": {"kind": "slack"}}, ["body", "channel", "kind"]),
    ({"options": []}, ["body", "options"]),
    ({"options": "yes"}, ["body", "options"]),
    ({"options": ["a", "a"]}, ["body", "options"]),
    ({"options": ["x" * 65]}, ["body", "options"]),
    ({"options": [str(i) for i in range(11)]}, ["body", "options"]),
    ({"timeout_s": 0}, ["body", "timeout_s"]),
    ({"on_timeout": "escalate"}, ["body", "on_timeout"]),
    ({"context": "x" * 16400}, ["body", "context"]),
    ({"state": "x" * 16400}, ["body", "state"]),
])
def test_rules(ann, ben, fields, loc):
    body = {"question": "?", "channel": {"kind": "web", "destination": ben.name}, **fields}
    answer = ann.post("/api/feedback-requests", body)
    assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == loc, answer.text


def test_list_pages(shared, ann):
    dan = shared.register()
    ids = [ask(dan, ann.name).json()["id"] for _ in range(5)]
    page = dan.get("/api/feedback-requests?limit=3")
    assert [r["id"] for r in page.json()] == ids[:1:-1]
    link = page.headers["Link"].split(">")[0][1:]
    rest = dan.get(link)
    assert [r["id"] for r in rest.json()] == ids[1::-1] and "Link" not in rest.headers


def test_idempotency(ann, ben):
    body = {"question": "?", "channel": {"kind": "web", "destination": ben.name}}
    both = [ann.post("/api/feedback-requests", body, headers={"Idempotency-Key": "ask-1"}) for _ in range(2)]
    assert both[0].json()["id"] == both[1].json()["id"]


# ---- time-outs ----

def timed_out(user, request, within):
    return wait_for(lambda: (r := user.get(f"{URL}/{request}").json())["timed_out_at"] and r, within)


def due(rows, request, left_s=0):
    """Waits until this number of seconds remains before the time-out."""
    wait_for(lambda: rows(f"SELECT 1 FROM feedback_requests WHERE id = '{request}' AND due_at < now() + interval '{left_s} s'"), 10)


def test_timeouts_say_what_silence_means(ann, ben):
    requests = {mode: ask(ann, ben.name, timeout_s=1, on_timeout=mode).json()["id"] for mode in ("deny", "approve", "wait")}
    for mode, request in requests.items():
        end = timed_out(ann, request, 6)
        if mode == "wait":
            assert end["status"] == "sent" and end["outcome"] is None and end["ended_at"] is None
            assert respond(ben, request, answer="late but good").json()["status"] == "answered"
        else:
            assert end["status"] == "expired" and end["outcome"] == mode and end["ended_at"]
            assert respond(ben, request, answer="too late").status_code == 409


def test_no_request_waits_more_than_5_s(ann, ben, rows):
    for i in range(60):
        assert ask(ann, ben.name, timeout_s=1 + i % 3).status_code == 201
    wait_for(lambda: rows("SELECT count(*) FROM feedback_requests WHERE timed_out_at IS NULL AND due_at < now() + interval '3 s'")
             == [(0,)], 10)
    worst = rows("SELECT extract(epoch FROM max(timed_out_at - due_at)) FROM feedback_requests")[0][0]
    assert worst <= 5, worst


def test_an_answer_after_the_time_out_loses_even_before_the_clerk_looks(parlour, rows):
    daemon = parlour()
    ann, ben = daemon.register(), daemon.register()
    with daemon.stopped(*daemon.procs("clerk").values()):
        request = ask(ann, ben.name, timeout_s=1, on_timeout="approve").json()["id"]
        due(rows, request)
        assert respond(ben, request, answer="late").status_code == 409
        assert ann.get(f"{URL}/{request}").json()["outcome"] == "approve"


def test_a_killed_clerk_is_late_by_less_than_5_s(parlour, rows):
    daemon = parlour()
    ann, ben = daemon.register(), daemon.register()
    requests = [ask(ann, ben.name, timeout_s=2).json()["id"] for _ in range(5)]
    # before the time-out of the first one, so that some are answered exactly at their time-out
    for left_s in (2, 1.3, 0.6):
        due(rows, requests[0], left_s)
        for pid in daemon.procs("clerk").values():
            daemon.kill_child(pid)
    for request in requests:
        timed_out(ann, request, 10)
    listed = ", ".join(f"'{r}'" for r in requests)
    late = rows(f"SELECT extract(epoch FROM max(timed_out_at - due_at)) FROM feedback_requests WHERE id IN ({listed})")[0][0]
    assert late <= 5, late


def test_time_outs_that_came_while_nothing_ran(parlour, rows):
    daemon = parlour()
    ann, ben = daemon.register(), daemon.register()
    request = ask(ann, ben.name, timeout_s=1, on_timeout="approve").json()["id"]
    daemon.kill_all()
    due(rows, request)
    started = time.monotonic()
    daemon.start()
    ann = daemon.login(ann.name)
    assert timed_out(ann, request, 6)["outcome"] == "approve" and time.monotonic() - started < 8 * SLOW


# ---- news on user:me ----

def listener(user):
    sock = user.ws()
    sock.send("subscribe", topic="user:me")
    sock.expect("subscribed")
    return sock


def news(sock, event, request):
    frame = sock.expect("feedback_request")
    assert frame["topic"] == "user:me" and (frame["event"], frame["request"]["id"]) == (event, request), frame
    return frame["request"]


def listeners(daemon, user):
    """Opens one socket on each worker."""
    socks = []
    for slot in daemon.workers():
        with daemon.only_worker(slot):
            socks.append(listener(user))
    return socks


def test_both_sides_are_told(shared):
    """Sockets on every worker receive new, answered, declined, and canceled requests, and those that timed out. This
    test runs one daemon, because the host whose clerk handles a time-out reports it."""
    ann, ben, cyd = shared.register(), shared.register(), shared.register()
    anns, bens, silent = listeners(shared, ann), listeners(shared, ben), listener(cyd)
    ends = (("answered", {"answer": "yes", "comment": "go"}), ("declined", {"decline": True, "comment": "no"}))
    for event, body in ends:
        request = ask(ann, ben.name, context={"secret": 1}, state={"mine": 1}).json()
        for sock in anns + bens:
            told = news(sock, "created", request["id"])
            assert told == {"id": request["id"], "status": "sent", "question": "Ship it?", "asker": ann.name,
                            "due_at": request["due_at"]}
        assert respond(ben, request["id"], **body).status_code == 200
        for sock in anns + bens:
            told = news(sock, event, request["id"])
            assert told["status"] == event and told["comment"] == body["comment"] and told["answered_by"] == ben.name
            assert told.get("answer") == body.get("answer")
    request = ask(ann, ben.name).json()["id"]
    assert ann.post(f"{URL}/{request}/cancel").status_code == 200
    for sock in anns + bens:
        news(sock, "created", request)
        assert news(sock, "cancelled", request)["status"] == "cancelled"
    for mode, status in (("approve", "expired"), ("wait", "sent")):
        request = ask(ann, ben.name, timeout_s=1, on_timeout=mode).json()["id"]
        for sock in anns + bens:
            news(sock, "created", request)
            told = news(sock, "timed_out", request)
            assert told["status"] == status and told.get("outcome") == (mode if mode == "approve" else None)
    own = ask(ann, ann.name).json()["id"]
    for sock in anns:
        news(sock, "created", own)  # once, although the user is both asker and asked
    request = ask(ann, ben.name).json()["id"]
    for sock in anns + bens:
        news(sock, "created", request)
    anns[0].send("unsubscribe", topic="user:me")
    anns[0].expect("unsubscribed")
    assert respond(ben, request, answer="yes").status_code == 200
    news(anns[1], "answered", request)
    for sock in (anns[0], silent):
        sock.silent_until(sock.ping_pong, "feedback_request")


def test_an_answer_by_link_is_told(parlour, slack):
    daemon = parlour(slack_webhook=slack.url, public_url=PUBLIC)
    ann = daemon.register()
    sock = listener(ann)
    request = ask(ann, None, "slack").json()["id"]
    assert news(sock, "created", request)["status"] == "created"
    wait_for(lambda: slack.posts, 10)
    token = str(slack.posts[0]).split("/r/")[1].split("|")[0]
    assert daemon.http.post(f"/r/{token}", data={"answer": "x" * 3000, "comment": "\U0001f642" * 1000}).status_code == 200
    told = news(sock, "answered", request)
    assert told["answer"] == "x" * 3000 and told["comment"] == "\U0001f642" * 1000 and "answered_by" not in told


# ---- limits and Slack ----

def limit_of(answer):
    """Returns (class, remaining) of the header RateLimit, which must occur once."""
    assert len(answer.headers.get_list("RateLimit")) == len(answer.headers.get_list("RateLimit-Policy")) == 1
    name, left = answer.headers["RateLimit"].split(";")[:2]
    assert answer.headers["RateLimit-Policy"].startswith(name + ";")
    return name.strip('"'), int(left.removeprefix("r="))


def test_the_tightest_limit_is_told(parlour):
    daemon = parlour(rate_channel="3/min", rate_read="7/min")
    ann, ben, cyd = daemon.register(), daemon.register(), daemon.register()
    assert [limit_of(ask(ann, ben.name)) for _ in range(3)] == [("channel", 2), ("channel", 1), ("channel", 0)]
    refused = ask(ann, ben.name)
    assert refused.status_code == 429 and limit_of(refused) == ("channel", 0)
    assert limit_of(ask(ann, cyd.name)) == ("channel", 2)
    assert limit_of(ann.get(URL)) == ("read", 2), "the refused one was given back"
    assert limit_of(ask(ann, cyd.name)) == ("read", 1)


def test_20_a_minute_per_channel(parlour, rows):
    daemon = parlour(rate_channel="20/min")
    ann, ben, cyd = daemon.register(), daemon.register(), daemon.register()
    codes = [ask(ann if i % 2 else cyd, ben.name.upper() if i % 3 else ben.name).status_code for i in range(20)]
    assert codes == [201] * 20, "whoever asks"
    refused = ask(ann, ben.name)
    assert refused.status_code == 429 and int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["error"] == "Rate limit exceeded: 20 per 1 minute"
    assert ask(ann, cyd.name).status_code == 201, "another channel"


def test_slack(parlour, slack, workdir):
    daemon = parlour(slack_webhook=slack.url, public_url=PUBLIC)
    ann = daemon.register()
    assert ask(ann, "#ops", "slack").json()["detail"][0]["loc"] == ["body", "channel", "destination"]
    request = ask(ann, None, "slack", options=["yes", "<no> & never"], context={"cost": "5 < 6"}).json()
    assert request["status"] == "created" and request["channel"]["destination"] == "webhook"
    wait_for(lambda: ann.get(f"{URL}/{request['id']}").json()["status"] == "sent", 10)
    assert len(slack.posts) == 1
    text = "\n".join(b["text"]["text"] for b in slack.posts[0]["blocks"])
    assert "Ship it?" in text and "&lt;no&gt; &amp; never" in text and "5 &lt; 6" in text
    token = text.split(PUBLIC + "/r/")[1].split("|")[0]
    page = daemon.get(f"/r/{token}")
    assert page.status_code == 200 and "&lt;no&gt; &amp; never" in page.text
    assert daemon.http.post(f"/r/{token}", data={"answer": "yes"}).status_code == 200
    end = ann.get(f"{URL}/{request['id']}").json()
    assert end["status"] == "answered" and end["answered_via"] == "slack" and end["answered_by"] is None
    assert "services/T000" not in daemon.log_text()


def test_slack_troubles(parlour, slack, rows):
    daemon = parlour(slack_webhook=slack.url, public_url=PUBLIC)
    ann = daemon.register()
    slack.answers = [(429, "", {"Retry-After": "1"}), (500, "oops", {})]
    request = ask(ann, None, "slack").json()["id"]
    wait_for(lambda: ann.get(f"{URL}/{request}").json()["status"] == "sent", 20)
    assert len(slack.posts) == 1
    assert rows(f"SELECT tries, state FROM jobs WHERE request_id = '{request}'") == [(3, "done")]
    slack.answers = [(404, "no_service", {})]
    request = ask(ann, None, "slack").json()["id"]
    end = wait_for(lambda: (r := ann.get(f"{URL}/{request}").json())["delivery_error"] and r, 10)
    assert end["delivery_error"] == "Slack answered 404 no_service" and end["status"] == "created"
    counted = {"retried": 2, "done": 1, "dead": 1}
    wait_for(lambda: {how: daemon.metric("parlour_jobs_total", kind="slack", outcome=how) for how in counted} == counted, 10,
             f"counted: {counted}")


def test_links(parlour, slack):
    daemon = parlour(slack_webhook=slack.url, public_url=PUBLIC, access_log="-")
    ann = daemon.register()
    request = ask(ann, None, "slack", timeout_s=3).json()["id"]
    wait_for(lambda: ann.get(f"{URL}/{request}").json()["status"] == "sent", 10)
    token = str(slack.posts[0]).split("/r/")[1].split("|")[0]
    assert daemon.get(f"/r/{token}").status_code == 200
    assert daemon.get(f"/r/{token}").headers["Cache-Control"] == "no-store"
    assert ann.get(f"{URL}/{request}").json()["status"] == "sent", "looking answers nothing"
    for bad in (token[:-1], token + "A", "B" + token[1:], token[:30] + ("B" if token[30] != "B" else "C") + token[31:], "x"):
        assert daemon.get(f"/r/{bad}").status_code == 404, bad
        assert daemon.http.post(f"/r/{bad}", data={"answer": "x"}).status_code == 404
    page = daemon.get("/r/nothing", headers={"Accept": "text/html,*/*"})
    assert page.status_code == 404 and page.headers["Content-Type"].startswith("text/html")
    assert daemon.http.post(f"/r/{token}", data={"decline": "true"}).status_code == 422
    assert daemon.http.post(f"/r/{token}", data={"answer": "<b>fine"}).status_code == 200
    assert daemon.http.post(f"/r/{token}", data={"answer": "again"}).status_code == 409
    assert daemon.get(f"/r/{token}").status_code == 410
    assert daemon.once("POST", f"/r/{token}", data={"answer": "x"}, headers={"Origin": "https://evil.example"}).status_code == 403
    timed = wait_for(lambda: (a := daemon.http.post(f"/r/{token}", data={"answer": "x"})).status_code == 410 and a, 10)
    assert "Expired" in timed.text
    assert token not in daemon.log_text()
