# SPDX-License-Identifier: ISC
"""Compares replies with /openapi.json: status, media type, headers, and the body, which must not contain undescribed
members.

parlour.py calls check() for every reply that a test receives; it returns the differences. The validator knows the
keywords that the document uses and refuses all others, so that it cannot skip one by accident.
"""

import datetime
import functools
import json
import os
import re
import subprocess
import urllib.parse
import uuid

# Headers of every reply, and headers that do not belong to a route: the introduction of the description lists them.
USUAL = {"date", "content-type", "content-length", "connection", "keep-alive", "transfer-encoding", "cache-control", "vary",
         "x-content-type-options", "x-frame-options", "referrer-policy", "content-security-policy", "x-accel-buffering",
         "access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers"}
# Replies that belong to no operation: unknown path, unknown method, address of a socket, client that disconnected.
ROUTELESS = {"no_route", "method_not_allowed", "upgrade_required", "cancelled"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
NOTES = {"contentMediaType", "contentSchema", "description", "example", "examples", "title", "default", "deprecated"}


class Mismatch(Exception):
    """The value does not match its schema."""


def is_type(value, name):
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def check_format(value, name, at):
    if name == "uuid":
        try:
            written_as = str(uuid.UUID(value))
        except ValueError:
            written_as = None
        if written_as != value:
            raise Mismatch(f"{at}: {value!r} is not a UUID")
    if name == "date-time":
        try:
            datetime.datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ" if "." in value else "%Y-%m-%dT%H:%M:%SZ")
        except ValueError as why:
            raise Mismatch(f"{at}: {value!r} is not a time") from why
    if name == "int64" and not -2**63 <= value < 2**63:
        raise Mismatch(f"{at}: {value} does not fit")
    if name == "email" and "@" not in value:
        raise Mismatch(f"{at}: {value!r} is not an address")


class Document:
    """One OpenAPI or AsyncAPI document and the checks against it."""

    def __init__(self, text):
        self.root = json.loads(text)
        self.paths = [(re.compile(re.sub(r"\{\w+\}", "[^/]+", re.escape(path).replace(r"\{", "{").replace(r"\}", "}")) + "/?"),
                       path, item) for path, item in self.root.get("paths", {}).items()]
        self.paths.sort(key=lambda row: row[1].count("{"))

    def resolve(self, node):
        while isinstance(node, dict) and "$ref" in node:
            at = self.root
            for part in node["$ref"].removeprefix("#/").split("/"):
                at = at[part.replace("~1", "/").replace("~0", "~")]
            node = at
        return node

    # ---- schemas ----

    def members(self, schema):
        """Returns the names of the members that an object may have; None: any name."""
        schema, names = self.resolve(schema), set()
        if "allOf" in schema:
            parts = [self.members(part) for part in schema["allOf"]]
            return None if None in parts else names.union(*parts)
        return set(schema["properties"]) if "properties" in schema and "additionalProperties" not in schema else None

    def validate(self, schema, value, at="body", closed=True):
        """Raises Mismatch if the value does not match. closed: an object with listed properties must not have
        others."""
        schema = self.resolve(schema)
        for keyword, rule in schema.items():
            if keyword not in NOTES:
                getattr(self, "on_" + keyword.strip("$"))(schema, rule, value, at, closed)
        if closed and isinstance(value, dict):
            names = self.members(schema)
            extra = set(value) - names if names is not None else set()
            if extra:
                raise Mismatch(f"{at}: {sorted(extra)} are not described")

    def on_type(self, _, rule, value, at, __):
        if not any(is_type(value, name) for name in ([rule] if isinstance(rule, str) else rule)):
            raise Mismatch(f"{at}: {value!r} is not of type {rule}")

    def on_properties(self, _, rule, value, at, __):
        if isinstance(value, dict):
            for name in set(rule) & set(value):
                self.validate(rule[name], value[name], f"{at}.{name}")

    def on_required(self, _, rule, value, at, __):
        if isinstance(value, dict) and set(rule) - set(value):
            raise Mismatch(f"{at}: {sorted(set(rule) - set(value))} are missing")

    def on_items(self, _, rule, value, at, __):
        if isinstance(value, list):
            for number, item in enumerate(value):
                self.validate(rule, item, f"{at}[{number}]")

    def on_additionalProperties(self, schema, rule, value, at, _):  # pylint: disable=invalid-name
        if isinstance(value, dict) and isinstance(rule, dict):
            for name in set(value) - set(schema.get("properties", {})):
                self.validate(rule, value[name], f"{at}.{name}")

    def on_allOf(self, _, rule, value, at, __):  # pylint: disable=invalid-name
        for part in rule:
            self.validate(part, value, at, closed=False)

    def on_anyOf(self, _, rule, value, at, __):  # pylint: disable=invalid-name
        why = []
        for part in rule:
            try:
                self.validate(part, value, at, closed=False)
                return
            except Mismatch as reason:
                why.append(str(reason))
        raise Mismatch("; ".join(why))

    def on_oneOf(self, _, rule, value, at, __):  # pylint: disable=invalid-name
        found, why = 0, []
        for part in rule:
            try:
                self.validate(part, value, at)
                found += 1
            except Mismatch as reason:
                why.append(str(reason))
        if found != 1:
            raise Mismatch(f"{at}: fits {found} of {len(rule)} alternatives: {'; '.join(why)}")

    def on_enum(self, _, rule, value, at, __):
        if value not in rule:
            raise Mismatch(f"{at}: {value!r} is not one of {rule}")

    def on_const(self, _, rule, value, at, __):
        if value != rule:
            raise Mismatch(f"{at}: {value!r} is not {rule!r}")

    def on_pattern(self, _, rule, value, at, __):
        if isinstance(value, str) and not re.search(rule, value):
            raise Mismatch(f"{at}: {value!r} does not match {rule}")

    def on_format(self, _, rule, value, at, __):
        if isinstance(value, str) or rule == "int64" and isinstance(value, int):
            check_format(value, rule, at)

    def on_minimum(self, _, rule, value, at, __):
        if is_type(value, "number") and value < rule:
            raise Mismatch(f"{at}: {value} < {rule}")

    def on_maximum(self, _, rule, value, at, __):
        if is_type(value, "number") and value > rule:
            raise Mismatch(f"{at}: {value} > {rule}")

    def on_minLength(self, _, rule, value, at, __):  # pylint: disable=invalid-name
        if isinstance(value, str) and len(value) < rule:
            raise Mismatch(f"{at}: shorter than {rule}")

    def on_maxLength(self, _, rule, value, at, __):  # pylint: disable=invalid-name
        if isinstance(value, str) and len(value) > rule:
            raise Mismatch(f"{at}: longer than {rule}")

    def on_maxItems(self, _, rule, value, at, __):  # pylint: disable=invalid-name
        if isinstance(value, list) and len(value) > rule:
            raise Mismatch(f"{at}: more than {rule} items")

    # ---- replies ----

    def operation(self, method, path):
        """Returns the operation for a method and a path, and the template; None if there is none."""
        for pattern, template, item in self.paths:
            if pattern.fullmatch(path) and method.lower() in item:
                return item[method.lower()], template
        return None, None

    def check_error(self, body, media):
        self.validate({"$ref": "#/components/schemas/" + ("problem_out" if "problem" in media else "error_out")}, body)

    def check_headers(self, response, headers):
        described = {name.lower(): self.resolve(header) for name, header in response.get("headers", {}).items()}
        extra = set(headers) - USUAL - set(described)
        if extra:
            raise Mismatch(f"headers {sorted(extra)} are not described")
        for name, header in described.items():
            if name not in headers:
                if header["required"]:
                    raise Mismatch(f"header {name} is missing")
                continue
            value = headers[name]
            self.validate(header["schema"], int(value) if header["schema"]["type"] == "integer" else value, "header " + name)

    def check_body(self, response, media, body):
        content = response.get("content", {})
        if not content:
            if body:
                raise Mismatch(f"a body of {len(body)} bytes is not described")
            return
        if media not in content:
            raise Mismatch(f"{media} is not described, only {sorted(content)}")
        self.validate(content[media]["schema"], json.loads(body) if media.endswith("json") else body.decode())

    def check(self, method, path, status, headers, body):
        """Checks a reply. body is None if it was not read, or for a reply to HEAD. Raises Mismatch."""
        media = headers.get("content-type", "").split(";")[0].strip()
        operation, _ = self.operation("GET" if method == "HEAD" else method, path)
        if status >= 400 and body and media.endswith("json"):
            parsed = json.loads(body)
            if operation is None or parsed.get("code") in ROUTELESS:
                self.check_error(parsed, media)
                return
        if operation is None:
            return
        response = self.resolve(operation["responses"].get(str(status)))
        if response is None:
            raise Mismatch(f"status {status} is not described: {(body or b'')[:300]!r}")
        self.check_headers(response, headers)
        if body is not None:
            self.check_body(response, media, body)


def written(name):
    """Returns the output of gendoc from the build under test; None without a build (PARLOUR_TEST_URL)."""
    gendoc = os.path.join(os.environ.get("PARLOUR_BUILD", os.getcwd()), "gendoc")
    if not os.access(gendoc, os.X_OK):
        return None
    return subprocess.run([gendoc, name], check=True, capture_output=True, text=True).stdout


@functools.lru_cache(None)
def document():
    text = written("openapi")
    return Document(text) if text is not None else None


# The differences found in the replies and frames of the running test; conftest.py fails the test if there are any.
problems = []


def check(method, target, status, headers, body):
    """Adds to `problems` what is wrong with a reply."""
    path = urllib.parse.urlsplit(target).path if not target.startswith("//") else target
    try:
        if document() is not None and method not in ("OPTIONS", "CONNECT", "TRACE") and status >= 200:
            document().check(method, path, status, {name.lower(): value for name, value in headers.items()}, body)
    except (Mismatch, ValueError) as why:
        problems.append(f"{method} {target[:200]}: {status}: {why}")


def check_raw(request, status, headers, body):
    """Checks a reply to raw bytes: an invalid or unusual request may get any error, but the body must be an error
    body."""
    found = re.match(rb"([A-Z]+) (/[!-~]*) HTTP/1\.[01]\r?\n", request)
    if status < 400 and found:
        check(found[1].decode(), found[2].decode(), status, headers, body if found[1] != b"HEAD" else None)
    elif headers.get("content-type", "").endswith("json") and body and document() is not None:
        try:
            document().check_error(json.loads(body), headers["content-type"])
        except (Mismatch, ValueError) as why:
            problems.append(f"{request[:100]!r}: {status}: {why}")
