# SPDX-License-Identifier: ISC
"""Tools of others accept the description: the linter of redocly, and a generated TypeScript client that is compiled and
run."""

import os

import pytest

import nodejs

LINTER, GENERATOR, COMPILER = "@redocly/cli/bin/cli.js", "openapi-typescript/bin/cli.js", "typescript/bin/tsc"


@pytest.fixture(scope="module")
def tools():
    return nodejs.prepare()


@pytest.fixture
def daemon(parlour):
    return parlour(guest="on")


@pytest.fixture
def description(daemon, tools):
    """Writes /openapi.json to a file."""
    path = os.path.join(tools, "openapi.json")
    with open(path, "w", encoding="utf-8") as file:
        file.write(daemon.get("/openapi.json").text)
    return path


def test_linter_has_nothing_to_say(tools, description):
    said = nodejs.run([*nodejs.program(tools, LINTER), "lint", "--config", "redocly.yaml", description], tools,
                      REDOCLY_TELEMETRY="off", REDOCLY_SUPPRESS_UPDATE_NOTICE="true")
    assert "warning" not in said.lower() and "valid" in said, said


def test_generated_client(tools, description, daemon):
    """The client tests/client/play.ts uses login, rooms, chat, sessions, figures, dashboards, and feedback."""
    nodejs.run([*nodejs.program(tools, GENERATOR), description, "-o", "api.d.ts"], tools)
    nodejs.run([*nodejs.program(tools, COMPILER), "-p", "."], tools)
    said = nodejs.run(["node", "out/play.js"], tools, PARLOUR_URL=daemon.url)
    assert said.splitlines()[-1] == "done", said
