# SPDX-License-Identifier: ISC
"""The description as others use it: redocly's linter, and a TypeScript client that is generated, compiled and run."""

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
    """A file with /openapi.json."""
    path = os.path.join(tools, "openapi.json")
    with open(path, "w", encoding="utf-8") as file:
        file.write(daemon.get("/openapi.json").text)
    return path


def test_linter_has_nothing_to_say(tools, description):
    said = nodejs.run([*nodejs.program(tools, LINTER), "lint", "--config", "redocly.yaml", description], tools,
                      REDOCLY_TELEMETRY="off", REDOCLY_SUPPRESS_UPDATE_NOTICE="true")
    assert "warning" not in said.lower() and "valid" in said, said


def test_generated_client(tools, description, daemon):
    """login, rooms, chat, sessions, figures, dashboards, feedback: tests/client/play.ts."""
    nodejs.run([*nodejs.program(tools, GENERATOR), description, "-o", "api.d.ts"], tools)
    nodejs.run([*nodejs.program(tools, COMPILER), "-p", "."], tools)
    said = nodejs.run(["node", "out/play.js"], tools, PARLOUR_URL=daemon.url)
    assert said.splitlines()[-1] == "done", said
