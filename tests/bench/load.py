# SPDX-License-Identifier: ISC
"""The load generators: wsload (compiled here, see wsload.h) and wrk."""

import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

from cluster import tied  # noqa: E402

FLAGS = ["-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-D_GNU_SOURCE"]


class Missing(Exception):
    """A program that is not installed; the text says how to install it."""


def compile_program(out, sources, flags=(), libs=()):
    """Compiles files of this directory with cc; returns the path of the program."""
    argv = [os.environ.get("CC", "cc"), *FLAGS, *flags, "-o", out, *[f"{HERE}/{s}" for s in sources], *libs]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}\n{done.stdout}{done.stderr}")
    return out


def words(options):
    """Converts {'n': 1, 'x': True, 'l': [1, 2]} to key=value words; omits None."""
    shown = []
    for key, value in options.items():
        if isinstance(value, bool):
            value = int(value)
        elif isinstance(value, (list, tuple)):
            value = ",".join(str(v) for v in value)
        if value is not None:
            shown.append(f"{key}={value}")
    return shown


class Load:
    """wsload in mode load: all connections are open after the constructor; go() runs it and returns its figures."""

    def __init__(self, program, **options):
        self.process = subprocess.Popen(tied([program, "load", *words(options)]), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._line()

    def _line(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(self.process.stderr.read().strip() or "wsload ended without a word")
        return json.loads(line)

    def go(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        figures = self._line()
        self.close()
        return figures

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            stream.close()


def probe(program, mode, **options):
    """Runs a mode of wsload to its end."""
    done = subprocess.run(tied([program, mode, *words(options)]), capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout)


def wrk(port, seconds, connections, tokens_file, paths):
    """Runs wrk with one thread; returns the figures of wrk.lua."""
    if shutil.which("wrk") is None:
        raise Missing("wrk is needed: apt-get install wrk")
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", HERE + "/wrk.lua", f"http://127.0.0.1:{port}/",
            "--", tokens_file, *paths]
    done = subprocess.run(tied(argv), capture_output=True, text=True, timeout=seconds + 60, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError(f"wrk: {done.stdout}{done.stderr}")
    return json.loads(lines[-1])
