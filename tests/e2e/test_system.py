# SPDX-License-Identifier: ISC
"""Everything around the chat: health, metrics, description, pages, headers, CORS, and every row of the route table."""

import json
import os
import re
import signal
import time

import httpx
import pytest

import exposition
import wire
from parlour import HERE, PLAIN, SLOW, wait_for

SOURCE = os.environ.get("PARLOUR_SRC", os.path.dirname(os.path.dirname(HERE)))
ROW = re.compile(r'^ROUTE\(\s*(\w+),\s*"([^"]+)",\s*\w+,\s*(\w+),\s*\w+,\s*(\w+),.*?(\d{3}),\s*([A-Z_|0]+),', re.M)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def route_rows():
    """Returns (method, path, who, class, status, flags) of routes.def."""
    with open(SOURCE + "/src/api/http/routes.def", encoding="utf-8") as table:
        return ROW.findall(table.read())


def filled(path):
    """Fills the path with ids that do not exist."""
    path = path.replace("{generation_id}", "123e4567-e89b-42d3-a456-426614174000").replace("{file}", "no-such-file")
    return re.sub(r"\{\w+\}", "99999999", path)


# ---- every row ----

@pytest.mark.parametrize("method,path,who,klass,status,flags", route_rows())
def test_each_route_asks_for_its_token(shared, method, path, who, klass, status, flags):
    answer = shared.once(method, filled(path))
    assert answer.headers["X-Request-Id"]
    if who in ("USER", "ANALYST", "OPERATOR", "ADMIN"):
        assert answer.status_code == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.json()["code"] == "unauthorized"
    elif who == "OPT" and answer.status_code == 401:
        assert answer.json()["code"] == "unauthorized", "guests are not let in by default"
    else:
        assert answer.status_code not in (401, 405, 500, 501), answer.text
    if klass == "NONE":
        assert "RateLimit" not in answer.headers


@pytest.mark.parametrize("path", sorted({row[1] for row in route_rows()} - {"/metrics"}))
def test_each_route_knows_its_methods(shared, path):
    allowed = {row[0] for row in route_rows() if row[1] == path}
    for method in METHODS:
        if method in allowed:
            continue
        answer = shared.once(method, filled(path))
        assert answer.status_code == 405, (method, path, answer.status_code)
        listed = {m.strip() for m in answer.headers["Allow"].split(",")}
        assert allowed <= listed and method not in listed
        assert answer.json()["code"] == "method_not_allowed"


def test_each_route_is_described(shared):
    description = shared.get("/openapi.json").json()
    assert description["openapi"].startswith("3.1")
    for method, path, who, _, status, flags in route_rows():
        if "HIDE" in flags:
            continue
        operation = description["paths"][path][method.lower()]
        assert operation["summary"] and operation["operationId"], path
        assert status in operation["responses"], (path, status)
        if who == "USER":
            assert operation["security"] and "401" in operation["responses"]
        names = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
        assert names == set(re.findall(r"\{(\w+)\}", path))


def test_the_description_holds_together(shared):
    description = shared.get("/openapi.json").json()
    text = json.dumps(description)
    for reference in set(re.findall(r'"\$ref": "([^"]+)"', text)):
        node = description
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        assert node
    operations = [op["operationId"] for path in description["paths"].values() for m, op in path.items() if m.upper() in METHODS]
    assert len(operations) == len(set(operations))
    assert description["info"]["title"] and description["info"]["version"]
    assert any(s.get("scheme") == "bearer" for s in description["components"]["securitySchemes"].values())


def test_odd_values_never_break_a_route(shared):
    """Whatever the path contains, the reply is 4xx with an error body."""
    user = shared.register()
    for method, path, who, _, _, flags in route_rows():
        if "{" not in path or path == "/join/{token}":      # a page that reports what is wrong with the link
            continue
        for odd in ("0", "-1", "x", "%00", "%2e%2e", "%ff", "1%2f2", "'", "9" * 40, "%F0%9F%91%8B", "1;2", "null", "a" * 3000):
            answer = user.request(method, re.sub(r"\{\w+\}", odd, path))
            assert 400 <= answer.status_code < 500, (method, path, odd, answer.status_code)
            assert answer.json()["code"] and answer.json()["request_id"] == answer.headers["X-Request-Id"]


# ---- meta ----

def test_root_as_json_and_page(shared):
    info = shared.get("/", headers={"Accept": "application/json"})
    assert info.status_code == 200 and "Accept" in info.headers["Vary"]
    assert set(info.json()) >= {"name", "version", "docs", "openapi", "health", "websocket"}
    page = shared.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.headers["Content-Type"].startswith("text/html") and "Accept" in page.headers["Vary"]
    assert "<html" in page.text.lower()


def test_the_page_and_its_files(shared):
    """All files that the pages name exist on this server and have their media type."""
    for path in ("/", "/docs", "/redoc"):
        page = shared.get(path, headers={"Accept": "text/html"})
        assert page.status_code == 200 and page.headers["Content-Type"].startswith("text/html"), path
        assert "Content-Security-Policy" in page.headers
        assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(?:https?:)?//', page.text), "nothing from elsewhere"
        for name in re.findall(r'(?:src|href)="([^"#]+)"', page.text):
            if name.startswith(("/static/", "static/")):
                file = shared.get("/" + name.lstrip("/"))  # covers: GET /static/{file}
                assert file.status_code == 200 and file.headers["Content-Type"], name
                assert file.headers["X-Content-Type-Options"] == "nosniff"


def test_docs_pages(shared):
    assert shared.get("/docs").status_code == 200
    assert shared.get("/redoc").status_code == 200


def test_the_console_can_be_off(parlour):
    daemon = parlour(console="off")
    answer = daemon.get("/", headers={"Accept": "text/html"})
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize("path", ["/static/../routes.def", "/static/%2e%2e/x", "/static/..%2f..%2fetc%2fpasswd", "/static/%5c..%5cx",
                                  "/static/", "/static/.hidden", "/static/%00", "/static//etc/passwd", "/static/x%c0%ae%c0%ae"])
def test_no_file_outside(shared, path):
    host = f"{shared.host}:{shared.port}"
    status, _, body = shared.raw(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert status in (400, 404) and b"root:" not in body


def test_health(shared):
    health = shared.get("/health").json()
    assert health["status"] == "healthy" and health["services"]["database"] == "up" and health["version"]
    assert set(health["services"]) == {"database", "llm", "mail", "knowledge"}
    assert shared.get("/livez").json()["status"] == "ready"
    assert shared.get("/readyz").json()["status"] == "ready"


def test_the_database_goes_and_comes_back(parlour, shared, pg):
    daemon = parlour(workers=2)
    shared.expect_error("atabase|connection|SQLSTATE|57P0")
    daemon.expect_error("atabase|connection|SQLSTATE|57P0")
    user = daemon.register()
    room = user.room()["id"]
    sock = user.ws()
    sock.send("subscribe", topic=f"room:{room}")
    sock.expect("subscribed")
    pg.stop("immediate")
    try:
        down = wait_for(lambda: (a := daemon.once("GET", "/readyz")).status_code == 503 and a, 10)
        assert down.json()["status"] == "not_ready" and down.json()["reason"]
        health = wait_for(lambda: (a := daemon.once("GET", "/health")).status_code == 503 and a, 10)
        assert health.json()["status"] == "degraded" and health.json()["services"]["database"] == "down"
        assert daemon.once("GET", "/livez").status_code == 200
        for answer in (daemon.once("POST", f"/api/rooms/{room}/messages", headers=user.auth, json={"content": "x", "client_id": "d"}),
                       daemon.once("GET", f"/api/rooms/{room}", headers=user.auth)):
            assert answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1, answer.text
            assert answer.json()["temporary"] is True
        sock.send("send", topic=f"room:{room}", content="y", client_id="e", id="s")
        assert sock.expect("error", "ack", id="s")["type"] == "error"
        sock.ping_pong()
    finally:
        pg.start()
    for one in (daemon, shared):  # one server for both
        one.settled()
    assert wait_for(lambda: (a := user.say(room, "x", "d")).status_code in (200, 201) and a, 10)
    assert sock.expect("message", timeout=10)["message"]["content"] == "x", "the socket lived through it"
    sock.drop()


def test_metrics_are_for_the_operator(parlour):
    daemon = parlour(metrics_listen="127.0.0.1:0")
    user = daemon.register()
    assert daemon.get("/metrics").status_code == 404
    assert daemon.get("/metrics", headers=user.auth).status_code == 404
    address = daemon.listening("operator")[0]
    text = httpx.get(f"http://{address}/metrics", **PLAIN)
    assert text.status_code == 200 and text.headers["Content-Type"].startswith("text/plain")
    assert {"parlour_http_requests_total", "parlour_ws_connections", "parlour_db_up"} <= set(exposition.parse(text.text))
    other = httpx.get(f"http://{address}/api/auth/me", headers=user.auth, **PLAIN)
    assert other.status_code == 404, "the operator's listener serves nothing else"


def test_lost_log_lines_are_counted(parlour):
    """Lost log lines of workers and of the master are counted; the log reports it when it can be written again."""
    daemon = parlour(metrics_listen="127.0.0.1:0", access_log="/dev/full")
    address = daemon.listening("operator")[0]

    def lost():
        text = httpx.get(f"http://{address}/metrics", **PLAIN).text
        return int(re.search(r"^parlour_log_lines_dropped_total (\d+)$", text, re.M).group(1))

    def reload(**settings):
        daemon.configure(**settings)
        daemon.send_signal(signal.SIGHUP)
        wait_for(lambda: daemon.once("GET", "/").json()["name"] == settings["server_name"])

    for _ in range(10):
        daemon.get("/livez")
    wait_for(lambda: lost() >= 10, 10, "one line for each request")
    reload(server_name="silent", log="/dev/full", access_log="")
    daemon.settled()
    before = lost()
    daemon.send_signal(signal.SIGHUP)
    wait_for(lambda: lost() >= before + 2, 10, "the master's lines: the signal, and what came of it")
    reload(server_name="audible", log="stderr")
    assert int(daemon.wait_log("log lines were dropped")["count"]) >= 2


# ---- headers ----

def test_requests_are_counted_once(parlour):
    daemon = parlour(metrics_listen="127.0.0.1:0")
    address = daemon.listening("operator")[0]

    def figure():
        families = exposition.parse(httpx.get(f"http://{address}/metrics", **PLAIN).text)
        return exposition.value(families, "parlour_http_requests_total", status="2xx")

    readings = []

    def grown():
        """Returns the growth until now, without the requests that read the figures, which count when they end."""
        readings.append(figure() - before - len(readings))
        return readings[-1]

    before = figure()
    for _ in range(20):
        daemon.get("/livez")
    wait_for(lambda: grown() >= 20)
    assert grown() <= 21, readings


def test_headers_of_every_reply(shared):
    for path, status in (("/livez", 200), ("/nothing", 404), ("/api/auth/me", 401)):
        answer = shared.get(path)
        assert answer.status_code == status
        assert re.fullmatch(r"[\w-]{8,64}", answer.headers["X-Request-Id"])
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers.get("Referrer-Policy") and answer.headers.get("X-Frame-Options", "DENY")
        assert "Server" not in answer.headers or "/" not in answer.headers["Server"]
    assert shared.get("/livez").headers["X-Request-Id"] != shared.get("/livez").headers["X-Request-Id"]


def test_unknown_routes(shared):
    body = shared.get("/no/such/route").json()
    assert body["detail"] == "Not Found" and body["code"] == "no_route" and body["temporary"] is False


def test_head_and_options(shared):
    head = shared.http.head("/livez")
    assert head.status_code == 200 and head.content == b""
    wrong = shared.http.delete("/api/rooms")
    assert wrong.status_code == 405 and wrong.json()["detail"] == "Method Not Allowed"
    options = shared.http.options("/api/rooms")
    assert options.status_code in (200, 204) and {"GET", "POST"} <= {m.strip() for m in options.headers["Allow"].split(",")}


def exposed_rows():
    """Returns our headers that scripts of other origins must be able to read."""
    with open(SOURCE + "/src/net/headers.def", encoding="utf-8") as table:
        return re.findall(r'^HEADER\("([^"]+)", EXPOSED\)$', table.read(), re.M)


SAFELISTED = {"Cache-Control", "Content-Length", "Content-Type"}    # safelisted by the Fetch standard
FOR_BROWSERS = re.compile(r"Access-Control-.*|Vary|Connection|Transfer-Encoding|X-Accel-Buffering|X-Content-Type-Options|"
                          r"X-Frame-Options|Referrer-Policy|Content-Security-Policy|Upgrade|Sec-WebSocket-Version", re.I)


def test_browser_code_can_read_our_headers(parlour):
    """Access-Control-Expose-Headers of each reply contains Idempotent-Replayed, Link, ETag, Retry-After, and similar
    headers."""
    daemon = parlour(cors_origins="https://app.example.org", rate_ask="1/h burst 1", guest="on", session_form="")
    user, origin = daemon.register(), {"Origin": "https://app.example.org"}
    key = {"Idempotency-Key": "k1", **origin}
    for number in range(3):
        user.room(f"room{number}")
    replies = [user.post("/api/rooms", {"name": "once"}, headers=key), user.post("/api/rooms", {"name": "once"}, headers=key),
               user.get("/api/rooms?limit=1", headers=origin), user.get("/api/rooms?page=1&page_size=1", headers=origin),
               daemon.get("/api/auth/me", headers=origin), daemon.get("/nothing", headers=origin),
               daemon.once("DELETE", "/api/rooms", headers=origin), daemon.get("/favicon.ico", headers=origin),
               user.post("/api/chat", {"message": "x"}, headers=origin), user.post("/api/chat", {"message": "x"}, headers=origin),
               user.post("/api/chat", {"message": "x"}, headers={"Accept": "text/event-stream", **origin})]
    seen = set()
    for answer in replies:
        exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
        assert exposed == exposed_rows()
        for name in answer.headers:
            name = next((e for e in [*exposed, *SAFELISTED] if e.lower() == name.lower()), name)
            assert name in exposed or name in SAFELISTED or FOR_BROWSERS.fullmatch(name), (name, answer)
            seen.add(name)
    assert replies[1].headers["Idempotent-Replayed"] == "true"
    assert seen >= {"Idempotent-Replayed", "Link", "Retry-After", "RateLimit", "X-Request-Id", "X-Total-Count", "Allow",
                    "WWW-Authenticate", "Location"}, seen


def test_cors(parlour):
    daemon = parlour(cors_origins="https://app.example.org")
    good, bad = {"Origin": "https://app.example.org"}, {"Origin": "https://evil.example"}
    for path in ("/livez", "/api/auth/me", "/nothing"):
        answer = daemon.get(path, headers=good)
        assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example.org"
        assert answer.headers["Access-Control-Allow-Credentials"] == "true" and "Origin" in answer.headers["Vary"]
        exposed = {n.strip().lower() for n in answer.headers["Access-Control-Expose-Headers"].split(",")}
        assert {"ratelimit", "ratelimit-policy", "retry-after", "x-request-id", "link", "etag", "location"} <= exposed
        assert "Access-Control-Allow-Origin" not in daemon.get(path, headers=bad).headers
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    allowed = daemon.http.options("/api/rooms", headers={**good, **ask})
    assert allowed.status_code in (200, 204) and allowed.headers["Access-Control-Allow-Origin"] == good["Origin"]
    assert "POST" in allowed.headers["Access-Control-Allow-Methods"]
    assert "authorization" in allowed.headers["Access-Control-Allow-Headers"].lower()
    assert int(allowed.headers["Access-Control-Max-Age"]) == 600
    refused = daemon.http.options("/api/rooms", headers={**bad, **ask})
    assert "Access-Control-Allow-Origin" not in refused.headers


def test_trusted_hosts(parlour):
    daemon = parlour(trusted_hosts="chat.example.org 127.0.0.1")
    assert daemon.get("/livez", headers={"Host": "chat.example.org"}).status_code == 200
    refused = daemon.get("/livez", headers={"Host": "evil.example"})
    assert refused.status_code == 400 and refused.json()["code"] == "bad_host"


def test_big_bodies_and_headers(shared):
    assert shared.http.post("/api/auth/login", content=b"x" * 2_000_000,
                            headers={"Content-Type": "application/json"}).status_code == 413
    assert shared.http.post("/api/auth/login", content=b'{"username":"' + b"x" * 20_000 + b'"}',
                            headers={"Content-Type": "application/json"}).status_code == 413
    assert shared.once("GET", "/livez", headers={"X-Long": "x" * 20_000}).status_code == 431


def test_slow_headers_and_bodies_are_cut(parlour):
    """The deadline is absolute: single bytes do not keep a request alive."""
    daemon = parlour(header_timeout="1s", body_timeout="1s")
    host = f"{daemon.host}:{daemon.port}".encode()
    for head in (b"GET /livez HTTP/1.1\r\nHost: " + host + b"\r\n",
                 b"POST /api/auth/login HTTP/1.1\r\nHost: " + host + b"\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"):
        with wire.connect(daemon.addr) as sock:
            sock.sendall(head)
            began, cut = time.monotonic(), False
            while not cut and time.monotonic() - began < 8 * SLOW:
                try:
                    sock.sendall(b"x")
                    sock.settimeout(0.2)
                    sock.recv(4096)
                    cut = True
                except TimeoutError:
                    continue
                except OSError:
                    cut = True
            assert cut and time.monotonic() - began < 4 * SLOW


# ---- answers of the local responder ----

def test_a_role_answers(parlour):
    """A new installation answers with the offline responder, streamed to native sockets and whole to the compatible
    ones."""
    daemon = parlour()
    user = daemon.register()
    models = user.get("/api/llm/models")
    assert models.status_code == 200 and any(m["upstream"] == "local" for m in models.json())
    role = user.role(upstream="local")
    room = user.room(role_ids=[role["id"]])["id"]
    with user.ws() as sock, user.ws(f"/ws/chat/{room}", native=False) as compat:
        sock.send("subscribe", topic=f"room:{room}")
        sock.expect("subscribed")
        question = user.say(room, "Hello, who are you?").json()
        started = sock.expect("generation", timeout=15)
        frames = [started]
        while frames[-1]["state"] not in ("done", "failed", "cancelled", "interrupted"):
            frames.append(sock.expect("generation", timeout=15))
        assert frames[-1]["state"] == "done"
        generation = user.get(f"/api/generations/{started['generation_id']}")
        assert generation.status_code == 200 and generation.json()["state"] == "done"
        assert generation.json()["reply_to"] == question["seq"]
        stored = user.get(f"/api/rooms/{room}/messages").json()[-1]
        assert stored["author"]["kind"] == "role" and stored["author"]["id"] == role["id"] and stored["content"]
        assert stored["reply_to"] == question["seq"] and stored["seq"] == generation.json()["answer_seq"]
        whole = compat.expect("message", is_ai=True, timeout=15)
        assert whole["role_id"] == role["id"] and whole["content"] == stored["content"]
        again = user.post(f"/api/generations/{started['generation_id']}/cancel")
        assert again.status_code in (200, 409)
    stranger = daemon.register()
    private = user.room(visibility="private", role_ids=[role["id"]])["id"]
    user.say(private, "secret question")
    row = wait_for(lambda: [m for m in user.get(f"/api/rooms/{private}/messages").json() if m["author"]["kind"] == "role"], 15)
    assert stranger.get(f"/api/generations/{row[0]['generation_id']}").status_code == 404
    assert stranger.post(f"/api/generations/{row[0]['generation_id']}/cancel").status_code == 404
