# SPDX-License-Identifier: ISC
"""Interleaved rounds, medians, and the table that is printed."""

import statistics


def rounds(lab, contestants):
    """Runs every function of {name: function} once per round, A B C A B C ..; returns medians {name: {figure: value}}.

    A function returns {figure: number}; None means a contestant that is not installed.
    """
    contestants = {name: function for name, function in contestants.items() if function is not None}
    taken = {name: [] for name in contestants}
    for _ in range(lab.rounds):
        for name, function in contestants.items():
            taken[name].append(function())
    return {name: {key: statistics.median(r[key] for r in results) for key in results[0]}
            for name, results in taken.items()}


class Row:
    """One line of the table: a figure of the daemon, the same figure of peers, and the target."""

    def __init__(self, name, unit, value, peers=None, target=None, good=None):
        self.name, self.unit, self.value, self.peers = name, unit, value, dict(peers or {})
        self.target, self.good = target, good

    def ratios(self):
        return {name: self.value / value for name, value in self.peers.items() if value}

    def as_dict(self):
        return {"name": self.name, "unit": self.unit, "value": self.value, "peers": self.peers, "ratios": self.ratios(),
                "target": self.target, "good": self.good}


def compare(name, unit, medians, figure, targets=None):
    """Returns a row of one figure. targets: {peer: (">=" or "<=", ratio)}."""
    peers = {peer: values[figure] for peer, values in medians.items() if peer != "parlour" and figure in values}
    row = Row(name, unit, medians["parlour"][figure], peers)
    wanted = {peer: rule for peer, rule in (targets or {}).items() if peer in peers}
    if wanted:
        row.target = ", ".join(f"{sign} {ratio:g} x {peer}" for peer, (sign, ratio) in wanted.items())
        ratios = row.ratios()
        row.good = all((ratios.get(peer, 0) >= ratio) if sign == ">=" else (ratios.get(peer, 0) <= ratio)
                       for peer, (sign, ratio) in wanted.items())
    return row


def limit(name, unit, value, most, peers=None):
    """Returns a row whose value must not exceed `most`."""
    return Row(name, unit, value, peers, f"<= {most:.4g} {unit}", value <= most)


def number(value):
    if value is None:
        return "-"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def show(rows):
    """Returns the table as text."""
    lines = [("", "parlour", "unit", "peers (parlour / peer)", "target", "")]
    for row in rows:
        ratios = row.ratios()
        peers = "  ".join(f"{name} {number(value)}" + (f" ({ratios[name]:.2f})" if name in ratios else "")
                          for name, value in row.peers.items())
        verdict = {None: "", True: "ok", False: "MISSED"}[row.good]
        lines.append((row.name, number(row.value), row.unit, peers, row.target or "", verdict))
    widths = [max(len(line[i]) for line in lines) for i in range(6)]
    out = []
    for line in lines:
        cells = [line[i].rjust(widths[i]) if i == 1 else line[i].ljust(widths[i]) for i in range(6)]
        out.append("  ".join(cells).rstrip())
    return "\n".join(out)
