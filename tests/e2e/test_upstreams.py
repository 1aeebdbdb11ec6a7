# SPDX-License-Identifier: ISC
"""Failures of model servers: what the room shows, what is stored, what is retried, and the breaker."""

import pytest

import provider_peer
from asking import SETTINGS, Provider, answer, as_read, ask, listen, message_of, modules_daemon, say, text_of
from parlour import SLOW, wait_for

HALF = "Parlour keeps every word in"    # the text of ten words before the failure
TEN = "Parlour keeps every word in order and forgets none of"


@pytest.fixture(scope="module")
def both(request, workdir):
    with modules_daemon(request, workdir) as pair:
        yield pair


@pytest.fixture
def peer(both):
    both[1].reset()
    return both[1]


@pytest.fixture(scope="module")
def ann(both):
    return both[0].register()


@pytest.fixture(scope="module")
def role(ann):
    return ann.role()


@pytest.fixture
def room(ann, role):
    return ann.room(role_ids=[role["id"]])["id"]


@pytest.fixture
def own(parlour, peer):
    """own(settings of [llm peer]) starts a separate daemon with the peer of the module: (daemon, user, room id)."""
    def make(section=None, **settings):
        mine = parlour(upstreams={"peer": peer.section(**(section or {}))}, **{**SETTINGS, **settings})
        user = mine.register()
        return mine, user, user.room(role_ids=[user.role()["id"]])["id"]
    return make


def health(daemon):
    """Returns the reply of /health without the time."""
    return {k: v for k, v in daemon.get("/health").json().items() if k != "timestamp"}


# ---- peers that are odd but right ----

@pytest.mark.parametrize("mode", ["ok", "close", "nodone", "quiet-close", "json", "split", "list", "hints", "think", "ok,role=0",
                                  "ok,usage=near", "ok,usage=0", "done-hang"])
def test_whole_answers(ann, room, mode):
    with listen(ann, room) as sock:
        end = ask(sock, room, f"[[{mode if ',' in mode else mode + ',pace=1'}]]")
        assert (end.state, end.text) == ("done", TEN)
        message = message_of(sock, end.id)
        assert message["content"] == TEN and message["model"] == "peer-1" and message["usage"]["stop"] == "stop"
        if mode not in ("ok,usage=0",):
            assert message["usage"]["completion_tokens"] == 10
        else:
            assert "total_tokens" not in message["usage"]


@pytest.mark.parametrize("finish,stop", [("length", "length"), ("content_filter", "content_filter"), ("weird", "other")])
def test_stop_reasons(ann, room, finish, stop):
    with listen(ann, room) as sock:
        end = ask(sock, room, f"[[ok,tokens=2,pace=0,finish={finish}]]")
        assert end.state == "done" and message_of(sock, end.id)["usage"]["stop"] == stop


def test_connections_are_kept(own, peer):
    _, user, room = own(workers=1)
    before = peer.stats()["connections"]
    with listen(user, room) as sock:
        for _ in range(5):
            assert ask(sock, room, "[[ok,tokens=1,pace=0]]").state == "done"
    stats = peer.stats()
    assert stats["requests"] == 5 and stats["connections"] - before <= 3, "the peer's own control uses two"


@pytest.mark.parametrize("mode", ["stale", "quiet-close"])
def test_a_connection_closed_while_idle(own, peer, mode):
    """An idle connection was closed: the next answer succeeds, and the upstream is asked once, as far as anybody can
    see."""
    _, user, room = own(workers=1)
    with listen(user, room) as sock:
        for _ in range(4):
            end = ask(sock, room, f"[[{mode},tokens=3,pace=0]]")
            assert (end.state, end.text) == ("done", "Parlour keeps every")


# ---- failures before the first text ----

@pytest.mark.parametrize("mode,code,requests", [
    ("401", "upstream_auth", 1), ("403", "upstream_auth", 1), ("400", "upstream_error", 1), ("404", "upstream_error", 1),
    ("429,after=0", "upstream_error", 3), ("429,after=60", "upstream_error", 1), ("quota", "upstream_error", 1),
    ("500,after=0", "upstream_error", 3), ("503,after=0", "upstream_error", 3), ("html", "upstream_error", 1),
    ("badsse", "upstream_error", 1), ("redirect", "upstream_error", 1), ("gzip", "upstream_error", None),
    ("giant", "upstream_error", 1)])
def test_refusals(ann, room, peer, mode, code, requests):
    """A refusal creates no message and a failed generation with a code, which never contains the key; and it is retried
    as often as documented."""
    with listen(ann, room) as sock:
        end = ask(sock, room, f"[[{mode}]]")
        assert end.state == "failed" and end.error == code and end.text == "" and "answer_seq" not in end.last
        assert "sk-peer" not in str(end.last)
    if requests is not None:
        assert peer.stats()["requests"] == requests
    row = ann.get(f"/api/generations/{end.id}").json()
    assert row["state"] == "failed" and row["error"] == code and row["text"] is None and row["answer_seq"] is None
    assert len(ann.get(f"/api/rooms/{room}/messages").json()) == 1
    with listen(ann, room) as sock:
        assert ask(sock, room, "[[ok,tokens=1,pace=0]]").state == "done", "the role is free again"


@pytest.mark.parametrize("modes", [("500,after=0",), ("429,after=0", "503,after=0"), ("error-first",), ("empty",),
                                   ("wordless",)])
def test_tried_again(ann, room, peer, modes):
    peer.queue(*modes, "ok,tokens=3,pace=0")
    with listen(ann, room) as sock:
        end = ask(sock, room, "x")
        assert (end.state, end.text) == ("done", "Parlour keeps every")
        assert end.states.count("started") == 1
    assert peer.stats()["requests"] == len(modes) + 1


def test_an_answer_without_a_word_is_an_error(ann, room, peer):
    """The upstream is asked again; then the asker gets an error, and there is no empty message."""
    peer.queue("wordless*3")
    with listen(ann, room) as sock:
        end = ask(sock, room, "x")
        assert (end.state, end.error) == ("failed", "upstream_error")
    assert peer.stats()["requests"] == 3
    assert len(ann.get(f"/api/rooms/{room}/messages").json()) == 1


def test_no_end_marker_after_the_reason(own, peer):
    """The answer is complete after a few seconds, without waiting for the longest permitted silence."""
    _, user, room = own({"idle_timeout": "10min"})
    with listen(user, room) as sock:
        end = ask(sock, room, "[[finish-hang,tokens=3,pace=0]]")
        assert (end.state, end.text) == ("done", "Parlour keeps every")


def test_nobody_listens_there(parlour):
    gone = Provider()
    gone.stop()
    daemon = parlour(upstreams={"peer": gone.section()}, **SETTINGS)
    user = daemon.register()
    room = user.room(role_ids=[user.role()["id"]])["id"]
    with listen(user, room) as sock:
        end = ask(sock, room, "hello?")
        assert end.state == "failed" and end.error == "upstream_error"


def test_upstream_that_is_gone_after_a_reload(own, peer):
    """A role keeps the name of an upstream that was removed: its answers fail with an error, and work when the upstream
    is back."""
    daemon, user, _ = own(llm_default="local")
    room = user.room(role_ids=[user.role(upstream="peer")["id"]])["id"]
    with listen(user, room) as sock:
        assert ask(sock, room, "[[ok,tokens=1,pace=0]]").text == "Parlour"
        upstreams, daemon.upstreams = daemon.upstreams, {}
        daemon.write_config()
        daemon.reload()
        wait_for(lambda: ask(sock, room, "[[ok,tokens=1,pace=0]]").state == "failed", 10, "the reload arrived")
        assert ask(sock, room, "x").error == "upstream_error"
        daemon.upstreams = upstreams
        daemon.write_config()
        daemon.reload()
        wait_for(lambda: ask(sock, room, "[[ok,tokens=1,pace=0]]").state == "done", 10, "the reload arrived")


# ---- failures in the middle ----

@pytest.mark.parametrize("mode,code", [("cut-rst", "upstream_truncated"), ("cut-fin", "upstream_truncated"),
                                       ("cut-close", "upstream_truncated"), ("error-mid", "upstream_error"),
                                       ("badjson", "upstream_error"), ("error-line", "upstream_error"),
                                       ("no-reason", "upstream_truncated")])
def test_broken_in_the_middle(ann, room, peer, mode, code):
    """The text so far is stored and marked, and the question is not repeated."""
    with listen(ann, room) as sock:
        seq = say(sock, room, f"[[{mode},pace=2]]")
        end = answer(sock, reply_to=seq)
        assert end.state == "failed" and end.error == code and end.text == HALF
        message = message_of(sock, end.id)
        assert message["content"] == HALF and message["usage"]["stop"] == "failed" and message["reply_to"] == seq
    assert peer.stats()["requests"] == 1
    row = ann.get(f"/api/generations/{end.id}").json()
    assert row["state"] == "failed" and row["error"] == code and row["answer_seq"] == message["seq"] == end.last["answer_seq"]
    stored = ann.get(f"/api/rooms/{room}/messages").json()[-1]
    assert stored == as_read(message)


@pytest.mark.parametrize("mode,text", [("utf8", "a��(b�"), ("nul", "a�b�c"), ("surrogate", "a�b�c\U0001f600")])
def test_broken_characters(ann, room, mode, text):
    """Invalid characters are replaced one by one; the rest of the answer is complete."""
    with listen(ann, room) as sock:
        end = ask(sock, room, f"[[{mode}]]")
        assert (end.state, end.text) == ("done", text)
        assert message_of(sock, end.id)["content"] == text


# ---- silence ----

@pytest.mark.parametrize("mode,text", [("stall-headers", ""), ("stall-body", ""), ("comments", ""),
                                       ("stall-mid", HALF)])
def test_silence(own, peer, mode, text):
    """first_timeout limits the time to the first text, and idle_timeout each later silence. Neither is retried."""
    first = {"first_timeout": "300ms", "idle_timeout": "60s"}
    # the peer itself must not be silent that long
    idle = {"first_timeout": "60s", "idle_timeout": f"{round(500 * SLOW)}ms"}
    _, user, room = own(idle if mode == "stall-mid" else first)
    with listen(user, room) as sock:
        end = ask(sock, room, f"[[{mode},pace=1]]")
        assert end.state == "failed" and end.error == "upstream_timeout" and end.text == text
        if text:
            message = message_of(sock, end.id)
            assert message["content"] == text and message["usage"]["stop"] == "failed"
        peer.wait(aborted=1)
        assert peer.stats()["requests"] == 1


def test_longest_time(own, peer):
    """total_timeout ends an answer that continues indefinitely; its text is stored."""
    _, user, room = own({"total_timeout": "1s"})
    with listen(user, room) as sock:
        end = ask(sock, room, "[[ok,tokens=100000,pace=20]]")
        assert end.state == "failed" and end.error == "upstream_timeout" and end.text.startswith(HALF)
        assert message_of(sock, end.id)["content"] == end.text


def test_connect_timeout(parlour, peer):
    """A server does not accept the connection."""
    hole, fillers = provider_peer.blackhole()
    url = f"http://127.0.0.1:{hole.getsockname()[1]}/v1"
    daemon = parlour(upstreams={"peer": peer.section(url=url, connect_timeout="200ms")}, **SETTINGS)
    user = daemon.register()
    room = user.room(role_ids=[user.role()["id"]])["id"]
    with listen(user, room) as sock:
        end = ask(sock, room, "x")
        assert end.state == "failed" and end.error == "upstream_timeout"
    for one in (hole, *fillers):
        one.close()


# ---- the breaker ----

def test_breaker(own, peer):
    """Consecutive failures open the breaker for all workers; /health reports it; after the cooldown, one successful
    trial closes it."""
    daemon, user, room = own({"breaker_failures": "2", "breaker_cooldown": f"{round(2000 * SLOW)}ms"})
    assert health(daemon)["services"]["llm"] == "up"
    with listen(user, room) as sock:
        peer.queue("500,after=0*6")
        assert ask(sock, room, "x").error == "upstream_error"
        assert health(daemon)["services"]["llm"] == "up", "three tries are one question"
        assert ask(sock, room, "x").error == "upstream_error"
        state = health(daemon)
        assert state["status"] == "degraded" and state["services"]["llm"] == "down"
        assert daemon.get("/health").status_code == 200 and daemon.get("/readyz").status_code == 200
        for slot in (0, 1):
            with daemon.only_worker(slot):
                other = user.ws()
            other.send("subscribe", topic=f"room:{room}")
            other.expect("subscribed")
            end = ask(other, room, "x")
            assert end.state == "failed" and end.error == "unavailable" and end.last["error"]["temporary"] is True
            other.drop()
        assert peer.stats()["requests"] == 6, "requests to it are paused"
        wait_for(lambda: ask(sock, room, "[[ok,tokens=1,pace=0]]").state == "done", 10, "the trial went well")
        assert health(daemon) == {**state, "status": "healthy", "services": {**state["services"], "llm": "up"}}
        assert ask(sock, room, "[[ok,tokens=1,pace=0]]").state == "done"
    assert peer.stats()["requests"] == 8


def test_a_broken_model_leaves_its_neighbors_alone(own, peer):
    """Each model that the configuration names has its own breaker."""
    daemon, user, _ = own({"breaker_failures": "1", "models": "peer-1 peer:500,after=0"})
    good, bad = (user.room(role_ids=[user.role(model=model)["id"]])["id"] for model in ("peer-1", "peer:500,after=0"))
    with listen(user, bad) as sock:
        assert ask(sock, bad, "x").error == "upstream_error"
        assert ask(sock, bad, "x").error == "unavailable"
    with listen(user, good) as sock:
        assert ask(sock, good, "x").state == "done"
    assert health(daemon)["services"]["llm"] == "up"


def test_breaker_opens_again(own, peer):
    """A trial that fails opens the breaker for another cooldown."""
    daemon, user, room = own({"breaker_failures": "1", "breaker_cooldown": "400ms"})
    with listen(user, room) as sock:
        peer.queue("500,after=0*6")
        assert ask(sock, room, "x").error == "upstream_error"
        wait_for(lambda: peer.stats()["requests"] == 3 and ask(sock, room, "x").error == "upstream_error" or
                 peer.stats()["requests"] == 6, 10, "the trial")
        assert health(daemon)["services"]["llm"] == "down"
        wait_for(lambda: ask(sock, room, "[[ok,tokens=1,pace=0]]").state == "done", 10, "closed again")
        assert health(daemon)["services"]["llm"] == "up"


def test_refusals_with_reason_do_not_open_it(own, peer):
    """A wrong key, a bad request, or a stop by the asker does not count as a failure of the server."""
    daemon, user, room = own({"breaker_failures": "1"})
    with listen(user, room) as sock:
        for mode in ("400", "401", "404"):
            assert ask(sock, room, f"[[{mode}]]").state == "failed"
        say(sock, room, "[[stall-mid,pace=0]]")
        frames = text_of(sock, len(HALF))
        sock.send("stop", generation_id=frames[0]["generation_id"])
        assert answer(sock, frames).state == "cancelled"
        assert ask(sock, room, "[[ok,tokens=1,pace=0]]").state == "done"
    assert health(daemon)["services"]["llm"] == "up"


def test_health_follows_the_default_upstream(parlour, peer):
    """Failures of an upstream that only some roles use do not change the health of the server."""
    daemon = parlour(upstreams={"peer": peer.section(breaker_failures="1")}, **{**SETTINGS, "llm_default": "local"})
    user = daemon.register()
    room = user.room(role_ids=[user.role(upstream="peer")["id"]])["id"]
    with listen(user, room) as sock:
        assert ask(sock, room, "[[500,after=0]]").state == "failed"
        assert ask(sock, room, "x").error == "unavailable"
    assert health(daemon)["status"] == "healthy"


# ---- the log and the figures ----

def test_failures_are_logged_without_secrets(both, ann, room, peer):
    daemon, mark = both[0], both[0].log_size()
    with listen(ann, room) as sock:
        end = ask(sock, room, "[[401]]")
    line = daemon.wait_log(rf"generation={end.id}", mark)
    assert line["level"] == "warn" and line["error"] == "upstream_auth"
    assert "sk-peer-secret" not in daemon.log_text()


def test_figures(own):
    daemon, user, room = own(workers=1)

    def figures():
        return {line.split(" ")[0]: float(line.split(" ")[1]) for line in daemon.ctl("metrics").stdout.splitlines()
                if line and line[0] != "#" and line.startswith("parlour_generations_")}

    before = figures()
    with listen(user, room) as sock:
        assert ask(sock, room, "[[ok,tokens=1,pace=0]]").state == "done"
        assert ask(sock, room, "[[400]]").state == "failed"
        say(sock, room, "[[stall-mid,pace=0]]")
        frames = text_of(sock, len(HALF))
        sock.send("stop", generation_id=frames[0]["generation_id"])
        assert answer(sock, frames).state == "cancelled"
    def grown():
        now = figures()
        return {word: [now[k] - before[k] for k in now if word in k] for word in ("started", "done", "failed", "cancelled")}

    wait_for(lambda: grown() == {"started": [3], "done": [1], "failed": [1], "cancelled": [1]}, 5, "each is counted")
