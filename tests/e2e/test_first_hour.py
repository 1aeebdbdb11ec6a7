# SPDX-License-Identifier: ISC
"""README's section "The first hour" with the commands as printed: invites, second factor, a misused account, keys, audit.

test_readme.py installs the server, and says how commands run without systemd.
"""

import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from parlour import SLOW, Remote, User
from test_readme import blocks, fixture_place, install  # noqa: F401  pylint: disable=unused-import
from totp import first_step, second_step, turn_on


class Server(Remote):
    """The server of a place, also for what a stranger does."""

    def refused(self, name, **more):
        answer = self.post("/api/auth/register", {"username": name, "email": f"{name}@example.org", "password": "correct horse 9", **more})
        return answer.status_code, answer.json().get("code")


def workers(place):
    return [int(line.split()[2]) for line in place.run("parlourctl status").splitlines() if line.startswith("worker ")]


def socket_in_each_worker(place, user):
    socks = []
    for pid in (pids := workers(place)):
        others = [other for other in pids if other != pid]
        for other in others:
            os.kill(other, signal.SIGSTOP)
        try:
            socks.append(user.ws())
        finally:
            for other in others:
                os.kill(other, signal.SIGCONT)
    return socks


def closed(sock):
    return sock.wait_closed(30 * SLOW), time.time()


@pytest.mark.usefixtures("place")
def test_the_operators_first_hour(place):
    password = re.search(r"^password: (\S+)$", install(place), re.M)[1]
    place.settings("watchdog = 10min\nrate_login = 1000/min\n")
    settings, reload, show, invite, lists, disable, enable, rotate, audit = blocks("The first hour")
    server = Server(f"http://127.0.0.1:{place.port}")

    place.settings(settings)
    place.run(reload)
    assert server.refused("eve") == (403, "invite_required"), "nobody comes without an invite"

    ann = server.login("ann", password)
    assert ann.tokens["mfa_enrolment_required"] and ann.get("/api/admin/users").status_code == 403
    ann.password = password
    app, _ = turn_on(ann)
    assert re.search(r"^second factor +on$", place.run(show), re.M)
    ann.take(second_step(server, first_step(server, ann), code=app.code()).json())
    assert ann.get("/api/admin/users").status_code == 200

    link = re.search(r"https://chat\.example\.org/join/(\S+)", place.run(invite))[1]
    bob = server.register("bob", invite=link)
    assert [server.refused(name, invite=link[:-1] + ("A" if link[-1] != "A" else "B"))[0] for name in ("eve", "mallory")] == [422, 422]

    assert " bob " in place.run(lists)
    socks = socket_in_each_worker(place, bob)
    assert len(socks) == 2
    with ThreadPoolExecutor(len(socks)) as pool:
        waits = [pool.submit(closed, sock) for sock in socks]
        place.run(disable)
        ends = [wait.result() for wait in waits]
    [(began,)] = place.pg.admin("SELECT extract(epoch FROM created_at)::float8 FROM audit WHERE action = 'account disabled'", "parlour")
    assert [code for code, _ in ends] == [4410, 4410]
    assert max(at for _, at in ends) - began < 1 * SLOW, f"seconds until each worker closed its socket: {[at - began for _, at in ends]}"
    assert bob.get("/api/auth/me").status_code == 401
    assert server.post("/api/auth/login", {"username": "bob", "password": bob.password}).status_code == 401
    place.run(enable)
    assert server.login("bob", bob.password).get("/api/auth/me").status_code == 200

    sock, before = ann.ws(), ann.access
    listed = place.run(rotate)
    assert len(re.findall(r"^[0-9A-Za-z_-]{6,} ", listed, re.M)) >= 2, listed
    assert ann.get("/api/auth/me").status_code == 200, "nobody is logged out"
    sock.ping_pong()
    renewed = ann.refresh_now()
    assert renewed.status_code == 200 and renewed.json()["access_token"].split(".")[0] != before.split(".")[0], "the new key signs"
    assert User(server, "ann", password, renewed.json()).get("/api/admin/users").status_code == 200

    text = place.run(audit)
    for act in ("account created", "settings reloaded", "second factor turned on", "invite created", "invite used", "login ended",
                "account disabled", "account enabled"):
        assert act in text, act
    assert re.search(r"system +account disabled +user:\d+ \(bob\) +parlourctl:\S+", text)
