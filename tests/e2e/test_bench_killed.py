# SPDX-License-Identifier: ISC
"""A benchmark that is killed leaves no processes running: neither PostgreSQL nor daemons, peers, and load
generators."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

from parlour import HERE, wait_for

BENCH = os.path.join(os.path.dirname(HERE), "bench")
sys.path.append(BENCH)

from procs import tree  # noqa: E402  pylint: disable=wrong-import-position

BUILD, SOURCE = os.path.abspath(os.environ.get("PARLOUR_BUILD", os.getcwd())), os.path.dirname(os.path.dirname(HERE))
# A peer whose child processes survive it if nobody ends them, like a server with worker processes.
PEER = """
import sys
sys.path.insert(0, sys.argv[1])
import peers_run, signal, types
peer = peers_run.Peer(types.SimpleNamespace(dir=sys.argv[2]), "peer")
peer.spawn([sys.executable, "-m", "http.server", str(peer.port), "--bind", "127.0.0.1"])
signal.pause()
"""


def name_of(pid):
    """Returns (comm, start time) of a process; None: it has ended, or is a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            head, rest = file.read().rsplit(")", 1)
    except OSError:
        return None
    fields = rest.split()
    return (head.split("(", 1)[1], fields[19]) if fields[0] not in "ZX" else None


def living(pids):
    return {pid: name for pid in pids if (name := name_of(pid)) is not None}


def folders(pids):
    """Returns the directories in command lines: a benchmark that is killed cannot remove them."""
    found = set()
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
            found.update(re.findall(r"/tmp/pl-(?:pg|bench)-\w+", file.read()))
    return found


@pytest.mark.parametrize("argv, wanted", [
    (["bench.py", "--quick", "--only", "fan"], {"postgres", "parlourd", "wsload", "python3"}),
    (["recover.py", "--sockets", "10"], {"postgres", "parlourd"}),
    (["query.py"], {"postgres", "parlourd"}),
    (["-c", PEER], {"python3"}),
])
def test_a_bench_that_is_killed_leaves_nothing(tmp_path, argv, wanted):
    if "wsload" in wanted and shutil.which(os.environ.get("CC", "cc")) is None:
        pytest.skip("the load generator needs a compiler")
    program = [*argv, BENCH, str(tmp_path)] if argv[0] == "-c" else [f"{BENCH}/{argv[0]}", "--build", BUILD, "--src", SOURCE, *argv[1:]]
    with open(tmp_path / "log", "w+", encoding="utf-8") as log:
        bench = subprocess.Popen([sys.executable, *program], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                                 env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        seen, made = {}, set()

        def all_run():
            assert bench.poll() is None, f"the bench ended: {(tmp_path / 'log').read_text()[-3000:]}"
            seen.update(living(pid for pid in tree(bench.pid) if pid != bench.pid))
            made.update(folders(seen))
            return wanted <= {name for name, _ in living(seen).values()}

        try:
            wait_for(all_run, 120, f"{sorted(wanted)} run")
        finally:
            bench.send_signal(signal.SIGKILL)
            bench.wait()
    wait_for(lambda: not [pid for pid, (_, start) in living(seen).items() if start == seen[pid][1]], 30,
             f"all are gone: {seen}")
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)
