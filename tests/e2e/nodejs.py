# SPDX-License-Identifier: ISC
"""Runs programs from npm: tests/client with its lock file, installed once per build directory."""

import fcntl
import os
import shutil
import subprocess

import pytest

from parlour import HERE, SLOW

SOURCE = os.path.join(os.path.dirname(HERE), "client")


def run(argv, cwd, timeout=120, check=True, **env):
    """Runs a program and returns its output, stdout and stderr together."""
    done = subprocess.run(argv, cwd=cwd, env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=timeout * SLOW, check=False)
    assert not check or done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout}"
    return done.stdout


def installed():
    return shutil.which("node") is not None and shutil.which("npm") is not None


def prepare():
    """Prepares a directory with the files of tests/client and their node_modules."""
    if not installed():
        pytest.skip("node and npm are not installed")
    target = os.path.join(os.path.abspath(os.environ.get("PARLOUR_BUILD", os.getcwd())), "client")
    os.makedirs(target, exist_ok=True)
    with open(target + "/.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in os.listdir(SOURCE):
            if os.path.isfile(os.path.join(SOURCE, name)):
                shutil.copyfile(os.path.join(SOURCE, name), os.path.join(target, name))
        stamp = target + "/.installed"
        with open(target + "/package-lock.json", encoding="utf-8") as file:
            wanted = file.read()
        if not os.path.exists(stamp) or open(stamp, encoding="utf-8").read() != wanted:
            run(["npm", "ci", "--no-progress"], target, timeout=300)
            with open(stamp, "w", encoding="utf-8") as file:
                file.write(wanted)
    return target


def program(target, path):
    """Returns the argv of a script of a package."""
    return ["node", os.path.join(target, "node_modules", path)]
