# SPDX-License-Identifier: ISC
"""Resources that workers share: the table of rates, and the listening socket while one worker is stopped."""

import json
import re
import subprocess

import load
from table import Row, limit


def libraries(build):
    """Returns the libraries that libparlour.a needs: the *_LIBS in the Makefile of the build."""
    with open(build + "/Makefile", encoding="utf-8") as makefile:
        text = makefile.read()
    found = []
    for name in ("EVENT", "PQ", "CURL", "YAJL", "JWT", "CRYPTO", "ARGON2", "INIH"):
        match = re.search(rf"^{name}_LIBS = (.*)$", text, re.M)
        found += match.group(1).split() if match else []
    return found


def ratecheck(lab):
    """Measures one check of a rate in shared memory, in a separate process."""
    src, build = lab.args.src, lab.args.build
    flags = ["-mcx16", *[f"-I{path}" for path in (build, src, src + "/lib", src + "/src")]]
    program = load.compile_program(lab.cache + "/ratecheck", ["ratecheck.c"], flags,
                                   [build + "/libparlour.a", *libraries(build), "-lm", "-latomic"])
    done = subprocess.run(load.tied([program]), capture_output=True, text=True, timeout=60, check=True)
    got = json.loads(done.stdout)
    return [Row("rate check, 10,000 keys", "ns", got["many_ns"]), Row("rate check, one key", "ns", got["one_ns"]),
            Row("rate check, one key, two processes", "ns", got["contended_ns"])]


def stopped(lab):
    """Measures 1,000 new connections with one request each while one of four workers is stopped."""
    with lab.daemon(workers=4) as daemon:
        how = {"port": daemon.port, "sub": "/livez", "count": 1000, "inflight": 16, "seconds": 3}
        usual = load.probe(lab.wsload, "connect", **how)
        pids = list(daemon.workers().values())
        with daemon.stopped(pids[0]):
            got = load.probe(lab.wsload, "connect", **how)
    row = limit("one of four workers stopped, longest of 1,000", "ms", got.get("connect_max_us", 0) / 1e3, 500)
    row.good = row.good and got["unanswered"] == 0 and got["errors"] == 0
    return [row, Row("the same, not answered in 3 s", "requests", got["unanswered"] + got["errors"]),
            Row("the same, p50", "ms", got.get("connect_p50_us", 0) / 1e3),
            Row("all four running, longest of 1,000", "ms", usual["connect_max_us"] / 1e3)]
