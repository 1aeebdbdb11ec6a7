# SPDX-License-Identifier: ISC
"""src/docs/make.sh without a registry: the build continues with the plain reference, or reports what to do."""

import os
import subprocess

import pytest

import nodejs
from parlour import HERE, SLOW

DOCS = os.path.join(os.path.dirname(os.path.dirname(HERE)), "src/docs")
AWAY = "http://127.0.0.1:1/"     # no server listens there


def make(folder, needed, **env):
    """Runs make.sh: (status, output, files that exist afterwards)."""
    out = f"{folder}/docs"
    done = subprocess.run(["sh", DOCS + "/make.sh", DOCS, out, needed], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60 * SLOW, check=False,
                          env={**os.environ, "npm_config_registry": AWAY, "npm_config_cache": f"{folder}/cache", **env})
    return done.returncode, done.stdout, sorted(os.listdir(out)) if os.path.isdir(out) else []


@pytest.fixture(params=["no registry", "no npm"])
def world(request):
    """Returns the environment of the command."""
    if request.param == "no npm":
        return {"NPM": "/nonexistent/npm"}
    if not nodejs.installed():
        pytest.skip("node and npm are not installed")
    return {"npm_config_fetch_retries": "0"}


def test_falls_back_to_the_plain_reference(tmp_path, world):
    os.mkdir(tmp_path / "docs")
    with open(tmp_path / "docs/swagger.html", "w", encoding="ascii") as file:
        file.write("of an earlier build")
    status, said, files = make(tmp_path, "auto", **world)
    assert (status, files) == (0, ["stamp"]), said
    assert said.splitlines()[-1] == ("make.sh: no Swagger UI and Redoc: npm could not get them; /docs and /redoc serve the plain "
                                     "reference (make clean and make try again)")


def test_fails_where_they_were_asked_for(tmp_path, world):
    """With configure --with-docs, the build fails without a registry."""
    status, said, files = make(tmp_path, "yes", **world)
    assert status == 1 and "stamp" not in files
    assert said.splitlines()[-1] == ("make.sh: npm could not get Swagger UI and Redoc; configure --without-docs does without them")
