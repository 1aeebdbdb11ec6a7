# SPDX-License-Identifier: ISC
"""Starts the servers that the daemon is compared with, if they are installed: nginx, nchan, FastAPI, Node.

start(lab, names) returns the running ones by name and stores in lab.skipped how to install the others.
"""

import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

from load import Missing, tied

HERE = os.path.dirname(os.path.abspath(__file__))
NPM = ["fastify@5", "pg@8", "@fastify/jwt@10", "undici@7"]


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Peer:
    """A server that runs as a child process with a port."""

    def __init__(self, lab, name):
        self.lab, self.name, self.port, self.process = lab, name, free_port(), None

    def spawn(self, argv, env=None, cwd="/"):
        with open(f"{self.lab.dir}/{self.name}.log", "ab") as log:
            self.process = subprocess.Popen(tied(argv, "TERM"), cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True, env={**os.environ, **(env or {})})
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                time.sleep(0.05)
        self.stop()
        with open(f"{self.lab.dir}/{self.name}.log", encoding="utf-8", errors="replace") as log:
            raise Missing(f"did not start: {log.read()[-600:]}")

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


NGINX = """daemon off; worker_processes 1; pid {dir}/nginx-{name}.pid; error_log {dir}/{name}.log warn;
worker_rlimit_nofile 20000;
{load}
events {{ worker_connections 15000; }}
http {{
	access_log off; keepalive_requests 100000000; server_tokens off; tcp_nodelay on;
	client_body_temp_path {dir}/nginx-a; proxy_temp_path {dir}/nginx-b; fastcgi_temp_path {dir}/nginx-c;
	uwsgi_temp_path {dir}/nginx-d; scgi_temp_path {dir}/nginx-e;
	server {{
		listen 127.0.0.1:{port} backlog=1024;
{server}
	}}
}}
"""
NCHAN = """		location ~ /sub/(.+)$ { nchan_subscriber websocket; nchan_channel_id $1; nchan_message_buffer_length 2000;
			nchan_message_timeout 10s; nchan_subscriber_first_message newest; nchan_websocket_ping_interval 25; }
		location ~ /pub/(.+)$ { nchan_publisher; nchan_channel_id $1; nchan_message_buffer_length 2000;
			nchan_message_timeout 10s; }
"""


def nginx(lab, name, server, load=""):
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        raise Missing("apt-get install nginx-light")
    peer = Peer(lab, name)
    path = f"{lab.dir}/nginx-{name}.conf"
    with open(path, "w", encoding="utf-8") as conf:
        conf.write(NGINX.format(dir=lab.dir, name=name, port=peer.port, server=server, load=load))
    return peer.spawn([program, "-c", path, "-p", lab.dir, "-e", f"{lab.dir}/{name}.log"])


def tiny_nginx(lab, answer):
    """Starts an nginx that sends the reply of the daemon with `return`: the same status, header lines, and body."""
    lines = []
    for key, value in answer.headers.items():
        if key.lower() in ("date", "content-length", "content-type", "connection"):
            continue
        value = "$request_id" if key.lower() == "x-request-id" else value
        lines.append(f"\t\t\tadd_header {key} \"{value}\" always;\n")
    body = answer.text.replace("'", "\\'")
    server = (f"\t\tlocation = /livez {{\n\t\t\tdefault_type {answer.headers['content-type'].split(';')[0]};\n"
              f"{''.join(lines)}\t\t\treturn 200 '{body}';\n\t\t}}\n")
    return nginx(lab, "nginx", server)


def nchan(lab):
    module = glob.glob("/usr/lib/nginx/modules/ngx_nchan_module.so")
    if not module:
        raise Missing("apt-get install nginx-light libnginx-mod-nchan")
    return nginx(lab, "nchan", NCHAN, f"load_module {module[0]};")


def environment(lab, upstream_port):
    url = f"http://127.0.0.1:{upstream_port}/v1/chat/completions"
    return {"PEER_PG": f"postgresql://postgres@/peer?host={lab.pg.sockets}", "PEER_SECRET": lab.secret,
            "PEER_UPSTREAM": url, "PYTHONDONTWRITEBYTECODE": "1", "NODE_ENV": "production"}


def fastapi(lab, workers, upstream_port):
    wanted = ("fastapi", "uvicorn", "asyncpg", "jose", "uvloop", "httptools", "httpx")
    check = "import " + ", ".join(wanted)
    if subprocess.run([sys.executable, "-c", check], capture_output=True, check=False).returncode != 0:
        raise Missing("apt-get install python3-fastapi python3-uvicorn python3-asyncpg python3-jose python3-uvloop "
                      "python3-httptools python3-httpx")
    peer = Peer(lab, "fastapi")
    return peer.spawn([sys.executable, "-m", "uvicorn", "fastapi_peer:app", "--host", "127.0.0.1", "--port",
                       str(peer.port), "--workers", str(workers), "--no-access-log", "--log-level", "warning",
                       "--loop", "uvloop", "--http", "httptools"], environment(lab, upstream_port), HERE + "/peers")


def node(lab, workers, upstream_port):
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Missing("apt-get install nodejs npm")
    home = lab.cache + "/node"
    os.makedirs(home, exist_ok=True)
    if not os.path.isdir(home + "/node_modules/fastify"):
        lab.say(f"node: npm install into {home}")
        with open(home + "/package.json", "w", encoding="ascii") as package:
            json.dump({"name": "parlour-bench-peer", "private": True, "type": "module"}, package)
        done = subprocess.run(tied(["npm", "install", "--no-audit", "--no-fund", *NPM], "TERM"), cwd=home, capture_output=True,
                              text=True, timeout=180, check=False)
        if done.returncode != 0:
            raise Missing(f"npm install {' '.join(NPM)} in {home}: {done.stderr.strip()[-300:]}")
    shutil.copy(HERE + "/peers/node_peer.mjs", home)
    peer = Peer(lab, "node")
    env = {**environment(lab, upstream_port), "PORT": str(peer.port), "WORKERS": str(workers)}
    return peer.spawn(["node", home + "/node_peer.mjs"], env, home)


def take(lab, name, make, *args):
    """Returns the running peer, which is started once; None if it is not installed."""
    if name in lab.skipped:
        return None
    if name not in lab.peers or lab.peers[name].process.poll() is not None:
        try:
            lab.peers[name] = make(lab, *args)
        except Missing as why:
            lab.skipped[name] = str(why)
            lab.say(f"{name} is skipped: {why}")
            return None
    return lab.peers[name]


def drop(lab, name):
    peer = lab.peers.pop(name, None)
    if peer is not None:
        peer.stop()
