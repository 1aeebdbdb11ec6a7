# SPDX-License-Identifier: ISC
"""Wrong values for every field of every JSON body and query, generated from the tables of the product (routes.def,
shapes.def).

bodies() and queries() yield (method, path, field, raw JSON or query text). The server must refuse each with 422 and the
path of the field. The rules are repeated here, so that a test fails if the tables lose a rule.
"""

import os
import re

from parlour import HERE

API = os.path.join(os.environ.get("PARLOUR_SRC", HERE + "/../.."), "src/api/http/")
FIELD = re.compile(r'^F\((\w+), (\w+), (\w+), (\w), ([-\d.]+), ([-\d.]+), "([^"]*)"', re.M)
ROUTE = re.compile(r'^ROUTE\((\w+),\s*"([^"]+)",\s*\w+,\s*\w+,\s*\w+,\s*\w+,\s*(\d+),\s*\d+,\s*(\w+),\s*(\w+),', re.M)
# Routes that read their bodies themselves: lists of records that are checked one by one.
RAW = re.compile(r'^ROUTE\((\w+),\s*"([^"]+)".*\bRAW\b', re.M)

# JSON values that are wrong for every field of a kind.
NO_TEXT = ["5", "0", "-1", "1.5", "true", "false", "[]", "{}", '["a"]', '{"a":"b"}', "9223372036854775808", "1e999"]
NO_NUMBER = ['"1"', '""', '"x"', "true", "false", "[]", "{}", "[1]", '"9223372036854775807"', '"NaN"', "1e999", "-1e999", "1e309"]
NO_WHOLE = ["1.5", "1e2", "0.1", "-0.5", "9223372036854775808", "-9223372036854775809", "18446744073709551617", "1" + "0" * 100, "-9223372036854775808"]
NO_LIST = ['"1"', "1", "true", "{}", '{"0":1}', '["1"]', "[null]", "[[1]]", "[1.5]", "[0]", "[-1]", "[9223372036854775808]", "[true]", "[" + "1," * 16 + "1]"]

OTHER_QUERIES = {
    "STR": ["", "%00", "%ff", "x%00", "%C0%B1"],
    "ENUM": ["", "x", "%00", "%ff", "asc,desc", "1", "null"],
    "TIME": ["", "x", "yesterday", "5", "2026", "2026-13-01T00:00:00Z", "2026-01-01T25:00:00Z", "%00", "%ff", "NaN", "-1"],
}


def read(name):
    with open(API + name, encoding="utf-8") as table:
        return table.read()


def shapes():
    """Returns {shape: [(field, kind, required, least, most)]}."""
    found = {}
    for shape, field, kind, presence, least, most, _ in FIELD.findall(read("shapes.def")):
        found.setdefault(shape, []).append((field, kind, presence == "R", float(least), float(most)))
    return found


def wrong(kind, required, least, most):
    """Returns JSON texts that a field must refuse."""
    texts = ["null"] if required and kind != "JSON" else []
    if kind in ("I64", "ID"):
        texts += NO_NUMBER + NO_WHOLE + ([str(int(least) - 1)] if least > 0 else [])
        texts += [str(int(most) + 1)] if 0 < most < 2 ** 53 else []
    elif kind == "F64":
        texts += NO_NUMBER + [str(least - 0.001), str(most + 0.001), "1" + "0" * 400]
    elif kind == "IDS":
        texts += NO_LIST
    elif kind == "BOOL":
        texts += ["0", "1", '"true"', '""', "[]", "{}"]
    elif kind == "JSON":
        texts += []  # any JSON value is valid here; the tests of the route check the other rules
    elif kind == "ENUM":
        texts += NO_TEXT + ['"x"', '""', '" "', '"PUBLIC"', '"public "', '"public|private"', '"' + "x" * 2000 + '"']
    else:
        texts += NO_TEXT + (['""'] if least > 0 else []) + ['"' + "x" * (int(most) + 1) + '"']
    return texts


def limit_of(path, method):
    return next(int(r[2]) for r in ROUTE.findall(read("routes.def")) if r[0] == method and r[1] == path)


def bodies():
    """Yields (method, path, field, required, [texts])."""
    table = shapes()
    for method, path, limit, _, shape in ROUTE.findall(read("routes.def")):
        for field, kind, required, least, most in table.get(shape, []) if (method, path) not in raw_routes() else []:
            texts = [t for t in wrong(kind, required, least, most) if len(t) < int(limit) - 200]
            yield method, path, field, required, texts


def raw_routes():
    return RAW.findall(read("routes.def"))


def wrong_query(kind, least, most):
    """Returns texts that a query field must refuse."""
    if kind in ("STR", "LINE"):
        return ([""] if least > 0 else []) + ["x" * (int(most) + 1), "%C3%BC" * (int(most) + 1), "%00", "%ff", "a%00b", "%C0%B1", "%ED%A0%80"]
    if kind == "TIME":
        return ["", "x", "yesterday", "0", "1730115000", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01T25:00:00Z", "%00", "%ff", "null",
                "2026-01-01T00:00:00Zx", "-1", "NaN", "2026-01-01T00:00:00%2B99:99"]
    if kind == "ENUM":
        return ["", "x", "PUBLIC", "x%00", "%ff", "null", "2", "a|b", "x" * 2000]
    if kind == "UUID":
        return ["", "x", "1", "0192f3a1-7c44-7d10-9b1e-5f6a3c2d1e0", "0192f3a1-7c44-7d10-9b1e-5f6a3c2d1e00x", "0192f3a17c447d109b1e5f6a3c2d1e00",
                "{0192f3a1-7c44-7d10-9b1e-5f6a3c2d1e00}", "0192f3a1-7c44-7d10-9b1e-5f6a3c2d1e0g", "%00", "%ff", "null"]
    assert kind == "I64", "a new kind of query field needs its wrong values here"
    texts = ["", "x", "1.5", "1e2", "0x1", "-", "+", "1x", "null", "true", "NaN", "[1]", "9223372036854775808", "-1", "%00", "%ff", "1%00", "%C0%B1", "%", "%1",
             "%zz", "%31%", "%D9%A1", "1%202", "1,2", "%2531", str(int(least) - 1)]
    return texts + ([str(int(most) + 1)] if most < 2 ** 53 else [])


def takes_text(path, field):
    """Returns whether a query field accepts any text."""
    table = shapes()
    return any(p == path and (f, k) == (field, k) and k in ("STR", "LINE") for _, p, _, shape, _ in ROUTE.findall(read("routes.def"))
               for f, k, *_ in table.get(shape, []))


def queries():
    """Yields (method, path, field, [texts])."""
    table = shapes()
    for method, path, _, shape, _ in ROUTE.findall(read("routes.def")):
        for field, kind, _, least, most in table.get(shape, []):
            yield method, path, field, wrong_query(kind, least, most)


def json_routes():
    return [(method, path, int(limit)) for method, path, limit, *_ in ROUTE.findall(read("routes.def"))
            if method in ("POST", "PUT", "PATCH") and (method, path) not in raw_routes()]


def socket_paths(room):
    return [re.sub(r"\{\w+\}", str(room), path) for path in re.findall(r'^WSROUTE\("([^"]+)"', read("routes.def"), re.M)]


def all_paths():
    """Returns [(method, path)] of every row."""
    return [(method, path) for method, path, *_ in ROUTE.findall(read("routes.def"))]


TRAVERSALS = ["/static/../routes.def", "/static/../../etc/passwd", "/static/..", "/static/.", "/static/./app.js", "/static/%2e%2e/app.js", "/static/%2E%2E%2Fapp.js", "/static/..%2fapp.js",
              "/static/..%2f..%2f..%2f..%2fetc%2fpasswd", "/static/%2fetc%2fpasswd", "/static//etc/passwd", "/static/..%5c..%5cetc%5cpasswd", "/static/..\\..\\etc\\passwd",
              "/static/%5c%5chost%5cshare", "/static/%252e%252e%252fetc%252fpasswd", "/static/%c0%ae%c0%ae/app.js", "/static/%c0%af", "/static/..%c0%af..%c0%afetc/passwd",
              "/static/..%ef%bc%8fetc", "/static/%uff0e%uff0e", "/static/app.js%00", "/static/app.js%00.html", "/static/%00", "/static/app.js%0a", "/static/app.js%20", "/static/app.js.",
              "/static/app.js~", "/static/APP.JS", "/static/app.js::$DATA", "/static/....//app.js", "/static/..;/app.js", "/static/;/app.js", "/static/app.js/..", "/static/app.js/x",
              "/static/~root", "/static/-", "/static/*", "/static/%", "/static/%2", "/static/%gg", "/static/" + "a" * 4000, "/static/" + "../" * 500 + "etc/passwd", "/static/" + "%2e%2e/" * 500,
              "/static/.git/config", "/static/.htaccess", "/static/%2ehtaccess", "/static/file:///etc/passwd", "/static/dev/null", "/../etc/passwd", "/..", "/%2e%2e/etc/passwd",
              "/static", "/static/", "/docs/../static/app.js", "/api/../static/x", "/static/%80", "/static/%f8%80%80%80%af", "/static/x?../../etc/passwd", "/%5c../x", "/static/%7f"]
