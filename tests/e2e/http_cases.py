# SPDX-License-Identifier: ISC
"""Raw HTTP/1.1 requests, and what the HTTP server must do with them.

A case is (name, bytes, statuses, closes, runs): the statuses that the first reply may have (empty: no reply, because
the request is incomplete), whether the connection must end after it, and how many requests the handler may receive. All
smuggled requests have the path /evil, which the handler must never receive.
"""

HOST = b"Host: front.test\r\n"
OK, BAD, LARGE_BODY, LARGE_HEAD, UNSUPPORTED = {200}, {400}, {413}, {431}, {501}
EVIL = b"GET /evil HTTP/1.1\r\nHost: front.test\r\n\r\n"

CASES = []


def case(name, raw, statuses, closes, runs):
    CASES.append((name, raw, statuses, closes, runs))


def good(name, raw, runs=1):
    case(name, raw, OK, False, runs)


def bad(name, raw, statuses=BAD, runs=0):
    case(name, raw, statuses, True, runs)


def incomplete(name, raw):
    case(name, raw, set(), False, 0)


def get(extra=b"", target=b"/a", version=b"HTTP/1.1", host=HOST):
    return b"GET " + target + b" " + version + b"\r\n" + host + extra + b"\r\n"


def post(extra=b"", body=b"", target=b"/a"):
    return b"POST " + target + b" HTTP/1.1\r\n" + HOST + extra + b"\r\n" + body


def chunked(body, extra=b""):
    return post(b"Transfer-Encoding: chunked\r\n" + extra, body)


# ---- valid requests

good("plain", get())
good("host-port", get(host=b"Host: front.test:8080\r\n"))
good("host-ipv6", get(host=b"Host: [2001:db8::1]:8080\r\n"))
good("host-ipv4", get(host=b"Host: 192.0.2.1\r\n"))
good("host-empty-port", get(host=b"Host: front.test:\r\n"))
good("host-upper", get(host=b"HOST: FRONT.TEST\r\n"))
good("host-no-blank", get(host=b"Host:front.test\r\n"))
good("host-blanks-around", get(host=b"Host:   front.test   \r\n"))
good("value-empty", get(b"X-Empty:\r\n"))
good("value-tab-first", get(b"X-Tab:\tvalue\r\n"))
good("value-tab-inside", get(b"X-Tab: a\tb\r\n"))
good("value-8bit", get(b"X-Name: caf\xc3\xa9\r\n"))
good("value-colon", get(b"X-Time: 12:30\r\n"))
good("name-all-token-chars", get(b"!#$%&'*+-.^_`|~09azAZ: 1\r\n"))
good("many-fields", get(b"".join(b"X-%d: %d\r\n" % (i, i) for i in range(90))))
good("leading-crlf", b"\r\n" + get())
good("leading-crlf-twice", b"\r\n\r\n" + get())
good("crlf-between", post(b"Content-Length: 2\r\n", b"ab") + b"\r\n" + get(target=b"/b"), 2)
good("pipelined-two", get() + get(target=b"/b"), 2)
good("pipelined-five", b"".join(get(target=b"/%d" % i) for i in range(5)), 5)
good("pipelined-post-get", post(b"Content-Length: 3\r\n", b"abc") + get(target=b"/b"), 2)
good("pipelined-chunked-get", chunked(b"3\r\nabc\r\n0\r\n\r\n") + get(target=b"/b"), 2)
good("target-query", get(target=b"/a?x=1&y=%20"))
good("target-escapes", get(target=b"/a%20b/%c3%a9"))
good("target-odd-but-sent-by-browsers", get(target=b"/a?x={}|^`[]\\'"))
good("target-double-slash", get(target=b"//a/b"))
good("target-dots", get(target=b"/a/../b"))
good("target-broken-escape", get(target=b"/a%zz"))
good("target-nul-escape", get(target=b"/a%00b"))
case("target-absolute", get(target=b"http://front.test/a"), OK, True, 1)
case("target-absolute-port", get(target=b"http://front.test:80/a?x"), OK, True, 1)
case("target-absolute-no-path", get(target=b"http://front.test"), OK, True, 1)
case("target-absolute-upper", get(target=b"HTTP://FRONT.test/a"), OK, True, 1)
case("options-star", b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", {204}, False, 0)
good("options-path", b"OPTIONS /a HTTP/1.1\r\n" + HOST + b"\r\n")
for method in (b"DELETE", b"PUT", b"PATCH", b"POST"):
    good("method-" + method.decode(), method + b" /a HTTP/1.1\r\n" + HOST + b"\r\n")
good("post-length", post(b"Content-Length: 5\r\n", b"hello"))
good("post-length-zero", post(b"Content-Length: 0\r\n"))
good("post-length-leading-zeros", post(b"Content-Length: 00005\r\n", b"hello"))
good("post-length-blanks", post(b"Content-Length:    5  \r\n", b"hello"))
good("get-length-zero", get(b"Content-Length: 0\r\n"))
good("delete-length-zero", b"DELETE /a HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n")
good("post-body-like-request", post(b"Content-Length: %d\r\n" % len(EVIL), EVIL))
good("post-body-nul", post(b"Content-Length: 3\r\n", b"\0\r\n"))
good("chunked", chunked(b"5\r\nhello\r\n0\r\n\r\n"))
good("chunked-two", chunked(b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"))
good("chunked-empty", chunked(b"0\r\n\r\n"))
good("chunked-hex-upper", chunked(b"A\r\n0123456789\r\n0\r\n\r\n"))
good("chunked-hex-lower", chunked(b"a\r\n0123456789\r\n0\r\n\r\n"))
good("chunked-leading-zeros", chunked(b"0005\r\nhello\r\n000\r\n\r\n"))
good("chunked-name-case", post(b"transfer-ENCODING: ChunKED\r\n", b"1\r\nx\r\n0\r\n\r\n"))
good("chunked-crlf-data", chunked(b"2\r\n\r\n\r\n0\r\n\r\n"))
good("chunked-data-like-end", chunked(b"5\r\n0\r\n\r\n\r\n0\r\n\r\n"))
good("chunked-extension", chunked(b"5;ext\r\nhello\r\n0\r\n\r\n"))
good("chunked-extension-value", chunked(b"5;ext=val\r\nhello\r\n0;last=1\r\n\r\n"))
good("chunked-extension-quoted", chunked(b'5;ext="v;\t1"\r\nhello\r\n0\r\n\r\n'))
good("chunked-trailer", chunked(b"5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n"))
good("chunked-trailer-two", chunked(b"5\r\nhello\r\n0\r\nX-Trailer: 1\r\nDigest:\r\n\r\n"))
good("chunked-trailer-authorization", chunked(b"5\r\nhello\r\n0\r\nAuthorization: Bearer x\r\n\r\n"))
good("chunked-body-like-request", chunked(b"%x\r\n%s\r\n0\r\n\r\n" % (len(EVIL), EVIL)))
good("expect-continue-with-body", post(b"Expect: 100-continue\r\nContent-Length: 2\r\n", b"ab"))
case("connection-close", get(b"Connection: close\r\n"), OK, True, 1)
case("connection-close-upper", get(b"Connection: CLOSE\r\n"), OK, True, 1)
case("connection-close-in-list", get(b"Connection: foo, close\r\n"), OK, True, 1)
case("connection-close-second-line", get(b"Connection: foo\r\nConnection: close\r\n"), OK, True, 1)
good("connection-keep-alive", get(b"Connection: keep-alive\r\n"))
case("connection-close-then-more", get(b"Connection: close\r\n") + EVIL, OK, True, 1)
case("http10", get(version=b"HTTP/1.0"), OK, True, 1)
case("http10-no-host", b"GET /a HTTP/1.0\r\n\r\n", OK, True, 1)
case("http10-keep-alive", get(b"Connection: keep-alive\r\n", version=b"HTTP/1.0"), OK, False, 1)
case("http10-keep-alive-in-list", get(b"Connection: x, keep-alive\r\n", version=b"HTTP/1.0"), OK, True, 1)
case("http10-post", b"POST /a HTTP/1.0\r\nContent-Length: 2\r\n\r\nab", OK, True, 1)
for method in (b"POST", b"PUT", b"PATCH"):    # RFC 9112 6.3: a request without a length has no body
    for name, fields in (("upgrade", b"Connection: upgrade\r\n"), ("keep-alive", b"Connection: keep-alive\r\n"),
                         ("list", b"Connection: Keep-Alive, Upgrade\r\nUpgrade: websocket\r\n"),
                         ("empty", b"Connection:\r\n"), ("two-lines", b"Connection: te\r\nConnection: upgrade\r\n"),
                         ("expect", b"Connection: te\r\nExpect: 100-Continue\r\n")):
        raw = method + b" /a HTTP/1.1\r\n" + HOST + fields + b"\r\n"
        good(f"no-length-{method.decode()}-{name}", raw + get(target=b"/b") + raw, 3)
bad("no-length-is-no-body", post(b"Connection: upgrade\r\n", b"\0\0" + EVIL), OK, 1)
case("no-length-close", post(b"Connection: te, close\r\n"), OK, True, 1)
case("no-length-close-second", post(b"Connection: te\r\nConnection: close\r\n") + EVIL, OK, True, 1)
case("no-length-http10", b"POST /a HTTP/1.0\r\nConnection: upgrade\r\n\r\n", OK, True, 1)
case("no-length-http10-keep-alive", b"POST /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", OK, False, 1)
for minor in b"239":    # RFC 9110 2.5: a later minor version gets the reply of the version that we support
    good("version-1.%c" % minor, get(version=b"HTTP/1.%c" % minor) + get(target=b"/b"), 2)
good("version-1.2-chunked", b"POST /a HTTP/1.2\r\n" + HOST + b"Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
good("version-1.2-no-length", b"PUT /a HTTP/1.2\r\n" + HOST + b"Connection: upgrade\r\n\r\n" + get(), 2)
good("upgrade-h2c-ignored", get(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"))
good("upgrade-without-connection", get(b"Upgrade: websocket\r\n"))

# ---- request line

bad("empty-method", b" /a HTTP/1.1\r\n" + HOST + b"\r\n")
bad("lf-first", b"\n" + get())
bad("cr-first", b"\r" + get())
bad("many-empty-lines", b"\r\n" * 9 + get())
bad("two-blanks-method", b"GET  /a HTTP/1.1\r\n" + HOST + b"\r\n")
bad("two-blanks-version", b"GET /a  HTTP/1.1\r\n" + HOST + b"\r\n")
bad("tab-method", b"GET\t/a HTTP/1.1\r\n" + HOST + b"\r\n")
bad("tab-version", b"GET /a\tHTTP/1.1\r\n" + HOST + b"\r\n")
bad("blank-at-end", b"GET /a HTTP/1.1 \r\n" + HOST + b"\r\n")
bad("no-target", b"GET HTTP/1.1\r\n" + HOST + b"\r\n")
bad("no-target-blank", b"GET  HTTP/1.1\r\n" + HOST + b"\r\n")
bad("http09", b"GET /a\r\n")
bad("http09-lf", b"GET /a\n")
bad("garbage", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
bad("http2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 501, 505})
bad("method-lower", b"get /a HTTP/1.1\r\n" + HOST + b"\r\n", {400, 501})
bad("method-unknown", b"BREW /a HTTP/1.1\r\n" + HOST + b"\r\n", UNSUPPORTED)
bad("method-trace", b"TRACE /a HTTP/1.1\r\n" + HOST + b"\r\n", UNSUPPORTED)
bad("method-connect", b"CONNECT front.test:443 HTTP/1.1\r\n" + HOST + b"\r\n", UNSUPPORTED)
bad("method-prefix", b"GETX /a HTTP/1.1\r\n" + HOST + b"\r\n", UNSUPPORTED)
bad("method-long", b"A" * 100 + b" /a HTTP/1.1\r\n" + HOST + b"\r\n", {400, 501})
for byte in (b"\0", b"\x01", b"\x7f", b"\x80", b"(", b'"', b":", b"@", b"/"):
    bad("method-byte-%02x" % byte[0], b"GE" + byte + b"T /a HTTP/1.1\r\n" + HOST + b"\r\n")
for byte in (b"\0", b"\x01", b"\t", b"\r", b"\n", b"\x0b", b"\x1f", b"\x7f", b"\x80", b"\xff", b"#", b'"', b"<", b">",
             b"\xc3\xa9"):
    bad("target-byte-" + byte.hex(), get(target=b"/a" + byte + b"b"))
for name, target in (("relative", b"a"), ("star-get", b"*"), ("authority", b"front.test:80"), ("ftp",
                     b"ftp://front.test/"),
                     ("userinfo", b"http://user@front.test/"), ("no-host", b"http:///a"), ("bad-port",
                     b"http://front.test:x/"),
                     ("port-large", b"http://front.test:65536/"), ("backslash", b"\\a"), ("query-first", b"?a"),
                     ("scheme-only", b"http://"), ("one-slash", b"http:/front.test/"), ("host-percent",
                     b"http://fr%6fnt/"),
                     ("double-slash-user", b"//user@x/"), ("double-slash-port", b"//x:80/"), ("javascript",
                     b"javascript:x")):
    bad("target-" + name, get(target=target))
for name, version in (("1.10", b"HTTP/1.10"), ("1.32", b"HTTP/1.32"), ("1", b"HTTP/1"),
                      ("1.", b"HTTP/1."), ("lower", b"http/1.1"), ("no-slash", b"HTTP1.1"), ("comma", b"HTTP/1,1"),
                      ("01.1", b"HTTP/01.1"), ("1.01", b"HTTP/1.01"), ("huge", b"HTTP/4294967295.255"),
                      ("wrap", b"HTTP/4294967297.1"), ("minus", b"HTTP/-1.1"), ("blank", b"HTTP/ 1.1"), ("nul",
                      b"HTTP/1.1\0"),
                      ("letters", b"HTTP/a.b"), ("ice", b"ICE/1.1"), ("empty", b""), ("long", b"HTTP/1." + b"1" * 400)):
    bad("version-" + name, get(version=version))
for name, version in (("2.0", b"HTTP/2.0"), ("3.1", b"HTTP/3.1"), ("0.9", b"HTTP/0.9")):
    bad("version-" + name, get(version=version), {505})
bad("line-bare-lf", b"GET /a HTTP/1.1\n" + HOST + b"\r\n")
bad("line-bare-cr", b"GET /a HTTP/1.1\r" + HOST + b"\r\n")
bad("line-cr-cr-lf", b"GET /a HTTP/1.1\r\r\n" + HOST + b"\r\n")
bad("target-too-long", get(target=b"/" + b"a" * 17000), LARGE_HEAD)

# ---- header fields

bad("no-host", b"GET /a HTTP/1.1\r\n\r\n")
bad("two-hosts", get(host=HOST + HOST))
bad("two-hosts-differ", get(host=HOST + b"Host: other.test\r\n"))
for name, value in (("empty", b""), ("blank-inside", b"a b"), ("comma", b"a,b"), ("slash", b"a/b"), ("at", b"u@a"),
                    ("scheme", b"http://a"),
                    ("port-letters", b"a:b"), ("port-large", b"a:65536"), ("port-long", b"a:0000080"), ("two-ports",
                    b"a:1:2"),
                    ("bracket-open", b"[::1"), ("bracket-text", b"[zz]"), ("bracket-empty", b"[]"), ("bracket-tail",
                    b"[::1]x"),
                    ("control", b"a\x01"), ("8bit", b"\xe4"), ("query", b"a?b"), ("hash", b"a#b"), ("backslash",
                    b"a\\b"),
                    ("quote", b'"a"'), ("percent", b"a%00"), ("only-port", b":80"), ("semicolon", b"a;b"), ("long",
                    b"a" * 400)):
    bad("host-" + name, get(host=b"Host: " + value + b"\r\n"))
bad("host-tab-first", get(host=b"Host:\tfront.test\r\n"))
bad("name-blank-before-colon", get(b"X-A : 1\r\n"))
bad("name-tab-before-colon", get(b"X-A\t: 1\r\n"))
bad("name-empty", get(b": 1\r\n"))
bad("name-no-colon", get(b"X-A\r\n"))
bad("name-no-colon-value", get(b"X-A 1\r\n"))
for byte in (b"\0", b"\x01", b"\x0b", b"\x1f", b"\x7f", b"\x80", b"\xff", b"(", b")", b"<", b">", b"@", b",", b";",
             b"\\", b'"', b"/",
             b"[", b"]", b"?", b"=", b"{", b"}", b" "):
    bad("name-byte-%02x" % byte[0], get(b"X" + byte + b"A: 1\r\n"))
for byte in (b"\0", b"\x01", b"\x08", b"\x0b", b"\x0c", b"\x1b", b"\x7f"):
    bad("value-byte-%02x" % byte[0], get(b"X-A: a" + byte + b"b\r\n"))
bad("value-bare-cr", get(b"X-A: a\rb\r\n"))
bad("value-bare-lf", get(b"X-A: a\nX-B: b\r\n"))
bad("value-lf-lf", get(b"X-A: a\n\nGET /evil HTTP/1.1\r\nHost: x\r\n"))
bad("value-cr-cr-lf", get(b"X-A: a\r\r\n"))
bad("value-nul-then-length", get(b"X-A: a\0Content-Length: 5\r\n"))
bad("fold-blank", get(b"X-A: a\r\n b\r\n"))
bad("fold-tab", get(b"X-A: a\r\n\tb\r\n"))
bad("fold-first-line", b"GET /a HTTP/1.1\r\n Host: front.test\r\n\r\n")
bad("fold-length", post(b"Content-Length:\r\n 5\r\n", b"hello"))
bad("fold-transfer", post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n"))
bad("end-bare-lf", b"GET /a HTTP/1.1\r\n" + HOST + b"\n")
bad("end-bare-cr", b"GET /a HTTP/1.1\r\n" + HOST + b"\r\r\n")
bad("end-cr-x", b"GET /a HTTP/1.1\r\n" + HOST + b"\rX: 1\r\n\r\n")
bad("all-bare-lf", b"GET /a HTTP/1.1\nHost: front.test\n\n")
bad("too-many-fields", get(b"".join(b"X-%d: %d\r\n" % (i, i) for i in range(120))), LARGE_HEAD)
bad("header-too-large", get(b"X-Big: " + b"a" * 17000 + b"\r\n"), LARGE_HEAD)
bad("header-too-large-many", get(b"".join(b"X-%d: %s\r\n" % (i, b"a" * 400) for i in range(60))), LARGE_HEAD)
bad("header-never-ends", get(b"X-A: " + b"a" * 40000)[:-2], LARGE_HEAD)
bad("name-never-ends", b"GET /a HTTP/1.1\r\n" + b"a" * 20000, LARGE_HEAD)

# ---- framing

for name, value in (("plus", b"+5"), ("minus", b"-5"), ("hex", b"0x5"), ("float", b"5.0"), ("exp", b"5e0"),
                    ("letters", b"five"), ("empty", b""),
                    ("list", b"5, 5"), ("list-differ", b"5, 6"), ("blank-inside", b"5 5"), ("semicolon", b"5;"),
                    ("underscore", b"5_0"),
                    ("huge", b"99999999999999999999"), ("wrap64", b"18446744073709551621"), ("wrap32",
                    b"4294967301a"), ("quote", b'"5"'),
                    ("nul", b"5\0"), ("8bit", b"\xb2"), ("arabic", "٥".encode())):
    bad("length-" + name, post(b"Content-Length: " + value + b"\r\n", b"hello" + EVIL), {400, 413})
bad("length-twice", post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello"))
bad("length-twice-differ", post(b"Content-Length: 5\r\nContent-Length: 0\r\n", b"hello" + EVIL))
bad("length-twice-differ-case", post(b"Content-Length: 0\r\ncontent-length: 44\r\n", EVIL))
bad("length-blank-before-colon", post(b"Content-Length : 5\r\n", b"hello"))
bad("length-tab-first", post(b"Content-Length:\t5\r\n", b"hello" + EVIL))
bad("length-over-limit", post(b"Content-Length: 1048577\r\n"), LARGE_BODY)
bad("length-far-over-limit", post(b"Content-Length: 1099511627776\r\n"), LARGE_BODY)
bad("length-and-chunked", post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + EVIL))
bad("chunked-and-length", post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n" + EVIL))
bad("get-with-length", get(b"Content-Length: %d\r\n" % len(EVIL)) + EVIL)
bad("get-with-chunked", get(b"Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n" + EVIL)
bad("head-with-length", b"HEAD /a HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(EVIL) + EVIL)
bad("delete-with-length", b"DELETE /a HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(EVIL) + EVIL)
bad("options-with-length", b"OPTIONS /a HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(EVIL) + EVIL)
bad("http10-chunked", b"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + EVIL)
for name, value, statuses in (
        ("gzip-chunked", b"gzip, chunked", UNSUPPORTED), ("gzip", b"gzip", {400, 501}), ("identity", b"identity",
        {400, 501}),
        ("chunked-gzip", b"chunked, gzip", BAD), ("chunked-chunked", b"chunked, chunked", BAD), ("joined",
        b"chunkedchunked", {400, 501}),
        ("blegh", b"blegh", {400, 501}), ("pigeons", b"pigeons", {400, 501}), ("empty", b"", BAD), ("comma", b",",
        BAD), ("comma-chunked", b",chunked", BAD),
        ("chunked-comma", b"chunked,", BAD), ("parameter", b"chunked;q=1", BAD), ("quoted", b'"chunked"', BAD),
        ("xchunked", b"xchunked", {400, 501}),
        ("control", b"\x01chunked", BAD), ("vt", b"\x0bchunked", BAD), ("nul", b"chunked\0", BAD), ("8bit",
        b"chunked\xff", BAD), ("nbsp", b"\xa0chunked", BAD),
        ("blank-inside", b"chun ked", BAD), ("dash", b"-chunked", {400, 501}), ("slash", b"chunked/1", BAD)):
    bad("transfer-" + name, post(b"Transfer-Encoding: " + value + b"\r\n", b"0\r\n\r\n" + EVIL), statuses)
bad("transfer-blank-before-colon", post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n" + EVIL))
bad("transfer-tab-first", post(b"Transfer-Encoding:\tchunked\r\n", b"0\r\n\r\n" + EVIL))
bad("transfer-twice", post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"))
bad("transfer-twice-identity", post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    b"0\r\n\r\n" + EVIL), {400, 501})
good("transfer-underscore-is-other", post(b"Transfer_Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n"))
bad("expect-other", post(b"Expect: 200-ok\r\nContent-Length: 2\r\n", b"ab"), {417})

# ---- chunks

for name, body in (
        ("size-plus", b"+5\r\nhello\r\n0\r\n\r\n"), ("size-minus", b"-5\r\nhello\r\n0\r\n\r\n"), ("size-0x",
        b"0x5\r\nhello\r\n0\r\n\r\n"),
        ("size-blank-before", b" 5\r\nhello\r\n0\r\n\r\n"), ("size-blank-after", b"5 \r\nhello\r\n0\r\n\r\n"),
        ("size-tab-after", b"5\t\r\nhello\r\n0\r\n\r\n"),
        ("size-empty", b"\r\nhello\r\n0\r\n\r\n"), ("size-letters", b"xyz\r\nhello\r\n0\r\n\r\n"), ("size-nul",
        b"5\0\r\nhello\r\n0\r\n\r\n"),
        ("size-underscore", b"1_0\r\n" + b"a" * 16 + b"\r\n0\r\n\r\n"), ("size-lf", b"5\nhello\r\n0\r\n\r\n"),
        ("size-cr", b"5\rhello\r\n0\r\n\r\n"),
        ("size-cr-x", b"5\rX\nhello\r\n0\r\n\r\n"), ("size-only-extension", b";a\r\nhello\r\n0\r\n\r\n"),
        ("size-many-zeros", b"0" * 40 + b"5\r\nhello\r\n0\r\n\r\n"),
        ("data-short", b"6\r\nhello\r\n0\r\n\r\n"), ("data-long", b"4\r\nhello\r\n0\r\n\r\n"), ("data-no-crlf",
        b"5\r\nhello0\r\n\r\n"),
        ("data-lf", b"5\r\nhello\n0\r\n\r\n"), ("data-cr", b"5\r\nhello\r0\r\n\r\n"), ("data-two-bytes",
        b"5\r\nhelloXX0\r\n\r\n"),
        ("extension-lf", b"5;a\nhello\r\n0\r\n\r\n"), ("extension-cr", b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
        ("extension-nul", b"5;a\0\r\nhello\r\n0\r\n\r\n"),
        ("extension-8bit", b"5;\xff\r\nhello\r\n0\r\n\r\n"), ("extension-long",
        b"5;" + b"a" * 9000 + b"\r\nhello\r\n0\r\n\r\n"),
        ("extension-many", b"1;aaaaaaaaaaaaaaaaaaaa\r\nx\r\n" * 300 + b"0\r\n\r\n"),
        ("last-lf", b"5\r\nhello\r\n0\n\r\n"), ("end-lf", b"5\r\nhello\r\n0\r\n\n"), ("end-cr-x",
        b"5\r\nhello\r\n0\r\n\rX"),
        ("trailer-length", b"0\r\nContent-Length: 50\r\n\r\n" + EVIL), ("trailer-transfer",
        b"0\r\nTransfer-Encoding: chunked\r\n\r\n" + EVIL),
        ("trailer-host", b"0\r\nHost: other\r\n\r\n"), ("trailer-fold", b"0\r\nX-A: 1\r\n 2\r\n\r\n"),
        ("trailer-no-colon", b"0\r\nX-A\r\n\r\n"),
        ("trailer-empty-name", b"0\r\n: 1\r\n\r\n"), ("trailer-nul", b"0\r\nX-A: \0\r\n\r\n"), ("trailer-lf",
        b"0\r\nX-A: 1\nX-B: 2\r\n\r\n"),
        ("trailer-request-line", b"0\r\nGET /evil HTTP/1.1\r\nHost: x\r\n\r\n"), ("trailer-long",
        b"0\r\nX-A: " + b"a" * 9000 + b"\r\n\r\n"),
        ("trailer-blank-name", b"0\r\nX-A : 1\r\n\r\n"), ("trailer-8bit-name", b"0\r\nX\xe4: 1\r\n\r\n")):
    bad("chunk-" + name, chunked(body), {400, 431})
for name, body in (("huge", b"fffffffff\r\n"), ("wrap64", b"10000000000000005\r\nhello\r\n0\r\n\r\n"), ("minus-one",
                   b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
                   ("over-limit", b"100001\r\n"), ("sum-over-limit", b"80000\r\n" + b"a" * 0x80000 + b"\r\n80001\r\n")):
    bad("chunk-size-" + name, chunked(body), {400, 413})

# ---- valid requests before an invalid one: they get replies, then the connection ends

bad("good-then-garbage", get() + b"\x00\x01\x02", OK, 1)
bad("good-then-bad-version", get() + get(target=b"/evil", version=b"HTTP/9"), OK, 1)
bad("good-good-bad", get() + get(target=b"/b") + b"BAD\r\n\r\n" + EVIL, OK, 2)
bad("post-longer-than-length", post(b"Content-Length: 2\r\n", b"ab\x00" + EVIL), OK, 1)
bad("good-then-chunk-error", get() + chunked(b"5 \r\nhello\r\n0\r\n\r\n" + EVIL), OK, 1)
bad("refused-upgrade-then-request",
    b"GET /ws/refused HTTP/1.1\r\n" + HOST + b"Connection: upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" + EVIL, {401}, 1)
bad("upgrade-bad-key-then-request", b"GET /ws HTTP/1.1\r\n" + HOST + b"Connection: upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n" + EVIL, BAD, 1)
bad("upgrade-bad-version", b"GET /ws HTTP/1.1\r\n" + HOST + b"Connection: upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" + EVIL, {426}, 1)
bad("upgrade-on-http-route",
    b"GET /a HTTP/1.1\r\n" + HOST + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n" + EVIL, OK, 1)

# ---- incomplete requests: the server waits

incomplete("half-line", b"GET /a HT")
incomplete("half-header", b"GET /a HTTP/1.1\r\nHost: fro")
incomplete("no-end", b"GET /a HTTP/1.1\r\n" + HOST)
incomplete("no-last-lf", b"GET /a HTTP/1.1\r\n" + HOST + b"\r")
incomplete("half-body", post(b"Content-Length: 10\r\n", b"hello"))
incomplete("half-chunk", chunked(b"5\r\nhel"))
incomplete("no-last-chunk", chunked(b"5\r\nhello\r\n"))
incomplete("no-trailer-end", chunked(b"5\r\nhello\r\n0\r\n"))

assert len({c[0] for c in CASES}) == len(CASES), "names must be unique"
