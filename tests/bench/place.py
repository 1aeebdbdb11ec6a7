# SPDX-License-Identifier: ISC
"""PostgreSQL, a migrated database, and a daemon, for benchmarks without further needs."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
sys.dont_write_bytecode = True

import cluster  # noqa: E402
from parlour import Daemon, clean_env, stage_binaries  # noqa: E402

cluster.TIE_ALL = True


def arguments(parser):
    """Parses --build, --src, and the arguments that the caller added, and configures the test modules."""
    parser.add_argument("--build", default=os.getcwd(), help="build directory (default: here)")
    parser.add_argument("--src", default=os.path.dirname(os.path.dirname(HERE)), help="source directory")
    args = parser.parse_args()
    args.build, args.src = os.path.abspath(args.build), os.path.abspath(args.src)
    os.environ.update(PARLOUR_BUILD=args.build, PARLOUR_SRC=args.src, PARLOUR_SQL_DIR=args.src + "/sql",
                      PARLOUR_WWW_DIR=args.src + "/src/www")
    return args


class Place:
    """A context manager that removes everything at its end. Subclasses fill the database in fill()."""

    def __init__(self, **settings):
        self.settings, self.daemon, self.pg = settings, None, None

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="pl-bench-", dir="/tmp")
        try:
            self._start()
            self.fill()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.daemon is not None:
            self.daemon.abandon()
        if self.pg is not None:
            self.pg.remove()
        shutil.rmtree(self.dir, ignore_errors=True)

    def _start(self):
        os.chmod(self.dir, 0o755)
        binaries, key, conf = stage_binaries(self.dir), self.dir + "/token.key", self.dir + "/migrate.conf"
        with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
        cluster.give(key)
        self.pg = cluster.Cluster()
        self.pg.start()
        with open(conf, "w", encoding="ascii") as file:
            file.write(f"db = {self.pg.dsn('parlour')}\ncontrol_socket = {self.dir}/none\n")
        for words in (["initdb", "--dsn", self.pg.dsn("postgres", cluster.OWNER)],
                      ["migrate", "--dsn", self.pg.dsn("parlour", "parlour_owner")]):
            subprocess.run(cluster.as_user([binaries["parlourctl"], "-c", conf, *words]), cwd="/", check=True,
                           stdout=subprocess.DEVNULL, env=clean_env())
        self.daemon = Daemon(binaries, self.dir + "/d", self.pg.dsn("parlour"), key, {"workers": "2", **self.settings})
        self.daemon.start()

    def fill(self):
        """Adds the rows that the database needs besides the schema."""
