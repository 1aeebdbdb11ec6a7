# SPDX-License-Identifier: ISC
"""No acknowledged message is lost, duplicated, or reordered, and no client stays behind, whatever faults occur.

LEDGER_SECONDS (60), LEDGER_SEED, LEDGER_FAULTS (kinds of ledger_faults.py between blanks; all). The guarantees are in
ledger_rules.py.
"""

import json
import os
import random

from asking import Provider
from ledger import SETTINGS, Ledger
from ledger_clients import Sender
from parlour import wait_for


def test_ledger(parlour, pg, database, capsys):
    seconds = float(os.environ.get("LEDGER_SECONDS", "60"))
    seed = int(os.environ.get("LEDGER_SEED") or random.SystemRandom().randrange(10 ** 6))

    kinds = os.environ.get("LEDGER_FAULTS", "").split()

    def say(text):
        with capsys.disabled():
            print(text, flush=True)

    say(f"\nledger: seed {seed}, {seconds:g} s")
    provider = Provider()
    ledger = None
    try:
        daemon = parlour(upstreams={"peer": provider.section()}, **SETTINGS)
        ledger = Ledger(daemon, pg, database, seed, say, kinds)
        ledger.run(seconds)
    finally:
        if ledger is not None:
            ledger.over.set()
        provider.stop()
    totals = ledger.totals()
    say("ledger: " + json.dumps(totals))
    verdict = ledger.check()
    assert not verdict, verdict
    assert totals["largest_return_mib"] > 1, "somebody missed more than a socket's queue holds, and got it"
    for sender in ledger.clients:
        assert not isinstance(sender, Sender) or len(sender.acked) > seconds / 4, f"{sender.name} got on"
    assert set(ledger.faults.kinds) == {kind for kind, _ in ledger.faults.done}, "every kind of fault was there"
    for room in ledger.rooms:
        wait_for(lambda r=room: ledger.present(r) == set(), 30, "nobody is present any more")
