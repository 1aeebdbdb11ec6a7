# SPDX-License-Identifier: ISC
"""The files of etc/ work as documented: nginx in front of the daemon, and the hardening of the unit."""

import contextlib
import http.client
import os
import re
import shutil
import socket
import subprocess

import httpx
import pytest

import cluster
import wire
from parlour import HERE, PLAIN, free_port, wait_for

SOURCE = os.environ.get("PARLOUR_SRC", os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.get("PARLOUR_BUILD", SOURCE)
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def made(name):
    with open(f"{BUILD}/etc/{name}", encoding="utf-8") as file:
        text = file.read()
    assert not re.findall(r"@\w+@", text), "a placeholder was left"
    return text


@contextlib.contextmanager
def nginx_running(daemon, workdir, edit=lambda site: site):
    """Starts nginx with our site, edited, in front of the daemon, and returns its port."""
    if NGINX is None:
        pytest.skip("nginx is not installed")
    port, site = free_port(), edit(made("nginx-site.conf"))
    site = site.replace("server 127.0.0.1:8000;", f"server 127.0.0.1:{daemon.port};")
    first, second = site.split("server {", 2)[1:]
    assert "return 301" in first
    second = re.sub(r"^\s*(listen|ssl_\w+) [^\n]*\n", "", second, flags=re.M)
    head = site.split("server {", 1)[0]
    folder = f"{workdir}/nginx-{port}"
    os.mkdir(folder, 0o755)
    cluster.give(folder)
    temp = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    with open(folder + "/nginx.conf", "w", encoding="utf-8") as conf:
        conf.write(f"pid {folder}/pid; error_log {folder}/error; daemon off; worker_processes 1; events {{}}\n"
                   f"http {{ access_log off; {temp}\n{head}\nserver {{ listen 127.0.0.1:{port};\n{second}\n}}\n")
    process = subprocess.Popen(cluster.as_user([NGINX, "-e", folder + "/error", "-c", folder + "/nginx.conf", "-p", folder]),
                               stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: httpx.get(f"http://127.0.0.1:{port}/livez", **PLAIN).status_code == 200, 10, "nginx answers")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def talks_through(daemon, port):
    """Asserts that REST and sockets work through the proxy at this port, and that clients cannot forge their
    address."""
    user = daemon.register()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", **PLAIN) as client:
        me = client.get("/api/auth/me", headers=user.auth)
        assert me.status_code == 200 and me.json()["id"] == user.id
        client.post("/api/auth/login", json={"username": user.name, "password": user.password},
                    headers={"X-Forwarded-For": "198.51.100.1"})
    addresses = {s["address"] for s in user.get("/api/auth/sessions").json()}
    assert addresses == {"127.0.0.1"}, "what a client writes into X-Forwarded-For does not get through"
    room = user.room()["id"]
    with wire.WS(("127.0.0.1", port), "/ws", token=user.access, host=f"127.0.0.1:{port}") as sock:
        sock.expect("authed")
        sock.send("subscribe", topic=f"room:{room}")
        sock.expect("subscribed")
        seq = user.say(room, "through the proxy").json()["seq"]
        assert sock.expect("message", seq=seq)
        assert sock.close() == 1000


def raw_reply(port, method, path, fields):
    """Sends a request without Content-Length, like `curl -X POST`: (status, body)."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        sock.sendall((head + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n").encode())
        answer = http.client.HTTPResponse(sock)
        answer.begin()
        return answer.status, answer.read()


def bodiless(daemon, port):
    """Asserts that POST, PUT and PATCH without a body and a length reach their handlers."""
    owner, user = daemon.register(), daemon.register()
    room, role = owner.room()["id"], owner.role()["id"]
    for method, path, who, want in (("POST", f"/api/rooms/{room}/join", user, 200),
                                    ("PUT", f"/api/rooms/{room}/roles/{role}", owner, 200),
                                    ("PATCH", "/api/profile", owner, 200),
                                    ("POST", "/api/auth/ws-ticket", user, 201), ("POST", "/api/auth/logout", user, 204)):
        status, body = raw_reply(port, method, path, who.auth)
        assert status == want, (method, path, status, body)
    assert user.get("/api/auth/me").status_code == 401


def streams(daemon, port):
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", **PLAIN) as client:
        answer = client.post("/api/chat", json={"message": "hello"},
                             headers={"Accept": "text/event-stream", **daemon.register().auth})
    assert answer.status_code == 200 and answer.text.rstrip().split("\n\n")[-1].startswith("event: done"), answer.text


def upgrade_for_all(site):
    """Upgrade headers in the block of the server, as many guides recommend."""
    line = "proxy_set_header Connection $parlour_connection;"
    assert site.count(line) == 1
    return site.replace(line, 'proxy_set_header Connection "upgrade";')


def nothing_set(site):
    """proxy_pass without other settings: HTTP/1.0 and Connection: close."""
    site, count = re.subn(r"^\s*proxy_(http_version|set_header|next_upstream) [^\n]*\n", "", site, flags=re.M)
    assert count > 5
    return site


NGINX_SITES = {"our site": lambda site: site, "Connection upgrade for all": upgrade_for_all, "proxy_pass alone": nothing_set}


@pytest.mark.parametrize("name", NGINX_SITES)
def test_nginx_in_front(parlour, workdir, name):
    daemon = parlour()
    with nginx_running(daemon, workdir, NGINX_SITES[name]) as port:
        bodiless(daemon, port)
        streams(daemon, port)
        if name != "proxy_pass alone":
            talks_through(daemon, port)


@pytest.fixture
def nginx(parlour, workdir):
    """(daemon, port of nginx with our site in front of it)."""
    daemon = parlour()
    with nginx_running(daemon, workdir) as port:
        yield daemon, port


def test_nginx_compresses(nginx):
    """nginx compresses long replies and adds the header that caches need; it compresses neither streams nor resources
    changed with If-Match."""
    daemon, port = nginx
    user = daemon.register()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={**user.auth, "Accept-Encoding": "gzip"}, **PLAIN) as client:
        long = client.get("/openapi.json")
        assert long.headers["Content-Encoding"] == "gzip" and "Accept-Encoding" in long.headers["Vary"] and long.json()["paths"]
        assert client.get("/api/auth/me").headers.get("Content-Encoding") is None, "short"
        with client.stream("POST", "/api/chat", json={"message": "Hello " * 300}, headers={"Accept": "text/event-stream"}) as stream:
            assert stream.headers["Content-Type"].startswith("text/event-stream")
            assert "Content-Encoding" not in stream.headers and "event: " in "".join(stream.iter_text())
        cards = [{"id": f"c{i}", "type": "text", "title": "t" * 100, "x": 0, "y": i, "w": 3, "h": 1} for i in range(20)]
        made_here = client.post("/api/dashboard/wide", json={"cards": cards})
        assert made_here.status_code in (200, 201), made_here.text
        read = client.get("/api/dashboard/wide")
        assert len(read.content) > 2000 and read.headers["ETag"].startswith('"')
        again = client.put("/api/dashboard/wide", json={"cards": cards[:1]}, headers={"If-Match": read.headers["ETag"]})
        assert again.status_code == 200, again.text


def test_the_unix_socket_of_the_site(parlour):
    """With the settings in the comment of nginx-site.conf, run as the user of the unit, the daemon starts, and the
    group may connect."""
    site = made("nginx-site.conf")
    [path] = re.findall(r"in parlour\.conf:\s+listen = (\S+)", site)
    assert f"server {path};" in site
    daemon = parlour(start=False)
    ours = path.replace("/run/parlour/", daemon.dir + "/")
    daemon.configure(listen=ours)
    daemon.start(ready=False)
    with httpx.Client(transport=httpx.HTTPTransport(uds=ours.removeprefix("unix:")), base_url="http://localhost", **PLAIN) as client:
        wait_for(lambda: daemon.running() and client.get("/readyz").status_code == 200, 20, "/readyz is 200")
    there = os.stat(ours.removeprefix("unix:"))
    assert there.st_mode & 0o777 == 0o660
    # The test does not set the group of the proxy.
    assert re.search(r"^z\s+\S+/parlour\.conf\s+0600\s", made("parlour.tmpfiles"), re.M)


APACHE_MODULES = "mpm_event authz_core unixd proxy proxy_http headers alias"


@pytest.fixture
def apache(parlour, workdir):
    """Starts Apache with our virtual host in front of the daemon: (daemon, port)."""
    daemon, port = parlour(), free_port()
    with open(f"{SOURCE}/contrib/apache/parlour.conf", encoding="utf-8") as file:
        site = file.read().split("<VirtualHost *:443>", 1)[1].split("</VirtualHost>", 1)[0]
    assert site.count("SSL") == 3
    site = re.sub(r"^\s*SSL[^\n]*\n", "", site, flags=re.M).replace("127.0.0.1:8000", f"127.0.0.1:{daemon.port}")
    folder = f"{workdir}/apache-{port}"
    os.mkdir(folder, 0o755)
    cluster.give(folder)
    # unixd is built in
    there = [m for m in APACHE_MODULES.split() if os.path.exists(f"/usr/lib/apache2/modules/mod_{m}.so")]
    modules = "".join(f"LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so\n" for m in there)
    with open(folder + "/apache.conf", "w", encoding="utf-8") as conf:
        conf.write(f"{modules}ServerRoot {folder}\nPidFile {folder}/pid\nErrorLog {folder}/error\nListen 127.0.0.1:{port}\n"
                   f"DefaultRuntimeDir {folder}\n<VirtualHost *:{port}>{site}</VirtualHost>\n")
    process = subprocess.Popen(cluster.as_user(["/usr/sbin/apache2", "-D", "FOREGROUND", "-f", folder + "/apache.conf"]),
                               stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: httpx.get(f"http://127.0.0.1:{port}/livez", **PLAIN).status_code == 200, 10, "Apache answers")
        yield daemon, port
    finally:
        process.terminate()
        process.wait(10)


def test_apache_in_front(apache):
    bodiless(*apache)
    streams(*apache)
    talks_through(*apache)


def test_the_unit_is_hardened(tmp_path):
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "parlour.service"
    unit.write_text(re.sub(r"^(Exec\w+)=\S+", r"\1=/bin/true", made("parlour.service"), flags=re.M), encoding="utf-8")
    done = subprocess.run([analyze, "security", "--offline=true", str(unit)], capture_output=True, text=True, check=False)
    found = re.search(r"Overall exposure level[^:]*: ([0-9.]+)", done.stdout + done.stderr)
    if found is None:
        pytest.skip("this systemd-analyze cannot look at files")
    assert float(found.group(1)) < 2.0, done.stdout


def test_other_files_are_whole():
    for name in ("parlour.socket", "parlour.sysusers", "parlour.tmpfiles", "parlour.logrotate"):
        assert made(name).strip()


def test_the_sample_configuration_is_good(parlour):
    daemon = parlour(start=False)
    text = made("parlour.conf")
    assert "listen" in text and "[llm" in text
    daemon.write_config(text)
    done = subprocess.run(cluster.as_user([daemon.binaries["parlourd"], "-t", "-c", daemon.config, "-o", f"db={daemon.dsn}",
                                           "-o", "key_file=" + daemon.settings["key_file"]]), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
