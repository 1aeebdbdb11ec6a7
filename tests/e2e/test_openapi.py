# SPDX-License-Identifier: ISC
"""/openapi.json contains what generators of clients need. Every test checks that replies match it: described.py."""

import hashlib
import json
import socket

import pytest

import described
from parlour import SLOW, wait_for

METHODS = ("get", "post", "put", "patch", "delete")
PARAMS = {
    "invite_id": "integer", "notification_id": "integer", "login_session_id": "integer", "role_id": "integer", "room_id": "integer", "seq": "integer", "emoji": "string", "user": "string", "feedback_id": "integer",
    "document_id": "integer", "key_id": "integer", "generation_id": "uuid", "job_id": "uuid", "request_id": "uuid", "session_id": "string", "token": "string",
    "layout_id": "string", "provider": "string", "oidc_provider": "string", "identity_id": "integer",
}
# Fields that may hold any JSON value.
FREE = {"audit_out.before", "audit_out.after", "dashboard_card.content", "dashboard_card_in.content", "feedback_request_in.context", "feedback_request_in.state",
        "feedback_request_out.context", "feedback_request_out.state"}


@pytest.fixture(scope="module")
def document(shared):
    return described.Document(shared.get("/openapi.json").text)


@pytest.fixture(scope="module")
def operations(document):
    return [(method, path, item[method]) for path, item in document.root["paths"].items() for method in METHODS if method in item]


def operation(document, method, path):
    return document.root["paths"][path][method]


def test_path_parameters_have_their_types(operations):
    for method, path, op in operations:
        for param in op["parameters"]:
            if param["in"] == "path":
                schema, want = param["schema"], PARAMS[param["name"]]
                assert schema["type"] == ("string" if want == "uuid" else want), (method, path, param)
                assert schema.get("format") == {"uuid": "uuid", "integer": "int64"}.get(want), (method, path, param)


@pytest.mark.parametrize("path, required", [
    ("/api/auth/register", True), ("/api/auth/login", False), ("/api/rooms", True), ("/api/chat", True), ("/api/sessions", False),
    ("/api/sessions/import", True), ("/api/feedback", True), ("/api/auth/logout", False),
])
def test_bodies_are_required(document, path, required):
    assert operation(document, "post", path)["requestBody"]["required"] is required


@pytest.mark.parametrize("method, path, security", [
    ("post", "/api/auth/login", []), ("get", "/api/auth/me", [{"bearer": []}]), ("post", "/api/chat", [{}, {"bearer": []}]),
    ("get", "/api/sessions", [{}, {"bearer": []}]), ("get", "/api/metrics", [{}, {"bearer": []}]),
])
def test_guests_need_no_token(document, method, path, security):
    assert [way for way in operation(document, method, path)["security"] if "api_key" not in way] == security


@pytest.mark.parametrize("method, path, status, media", [
    ("post", "/api/chat", "200", {"application/json", "text/event-stream"}),
    ("post", "/api/chat/stream", "200", {"text/event-stream"}),
    ("get", "/api/metrics/raw", "200", {"application/json", "text/csv"}),
    ("get", "/r/{token}", "200", {"text/html"}), ("get", "/docs", "200", {"text/html"}),
    ("get", "/", "200", {"application/json", "text/html"}),
    ("get", "/api/rooms/{room_id}", "404", {"application/json", "application/problem+json"}),
    ("post", "/r/{token}", "404", {"application/json", "application/problem+json", "text/html"}),
])
def test_media_types(document, method, path, status, media):
    assert set(document.resolve(operation(document, method, path)["responses"][status])["content"]) == media


@pytest.mark.parametrize("method, path, status, header", [
    ("get", "/api/dashboard/{layout_id}", "200", "ETag"), ("get", "/api/dashboard/{layout_id}", "304", "ETag"),
    ("get", "/api/rooms", "200", "Link"), ("get", "/api/rooms", "200", "X-Total-Count"), ("post", "/api/rooms", "201", "Location"),
    ("post", "/api/rooms", "201", "Idempotent-Replayed"), ("post", "/api/rooms", "429", "Retry-After"),
    ("post", "/api/rooms", "201", "RateLimit"), ("get", "/api/auth/me", "401", "WWW-Authenticate"),
    ("get", "/health", "200", "X-Request-Id"),
])
def test_headers_of_replies(document, method, path, status, header):
    assert header in document.resolve(operation(document, method, path)["responses"][status])["headers"]


@pytest.mark.parametrize("method, path, header", [
    ("put", "/api/dashboard/{layout_id}", "If-Match"), ("delete", "/api/dashboard/{layout_id}", "If-Match"),
    ("get", "/api/dashboard/{layout_id}", "If-None-Match"), ("post", "/api/rooms", "Idempotency-Key"),
])
def test_headers_of_requests(document, method, path, header):
    assert header in {p["name"] for p in operation(document, method, path)["parameters"] if p["in"] == "header"}


@pytest.mark.parametrize("method, path, status, code", [
    ("post", "/api/auth/register", "409", "taken"), ("post", "/api/auth/login", "401", "invalid_grant"),
    ("put", "/api/dashboard/{layout_id}", "412", "precondition_failed"), ("post", "/api/chat", "502", "upstream_truncated"),
    ("post", "/api/rooms/{room_id}/messages", "409", "archived"), ("get", "/api/auth/me", "401", "token_expired"),
])
def test_codes_of_errors(document, method, path, status, code):
    content = document.resolve(operation(document, method, path)["responses"][status])["content"]
    assert code in content["application/json"]["schema"]["allOf"][1]["properties"]["code"]["enum"]


def test_each_error_names_its_codes(document, operations):
    for method, path, op in operations:
        for status, response in op["responses"].items():
            for media, body in document.resolve(response).get("content", {}).items():
                if status >= "400" and media.endswith("json"):
                    assert '"code": {"type": "string", "enum": [' in json.dumps(body["schema"]), (method, path, status)


def test_each_json_field_has_a_form(document):
    for name, schema in document.root["components"]["schemas"].items():
        for field, value in schema["properties"].items():
            if f"{name}.{field}" not in FREE:
                assert set(value) & {"type", "$ref", "oneOf", "const"}, f"{name}.{field}"


def test_examples_are_valid(document, operations):
    """Each body of requests and replies has an example that matches its schema."""
    count = 0
    for method, path, op in operations:
        bodies = list(op.get("requestBody", {}).get("content", {}).items())
        for response in op["responses"].values():
            bodies += document.resolve(response).get("content", {}).items()
        for media, body in bodies:
            assert "example" in body, (method, path, media)
            document.validate(body["schema"], body["example"], f"{method} {path} {media}")
            count += 1
        for param in op["parameters"]:
            if param["in"] == "path":
                document.validate(param["schema"], param["example"], f"{method} {path} {param['name']}")
    assert count > len(operations)


def test_the_description_has_an_etag(shared):
    first = shared.get("/openapi.json")
    again = shared.get("/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304 and again.headers["ETag"] == first.headers["ETag"] and again.content == b""


def test_a_reload_while_a_client_reads_it_slowly(parlour):
    """A description in transfer does not change, although a reload changes settings in it and other clients request
    it."""
    daemon, count = parlour(workers=1, server_name="Before"), 40    # more than the buffers of a socket hold
    request = f"GET /openapi.json HTTP/1.1\r\nHost: {daemon.host}:{daemon.port}\r\n\r\n".encode()
    titles = []
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(10 * SLOW)
        slow.connect(daemon.addr)
        reader = slow.makefile("rb")
        slow.sendall(request * count)
        assert reader.readline().startswith(b"HTTP/1.1 200")
        daemon.configure(server_name="After")
        daemon.reload()
        wait_for(lambda: daemon.get("/openapi.json").json()["info"]["title"] == "After", 10, "the worker has the new settings")
        for _ in range(count):
            head = dict(line.decode().rstrip().split(": ", 1) for line in iter(reader.readline, b"\r\n") if b": " in line)
            body = reader.read(int(head["Content-Length"]))
            assert head["ETag"] == f'"{hashlib.sha256(body).hexdigest()[:16]}"', body[:200]
            titles.append(json.loads(body)["info"]["title"])
    assert (titles[0], titles[-1]) == ("Before", "After")


# ---- the comparison of replies finds what it should ----

SMALL = json.dumps({
    "paths": {"/me": {"get": {"responses": {
        "200": {"headers": {"X-Request-Id": {"required": True, "schema": {"type": "string"}}},
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/user"}}}},
        "404": {"headers": {"X-Request-Id": {"required": True, "schema": {"type": "string"}}}, "content": {"application/json": {
            "schema": {"allOf": [{"$ref": "#/components/schemas/error_out"},
                                 {"type": "object", "properties": {"code": {"enum": ["not_found"]}}}]}}}}}}}},
    "components": {"schemas": {
        "user": {"type": "object", "required": ["id", "name", "access", "created_at"], "properties": {
            "id": {"type": "integer", "format": "int64"}, "name": {"type": ["string", "null"]},
            "access": {"type": "string", "enum": ["user", "admin"]}, "created_at": {"type": "string", "format": "date-time"},
            "email": {"type": "string", "format": "email"}}},
        "error_out": {"type": "object", "required": ["detail", "code"], "properties": {
            "detail": {"type": "string"}, "code": {"type": "string"}}}}},
})
GOOD = {"id": 7, "name": None, "access": "user", "created_at": "2026-11-21T09:30:00Z"}


@pytest.mark.parametrize("change, what", [
    ({}, None), ({"email": "ann@example.org"}, None), ({"id": "7"}, "not of type"), ({"id": True}, "not of type"),
    ({"access": "boss"}, "not one of"), ({"created_at": "yesterday"}, "not a time"), ({"name": 5}, "not of type"),
    ({"secret": 1}, "not described"), ({"access": ...}, "missing"), ({"email": "ann"}, "not an address"), ({"id": 2**63}, "not fit"),
])
def test_differences_are_found(change, what):
    small, value = described.Document(SMALL), {k: v for k, v in {**GOOD, **change}.items() if v is not ...}
    if what is None:
        small.validate({"$ref": "#/components/schemas/user"}, value)
        return
    with pytest.raises(described.Mismatch, match=what):
        small.validate({"$ref": "#/components/schemas/user"}, value)


@pytest.mark.parametrize("path, status, headers, body, what", [
    ("/me", 200, {}, GOOD, None), ("/me", 202, {}, GOOD, "status 202"), ("/me", 200, {"x-new": "1"}, GOOD, "x-new"),
    ("/me", 200, {"x-request-id": None}, GOOD, "missing"), ("/me", 200, {"content-type": "text/plain"}, GOOD, "text/plain"),
    ("/me", 404, {}, {"detail": "-", "code": "not_found"}, None), ("/me", 404, {}, {"detail": "-", "code": "taken"}, "not one of"),
    ("/me", 404, {}, {"detail": "-", "code": "not_found", "more": 1}, "not described"),
    ("/nowhere", 404, {}, {"detail": "-", "code": "no_route"}, None), ("/nowhere", 404, {}, {"detail": "-"}, "missing"),
])
def test_replies_are_compared(path, status, headers, body, what):
    small, head = described.Document(SMALL), {"content-type": "application/json", "x-request-id": "1", **headers}
    head = {k: v for k, v in head.items() if v is not None}
    if what is None:
        small.check("GET", path, status, head, json.dumps(body).encode())
        return
    with pytest.raises(described.Mismatch, match=what):
        small.check("GET", path, status, head, json.dumps(body).encode())
