/* SPDX-License-Identifier: ISC */
/*
 * JSON texts that must be accepted (with their type) and that must be refused. The groups follow RFC 8259: structure,
 * numbers, literals, text after the value, escapes, surrogates, control characters, UTF-8.
 */
#ifndef TEST_JSON_CASES_H
#define TEST_JSON_CASES_H

#include "json.h"

#define T(lit) { (lit), sizeof(lit) - 1 }

static const struct { struct pl_str text; enum pl_jtype type; } json_good[] = {
	{ T("0"), PL_J_NUMBER }, { T("-0"), PL_J_NUMBER }, { T("123"), PL_J_NUMBER }, { T("-123"), PL_J_NUMBER },
	{ T("1.5"), PL_J_NUMBER }, { T("1e5"), PL_J_NUMBER }, { T("1E+5"), PL_J_NUMBER },
	{ T("1e-5"), PL_J_NUMBER }, { T("-1.25e-10"), PL_J_NUMBER }, { T("0.1"), PL_J_NUMBER },
	{ T("0e1"), PL_J_NUMBER }, { T("0e+1"), PL_J_NUMBER }, { T("20e1"), PL_J_NUMBER },
	{ T("123.456789"), PL_J_NUMBER }, { T("-0.0"), PL_J_NUMBER }, { T("true"), PL_J_BOOL },
	{ T("false"), PL_J_BOOL }, { T("null"), PL_J_NULL }, { T(" null "), PL_J_NULL },
	{ T("\t\r\n1\n"), PL_J_NUMBER }, { T("\"\""), PL_J_STRING }, { T("\"a\""), PL_J_STRING },
	{ T("\" \""), PL_J_STRING }, { T(" \"x\" "), PL_J_STRING }, { T("\"\\\"\""), PL_J_STRING },
	{ T("\"\\\\\""), PL_J_STRING }, { T("\"\\/\""), PL_J_STRING }, { T("\"\\b\\f\\n\\r\\t\""), PL_J_STRING },
	{ T("\"\\u0041\""), PL_J_STRING }, { T("\"\\u00e9\""), PL_J_STRING }, { T("\"\\u00E9\""), PL_J_STRING },
	{ T("\"\\u20ac\""), PL_J_STRING }, { T("\"\\ud83d\\ude00\""), PL_J_STRING },
	{ T("\"\\uD83D\\uDE00\""), PL_J_STRING }, { T("\"\\ud800\\udc00\""), PL_J_STRING },
	{ T("\"\\udbff\\udfff\""), PL_J_STRING }, { T("\"\\uffff\""), PL_J_STRING },
	{ T("\"\\ufdd0\""), PL_J_STRING }, { T("\"\\u2028\""), PL_J_STRING }, { T("\"\\\\u0000\""), PL_J_STRING },
	{ T("\"\\\\ud800\""), PL_J_STRING }, { T("\"\\\\\\u0041\""), PL_J_STRING },
	{ T("\"\\u0001\""), PL_J_STRING }, { T("\"a\\ud83d\\ude00b\\ud83d\\ude00\""), PL_J_STRING },
	{ T("\"\\u005c\\u005C\""), PL_J_STRING }, { T("\"\\u0022\""), PL_J_STRING },
	{ T("\"\xe2\x82\xac\""), PL_J_STRING }, { T("\"\xf0\x9f\x98\x80\""), PL_J_STRING },
	{ T("\"\xf4\x8f\xbf\xbf\""), PL_J_STRING }, { T("\"\xe2\x80\xa8\xe2\x80\xa9\""), PL_J_STRING },
	{ T("\"\x7f\""), PL_J_STRING }, { T("\"\xef\xbb\xbf\""), PL_J_STRING },
	{ T("\"a,b:c{d}[e]\""), PL_J_STRING }, { T("\"/*c*/\""), PL_J_STRING }, { T("\"//\""), PL_J_STRING },
	{ T("[]"), PL_J_ARRAY }, { T("[ ]"), PL_J_ARRAY }, { T("[1]"), PL_J_ARRAY }, { T("[1,2]"), PL_J_ARRAY },
	{ T("[ 1 , 2 ]"), PL_J_ARRAY }, { T("[[]]"), PL_J_ARRAY }, { T("[[],[[]]]"), PL_J_ARRAY },
	{ T("[null,true,false,\"\",0,{},[]]"), PL_J_ARRAY }, { T("[\"\"]"), PL_J_ARRAY },
	{ T("[\"a\"]\n"), PL_J_ARRAY }, { T(" [1]"), PL_J_ARRAY }, { T("[1\n]"), PL_J_ARRAY },
	{ T("[-0]"), PL_J_ARRAY }, { T("[1e999]"), PL_J_ARRAY }, { T("[1e-999]"), PL_J_ARRAY },
	{ T("[123456789012345678901234567890]"), PL_J_ARRAY }, { T("[-9223372036854775809]"), PL_J_ARRAY },
	{ T("[0.00000000000000000000000000000000000001]"), PL_J_ARRAY }, { T("{}"), PL_J_OBJECT },
	{ T("{ }"), PL_J_OBJECT }, { T("{\"\":0}"), PL_J_OBJECT }, { T("{\"a\":1}"), PL_J_OBJECT },
	{ T("{\"a\":1,\"b\":2}"), PL_J_OBJECT }, { T(" { \"a\" : 1 , \"b\" : [ ] } "), PL_J_OBJECT },
	{ T("{\"a\":{\"a\":{\"a\":1}}}"), PL_J_OBJECT }, { T("{\"\\u0061b\":1}"), PL_J_OBJECT },
	{ T("{\"a\":[],\"b\":{}}"), PL_J_OBJECT }, { T("{\"a\":null}"), PL_J_OBJECT },
	{ T("{\"A\":1,\"a\":2}"), PL_J_OBJECT }, { T("{\"\xc3\xa9\":1,\"e\xcc\x81\":2}"), PL_J_OBJECT },
	{ T("{\"x\\n\":\"y\"}"), PL_J_OBJECT }, { T("{\"a\":\"\xe2\x82\xac\",\"b\":-1.5}\r\n"), PL_J_OBJECT },
	{ T("[{\"a\":1},{\"a\":1}]"), PL_J_ARRAY },
};

static const struct pl_str json_bad[] = {
	T(""), T(" "), T("\n"), T("["), T("]"), T("{"), T("}"), T("[1"), T("[1,"), T("[1,]"), T("[,1]"), T("[,]"),
	T("[1,,2]"), T("[1 2]"), T("[1]]"), T("[1}"), T("{]"), T("[[1]"), T("[\"a\""), T("[\"a"), T("\""),
	T("\"a"), T("'a'"), T("{\"a\"}"), T("{\"a\":}"), T("{\"a\":1,}"), T("{,\"a\":1}"), T("{\"a\":1 \"b\":2}"),
	T("{\"a\" 1}"), T("{\"a\"::1}"), T("{:1}"), T("{1:1}"), T("{a:1}"), T("{null:1}"), T("{'a':1}"),
	T("{\"a\":1"), T("{\"a\""), T("{\"a"), T("{\"a\":1}}"), T("{\"a\":1}x"), T("{\"a\",1}"),
	T("{\"a\":1;\"b\":2}"), T("{[]:1}"), T("{{}}"), T("[\"a\":1]"), T("{\"a\":1,\"a\":1}"),
	T("{\"a\":1,\"b\":2,\"a\":3}"), T("{\"a\":1,\"\\u0061\":2}"), T("{\"\":1,\"\":2}"),
	T("[{\"x\":{\"a\":1,\"a\":2}}]"), T("01"), T("-01"), T("00"), T("+1"), T(".5"), T("1."), T("1.e1"), T("-"),
	T("--1"), T("1e"), T("1e+"), T("1e+-1"), T("1.5.5"), T("0x1"), T("0X1F"), T("1_0"), T("- 1"), T("1 000"),
	T("NaN"), T("-NaN"), T("Infinity"), T("-Infinity"), T("inf"), T("1a"), T("-a"), T("[-]"), T("[1.]"),
	T("[.1]"), T("[1+2]"), T("[0e]"), T("[0e+]"), T("[1eE2]"), T("0.1.2"), T("-.1"), T("1,2"),
	T("\xef\xbc\x91"), T("nul"), T("nulll"), T("tru"), T("True"), T("TRUE"), T("NULL"), T("fals"), T("falsE"),
	T("undefined"), T("nan"), T("truefalse"), T("[nul]"), T("[truth]"), T("1 2"), T("1 x"), T("1 \"x"),
	T("\"a\" \"b\""), T("\"\" \""), T("\"\"\\"), T("null\""), T("[]\""), T("{}\"a"), T("[1]x"), T("[]{}"),
	T("[] []"), T("1]"), T("1 tru"), T("1 -"), T("[] //"), T("[] #"), T("[]/**/"), T("{\"a\":1}#"),
	T("//x\n1"), T("/*x*/1"), T("[1/*x*/]"), T("[1,//x\n2]"), T("#1"), T("<a>"), T("*"), T("a"), T("\\u0061"),
	T("[\\n]"), T("\\"), T("\"\\x41\""), T("\"\\a\""), T("\"\\0\""), T("\"\\'\""), T("\"\\ \""),
	T("\"\\U0041\""), T("\"\\u\""), T("\"\\u0\""), T("\"\\u00\""), T("\"\\u004\""), T("\"\\u004g\""),
	T("\"\\u00g1\""), T("\"\\u 041\""), T("\"\\u+041\""), T("\"\\"), T("\"\\\""), T("\"\\u"), T("\"\\ud8"),
	T("\"\\ud83d\\"), T("\"\\ud83d\\u"), T("\"\\\n\""), T("\"\\\xc3\xa4\""), T("\"\\u0000\""),
	T("\"a\\u0000b\""), T("{\"\\u0000\":1}"), T("\"\\\\\\u0000\""), T("\"\\ud800\""), T("\"\\udbff\""),
	T("\"\\udc00\""), T("\"\\udfff\""), T("\"\\ud800a\""), T("\"\\ud800\\n\""), T("\"\\ud800\\u0041\""),
	T("\"\\ud800\\ud800\""), T("\"\\ud800\\ud800\\udc00\""), T("\"\\udc00\\ud800\""), T("\"\\ud800 \\udc00\""),
	T("\"\\ud800\\udc0\""), T("\"\\ud83d\\ude00\\ude00\""), T("{\"\\ud800\":1}"), T("[\"\\uDd1e\\uD834\"]"),
	T("\"\n\""), T("\"\t\""), T("\"\r\""), T("\"a\x01\""), T("\"\x1f\""), T("\"\x00\""), T("\x00"), T("1\x00"),
	T("[1]\x00"), T("[\x00]"), T("\x0c""1"), T("[1,\x0c""2]"), T("[\x0b]"), T("1\x0c"), T("\x08[]"),
	T("\x1f""1"), T("\x7f""1"), T("\xc2\xa0""1"), T("\xe2\x80\xa8""1"), T("\xe2\x81\xa0[]"),
	T("\xef\xbb\xbf""1"), T("\xef\xbb\xbf{}"), T("\xef\xbb"), T("\xff\xfe""1\x00"), T("\xfe\xff\x00""1"),
	T("[\xe4]"), T("\xe4"), T("\"\xff\""), T("\"\xfe\""), T("\"\x80\""), T("\"\xbf\""), T("\"\xc3\""),
	T("\"\xc3(\""), T("\"\xe2\x82\""), T("\"\xf0\x9f\x98\""), T("\"\xc0\x80\""), T("\"\xc0\xaf\""),
	T("\"\xc1\xbf\""), T("\"\xe0\x80\x80\""), T("\"\xe0\x80\xaf\""), T("\"\xf0\x80\x80\xaf\""),
	T("\"\xed\xa0\x80\""), T("\"\xed\xbf\xbf\""), T("\"\xed\xa0\xbd\xed\xb8\x80\""), T("\"\xf4\x90\x80\x80\""),
	T("\"\xf8\x88\x80\x80\x80\""), T("{\"\xff\":1}"), T("\"\\u00\xe4\""),
};

#endif
