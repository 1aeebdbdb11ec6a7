# SPDX-License-Identifier: ISC
"""Nothing that was acknowledged is lost, doubled or reordered while processes die. LEDGER_SECONDS, LEDGER_SEED."""

import os
import random

from ledger import Ledger
from parlour import wait_for


def test_ledger(parlour, pg, rows, capsys):
    seconds = float(os.environ.get("LEDGER_SECONDS", "60"))
    seed = int(os.environ.get("LEDGER_SEED") or random.SystemRandom().randrange(10 ** 6))
    with capsys.disabled():
        print(f"\nledger: seed {seed}, {seconds:g} s", flush=True)
    daemon = parlour(workers=3, watchdog="10s")
    daemon.expect_error("atabase|onnection|SQLSTATE|57P0")
    ledger = Ledger(daemon, pg, rows, seed)
    try:
        ledger.run(seconds)
    finally:
        ledger.over.set()
    with capsys.disabled():
        print("ledger:", ledger.summary(), flush=True)
    violations = ledger.check()
    assert not violations, "\n".join(violations[:20])
    assert all(len(s.acked) > seconds / 4 for s in ledger.senders), "every sender got on"
    assert "kill" in [f[0] for f in ledger.faults]
    for room in ledger.rooms:
        wait_for(lambda r=room: ledger.present(r) == set(), 30, "nobody is present any more")
