# SPDX-License-Identifier: ISC
"""Reads Prometheus' text format (version 0.0.4) strictly, and checks the conventions for names, units and labels.

Sources: prometheus.io/docs/instrumenting/exposition_formats, prometheus.io/docs/practices/naming, and the rules of
`promtool check metrics`.
"""

import math
import re

LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"')
SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ([^ ]+)")
TYPES = ("counter", "gauge", "histogram")
# Names must not contain units that are not base units, nor words for the type.
BAD_WORDS = {"milliseconds", "microseconds", "nanoseconds", "ms", "us", "minutes", "hours", "days", "kilobytes", "megabytes",
             "counter", "gauge", "histogram", "percent"}


class Family:
    """One metric: its help, its type, and its samples {(name, ((label, value), ...)): number} in order."""

    def __init__(self, name, help_text):
        self.name, self.help, self.type, self.samples = name, help_text, None, {}


def parse_labels(text):
    labels, at = [], 0
    while at < len(text):
        found = LABEL.match(text, at)
        assert found, f"bad labels: {text}"
        labels.append((found.group(1), found.group(2)))
        at = found.end()
        if at < len(text):
            assert text[at] == ",", f"bad labels: {text}"
            at += 1
    assert len({name for name, _ in labels}) == len(labels), f"a label twice: {text}"
    return tuple(sorted(labels))


def parse_sample(family, line):
    found = SAMPLE.fullmatch(line)
    assert found, f"bad line: {line}"
    name, labels, value = found.group(1), parse_labels(found.group(2) or ""), float(found.group(3))
    names = {"histogram": {family.name + end for end in ("_bucket", "_sum", "_count")}}.get(family.type, {family.name})
    assert name in names, f"{name} stands below {family.name}"
    assert (name, labels) not in family.samples, f"twice: {line}"
    family.samples[name, labels] = value


def parse(text):
    """Parses the text into {name: Family} and asserts that it is valid."""
    families, family = {}, None
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        words = line.split(" ", 3)
        if line.startswith("# HELP "):
            assert words[2] not in families, f"{words[2]}: its lines do not stand together"
            family = families[words[2]] = Family(words[2], words[3])
        elif line.startswith("# TYPE "):
            assert family is not None and family.name == words[2] and family.type is None and not family.samples, line
            assert words[3] in TYPES, line
            family.type = words[3]
        else:
            assert family is not None and family.type is not None, line
            parse_sample(family, line)
    for one in families.values():
        check(one)
    return families


def check(family):
    name = family.name
    assert family.help and re.fullmatch(r"parlour_[a-z][a-z0-9_]*", name), name
    assert (family.type == "counter") == name.endswith("_total"), f"{name}: only counters end in _total"
    assert family.type == "histogram" or not re.search(r"_(count|sum|bucket)$", name), name
    assert not BAD_WORDS & set(name.split("_")), f"{name}: base units only"
    for (_, labels), value in family.samples.items():
        assert not {"le"} & {n for n, _ in labels} or family.type == "histogram", name
        assert family.type == "gauge" or value >= 0, f"{name} {labels} {value}"
        # Values that clients choose (ids, addresses, names) must not be labels: each value would create a series.
        assert {n for n, _ in labels} <= {"le", "route", "method", "status", "upstream", "model", "state", "type", "outcome", "work",
                                          "direction", "version", "kind"}, (name, labels)
        for label, text in labels:
            assert label != "route" or not re.search(r"[0-9a-f]{8}-|/[0-9]+(/|$)", text), f"{name}: {text} is no template"
    if family.type == "histogram":
        check_histogram(family)


def check_histogram(family):
    assert family.name.endswith("_seconds")
    series = {}
    for (name, labels), value in family.samples.items():
        key = tuple(pair for pair in labels if pair[0] != "le")
        series.setdefault(key, {"_bucket": [], "_sum": None, "_count": None})
        end = name[len(family.name):]
        if end == "_bucket":
            series[key][end].append((float(dict(labels)["le"]), value))
        else:
            series[key][end] = value
    for key, one in series.items():
        buckets = one["_bucket"]
        assert [b for b, _ in buckets] == sorted({b for b, _ in buckets}) and buckets[-1][0] == math.inf, (family.name, key)
        assert all(a <= b for (_, a), (_, b) in zip(buckets, buckets[1:])), f"{family.name} {key}: not cumulative"
        assert buckets[-1][1] == one["_count"] and one["_sum"] is not None, (family.name, key)
        assert one["_sum"] <= one["_count"] * 3600


def value(families, name, **labels):
    """Returns the sum of all samples that have these labels."""
    family = families[name] if name in families else families[re.sub(r"_(count|sum|bucket)$", "", name)]
    return sum(v for (n, have), v in family.samples.items() if n == name and labels.items() <= dict(have).items())
