# SPDX-License-Identifier: ISC
"""The files of `make install` work where they are installed: the command of the unit, socket activation, the page, the
manual."""

import os
import re
import shutil
import signal
import subprocess

import httpx
import pytest

import cluster
from parlour import HERE, PLAIN, free_port, wait_for

SOURCE = os.environ.get("PARLOUR_SRC", os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.get("PARLOUR_BUILD", SOURCE)
ACTIVATE = shutil.which("systemd-socket-activate")


@pytest.fixture(scope="module")
def stage(workdir):
    """Installs with DESTDIR; returns the directory and the configured prefix."""
    folder = f"{workdir}/stage"
    os.makedirs(folder, exist_ok=True)
    done = subprocess.run(["make", "-C", BUILD, "install", f"DESTDIR={folder}"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    with open(f"{BUILD}/etc/parlour.service", encoding="utf-8") as unit:
        start = re.search(r"^ExecStart=(.*)$", unit.read(), re.M).group(1).split()
    prefix = os.path.dirname(os.path.dirname(start[0]))
    return folder, prefix, start


def test_what_is_installed(stage):
    folder, prefix, _ = stage
    root = folder + prefix
    for path in ("sbin/parlourd", "sbin/parlourctl", "share/parlour/www/index.html", "share/parlour/sql/001_schema.sql",
                 "share/parlour/openapi.json", "share/man/man8/parlourd.8", "share/man/man5/parlour.conf.5",
                 "share/man/man7/parlour-ws.7", "lib/systemd/system/parlour.service", "lib/systemd/system/parlour.socket",
                 "lib/sysusers.d/parlour.conf", "lib/tmpfiles.d/parlour.conf"):
        assert os.path.isfile(f"{root}/{path}"), path
    key = f"{root}/etc/parlour/token.key"
    assert os.stat(key).st_mode & 0o777 == 0o600 and os.path.getsize(key) >= 64
    with open(f"{root}/etc/parlour/parlour.conf", encoding="utf-8") as conf:
        assert re.search(r"^key_file = .*/token\.key$", conf.read(), re.M), "the sample names the key that was made"


def test_a_second_installation_keeps_key_and_configuration(stage):
    folder, prefix, _ = stage
    names = [f"{folder}{prefix}/etc/parlour/{name}" for name in ("token.key", "parlour.conf")]
    before = [open(name, "rb").read() for name in names]
    subprocess.run(["make", "-C", BUILD, "install", f"DESTDIR={folder}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=True)
    assert [open(name, "rb").read() for name in names] == before


def test_without_docs_nothing_of_an_earlier_installation_stays(stage):
    """Installing a build without Swagger UI and Redoc over one with them removes their files, so that /docs does not
    mix both."""
    folder, prefix, _ = stage
    www = f"{folder}{prefix}/share/parlour/www"
    theirs = ["swagger.html", "swagger-ui-bundle.js", "redoc.html", "docs-notice.txt"]
    for name in theirs:
        with open(f"{www}/{name}", "w", encoding="ascii") as file:
            file.write("old")
    install = ["make", "-C", BUILD, "install", f"DESTDIR={folder}"]
    subprocess.run([*install, "DOCS_FROM="], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    assert not set(theirs) & set(os.listdir(www)) and {"docs.html", "sockets.html"} <= set(os.listdir(www))
    subprocess.run(install, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    built = [name for name in theirs if os.path.exists(f"{BUILD}/docs/{name}")]
    assert [name for name in theirs if os.path.exists(f"{www}/{name}")] == built


@pytest.mark.skipif(ACTIVATE is None, reason="systemd-socket-activate is not installed")
def test_the_units_command_with_a_socket_from_systemd(stage, parlour, workdir):
    """ExecStart runs as an ordinary user with the listening socket of systemd: clients connect to it, and TERM ends it
    with status 0."""
    folder, prefix, start = stage
    daemon = parlour(start=False)
    daemon.write_config()
    port = free_port()
    program = f"{workdir}/installed-parlourd"
    shutil.copy(folder + start[0], program)
    os.chmod(program, 0o755)
    assert start[1:3] == ["-f", "-c"]
    log = open(f"{daemon.dir}/activated.log", "w", encoding="utf-8")
    command = [ACTIVATE, "-l", f"127.0.0.1:{port}", program, "-f", "-c", daemon.config]
    process = subprocess.Popen(cluster.as_user(command), cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        def ready():
            try:
                return httpx.get(f"http://127.0.0.1:{port}/readyz", **PLAIN).status_code == 200
            except httpx.HTTPError:
                return False

        wait_for(ready, 20, "the handed-over socket answers")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        log.close()
