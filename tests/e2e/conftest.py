# SPDX-License-Identifier: ISC
"""Fixtures: one PostgreSQL per session, one database per module, one daemon per test.

PARLOUR_BUILD names the build directory. If PARLOUR_TEST_URL names a running daemon, the tests that can use it do so,
and all others are skipped.
"""

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cluster  # noqa: E402
import described  # noqa: E402
import described_frames  # noqa: E402
import usagedata  # noqa: E402
from parlour import Daemon, Peer, Remote, clean_env, stage_binaries  # noqa: E402

REMOTE = os.environ.get("PARLOUR_TEST_URL")


@pytest.fixture(scope="session")
def workdir():
    """A directory with a short path that the unprivileged user can enter."""
    path = tempfile.mkdtemp(prefix="pl-e2e-", dir="/tmp")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def binaries(workdir):
    return stage_binaries(workdir)


@pytest.fixture(scope="session")
def key_file(workdir):
    path = workdir + "/token.key"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as key:
        key.write(secrets.token_hex(32) + "\n")
    cluster.give(path)
    return path


@pytest.fixture(scope="session")
def pg():
    """A private PostgreSQL."""
    server = cluster.Cluster()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def template(pg, binaries, workdir):
    """The name of a migrated, empty database, created in the same way as operators do it: parlourctl initdb, parlourctl
    migrate."""
    config = workdir + "/migrate.conf"
    with open(config, "w", encoding="utf-8") as conf:
        conf.write(f"db = {pg.dsn('parlour')}\ncontrol_socket = {workdir}/none\n")
    os.chmod(config, 0o644)
    for verb, dsn in (("initdb", pg.dsn("postgres", cluster.OWNER)), ("migrate", pg.dsn("parlour", "parlour_owner"))):
        done = subprocess.run(cluster.as_user([binaries["parlourctl"], "-c", config, verb, "--dsn", dsn]), cwd="/",
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env=clean_env(), check=False)
        if done.returncode != 0:
            pytest.exit(f"parlourctl {verb}: {done.returncode}\n{done.stdout}", 3)
    return "parlour"


@pytest.fixture(scope="module")
def database(pg, template):
    """The name of a new database for this module."""
    if pg.process is None:      # a test of the previous module failed while the server was stopped
        pg.start()
    name = pg.clone(template)
    yield name
    pg.drop(name)


@pytest.fixture(scope="module")
def pg_dsn(pg, database):
    """The connection string of the daemon for the database of this module."""
    return pg.dsn(database)


@pytest.fixture(scope="module")
def rows(pg, database):
    """rows(sql) returns rows from the database of this module, read as the superuser."""
    return lambda sql: pg.admin(sql, database)


def maker(request, workdir):
    """A factory of daemons, and the list of the daemons that it started."""
    made = []

    def make(start=True, upstreams=None, ready=True, extra=(), **settings):
        if REMOTE:
            if settings or not start or upstreams or extra:
                pytest.skip("needs a daemon with its own settings")
            return Remote(REMOTE)
        directory = f"{workdir}/{secrets.token_hex(3)}"
        settings.setdefault("db", request.getfixturevalue("pg_dsn"))
        daemon = Daemon(request.getfixturevalue("binaries"), directory, settings["db"],
                        request.getfixturevalue("key_file"), settings, upstreams)
        made.append(daemon)
        try:
            return daemon.start(ready=ready, extra=extra) if start else daemon
        except BaseException:
            print(f"---- log of {daemon.dir}:\n{daemon.log_tail()}")
            daemon.abandon()
            raise

    return make, made


def finish(made, failed):
    """Stops all daemons, then fails for each one that reported problems."""
    problems = []
    for daemon in made:
        try:
            status = daemon.stop() if daemon.process is not None else 0
            if status != 0:
                problems.append(f"exit status {status} after TERM")
            problems += daemon.bad_lines()
        except Exception as why:  # pylint: disable=broad-except
            problems.append(f"{type(why).__name__}: {why}")
        finally:
            daemon.abandon()
        if (problems or failed) and os.path.exists(daemon.log_path):
            print(f"---- log of {daemon.dir}:\n{daemon.log_tail()}")
        shutil.rmtree(daemon.dir, ignore_errors=True)
    assert not problems, "\n".join(problems)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.when == "call":
        item.failed_call = report.failed


@pytest.fixture(autouse=True)
def within_a_day():
    """Delays tests that start shortly before midnight, so that the test and the daemon agree on the date of today."""
    usagedata.avoid_midnight()


@pytest.fixture(autouse=True)
def replies_as_described():
    """Fails a test whose replies or frames differ from /openapi.json or /asyncapi.json."""
    yield
    described_frames.verdict()
    wrong, described.problems[:] = list(dict.fromkeys(described.problems)), []
    assert not wrong, "replies that /openapi.json, or frames that /asyncapi.json does not describe:\n" + "\n".join(wrong)


@pytest.fixture
def parlour(request, workdir):
    """parlour(workers=4, rate_read="5/min") starts a new daemon and waits until it is ready; it is stopped and checked
    after the test."""
    make, made = maker(request, workdir)
    yield make
    finish(made, getattr(request.node, "failed_call", False))


@pytest.fixture(scope="module")
def shared(request, workdir):
    """One daemon with two workers and default test settings, for all tests of a module that do not change its state."""
    make, made = maker(request, workdir)
    yield make()
    finish(made, request.session.testsfailed > 0)


@pytest.fixture
def peer():
    """peer(*args) starts a fake provider (provider_peer.py), which is stopped after the test."""
    made = []

    def make(*args):
        made.append(Peer(*args))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture(scope="module")
def ann(shared):
    """A user of the daemon of the module."""
    return shared.register()


@pytest.fixture(scope="module")
def bob(shared):
    """Another user of the daemon of the module."""
    return shared.register()


@pytest.fixture
def smtp():
    """smtp(**how) starts a mail server (mail_peer.py), which is stopped after the test."""
    from mail_peer import MailPeer  # pylint: disable=import-outside-toplevel
    made = []

    def make(**how):
        made.append(MailPeer(**how).start())
        return made[-1]

    yield make
    for one in made:
        with contextlib.suppress(Exception):
            one.stop()
