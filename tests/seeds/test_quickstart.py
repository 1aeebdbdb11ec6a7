# SPDX-License-Identifier: ISC
"""`contrib/quickstart run` from the source alone works with the curl lines of documents 001 and 003 and the client of
003."""

import contextlib
import io
import os
import re
import shutil
import subprocess
import tempfile
import types

import httpx
import psycopg
import pytest

import test_001
import test_003
from parlour import PLAIN, SLOW, Peer, clean_env, free_port, wait_for
from printed import SOURCE, curl


def quickstart(*args):
    done = subprocess.run([SOURCE + "/contrib/quickstart", *args], cwd="/", capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          env=clean_env(), timeout=600 * SLOW, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run(place, port):
    said = quickstart("run", "--detach", "--dir", place, "--port", str(port))
    assert f"http://127.0.0.1:{port}" in said and "user cfo, password demo" in said
    return types.SimpleNamespace(url=f"http://localhost:{port}", host="localhost", port=port, said=said)


def processes(place):
    """Returns the processes with this directory in their command line or as working directory."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if place.encode() in file.read() or os.readlink(f"/proc/{pid}/cwd").startswith(place):
                    found.append(int(pid))
    return found


@pytest.fixture(scope="module")
def place():
    path = tempfile.mkdtemp(prefix="pl-qs-", dir="/tmp")
    os.chmod(path, 0o755)
    yield path
    with contextlib.suppress(AssertionError):
        quickstart("stop", "--dir", path)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def quick(place):
    return run(place, free_port())


def test_lines_of_001(quick):
    test_001.like_printed(curl(quick, test_001.REGISTER))
    tokens = curl(quick, test_001.LOGIN)
    test_001.like_printed(tokens)
    assert curl(quick, test_001.ME, YOUR_ACCESS_TOKEN=tokens["access_token"])["username"] == "testuser"
    test_001.like_printed(curl(quick, test_001.REFRESH, YOUR_REFRESH_TOKEN=tokens["refresh_token"]))


def test_lines_of_003(quick):
    assert curl(quick, test_003.HEALTH)["status"] == "healthy"
    made = curl(quick, test_003.CREATE)
    answer = curl(quick, test_003.CHAT, **{"your-session-id": made["id"]})
    assert answer["response"] and answer["session_id"] == made["id"] and answer["is_complete"] is False


def test_client_of_003(quick):
    """The client can run any number of times: sessions that visitors left do not count."""
    for _ in range(5):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(test_003.CLIENT.replace("localhost:8000", f"localhost:{quick.port}"), {})  # pylint: disable=exec-used
        assert printed.getvalue().count("Received: ") == 2 and "error" not in printed.getvalue(), printed.getvalue()


def test_what_it_prints_works(quick):
    lines = [line.strip() for line in quick.said.splitlines() if line.startswith("    ")]
    done = subprocess.run(["sh", "-ec", "\n".join(line for line in lines if re.match("TOKEN=|curl ", line))], capture_output=True,
                          text=True, timeout=30 * SLOW, check=False)
    assert done.returncode == 0 and '"lobby"' in done.stdout and "who is here" in done.stdout, done.stdout + done.stderr


def test_a_model_reaches_the_assistant(place, quick):
    """The assistant uses a configured model, also with the data of an older version, whose role was pinned to the local
    responder."""
    provider = Peer()
    try:
        sockets = re.search(r"psql -h (\S+) -U postgres parlour", quick.said).group(1)
        with psycopg.connect(host=sockets, user="postgres", dbname="parlour") as conn:
            assert conn.execute("UPDATE roles SET upstream = 'local' WHERE name = 'assistant'").rowcount == 1
        quickstart("stop", "--dir", place)
        with open(place + "/user", encoding="utf-8") as file:
            user = file.read().strip()
        assert user and user != "root"
        args = ["--detach", "--dir", place, "--port", str(quick.port), "--llm", "ollama", "-o", f"llm.ollama.url={provider.url}"]
        quickstart("run", *args)
        tokens = httpx.post(quick.url + "/api/auth/login", data={"username": "cfo", "password": "demo"}, **PLAIN).json()
        auth = {"Authorization": "Bearer " + tokens["access_token"]}
        with httpx.Client(base_url=quick.url, headers=auth, **PLAIN) as client:
            [lobby] = [r["id"] for r in client.get("/api/rooms").json() if r["name"] == "lobby"]
            seq = client.post(f"/api/rooms/{lobby}/messages", json={"content": "@assistant are you there?"}).json()["seq"]
            answer = wait_for(lambda: next((m for m in client.get(f"/api/rooms/{lobby}/messages?after={seq}").json() if m["is_ai"]), None),
                              20, "the assistant answers")
        assert answer["content"].startswith("Parlour keeps every word"), "what the provider says: " + answer["content"]
        with open(place + "/user", encoding="utf-8") as file:
            assert file.read().strip() == user
    finally:
        provider.stop()


def test_stop_and_run_again(place, quick):
    quickstart("stop", "--dir", place)
    wait_for(lambda: processes(place) == [], 5, "stop leaves no process")
    again = run(place, quick.port)
    assert httpx.post(again.url + "/api/auth/login", data={"username": "testuser", "password": "password123"},
                      **PLAIN).status_code == 200, "data survive"
    quickstart("stop", "--dir", place)
    wait_for(lambda: processes(place) == [], 5, "stop leaves no process")
