#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Plain English: texts and comments without the phrases that cost readers a second reading, in American spelling.

Read are whole documents (man pages, README, NEWS, SECURITY, HACKING, pages, samples, shell), comments and strings of C,
tables, and JavaScript, comments and docstrings of Python, and comments and messages of SQL. Not read: released
migrations, which never change; pages of tests/seeds, which hold texts of other systems; generated files; and lines in
ALLOWED. In the tables of descriptions, a text of one word is an error, too. So is a docstring of a test that is shorter
than a sentence.

Usage: english.py SRCDIR
"""
import ast
import io
import os
import re
import subprocess
import sys
import tokenize

RELEASED = 77           # migrations up to this one never change

PHRASES = [             # expression, what to write instead; a blank matches any white space, including line ends
    (r"(?:what|that|which|who) is none", "not a ..., invalid"),
    (r"(?:what|that|which|who) is no (?!longer|more|use)\w+", "not a ..., invalid"),
    (r"(?:API|HTTP|REST|SQL|model) calls?", "request, query, generation; a call is WebRTC"),
    (r"questions? (?:put )?to humans|human is asked", "feedback request"),
    (r"whoever", "a client that ..., everybody who ..."),
    (r"(?:who|whom|they|nobody|sender|asker|caller|client|user) (?:is|are|was|were) told", "the server reports ..."),
    (r"(?:is|are) told (?:by|from|apart)", "identified by, distinguished from"),
    (r"(?:after|for|within|waits?|be complete|expires) so long(?! as)", "for this time, after this time"),
    (r"at most so many|so many (?:at once|seconds|times)", "maximum number of ..."),
    (r"every so often", "at this interval"),
    (r"(?:token|limit|request) is looked at|looked at every", "Public; the server checks every ..."),
    (r"is no verb", 'unknown command "..."'),
    (r"loop (?:does not|doesn't) turn", "the event loop has stalled"),
    (r"no (?:worker|process|file|room) more", "the worker limit is reached"),
    (r"at least 1 characters", "must not be empty"),
    (r"(?:mend|mends|mended|mending)", "fix"),
    (r"for ever", "indefinitely"),
    (r"the (?:one|ones|page|line) of before", "the previous one"),
    (r"would apply", "(dry run) nothing to apply"),
    (r"make (?:a |an )?(?:AI )?(?:room|role|account)\b(?! for)", "create a ..."),
    (r"user number", "user id, name or e-mail"),
    (r"no token is needed to look|worth nothing|will do here", "say what is required"),
    (r"for good", "permanently"),
    (r"listen(?:s|ing)? to oneself|keys? of one's own", "events of the user; own keys of users"),
    (r"what became of", "outcome of, result of"),
    (r"has (?:it|them) all|gets? it all", "lists all ..."),
    (r"stand(?:s)? for(?! (?:themselves|itself))", "means"),
    (r"in good order", "gracefully"),
    (r"looks? after", "administers"),
    (r"spoken here", "supported"),
    (r"stands? behind", "follows, is after"),
    (r"left alone", "not changed, not used, paused"),
    (r"for want of", "without, because ... is missing"),
    (r"thrown away", "deleted, dropped"),
    (r"(?:broke|breaks|broken) off", "ended before it was complete, was lost, failed"),
    (r"fell silent", "stopped sending"),
    (r"wants? a (?:value|number)|wants key=value", "requires a value"),
    (r"(?:one|a) (?:worker|process|file|connection) (?:more|less)", "add a ..., remove a ..."),
    (r"is one too many", "is refused: at most ..."),
    (r"stays? (?:root's|where it was|as (?:it|they) (?:was|were))", "is not changed, stays in effect"),
    (r"no \w+ any more", "no longer ..."),
    (r"lets? go of", "frees, releases, no longer owns"),
    (r"what came before", "earlier ..., the previous ..."),
    (r"at fault", "the one that failed"),
    (r"go(?:es)? astray", "may read another ..."),
    (r"makes? known", "announces"),
    (r"(?:is|are|be|was|were) looked for", "is searched"),
    (r"turn(?:s|ed)? (?:it |them )?round", "reversed"),
    (r"lies? in (?:there|here)", "is in"),
    (r"comes? to the same", "has the same result"),
    (r"uses nothing", "does not use ..."),
    (r"(?:is|are) gone meanwhile", "ended, was deleted"),
    (r"pull(?:s|ed)? the \w+ down", "aborts"),
]

BRITISH = {             # word or stem, American form
    "behaviour": "behavior", "colour": "color", "favour": "favor", "honour": "honor", "neighbour": "neighbor",
    "labour": "labor", "rumour": "rumor", "centre": "center", "licence": "license", "defence": "defense",
    "catalogue": "catalog", "analyse": "analyze", "recognise": "recognize", "organise": "organize",
    "initialise": "initialize", "serialise": "serialize", "optimise": "optimize", "summarise": "summarize",
    "authorise": "authorize", "synchronise": "synchronize", "whilst": "while", "amongst": "among", "grey": "gray",
    "signalling": "signaling", "travelling": "traveling", "modelling": "modeling", "labelled ": "labeled",
    "fulfil ": "fulfill", "programme ": "program", "artefact": "artifact", "judgement": "judgment", "cheque": "check",
    "customise": "customize", "minimise": "minimize", "maximise": "maximize", "specialise": "specialize",
}

ALLOWED = [             # file, text of the line, reason; an entry that matches nothing is an error
    ("src/svc/read/read_words.c", "neighbor neighbour", "words that people type"),
    ("src/svc/read/read_words_name.c", "color colour", "words that people type"),
    ("src/svc/read/read_words_name.c", "whoever whatsoever", "words that people type"),
]

TABLES = ("src/api/http/shapes.def", "src/api/ws/frames.def", "src/api/ws/topics.def", "src/api/ws/closes.def",
          "src/core/settings.def", "src/api/http/routes.def")
DESCRIPTION = re.compile(r'(?:F|OBJ|LIST|SHAPE|PART|FRAME_IN|FRAME_OUT|TOPIC|CLOSE|SETTING|UPSTREAM|ROUTE)\('
                         r'.*"((?:[^"\\]|\\.)*)"\)')
VALUES = ("bearer", "true", "metrics", "sessions")     # the only value of their field
LEAST_WORDS = 5         # of the docstring of a test
RIDDLE = re.compile(r"(?:(?:The|A|An|Its|Their|This) )?[\w-]+\.?")

# For text in lower case, which is searched much faster than without regard to case.
EXPRESSIONS = [(re.compile(r"(?<![\w-])(?:" + phrase.lower().replace(" ", r"\s+") + r")(?![\w-])"), instead)
               for phrase, instead in PHRASES]
EXPRESSIONS += [(re.compile(r"\b" + word.strip() + (r"\b" if word.endswith(" ") else "")), instead)
                for word, instead in BRITISH.items()]

C_PARTS = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'', re.S)
JS_PARTS = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|`(?:[^`\\]|\\.)*`', re.S)
SQL_PARTS = re.compile(r"/\*.*?\*/|--[^\n]*|'(?:[^']|'')*'", re.S)


def masked(text, spans):
    """Replaces everything outside the spans by blanks, so that offsets still give lines of the file."""
    out = ["\n" if c == "\n" else "\0" for c in text]
    for start, end in spans:
        out[start:end] = text[start:end]
    return "".join(out)


def prose(path, text):
    """Returns the part of a file that people read."""
    suffix = os.path.splitext(path.removesuffix(".in"))[1]
    if suffix in (".c", ".h", ".def"):
        strings = not path.startswith("tests/")
        shown = masked(text, [m.span() for m in C_PARTS.finditer(text) if strings or m.group().startswith("/")])
        # a sentence continues across the lines of a comment and across adjacent strings
        shown = re.sub(r"(?m)^[ \t\0]*\*", lambda star: " " * len(star.group()), shown)
        return re.sub(r'"[ \t\0]*\n[ \t\0]*"', lambda seam: re.sub(r"[^\n]", " ", seam.group()), shown)
    if suffix in (".js", ".mjs", ".ts", ".css"):
        return masked(text, [m.span() for m in JS_PARTS.finditer(text)])
    if suffix == ".sql":
        return re.sub(r"(?m)^--", "  ", masked(text, [m.span() for m in SQL_PARTS.finditer(text)]))
    if suffix == ".py":
        starts = [0]
        for line in text.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        spans = [(starts[t.start[0] - 1] + t.start[1], starts[t.end[0] - 1] + t.end[1])
                 for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type == tokenize.COMMENT]
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None:
                one = node.body[0]
                spans.append((starts[one.lineno - 1], starts[one.end_lineno]))
        return re.sub(r"(?m)^#", " ", masked(text, spans))
    return text


def riddles(path, text):
    """Finds descriptions of one word, or of an article and a word."""
    for number, line in enumerate(text.splitlines(), 1):
        found = DESCRIPTION.fullmatch(line)
        if found and RIDDLE.fullmatch(found.group(1)) and found.group(1) not in VALUES:
            yield number, found.group(1), "a description of several words"


def fragments(text):
    """Finds docstrings of tests that are too short to say what the user notices."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            words = (ast.get_docstring(node) or "").split()
            if 0 < len(words) < LEAST_WORDS:
                yield node.body[0].lineno, " ".join(words), "a sentence with subject and verb: what the user notices"


def problems(path, text):
    shown = re.sub("\0[\0 \t]*", "\0", prose(path, text)).lower()
    for expression, instead in EXPRESSIONS:
        for found in expression.finditer(shown):
            yield shown.count("\n", 0, found.start()) + 1, " ".join(found.group().split()), instead
    if path in TABLES:
        yield from riddles(path, text)
    if path.startswith("tests/") and path.endswith(".py"):
        yield from fragments(text)


def self_test():
    cases = [
        ("README", "Behaviour of the client that\nis none.", 2),
        ("README", "It waits for ever, or for\never.", 2),
        ("src/x.c", '/* The sender is\n * told. */\nint mend;\nf("so many at" " once");', 1),
        ("src/x.c", 'f("There is no verb"\n    " and the loop does not"\n    " turn");', 2),
        ("tests/unit/x.c", 'f("whoever"); /* whoever */', 1),
        ("tests/e2e/x.py", '"""For ever."""\nx = "for ever"\n# colour\n', 2),
        ("tests/e2e/x.py", 'def test_x():\n    """Twice, and once more."""\n\n\ndef get():\n    """All pages."""\n', 1),
        ("tests/client/x.ts", "// mend\n", 1),
        ("sql/050_x.sql", "-- whoever\nSELECT whoever, 'at least 1 characters';", 2),
        ("src/www/x.js", "const mend = 1; // mend\nf('Make room');", 2),
        ("src/api/http/shapes.def", 'F(a, b, ID, R, 0, 0, "", "Kind.")\nF(a, c, ID, R, 0, 0, "", "Kind of it.")', 1),
        ("NEWS", "A line that is no comment, and one that\nis no longer used. An API call.", 2),
        ("src/y.h", "/* What stands\n * behind it is left\n * alone. */", 2),
        ("man/x.8", "A recommendation, an amendment, a grey one\nand a fulfilled wish.", 1),
    ]
    for path, text, count in cases:
        found = list(problems(path, text))
        assert len(found) == count, (path, text, found)


OURS = re.compile(r"(?:lib|src|sql|tests|etc|contrib|man)/"
                  r"|(?:README|NEWS|HACKING|SECURITY|configure\.ac|Makefile\.am|bootstrap)$")
OTHERS = re.compile(r"^tests/seeds/.*(?<!\.py)$|^tests/(?:client/.*lock|fuzz/corpus/)|^tests/lint/english\.py$|^src/docs/"
                    r"|/(?:node_modules|__pycache__|\.deps)/"
                    r"|\.(?:png|ico|svg|json|jsonl|dict|o|a|log|trs|pyc|csv|db)$")


def files(source):
    """Yields our files: those in git or, in a release, all files except those of tools and tests/seeds."""
    os.chdir(source)
    run = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=False)
    names = run.stdout.splitlines() if run.returncode == 0 and os.path.exists(".git") else [
        os.path.relpath(os.path.join(top, name), ".") for top, dirs, some in os.walk(".") for name in some]
    for name in sorted(names):
        if OURS.match(name) and not OTHERS.search(name):
            yield name


def main():
    self_test()
    read, released, bad, allowed = 0, 0, [], [0] * len(ALLOWED)
    for path in files(sys.argv[1] if len(sys.argv) > 1 else "."):
        number = re.match(r"sql/(\d+)_", path)
        if number and int(number.group(1)) <= RELEASED:
            released += 1
            continue
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except (UnicodeDecodeError, IsADirectoryError, FileNotFoundError):
            continue
        read += 1
        lines = text.split("\n")
        for line, words, instead in problems(path, text):
            skip = [i for i, (name, part, _) in enumerate(ALLOWED) if name == path and part in lines[line - 1]]
            for i in skip:
                allowed[i] += 1
            if not skip:
                bad.append(f'{path}:{line}: "{words}": write {instead}')
    bad += [f"tests/lint/english.py: ALLOWED: nothing matches {ALLOWED[i]}" for i, n in enumerate(allowed) if n == 0]
    print("\n".join(bad))
    print(f"english: {read} files, {len(bad)} problems; not read: {released} released migrations, "
          "pages of tests/seeds")
    return 1 if bad or read == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
