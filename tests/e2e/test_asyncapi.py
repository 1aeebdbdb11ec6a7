# SPDX-License-Identifier: ISC
"""/asyncapi.json contains what generators of clients need. Every test checks that frames match it:
described_frames.py."""

import html.parser
import json
import os
import re

import pytest

import described
import described_frames
import nodejs

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FRAME = re.compile(r'^FRAME_(IN|OUT)\((\w+), (\w+), "(\w*)", ?(\w*)', re.M)


def table(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


@pytest.fixture(scope="module")
def document(shared):
    return described_frames.Sockets(shared.get("/asyncapi.json").text)


def messages(document):
    return document.root["components"]["messages"]


@pytest.mark.parametrize("public_url", ["", "https://chat.example.org", "http://10.0.0.7:8000/chat"])
def test_the_parser_has_nothing_to_say(parlour, public_url):
    """@asyncapi/parser reports neither errors nor warnings. It may note that a newer version than 3.0 exists."""
    tools = nodejs.prepare()
    path = os.path.join(tools, "asyncapi.json")
    with open(path, "w", encoding="utf-8") as file:
        file.write(parlour(public_url=public_url).get("/asyncapi.json").text)
    said = nodejs.run(["node", "asyncapi.mjs", path], tools).splitlines()
    assert [line for line in said if not line.startswith("asyncapi-latest-version ")] == \
        [f"operations: {len(json.loads(table(path))['operations'])}"]


@pytest.mark.parametrize("public_url, server", [
    ("", {"host": "{host}", "protocol": "ws"}), ("https://chat.example.org", {"host": "chat.example.org", "protocol": "wss"}),
    ("http://10.0.0.7:8000/chat", {"host": "10.0.0.7:8000", "protocol": "ws", "pathname": "/chat"}),
])
def test_the_server_is_the_public_one(parlour, public_url, server):
    found = parlour(public_url=public_url).get("/asyncapi.json").json()["servers"]["parlour"]
    assert {name: found.get(name) for name in server} == server


def test_each_socket_is_a_channel(document):
    paths = re.findall(r'^WSROUTE\("([^"]+)"', table("src/api/http/routes.def"), re.M)
    assert {channel["address"] for channel in document.root["channels"].values()} == {*paths, "/ws/chat/{username}"}


def test_each_frame_is_a_message_and_an_operation(document):
    frames = FRAME.findall(table("src/api/ws/frames.def"))
    operations = [(operation["action"], operation["messages"][0]["$ref"].rsplit("/", 1)[1])
                  for operation in document.root["operations"].values()]
    for way, dialect, name, _, _ in frames:
        message = f"{way.lower()}_{dialect}_{name}"
        assert message in messages(document) and ("receive" if way == "IN" else "send", message) in operations, message
    assert len(messages(document)) == len(frames) + 1    # echo


def test_each_message_has_valid_examples(document):
    for name, message in messages(document).items():
        assert message["examples"], name
        for example in message["examples"]:
            document.validate(message["payload"], example["payload"], f"{name}, {example['name']}")
            filled = re.sub(r'"(message_)?type": "text"', "", json.dumps(example["payload"]))
            assert ': "text"' not in filled, f"{name}: an example that says nothing"


def test_each_json_field_has_a_form(document):
    free = {"agent_request.context", "in_signaling_offer.data", "in_signaling_answer.data", "in_signaling_candidate.data",
            "in_signaling_ice_candidate.data"}
    for name, schema in document.root["components"]["schemas"].items():
        for field, value in schema.get("properties", {}).items():
            if f"{name}.{field}" not in free and name not in ("feedback_request_out",):
                assert set(value) & {"type", "$ref", "oneOf", "const"}, f"{name}.{field}"


@pytest.mark.parametrize("operation, token, klass", [
    ("native_receive_auth", "none", "read"), ("native_receive_send", "required", "send"),
    ("native_receive_subscribe", "optional", "read"), ("query_receive_query", "optional", "ask"),
    ("session_receive_bare", "optional", "ask"), ("metrics_receive_ping", "optional", None),
])
def test_tokens_and_rate_classes(document, operation, token, klass):
    found = document.root["operations"][operation]
    assert (found["x-token"], found.get("x-rate-class")) == (token, klass)
    assert ("security" in found) == (token != "none")
    assert klass is None or klass in document.root["x-rate-classes"]


@pytest.mark.parametrize("operation, replies", [
    ("native_receive_auth", {"authed", "error"}), ("native_receive_send", {"ack", "error"}),
    ("query_receive_query", {"progress", "query_response", "response", "error"}), ("sessions_receive_ping", {"pong", "error"}),
    ("room_receive_bare", {"error"}),
])
def test_answers(document, operation, replies):
    found = [document.resolve(message) for message in document.root["operations"][operation]["reply"]["messages"]]
    assert {message["title"] for message in found} == replies


def test_each_answer_is_a_frame_of_its_dialect():
    frames = {(dialect, word) for way, dialect, _, word, _ in FRAME.findall(table("src/api/ws/frames.def")) if way == "OUT"}
    rows = re.findall(r'^ANSWERS\(in_([a-z]+)_\w+, "([^"]+)"', table("src/api/describe/sockets.def"), re.M)
    assert rows and [(dialect, word) for dialect, words in rows for word in words.split("|") if (dialect, word) not in frames] == []


@pytest.mark.parametrize("channel, frame, there", [
    ("metrics", "out_usage_metrics", True), ("metrics", "out_usage_sessions", False), ("sessions", "out_usage_sessions", True),
    ("sessions", "out_usage_metrics", False), ("sessions", "out_usage_heartbeat", True),
])
def test_feeds_have_their_own_frames(document, channel, frame, there):
    assert (frame in document.root["channels"][channel]["messages"]) == there


def test_ways_to_send_a_token(document):
    schemes = document.root["components"]["securitySchemes"]
    assert {name: scheme["type"] for name, scheme in schemes.items()} == {
        "bearer": "http", "subprotocol": "httpApiKey", "ticket": "httpApiKey", "query": "httpApiKey", "frame": "apiKey",
        "api_key": "httpApiKey"}


def test_close_codes_topics_and_errors(document):
    """Each code with which an error of errors.def closes a socket is in the table of close codes."""
    codes = {row["code"] for row in document.root["x-close-codes"]}
    assert {row["close"] for row in document.root["x-error-codes"] if "close" in row} <= codes
    assert {row["topic"].split(":")[0] for row in document.root["channels"]["native"]["x-topics"]} == {
        name.split(":")[0] for name in re.findall(r'^TOPIC\(\w+, "([^"]+)"', table("src/api/ws/topics.def"), re.M)}
    assert document.root["components"]["schemas"]["error_code"]["enum"] == \
        [row["code"] for row in document.root["x-error-codes"]]


def test_the_description_has_an_etag(shared):
    first = shared.get("/asyncapi.json")
    again = shared.get("/asyncapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304 and again.headers["ETag"] == first.headers["ETag"] and again.content == b""


# ---- the comparison of frames finds what it should ----

ACK = {"type": "ack", "topic": "room:7", "seq": 45, "client_id": "c-17", "created_at": "2026-11-21T09:30:00Z"}


@pytest.mark.parametrize("path, subprotocol, name", [
    ("/ws", "parlour.v1", "native"), ("/ws?ticket=x", None, "native"), ("/ws/chat/7", None, "room"),
    ("/ws/chat/7", "parlour.v1", "native"), ("/ws/chat/me", None, "query"), ("/ws/signaling/7", None, "signaling"),
    ("/ws/metrics", None, "metrics"), ("/ws/any-id", None, "session"), ("/ws/echo", "parlour.v1", None), ("/nowhere", None, None),
])
def test_sockets_have_a_channel(path, subprotocol, name):
    channel = described_frames.Socket(path, subprotocol).channel
    assert (channel and channel[0]) == name


@pytest.mark.parametrize("change, what", [
    ({}, None), ({"id": "m1"}, None), ({"duplicate": True}, None), ({"seq": "45"}, "not of type"), ({"topic": ...}, "missing"),
    ({"more": 1}, "not described"), ({"created_at": "now"}, "not a time"), ({"type": "acked"}, "no message of this type"),
])
def test_differences_of_frames_from_the_server_are_found(change, what):
    frame = {name: value for name, value in {**ACK, **change}.items() if value is not ...}
    described_frames.Socket("/ws", "parlour.v1").received(json.dumps(frame))
    found, described.problems[:] = described.problems[:], []
    assert (found == []) if what is None else what in found[0]


@pytest.mark.parametrize("frame, later, found", [
    ({"type": "send", "topic": "room:7", "content": "Hello"}, [ACK], False),
    ({"type": "send", "topic": "room:7"}, [{"type": "error", "code": "validation_error", "detail": "-", "temporary": False}], False),
    # no assertion has read the answer
    ({"type": "send", "topic": "room:7"}, [], False),
    ({"type": "send", "topic": "room:7"}, [ACK], True),
    ({"type": "send", "topic": "room:7", "id": "a"}, [
        {"type": "error", "code": "busy", "detail": "-", "temporary": True, "id": "b"}, {**ACK, "id": "a"}], True),
    ({"type": "whisper"}, [{"type": "pong"}], True), ({"type": "join", "topic": "call:7", "media": {}}, [{"type": "pong"}], False),
    ({"type": "ping", "extra": 1}, [{"type": "pong"}], False),
])
def test_accepted_frames_that_are_not_described_are_found(frame, later, found):
    socket = described_frames.Socket("/ws", "parlour.v1")
    socket.sent(json.dumps(frame))
    for one in later:
        socket.received(json.dumps(one))
    described_frames.verdict()
    problems, described.problems[:] = described.problems[:], []
    assert bool(problems) == found, problems


# ---- /docs/sockets ----

class Page(html.parser.HTMLParser):
    """The content of a page, with valid nesting of its elements."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.loads, self.text, self.styled = [], [], [], [], "", []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids += [attrs["id"]] if "id" in attrs else []
        if tag == "a":
            self.links.append(attrs["href"])
        else:
            self.loads += [attrs[name] for name in ("src", "href") if name in attrs]
        self.styled += [tag] if {"style", "onclick"} & set(attrs) or tag in ("style", "script") else []
        if tag not in ("meta", "link", "br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def page(shared):
    return Page(shared.get("/docs/sockets").text)


def test_the_page_keeps_a_strict_policy(shared, page):
    """The page has no inline code and loads nothing from other hosts, so the policy needs no exception."""
    answer = shared.get("/docs/sockets")
    policy = answer.headers["Content-Security-Policy"]
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'self'" in policy and "unsafe" not in policy and page.styled == []
    assert page.loads and all(shared.get(path).status_code == 200 for path in page.loads)
    assert shared.get("/docs/sockets", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_each_link_of_the_page_leads_somewhere(shared, page):
    assert len(set(page.ids)) == len(page.ids)
    assert [link for link in page.links if link.startswith("#") and link[1:] not in page.ids] == []
    others = {link for link in page.links if not link.startswith("#")}
    assert {"/docs", "/redoc", "/asyncapi.json"} <= others
    assert [link for link in others if shared.get(link).status_code != 200] == []


def test_the_page_has_each_frame_topic_and_close_code(page, document):
    titles = dict(re.findall(r'^DIALECT\((\w+), "([^"]+)"', table("src/api/ws/frames.def"), re.M))
    for way, dialect, _, word, _ in FRAME.findall(table("src/api/ws/frames.def")):
        slug = re.sub("[^a-z]+", "-", titles[dialect].lower())
        assert word == "" or f"frame-reference-{slug}-{way.lower()}-{word}" in page.ids, (dialect, word)
    for row in document.root["channels"]["native"]["x-topics"] + document.root["x-close-codes"]:
        assert row["description"] in page.text
    for name in re.findall(r"^PART\((\w+)", table("src/api/ws/frames.def"), re.M):
        assert f"object-{name}" in page.ids


def test_the_page_is_the_manual(page):
    """The page has the headings of parlour-ws(7) and contains no mdoc macros."""
    headings = re.findall(r"^\.Ss (.+)$", table("man/parlour-ws.7.in"), re.M)
    assert [one for one in headings if one not in page.text] == []
    assert "\\" not in page.text.replace("\\e", "") and not re.search(r"^\.[A-Z][a-z] ", page.text, re.M)


def test_the_references_link_to_the_page(shared):
    """The wrappers of Swagger UI and Redoc and the plain reference link to the page, and so does the description in
    /openapi.json that all of them show."""
    for name in ("src/docs/swagger.html", "src/docs/redoc.html", "src/www/docs.html"):
        assert '<a href="/docs/sockets">' in table(name)
    assert "/docs/sockets" in shared.get("/openapi.json").json()["info"]["description"]
