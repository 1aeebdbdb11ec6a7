# SPDX-License-Identifier: ISC
"""An operator's first hour with README alone: install, start, back up, restore, upgrade, uninstall, with the printed
commands.

There is no systemd. A small program earlier in PATH replaces what belongs to the machine (packages, users, units,
nginx, and a build done before); its systemctl runs the commands of the unit as the user of the unit. Paths below /etc,
/usr, /var and /run are below a directory of the test.
"""

import os
import re
import shutil
import stat
import subprocess

import httpx
import pytest

import cluster
from parlour import HERE, PLAIN, SLOW, clean_env, free_port

SOURCE = os.environ.get("PARLOUR_SRC", os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.get("PARLOUR_BUILD", SOURCE)
MACHINE = "apt-get bootstrap configure make systemd-sysusers systemd-tmpfiles systemctl nginx runuser userdel parlourd parlourctl".split()
STUB = """#!/bin/sh
name=$(basename "$0")
make() {{ env PATH="$REAL_PATH" make -C {build} "$1" prefix={root}/usr sysconfdir={root}/etc localstatedir={root}/var \\
	systemdunitdir={root}/usr/lib/systemd/system; }}
ctl() {{ {root}/usr/sbin/parlourctl -c {conf} "$@"; }}
case "$name $1 $2" in
"parlourd "* | "parlourctl "*) exec {root}/usr/sbin/$name -c {conf} "$@" ;;
"runuser -u "*) shift 3 && exec {as_user} "$@" ;;
"make install "* | "make uninstall "*) make "$1" ;;
"systemd-tmpfiles --create "*) chown -R {user} {root}/etc/parlour {root}/run/parlour && chmod 0600 {conf} ;;
"systemctl enable --now" | "systemctl start parlour")
	{as_user} {check} || exit 1
	{as_user} {start} >>{root}/log 2>&1 </dev/null &
	until ctl status >/dev/null 2>&1; do kill -0 $! || exit 1; sleep 0.05; done ;;
"systemctl reload parlour") {as_user} {reload} ;;
"systemctl stop parlour" | "systemctl disable --now")
	ctl stop && while [ -e {root}/run/parlour/control ]; do sleep 0.05; done ;;
esac
"""


def section(title):
    with open(SOURCE + "/README", encoding="utf-8") as file:
        return re.search(rf"^{title}\n-+\n(.*?)(?=^\S[^\n]*\n---+\n|\Z)", file.read(), re.M | re.S).group(1)


def blocks(title):
    """Returns the indented blocks of a section in order: commands and settings."""
    found, lines = [[]], section(title).splitlines() + ["end"]
    for line in lines:
        if re.match(r" {4,7}\S| {8}", line):
            found[-1].append(line.strip())
        elif line.strip() and found[-1]:
            found.append([])
    return ["\n".join(block) for block in found if block]


class Place:
    """The directory that replaces the file system of the machine, and a separate database server."""

    def __init__(self, root):
        self.root, self.port, self.pg = root, free_port(), cluster.Cluster()
        self.conf = root + "/etc/parlour/parlour.conf"
        for folder in ("bin", "etc/nginx/sites-available", "etc/nginx/sites-enabled", "var/backups", "run/parlour"):
            os.makedirs(f"{root}/{folder}")
        cluster.give(root + "/run/parlour")
        with open(BUILD + "/etc/parlour.service", encoding="utf-8") as file:
            unit = dict(re.findall(r"^(Exec\w+)=(.*)$", file.read(), re.M))
        unit = {k: re.sub(r"\S+/parlour\.conf", self.conf, re.sub(r"^\S+/sbin", root + "/usr/sbin", v)) for k, v in unit.items()}
        user = cluster.unprivileged()
        text = STUB.format(root=root, conf=self.conf, build=BUILD, as_user=" ".join(cluster.as_user([])), start=unit["ExecStart"],
                           check=unit["ExecStartPre"], reload=unit["ExecReload"], user=user.pw_uid if user else os.getuid())
        for name in MACHINE:
            with open(f"{root}/bin/{name}", "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(f"{root}/bin/{name}", 0o755)
        self.env = {**clean_env(), "PATH": f"{root}/bin:{os.environ['PATH']}", "REAL_PATH": os.environ["PATH"],
                    "PGHOST": self.pg.sockets, "PGUSER": cluster.OWNER}

    def here(self, text):
        """Replaces the paths in a text of README."""
        text = re.sub(r"(?<![\w./])/run/postgresql", self.pg.sockets, text)
        text = re.sub(r"(?<![\w./:])/(etc|usr|var|run)\b", lambda m: self.root + m.group(), text)
        return re.sub(r"\./(bootstrap|configure)", r"\1", text).replace("127.0.0.1:8000", f"127.0.0.1:{self.port}")

    def run(self, text):
        done = subprocess.run(["sh", "-eu", "-c", self.here(text)], cwd=self.root, env=self.env,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120 * SLOW, check=False)
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        return done.stdout

    def settings(self, text):
        """Adds settings of README to the installed file: sections at its end, other settings at its start."""
        with open(self.conf, encoding="utf-8") as file:
            before = file.read()
        head, _, sections = self.here(text).partition("[")
        with open(self.conf, "w", encoding="utf-8") as file:
            file.write(f"{head}\n{before}\n{'[' + sections if sections else ''}")

    def get(self, path):
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", **PLAIN)

    def stop(self):
        if os.path.exists(self.root + "/run/parlour/control"):
            subprocess.run([self.root + "/usr/sbin/parlourctl", "-c", self.conf, "stop"], capture_output=True, check=False)
        self.pg.remove()


@pytest.fixture(name="place")
def fixture_place(workdir):
    root = workdir + "/hour"
    os.mkdir(root, 0o755)
    one = Place(root)
    one.pg.start()
    yield one
    one.stop()
    shutil.rmtree(root, ignore_errors=True)


def is_settings(block):
    return re.match(r"[a-z_]+ = ", block) is not None


def install(place):
    """Follows "Install on a server" and returns what its last command printed: the first administrator and a password."""
    root, said = place.root, ""
    for block in blocks("Install on a server"):
        if block.startswith(("local ", "parlour   parlour")):
            continue        # pg_hba.conf and pg_ident.conf: this server uses trust
        if is_settings(block):
            if "key_file" in block:
                with open(root + "/etc/parlour/openai.key", "w", encoding="ascii") as key:
                    key.write("sk-nothing\n")
                os.chmod(root + "/etc/parlour/openai.key", 0o600)
                cluster.give(root + "/etc/parlour/openai.key")
            else:
                place.settings(f"listen = 127.0.0.1:8000\nmetrics_listen =\ncontrol_socket = {root}/run/parlour/control\n")
            place.settings(block)
        else:
            said = place.run(block)
    return said


def test_the_first_hour(place):
    root = place.root
    install(place)
    assert place.get("/health").status_code == 200
    assert place.pg.admin("SELECT access FROM users WHERE username = 'ann'", "parlour") == [("admin",)]
    assert os.path.exists(root + "/etc/nginx/sites-enabled/parlour")

    backup, restore = blocks("Backup")
    place.run(backup)
    for name in ("parlour.dump", "parlour-etc.tar.gz"):
        made = os.stat(f"{root}/var/backups/{name}")
        assert stat.S_IMODE(made.st_mode) == 0o600 and made.st_size > 200, name
    place.pg.admin("DELETE FROM users WHERE username = 'ann'", "parlour")
    place.run("systemctl stop parlour\n" + restore + "\nsystemctl start parlour")
    assert place.pg.admin("SELECT access FROM users WHERE username = 'ann'", "parlour") == [("admin",)]

    [upgrade] = blocks("Upgrading")
    with open(place.conf, encoding="utf-8") as file:
        before = file.read()
    place.run(upgrade)
    with open(place.conf, encoding="utf-8") as file:
        assert file.read() == before, "an upgrade keeps the configuration"
    assert place.get("/readyz").status_code == 200
    place.run("systemctl reload parlour")
    place.settings("nonsense = 1\n")
    with pytest.raises(AssertionError, match="nonsense"):
        place.run("systemctl reload parlour")

    program, data = blocks("Uninstall")
    place.run(program)
    assert not [name for _, _, names in os.walk(root + "/usr") for name in names], "nothing of the program is left"
    assert os.path.exists(place.conf) and not os.path.exists(root + "/etc/nginx/sites-enabled/parlour")
    place.run(data)
    assert not os.path.exists(root + "/etc/parlour")
    assert place.pg.admin("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'parlour%'") == [(0,)]
