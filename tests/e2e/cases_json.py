# SPDX-License-Identifier: ISC
"""Valid and invalid JSON texts in the categories of JSONTestSuite; the table itself is our own.

A case is (name, bytes). The parser must accept GOOD (the shape may still refuse its meaning with 422) and must refuse
BAD with 400. It may accept or refuse ODD, but must not fail with a 5xx. Where this server is stricter than JSON (depth
32, no duplicate keys, no U+0000, no lone surrogates, no byte order mark, 4096 values), the case is in BAD.
"""

GOOD, BAD, ODD = [], [], []


def add(table, prefix, **texts):
    for name, text in texts.items():
        table.append((f"{prefix}_{name}", text if isinstance(text, bytes) else text.encode()))


def many(table, prefix, texts):
    for at, text in enumerate(texts):
        data = text if isinstance(text, bytes) else text.encode()
        table.append((f"{prefix}_{at:02d} {data[:24]!r}", data))


def nested(depth, inner="", opened="[", closed="]"):
    return opened * depth + inner + closed * depth


# ---- valid JSON

add(GOOD, "array", empty="[]", spaces="[[]   ]", one_string='["a"]', empty_string='[""]', false="[false]", null="[null]",
    heterogenous='[null, 1, "1", {}]', ending_with_newline='["a"]\n', newline_inside="[1\n]", leading_space=" [1]",
    several_nulls="[1,null,null,null,2]", trailing_space="[2] ", nested=nested(28), arrays="[[],[[]],[]]", true="[true]",
    mixed_blanks=" \t\r\n[ \t\r\n] \t\r\n", long="[" + ",".join(["0"] * 3000) + "]")
add(GOOD, "object", empty="{}", basic='{"asd":"sdf"}', blanks=' { "a" : 1 , "b" : [ ] } ', empty_key='{"":0}',
    escaped_null_like='{"foo\\\\u0000bar":42}', extreme_numbers='{"min":-1.0e+28,"max":1.0e+28}', newlines='{\n"a": "b"\n}',
    long_strings='{"x":[{"id":"' + "x" * 40 + '"}],"id":"' + "y" * 40 + '"}', same_value='{"a":1,"b":1}',
    key_unicode='{"\\u043f\\u043e":"\\u0430"}', key_case='{"a":1,"A":2}', nested=nested(28, "1", '{"k":', "}"),
    many_keys="{" + ",".join(f'"k{i}":{i}' for i in range(1500)) + "}", proto='{"__proto__":{"access":"admin"}}',
    key_quote='{"\\"":1}', key_escape_pair='{"\\ud83d\\ude00":1}')
many(GOOD, "number", ["0", "-0", "1", "-1", "123", "20e1", "0e+1", "0e1", "1E22", "1E-2", "1E+2", "123e45", "123.456e78", "1e-2", "1e+2",
                      "123.456789", "0.1", "-0.0", "-123", "-0e-5", "1.0", "9007199254740993", "-9223372036854775808",
                      "9223372036854775807", "0.0000000000000000000000000000000000000000000000000000000000000000000000001"])
many(GOOD, "string", ['"asd"', '""', '" "', '"\\u0060\\u012a\\u12AB"', '"\\uD801\\udc37"', '"\\ud83d\\ude39\\ud83d\\udc8d"',
                      '"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\\\u0000"', '"\\\\"', '"\\\\a"', '"\\\\n"', '"\\u0012"', '"\\uFFFF"', '"a/*b*/c/*d//e"',
                      '"\\u0022"', '"\\u005C"', '"\\uDBFF\\uDFFF"', '"\\uDBFF\\uDFFE"', '"\\u200B"', '"\\u2064"', '"\\uFDD0"', '"\\uFFFE"',
                      '"\\uA66D"', '"new\\u000Aline"', '"\x7f"', '"a\x7fa"', '"€𝄞"', '"\U0010ffff"', '"\u2028\u2029"', '"\u0123"',
                      '"⍂㈴⍂"', '"π"', '"\U0001bfff"', '"\u061e\ufffd"', '"\ufeff"', '"\u202e\u200d"', '"[{:,}]"', '"//"', '"\\t"', '"a\\\\\\"b"'])
many(GOOD, "lone", ["false", "true", "null", "42", "-0.1", '"text"', " 1 ", "\t1\n", "[]\r\n"])

# ---- structure

many(BAD, "blank", [" ", "\n", "\t\r\n ", b"\xe2\x81\xa0", b"\xc2\xa0", b"\x0c", b"\x0b", b"[\x0c]", b"[\xe2\x80\xa8]", b"[\x0b1]"])
many(BAD, "open", ["[", "{", "[[", '[{"a":', '{"a":[', '[""', "[1", "[1,", '{"a"', '{"a":', '{"a":1', '{"a":1,', "[{}", '["a', '"', '"abc', '"a\\',
                   '"\\u00', "[1,2", "[true", '[{"a":[{"b":[', "[\n", '["asd', "{\"a\":\"b\"", '"\\"'])
many(BAD, "closed", ["]", "}", "[]]", "{}}", "[1}", '{"a":1]', "[{]}", "[1]]", '["a"}', "][", "}{", '{"a":[}]'])
many(BAD, "trailing", ['"a"x', "1]", "[1]x", "{}x", "{}#", "{}/**/", "{}//", "[] []", "{} {}", "null null", "truefalse", "1 2", '"a" "b"', "[][]",
                       "{}\x00", "1\x00", "[1],", '{"a":true} "x"', "2@", "null,", b"{}\xef\xbb\xbf", "1 \x0c", '[""],', '[1] "x'])
many(BAD, "comma", [",", "[,]", "[,1]", "[1,]", "[1,,2]", "[1,,]", "[,,]", '["a",,]', "{,}", '{"a":1,}', '{"a":1,,"b":2}', '{,"a":1}', "[1 2]",
                    '["a" "b"]', "[1 true]", '{"a":1 "b":2}', "[3[4]]", '["a",\n4\n,1,', "[1;2]", '{"a":1;"b":2}', "[1,\n,2]"])
many(BAD, "colon", ["[1:2]", '["a":1]', '{"a"}', '{"a" 1}', '{"a"::1}', '{:1}', '{"a":}', '{"a",1}', '{"a"=1}', '{"a":1:2}', ":", '{"a": "b":}'])
many(BAD, "key", ["{1:1}", "{null:null}", "{true:1}", "{[]:1}", "{{}:1}", "{a:1}", "{'a':1}", '{a:"b"}', '{"a":1,b:2}', '{"x":1,"x":2}', '{"":1,"":2}',
                  '{"a":1,"\\u0061":2}', '{"n":{"b":1,"b":1}}', "{9999E9999:1}", '{"a\\u0000":1}', '{"\\ud800":1}', '{"\\udc00x":1}',
                  '{"k":0,' + ",".join(f'"k{i}":{i}' for i in range(100)) + ',"k":1}', '{"type":"ping","type":"send"}'])
many(BAD, "word", ["nul", "tru", "fals", "True", "FALSE", "NULL", "None", "undefined", "nan", "NaN", "-NaN", "Infinity", "-Infinity", "inf", "nulll", "truee",
                   "[nul]", "[tru]", "[fals]", "[True]", "[nope]", "*", "[*]", "a", "[a]", "å", "[å]", "<null>", "[<null>]", "function(){}", "new Date()",
                   '{"a":true1}', "@", "\\u0022x\\u0022", "[\\u000A]", "`x`", "'x'", "['x']", "$", "{{7*7}}"])
many(BAD, "comment", ["/*x*/1", "//x\n1", "[1/*x*/]", "[1//\n]", "#x\n1", '{"a":/*x*/1}', '{"a":1}/**//', "<!-- -->1", "1--"])
many(BAD, "depth", [nested(40), nested(64), nested(65), nested(1000), nested(100_000 // 40, "1", '{"k":', "}"), nested(300, "", '[{"a":', "}]"),
                    "[" * 2000, '{"":' * 1000, "[{" * 500, nested(33)])
many(BAD, "count", ["[" + ",".join(["0"] * 4200) + "]", "[" + ",".join(["[]"] * 4200) + "]",
                    "[" + "[0]," * 2200 + "0]"])

# ---- numbers

many(BAD, "number", ["+1", "++1", "-", "--1", "-a", "- 1", "01", "-01", "-012", "00", "1.", "-2.", "2.e3", "2.e+3", ".1", "-.1", ".", "1.2.3", "1e", "1e+", "1E-", "1eE2",
                     "0e", "0e+", "0.3e", "0.3e+", "1.0e", "1.0e-", "9.e+", "1_000", "1,000", "1 000", "0x1", "0xFF", "0b1", "0o7", "1f", "1L", "1a", "-1x",
                     "1e1e1", "1e1.5", "１", "[１]", "[1+2]", "[-]", "[-1.]", "[.5]", "[0.e1]", "[1e]", "[+1]", "[0x42]", "[1.8011670033376514H-308]", "[- 1]",
                     b"[-123.123foo]", b"1\xe5", b"[0\xe5]", b"[1e1\xe5]", b"123\x00", "1 .5", "∞"])
many(ODD, "number", ["1e999", "-1e999", "[1e999]", "[123123e100000]", "[-123123e100000]", "1e-999", "0.4e00669999999999999999999999999999999969999999006", "9" * 400,
                     "[" + "9" * 400 + "]", "-" + "9" * 400, "[0." + "0" * 500 + "1]", "9223372036854775808", "-9223372036854775809", "18446744073709551616",
                     "[1e2147483648]", "[1e-2147483649]", "1e" + "9" * 300, "[-1e+" + "9" * 300 + "]", "[1." + "7" * 900 + "]", "2e308", "4.9e-324", "1E400"])

# ---- strings

many(BAD, "string", ['"\\x00"', '"\\a"', '"\\\'"', '"\\0"', '"\\u"', '"\\u0"', '"\\u00"', '"\\u000"', '"\\u00A"', '"\\uqqqq"', '"\\u12G4"', '"\\U0041"', '"\\ "',
                     '"\\🌀"', '"\\\n"', '"new\nline"', '"tab\there"', '"\x01"', '"\x1f"', '"\x08"', '"a\rb"', '"\\u{41}"', '"\\u 041"', '"\\u+041"', '"\\u-041"',
                     '["\\', '["\\"]', '"\\uD800\\', '"\\uD800\\u"', '"\\uD800\\u1"', '"\\uD800\\u1x"', '["a\x00a"]', '"\x00"', '"x"\\n', '"\\v"', '"\\e"', '"\\q"',
                     '"\\%00"', '["x"\\]', '"""', '"\\u00\x00"', "“x”"])
many(BAD, "nul", ['"\\u0000"', '"a\\u0000b"', '["\\u0000"]', '{"a":"\\u0000"}', '"\\uD83D\\uDE00\\u0000"'])
many(BAD, "surrogate", ['"\\ud800"', '"\\udc00"', '"\\uDADA"', '"\\ud888\\u1234"', '"\\uD800\\n"', '"\\uDd1e\\uD834"', '"\\ud800abc"', '"\\uD800\\uD800\\n"',
                        '"\\udfaa"', '"\\uD834\\\\uDD1E"', '["\\ud83d"]', '"\\ud83d\\ude00\\ud83d"', '"\\uDBFF"', '"\\ud800\\ue000"', '"\\udfff\\udbff"'])
many(BAD, "utf8", [b'"\xff"', b'"\xfe"', b'"\x80"', b'"\xbf"', b'"\xc3"', b'"\xe9"', b'"\xc0\x80"', b'"\xc0\xaf"', b'"\xc1\xbf"', b'"\xe0\x80\xaf"',
                   b'"\xe0\x9f\xbf"', b'"\xf0\x80\x80\xaf"', b'"\xf0\x8f\xbf\xbf"', b'"\xf8\x88\x80\x80\x80"', b'"\xfc\x83\xbf\xbf\xbf\xbf"',
                   b'"\xfc\x80\x80\x80\x80\x80"', b'"\xed\xa0\x80"', b'"\xed\xbf\xbf"', b'"\xed\xa0\x80\xed\xb0\x80"', b'"\xf4\x90\x80\x80"', b'"\xf4\xbf\xbf\xbf"',
                   b'"\xf5\x80\x80\x80"', b'"\xe2\x82"', b'"\xf0\x9f\x98"', b'"\xc3\x28"', b'"\xe2\x28\xa1"', b'"\xe6\x97\xa5\xd1\x88\xfa"', b'[\xff]', b'{"\xff":1}',
                   b'{"a":"\xe9"}', b"\xe5", b"[\xe5]", b'"a\xc2"', b'"\xc2\x00"', b"\xff\xfe", b"\xfe\xff"])
add(BAD, "encoding", bom_twice=b"\xef\xbb\xbf\xef\xbb\xbf{}", bom_only=b"\xef\xbb\xbf", bom_half=b"\xef\xbb{}", utf16_be='["é"]'.encode("utf-16-be"),
    utf16_le='["é"]'.encode("utf-16-le"), utf16_bom='{"a":"b"}'.encode("utf-16"), utf32='{"a":1}'.encode("utf-32-le"), latin1='["é"]'.encode("latin-1"),
    utf7=b'+AHsAIg-a', gzip=bytes.fromhex("1f8b0800000000000003ab56ca4854b2aad605003c1e4d3b07000000"), cbor=b"\xa1aa\x01", msgpack=b"\x81\xa1a\x01",
    bson=b"\x0c\x00\x00\x00\x10a\x00\x01\x00\x00\x00\x00", xml="<a>1</a>", form="username=a&password=b", yaml="a: 1", ndjson='{"a":1}\n{"b":2}',
    separator='\x1e{"a":1}', jsonp='f({"a":1})', guard=")]}',\n{}", nul_first=b"\x00{}", nul_blank=b"{\x00}", nul_only=b"\x00", del_only=b"\x7f")

assert len({name for table in (GOOD, BAD, ODD) for name, _ in table}) == len(GOOD) + len(BAD) + len(ODD), "names must be unique"
