# SPDX-License-Identifier: ISC
"""WebSocket cases after sections 1 to 7, 9 and 10 of the Autobahn test suite, for a server that echoes text; the table
itself is our own.

A case is (name, bytes, chop, events). The bytes are sent in pieces of `chop` bytes (0: all at once). The frames of the
server must be exactly `events`: ("text", payload), ("pong", payload), ("close", code). If the events of a case do not
end with a close, the test closes the socket cleanly. This server refuses binary messages with 1003.
"""

import codecs
import struct

from wire import BINARY, CLOSE, CONT, PING, PONG, TEXT, pack_frame

CAP = 128 * 1024
CASES = []


def case(name, data, *events, chop=0):
    CASES.append((name, data if isinstance(data, bytes) else b"".join(data), chop, list(events)))


def text(payload=b"Hello", **how):
    return pack_frame(TEXT, payload, **how)


def cont(payload=b"", fin=True, **how):
    return pack_frame(CONT, payload, fin=fin, **how)


def first(payload=b"", **how):
    return pack_frame(TEXT, payload, fin=False, **how)


def ping(payload=b"", **how):
    return pack_frame(PING, payload, **how)


def close(code=1000, reason=b""):
    return pack_frame(CLOSE, struct.pack("!H", code) + reason)


def T(payload=b"Hello"):
    return "text", payload


def P(payload=b""):
    return "pong", payload


def C(code):
    return "close", code


def fragments(payload, size):
    """Returns a text message in frames of `size` bytes each."""
    parts = [payload[i:i + size] for i in range(0, len(payload), size)] or [b""]
    return b"".join(pack_frame(CONT if i else TEXT, part, fin=i == len(parts) - 1) for i, part in enumerate(parts))


def ascii_of(size):
    return (b"0123456789abcdef" * (size // 16 + 1))[:size]


BAD, FAST, BIG, KIND = C(1002), C(1007), C(1009), C(1003)

# ---- 1: framing

for size in (0, 1, 2, 3, 7, 8, 9, 125, 126, 127, 128, 1023, 4096, 65535, 65536, 65537):
    case(f"1.1 text of {size}", text(ascii_of(size)), T(ascii_of(size)))
    case(f"1.2 binary of {size}", pack_frame(BINARY, bytes(size)), KIND)
for size in (0, 1, 125, 126, 300):
    case(f"1.1 text of {size}, byte by byte", text(ascii_of(size)), T(ascii_of(size)), chop=1)
for chop in (97, 997, 4096):
    case(f"1.1 text of 65536 in {chop}s", text(ascii_of(65536)), T(ascii_of(65536)), chop=chop)
case("1.1 mask of zeros", b"\x81\x85\0\0\0\0Hello", T())
case("1.1 mask of ones", b"\x81\x82\xff\xff\xff\xff" + bytes(b ^ 255 for b in b"ab"), T(b"ab"))
case("1.1 not masked", text(mask=False), BAD)
case("1.1 empty, not masked", b"\x81\x00", BAD)
case("1.1 second not masked", [text(), text(mask=False)], T(), BAD)
case("1.1 ping not masked", ping(mask=False), BAD)
case("1.1 close not masked", b"\x88\x02\x03\xe8", BAD)
case("1.1 continuation not masked", [first(b"a"), cont(b"b", mask=False)], BAD)
for name, data in (("16 bits for 0", b"\x81\xfe\x00\x00"), ("16 bits for 125", b"\x81\xfe\x00\x7d"), ("64 bits for 5", b"\x81\xff" + struct.pack("!Q", 5)),
                   ("64 bits for 65535", b"\x81\xff" + struct.pack("!Q", 65535)), ("64 bits, top bit", b"\x81\xff" + struct.pack("!Q", 2 ** 63)),
                   ("64 bits, all ones", b"\x81\xff" + b"\xff" * 8)):
    case("1.1 length: " + name, data + b"\0\0\0\0Hello", BAD)
case("1.1 many at once", [text(b"%d" % i) for i in range(300)], *[T(b"%d" % i) for i in range(300)])

# ---- 2: pings and pongs

case("2.1 empty ping", ping(), P())
case("2.2 ping with text", ping(b"Hello, world!"), P(b"Hello, world!"))
case("2.3 ping with bytes", ping(b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"), P(b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"))
case("2.4 ping of 125", ping(b"\xfe" * 125), P(b"\xfe" * 125))
case("2.5 ping of 126", ping(b"\xfe" * 126), BAD)
case("2.5 ping of 65536", ping(b"\xfe" * 65536), BAD)
case("2.5 ping that claims 2^62", pack_frame(PING, length=2 ** 62), BAD)
case("2.6 ping of 125, byte by byte", ping(b"\xfe" * 125), P(b"\xfe" * 125), chop=1)
case("2.7 unasked pong", pack_frame(PONG))
case("2.8 unasked pong with text", pack_frame(PONG, b"unasked"))
case("2.9 unasked pong, ping", [pack_frame(PONG, b"unasked"), ping(b"asked")], P(b"asked"))
case("2.10 ten pings", [ping(b"%d" % i) for i in range(10)], *[P(b"%d" % i) for i in range(10)])
case("2.11 ten pings, byte by byte", [ping(b"%d" % i) for i in range(10)], *[P(b"%d" % i) for i in range(10)], chop=1)
case("2.12 pong of 126", pack_frame(PONG, b"x" * 126), BAD)
case("2.13 between texts", [text(b"a"), ping(b"p"), text(b"b")], T(b"a"), P(b"p"), T(b"b"))
case("2.14 a hundred pongs", [pack_frame(PONG, b"x")] * 100 + [text()], T())

# ---- 3: reserved bits

for rsv in range(1, 8):
    case(f"3.1 bits {rsv} on text", text(rsv=rsv), BAD)
    case(f"3.2 text, bits {rsv}, ping", [text(), text(rsv=rsv), ping()], T(), BAD)
    case(f"3.3 bits {rsv}, byte by byte", [text(), text(rsv=rsv), ping()], T(), BAD, chop=1)
    case(f"3.4 bits {rsv} on an empty text", text(b"", rsv=rsv), BAD)
    case(f"3.5 bits {rsv} on binary", pack_frame(BINARY, b"x", rsv=rsv), BAD)
    case(f"3.6 bits {rsv} on ping", ping(b"x", rsv=rsv), BAD)
    case(f"3.7 bits {rsv} on close", pack_frame(CLOSE, b"", rsv=rsv), BAD)
    case(f"3.8 bits {rsv} on pong", pack_frame(PONG, b"", rsv=rsv), BAD)
    case(f"3.9 bits {rsv} on a continuation", [first(b"a"), cont(b"b", rsv=rsv)], BAD)
    case(f"3.10 bits {rsv}, one byte only", bytes([0x81 | rsv << 4]), BAD)

# ---- 4: opcodes

for op in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
    case(f"4.1 opcode {op}", pack_frame(op), BAD)
    case(f"4.2 opcode {op} with text", pack_frame(op, b"reserved"), BAD)
    case(f"4.3 text, opcode {op}, ping", [text(), pack_frame(op), ping()], T(), BAD)
    case(f"4.4 text, opcode {op} with text, ping, byte by byte", [text(), pack_frame(op, b"res"), ping()], T(), BAD, chop=1)
    case(f"4.5 opcode {op} inside a message", [first(b"a"), pack_frame(op, b"x"), cont(b"b")], BAD)
    case(f"4.6 opcode {op}, not final", pack_frame(op, b"x", fin=False), BAD)

# ---- 5: fragmentation

case("5.1 ping in two", [ping(b"a", fin=False), cont(b"b")], BAD)
case("5.2 pong in two", [pack_frame(PONG, b"a", fin=False), cont(b"b")], BAD)
case("5.2 close in two", [pack_frame(CLOSE, b"\x03", fin=False), cont(b"\xe8")], BAD)
for chop in (0, 1):
    end = ", byte by byte" if chop else ""
    case("5.3 text in two" + end, [first(b"fragment1"), cont(b"fragment2")], T(b"fragment1fragment2"), chop=chop)
    case("5.6 ping between" + end, [first(b"a"), ping(b"p"), cont(b"b")], P(b"p"), T(b"ab"), chop=chop)
    case("5.7 pong between" + end, [first(b"a"), pack_frame(PONG, b"p"), cont(b"b")], T(b"ab"), chop=chop)
    case("5.9 continuation of nothing, text" + end, [cont(b"x"), text()], BAD, chop=chop)
    case("5.12 open continuation of nothing, text" + end, [cont(b"x", fin=False), text()], BAD, chop=chop)
    case("5.15 after a message: continuation" + end, [first(b"a"), cont(b"b"), cont(b"c", fin=False), text()], T(b"ab"), BAD, chop=chop)
    case("5.16 continuation and text, twice" + end, [cont(b"a", fin=False), text(), cont(b"b", fin=False), text()], BAD, chop=chop)
    case("5.17 continuation after a text" + end, [text(), cont(b"b")], T(), BAD, chop=chop)
    case("5.18 text inside a text" + end, [first(b"a"), text()], BAD, chop=chop)
    case("5.19 five parts, pings between" + end,
         [first(b"1"), cont(b"2", fin=False), ping(b"p1"), cont(b"3", fin=False), cont(b"4", fin=False), ping(b"p2"), cont(b"5")],
         P(b"p1"), P(b"p2"), T(b"12345"), chop=chop)
case("5.20 binary inside a text", [first(b"a"), pack_frame(BINARY, b"b")], BAD)
case("5.20 text inside a binary", [pack_frame(BINARY, b"a", fin=False), text()], BAD)
case("5.20 binary in two", [pack_frame(BINARY, b"a", fin=False), cont(b"b")], KIND)
case("5.21 empty parts", [first(), cont(fin=False), cont(fin=False), cont()], T(b""))
case("5.22 empty first and last", [first(), cont(b"x", fin=False), cont()], T(b"x"))
case("5.23 messages one after the other", [fragments(b"one", 1), fragments(b"two", 2), text(b"three")], T(b"one"), T(b"two"), T(b"three"))
case("5.24 1024 parts", fragments(b"x" * 1024, 1), T(b"x" * 1024))
case("5.25 without end", [first(b"x"), *[cont(fin=False)] * 1500], BIG)
case("5.26 two hundred pings inside", [first(b"a"), *[ping(b"%d" % i) for i in range(200)], cont(b"b")], *[P(b"%d" % i) for i in range(200)], T(b"ab"))
case("5.27 large ping inside", [first(b"a"), ping(b"x" * 126), cont(b"b")], BAD)

# ---- 6: UTF-8

VALID = ["", "Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "\x00", "a\x00b", "\x80", "\u0800", "\U00010000", "\x7f", "\u07ff", "\ufffd", "\U0010ffff", "\ud7ff", "\ue000", "\uffff",
         "\ufffe", "\U0001fffe", "\U0001ffff", "\U000ffffe", "\u2028\u2029", "\ufeff", "👩‍👩‍👧‍👦", "e\u0301" * 50, "\u202eabc", "日本語" * 300, "𝒳" * 1000]
INVALID = [b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65\x64\x69\x74\x65\x64", b"\x80", b"\xbf", b"\x80\xbf", b"\x80\xbf\x80\xbf\x80", b"ok\x80",
           b"\xc0", b"\xc1", b"\xc2", b"\xdf", b"\xe0", b"\xef", b"\xf0", b"\xf4", b"\xf5", b"\xf8", b"\xfc", b"\xfe", b"\xff", b"\xfe\xfe\xff\xff",
           b"\xc0 ", b"\xdf ", b"\xe0\x80", b"\xe2\x82", b"\xf0\x90\x8d", b"\xf0\x90", b"\xe2\x82\xe2\x82\xac", b"\xc0\x80", b"\xc0\xaf", b"\xc1\xbf", b"\xe0\x80\xaf",
           b"\xe0\x9f\xbf", b"\xf0\x80\x80\xaf", b"\xf0\x8f\xbf\xbf", b"\xf8\x80\x80\x80\xaf", b"\xfc\x80\x80\x80\x80\xaf", b"\xed\xa0\x80", b"\xed\xad\xbf",
           b"\xed\xae\x80", b"\xed\xaf\xbf", b"\xed\xb0\x80", b"\xed\xbe\x80", b"\xed\xbf\xbf", b"\xed\xa0\x80\xed\xb0\x80", b"\xed\xa0\xb4\xed\xb4\x9e",
           b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf7\xbf\xbf\xbf", b"\xf8\x88\x80\x80\x80", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf",
           b"\xe2\x28\xa1", b"\xc3\x28", b"\xf0\x28\x8c\xbc", b"\xf0\x90\x28\xbc", b"\xf0\x28\x8c\x28", b"\x00\xff", b"\xc2\x00", b"\xe2\x82\x00", b"a" * 5000 + b"\xff",
           b"\xef\xbb\xbf\xff", b"\xff\xfeh\x00i\x00"]


def fast_at(data):
    """Returns after how many bytes the text cannot become valid UTF-8 any longer; 0: only its end shows it."""
    reader = codecs.getincrementaldecoder("utf-8")()
    for at in range(len(data)):
        try:
            reader.decode(data[at:at + 1])
        except UnicodeDecodeError:
            return at + 1
    return 0


for number, chars in enumerate(VALID):
    data = chars.encode()
    case(f"6.1 valid {number}", text(data), T(data))
    case(f"6.2 valid {number}, a frame per byte", fragments(data, max(1, len(data) // 1000 + 1)), T(data))
    if len(data) < 200:
        case(f"6.2 valid {number}, byte by byte", text(data), T(data), chop=1)
for number, data in enumerate(INVALID):
    at = fast_at(data)
    case(f"6.3 invalid {number}", [text(data), text()], FAST)
    case(f"6.3 invalid {number}, a frame per byte", [fragments(data, max(1, len(data) // 1000)), text()], FAST)
    case(f"6.3 invalid {number}, after a good one", [text(), text(data)], T(), FAST)
    if at:
        case(f"6.4 invalid {number}, before the message ends", first(data[:at]), FAST)
        head = b"\x81\xfe" + struct.pack("!H", at + 200) + bytes(4)
        case(f"6.4 invalid {number}, before the frame ends", head + data[:at], FAST)
case("6.4 invalid behind a ping", [first(b"ab"), ping(), cont(b"\xff", fin=False)], P(), FAST)
case("6.4 cut by the end", [first(b"\xe2\x82"), cont()], FAST)
case("6.4 cut, then more", [first(b"\xe2\x82"), cont(b"\xac")], T("€".encode()))
case("6.4 cut by a ping", [first(b"\xf0\x9f"), ping(b"\xff"), cont(b"\x98\x80")], P(b"\xff"), T("😀".encode()))
case("6.5 not UTF-8 in binary", pack_frame(BINARY, b"\xff\xfe"), KIND)

# ---- 7: closing

case("7.1.1 text, close", [text(), close()], T(), C(1000))
case("7.1.2 close twice", [close(), close()], C(1000))
case("7.1.3 close, ping", [close(), ping()], C(1000))
case("7.1.4 close, text", [close(), text()], C(1000))
case("7.1.5 close inside a message", [first(b"a"), close(), cont(b"b")], C(1000))
case("7.1.6 large text, close, ping", [text(ascii_of(CAP)), close(), ping()], T(ascii_of(CAP)), C(1000))
case("7.1.7 close, garbage", [close(), b"\xff" * 300], C(1000))
case("7.1.8 ping, close", [ping(b"p"), close()], P(b"p"), C(1000))
case("7.3.1 empty close", pack_frame(CLOSE), C((1000, 1005)))
case("7.3.2 one byte", pack_frame(CLOSE, b"\x03"), BAD)
case("7.3.3 code", close(), C(1000))
case("7.3.4 code and reason", close(1000, b"Hello World!"), C(1000))
case("7.3.5 reason of 123", close(1000, b"x" * 123), C(1000))
case("7.3.6 reason of 124", close(1000, b"x" * 124), BAD)
case("7.3.7 byte by byte", close(1000, b"slow"), C(1000), chop=1)
case("7.5.1 reason not UTF-8", close(1000, b"\xce\xba\xed\xa0\x80"), FAST)
case("7.5.2 reason cut", close(1000, b"\xe2\x82"), FAST)
for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999):
    case(f"7.7 code {code}", close(code), C(code))
    case(f"7.7 code {code} with a reason", close(code, "grüße".encode()), C(code))
for code in (0, 1, 500, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 10000, 65535):
    case(f"7.9 code {code}", close(code), BAD)
    case(f"7.9 code {code} with a reason", [text(), close(code, b"x")], T(), BAD)

# ---- 9: sizes; 10: parts

for size in (65536, 100_000, CAP - 1, CAP):
    case(f"9.1 text of {size}", text(ascii_of(size)), T(ascii_of(size)))
case("9.1 text of the cap in three-byte characters", text("€".encode() * (CAP // 3)), T("€".encode() * (CAP // 3)))
for size in (CAP + 1, 2 * CAP, 2 ** 32, 2 ** 62):
    case(f"9.2 text that claims {size}", text(b"", length=size), BIG)
    case(f"9.2 binary that claims {size}", pack_frame(BINARY, b"", length=size), BIG)
case("9.2 text over the cap, all of it", text(ascii_of(CAP + 1)), BIG)
for size in (128, 256, 1024, 4096, 16384, 65536):
    case(f"9.3 the cap in frames of {size}", fragments(ascii_of(CAP), size), T(ascii_of(CAP)))
    case(f"9.4 over the cap in frames of {size}", fragments(ascii_of(CAP + 1), size), BIG)
case("9.4 second frame reaches over", [first(b"x" * (CAP - 10)), cont(b"", length=11)], BIG)
case("9.4 second frame reaches just there", [first(b"x" * (CAP - 10)), cont(b"y" * 10)], T(b"x" * (CAP - 10) + b"y" * 10))
for chop in (64, 128, 256, 512, 1024, 2048, 9999):
    case(f"9.5 the cap in pieces of {chop}", text(ascii_of(CAP)), T(ascii_of(CAP)), chop=chop)
case("9.6 after the cap a small one", [text(ascii_of(CAP)), text(b"small")], T(ascii_of(CAP)), T(b"small"))
case("10.1 65536 in frames of 1300", fragments(ascii_of(65536), 1300), T(ascii_of(65536)))
case("10.2 65536 in frames of 1300 and pieces of 333", fragments(ascii_of(65536), 1300), T(ascii_of(65536)), chop=333)

VIOLATIONS = [(name, data, events[-1][1]) for name, data, _, events in CASES
              if events and events[-1][0] == "close" and events[-1][1] in (1002, 1003, 1007, 1009)
              and not name.startswith(("9.4", "7.7", "9.2 text over"))]

assert len({c[0] for c in CASES}) == len(CASES), [c[0] for c in CASES if [d[0] for d in CASES].count(c[0]) > 1]
