# SPDX-License-Identifier: ISC
"""The watchdog replaces processes of any kind that hang, and does not replace busy ones."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

import cluster
from parlour import SLOW, wait_for

# The watchdog must not treat the other processes as hanging.
SHORT = f"{round(1000 * SLOW)}ms"


def test_the_watchdog_replaces_a_stopped_worker(parlour):
    daemon = parlour(workers=2, watchdog=SHORT)
    daemon.wait_log("msg=ready")        # a process that is starting has 30 s
    old = daemon.workers()[1]
    daemon.expect_error(rf"child={old} ")
    os.kill(old, signal.SIGSTOP)
    wait_for(lambda: daemon.procs("worker").get(1, old) != old, 10, "a new worker")
    assert daemon.once("GET", "/livez").status_code == 200


def not_workers(daemon):
    return {(kind, n): pid for kind in ("hasher", "clerk", "courier") for n, pid in daemon.procs(kind).items()}


@pytest.mark.parametrize("kind", ["hasher", "clerk", "courier"])
def test_the_watchdog_replaces_any_stopped_process(parlour, kind):
    """A login that waits for a stopped hasher gets 503 as soon as the hasher is replaced; the next login works."""
    daemon = parlour(watchdog=SHORT)
    daemon.wait_log("msg=ready")
    user = daemon.register()
    others = {key: pid for key, pid in not_workers(daemon).items() if key[0] != kind}
    number, old = next(iter(daemon.procs(kind).items()))
    daemon.expect_error(rf"child={old} ")
    os.kill(old, signal.SIGSTOP)
    if kind == "hasher":
        answer = daemon.once("POST", "/api/auth/login", json={"username": user.name, "password": user.password})
        assert answer.status_code == 503 and answer.json()["code"] == "unavailable" and answer.headers["Retry-After"]
    line = daemon.wait_log("killing a process")
    assert (line["what"], line["number"], line["child"]) == (kind, str(number), str(old))
    assert line["why"] == "it does not respond"
    wait_for(lambda: daemon.procs(kind).get(number, old) != old, 10, f"a new {kind}")
    assert daemon.login(user.name).get("/api/auth/me").status_code == 200
    assert {key: pid for key, pid in not_workers(daemon).items() if key[0] != kind} == others


def test_the_watchdog_leaves_a_busy_hasher_alone(parlour):
    """One hash takes longer than the time of the watchdog, and a queue of them even longer."""
    daemon = parlour(watchdog=f"{round(500 * SLOW)}ms", argon2_memory="256M", argon2_passes="8")
    account, hashers = {"username": "slow", "email": "slow@example.org", "password": "correct horse 9"}, daemon.procs("hasher")

    def registered():
        """Expects 201; after a 504, if it takes too long on this machine, tries again."""
        return daemon.once("POST", "/api/auth/register", json=account).status_code in (201, 409)

    wait_for(registered, 60)
    with ThreadPoolExecutor(3) as pool:
        codes = list(pool.map(lambda _: daemon.once("POST", "/api/auth/login", timeout=120, json={
            "username": account["username"], "password": account["password"]}).status_code, range(3)))
    assert set(codes) <= {200, 504}, "a slow machine may be late, but nobody was told that the hasher died"
    assert daemon.procs("hasher") == hashers
    if 504 in codes:    # a hash that nobody waits for may be in progress when the daemon is stopped
        daemon.expect_error("what=hasher number=0 child=")


def test_a_hasher_without_memory_calls_no_password_wrong(parlour):
    """The hash was created with more memory than the daemon may use now; the reply is an error instead of "wrong
    password"."""
    daemon = parlour(argon2_memory="128M")
    with open(daemon.binaries["parlourd"], "rb") as program:
        if b"__asan_init" in program.read():
            pytest.skip("a sanitizer reports it in its own way")
    user = daemon.register()
    daemon.stop()
    script = daemon.dir + "/limited"
    with open(script, "w", encoding="utf-8") as limited:
        limited.write(f'#!/bin/sh\nulimit -d 65536 && exec {daemon.binaries["parlourd"]} "$@"\n')
    os.chmod(script, 0o755)
    cluster.give(script)
    daemon.binaries = {**daemon.binaries, "parlourd": script}
    daemon.configure(argon2_memory="8M")
    daemon.start()
    old = daemon.procs("hasher")[0]
    daemon.expect_error(rf"child={old} ")
    answer = daemon.post("/api/auth/login", {"username": user.name, "password": user.password})
    assert answer.status_code == 503 and answer.json()["code"] == "unavailable" and answer.headers["Retry-After"]
    wait_for(lambda: daemon.procs("hasher").get(0, old) != old, 10, "a new hasher")
    other = daemon.register()
    assert daemon.login(other.name).get("/api/auth/me").status_code == 200
