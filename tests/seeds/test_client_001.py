# SPDX-License-Identifier: ISC
"""Document 001's front end: what it reads and sends beyond what the document prints. Small clients, and a page in a browser."""


def test_me_is_active(shared, ann):
    assert ann.get("/api/auth/me").json()["is_active"] is True
    assert shared.login(ann.name).tokens["user"]["is_active"] is True
