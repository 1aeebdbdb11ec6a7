# SPDX-License-Identifier: ISC
"""What operators do to a running daemon, and its failures: reloads, log rotation, addresses that are in use."""

import contextlib
import grp
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

import cluster
from parlour import HERE, SLOW, processes_of_session, wait_for

SOURCE = os.environ.get("PARLOUR_SRC", os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.get("PARLOUR_BUILD", SOURCE)
LOGROTATE = shutil.which("logrotate") or shutil.which("logrotate", path="/usr/sbin")


# ---- a configuration with an error ----

BROKEN = "control_socket = {control}\nserver_name = broken\nworkers = none\n\n[llm x]\ncontrol_socket = /nowhere\n"


def test_a_refused_reload_fails_and_is_logged(parlour):
    daemon = parlour(server_name="before")
    daemon.write_config(BROKEN.format(control=daemon.settings["control_socket"]))
    daemon.expect_error("reload refused")
    mark = daemon.log_size()
    refused = daemon.ctl("reload", check=False)
    assert refused.returncode == 1 and "parlour.conf:3: workers" in refused.stderr, refused.stderr
    assert "parlour.conf:3: workers" in daemon.wait_log("reload refused", mark)["why"]
    assert daemon.get("/").json()["name"] == "before"


def test_a_broken_file_keeps_nobody_from_the_daemon(parlour):
    daemon = parlour()
    daemon.write_config(BROKEN.format(control=daemon.settings["control_socket"]))
    for verb in ("status", "metrics", "reopen", "stop"):
        done = daemon.ctl(verb)
        assert "parlour.conf:3: workers" in done.stderr, "and is reported"
    assert daemon.wait_exit() == 0
    gone = daemon.ctl("status", check=False)
    assert gone.returncode == 78 and "parlour.conf:3: workers" in gone.stderr


def test_wrong_arguments_are_refused(parlour):
    daemon = parlour()
    done = daemon.ctl("-o", "workers=none", "status", check=False)
    assert done.returncode == 78 and "workers" in done.stderr and done.stdout == ""


def test_a_reload_with_keys_in_files(parlour):
    """A key from a file does not count as given twice, so reloads are accepted."""
    daemon = parlour(start=False)
    names = {name: f"{daemon.dir}/{name}" for name in ("llm.key", "smtp.key", "slack.key")}
    for name, path in names.items():
        with open(path, "w", encoding="ascii") as file:
            file.write("https://hooks.example/x\n" if name == "slack.key" else "secret-1\n")
        os.chmod(path, 0o600)
        cluster.give(path)
    daemon.upstreams["one"] = {"url": "http://127.0.0.1:9/v1", "model": "m", "key_file": names["llm.key"]}
    daemon.configure(smtp_url="smtp://127.0.0.1:9", smtp_user="u", smtp_password_file=names["smtp.key"], mail_from="a@example.org",
                     slack_webhook_file=names["slack.key"], server_name="before")
    daemon.start()
    daemon.configure(server_name="after")
    daemon.ctl("reload")
    wait_for(lambda: daemon.once("GET", "/").json()["name"] == "after")


def test_the_unit_reloads_through_parlourctl():
    """systemctl reports a reload that fails; a signal alone could not."""
    with open(f"{BUILD}/etc/parlour.service", encoding="utf-8") as unit:
        [command] = re.findall(r"^ExecReload=(.*)$", unit.read(), re.M)
    assert re.fullmatch(r"\S+/parlourctl -c \S+/parlour\.conf reload", command)


# ---- log files ----

def with_logs(parlour):
    daemon = parlour(start=False)
    folder = daemon.dir + "/logs"
    os.mkdir(folder, 0o750)
    cluster.give(folder)
    daemon.configure(log=folder + "/parlour.log", access_log=folder + "/access.log")
    return daemon, folder


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


@contextlib.contextmanager
def running(daemon):
    """Starts a daemon with a log file, which contains its address."""
    daemon.start(ready=False)
    log = daemon.dir + "/logs/parlour.log"
    found = wait_for(lambda: os.path.exists(log) and re.search(r"addr=127\.0\.0\.1:(\d+) side=client", text_of(log)), 20, "it listens")
    daemon.port = int(found.group(1))
    wait_for(lambda: daemon.running() and daemon.is_ready(), 20, "/readyz is 200")
    daemon.open_http()
    yield daemon
    assert daemon.stop() == 0


def holders(daemon, name):
    """Returns the processes of the daemon that have a file of this name open."""
    return {pid for pid in processes_of_session(daemon.pid) for fd in os.listdir(f"/proc/{pid}/fd")
            if os.readlink(f"/proc/{pid}/fd/{fd}").endswith("/" + name)}


def test_reopen(parlour):
    daemon, folder = with_logs(parlour)
    with running(daemon):
        for name in ("parlour.log", "access.log"):
            os.rename(f"{folder}/{name}", f"{folder}/{name}.1")
        daemon.ctl("reopen")
        wait_for(lambda: daemon.once("GET", "/livez") and os.path.exists(folder + "/access.log") and
                 "/livez" in text_of(folder + "/access.log"), 10, "the new access log is written to")
        wait_for(lambda: "log files reopened" in text_of(folder + "/parlour.log"), 10, "the master says so")


@pytest.mark.skipif(LOGROTATE is None, reason="logrotate is not installed")
def test_the_sample_for_logrotate(parlour):
    """logrotate runs the installed sample, with other paths and names, because there is no systemd here."""
    daemon, folder = with_logs(parlour)
    user = cluster.unprivileged() or pwd.getpwuid(os.geteuid())
    sample = text_of(f"{BUILD}/etc/parlour.logrotate")
    sample = re.sub(r"\S+/log/parlour/", folder + "/", sample)
    sample = re.sub(r"\S+/sbin/parlourctl -c \S+", f"{daemon.binaries['parlourctl']} -c {daemon.config}", sample)
    sample = sample.replace("parlour adm", f"{user.pw_name} {grp.getgrgid(user.pw_gid).gr_name}")
    conf = daemon.dir + "/logrotate.conf"
    with open(conf, "w", encoding="utf-8") as file:
        file.write(sample)
    os.chmod(conf, 0o644)

    def rotate():
        done = subprocess.run([LOGROTATE, "--force", "--state", daemon.dir + "/state", conf], capture_output=True, text=True, check=False)
        assert done.returncode == 0 and "error" not in done.stderr, done.stdout + done.stderr

    with running(daemon):
        daemon.get("/livez")
        wait_for(lambda: "/livez" in text_of(folder + "/access.log"), 10, "there is a line")
        rotate()
        assert "/livez" in text_of(folder + "/access.log.1")
        wait_for(lambda: not holders(daemon, "access.log.1") | holders(daemon, "parlour.log.1"), 10, "nobody has an old file open")
        wait_for(lambda: daemon.once("GET", "/health") and "/health" in text_of(folder + "/access.log"), 10, "lines go on in the new file")
        wait_for(lambda: "log files reopened" in text_of(folder + "/parlour.log"), 10, "the master says so")
        assert "/health" not in text_of(folder + "/access.log.1")
    rotate()


# ---- addresses ----

def refused_start(daemon):
    """Expects that the start fails; returns the exit status and the reason."""
    began = time.monotonic()
    daemon.expect_error("not started")
    daemon.start(ready=False)
    status = daemon.wait_exit()
    assert time.monotonic() - began < 4 * SLOW, "at once"
    assert "trying again" not in daemon.log_text()
    return status, daemon.wait_log("not started")["why"]


def test_an_address_of_another_program(parlour):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        taken = f"127.0.0.1:{sock.getsockname()[1]}"
        status, why = refused_start(parlour(start=False, listen=taken))
        assert status == 73 and f"{taken} is in use" in why
        status, why = refused_start(parlour(start=False, metrics_listen=taken))
        assert status == 73 and f"{taken} is in use" in why


def test_an_address_of_another_daemon(parlour):
    first = parlour()
    status, why = refused_start(parlour(start=False, listen=f"127.0.0.1:{first.port}"))
    assert status == 73 and "in use" in why
    assert first.get("/livez").status_code == 200


def test_an_address_that_a_killed_daemon_still_holds(parlour):
    """The workers of the killed daemon still hold the address; the next daemon waits until they have ended."""
    first = parlour()
    first.expect_error("the master process has ended")
    workers = first.workers().values()
    second = parlour(start=False, listen=f"127.0.0.1:{first.port}")
    with first.stopped(*workers):
        os.kill(first.pid, signal.SIGKILL)
        first.process.wait(10)
        second.start(ready=False)
        second.wait_log("trying again")
    second.wait_log("msg=ready", timeout=20)
    wait_for(lambda: not processes_of_session(first.pid), 20, "the first one is gone")
    first.process = None


def test_a_group_that_the_daemon_cannot_give(parlour):
    """chown to a group requires membership: the message names the setting and the remedies."""
    mine = {os.getgid()} if cluster.unprivileged() is None else {cluster.unprivileged().pw_gid}
    foreign = next((g for g in grp.getgrall() if g.gr_gid not in mine | set(os.getgroups()) and g.gr_gid != 0), None)
    assert foreign is not None
    daemon = parlour(start=False)
    path = daemon.dir + "/http.sock"
    daemon.configure(listen=f"unix:{path}", listen_unix_group=foreign.gr_name)
    status, why = refused_start(daemon)
    assert status == 77 and "listen_unix_group" in why and foreign.gr_name in why
    assert not os.path.exists(path), "nothing is left behind"
