# SPDX-License-Identifier: ISC
"""An authenticator app that computes the codes of a secret (RFC 6238), and accounts with a second factor."""

import base64
import hmac
import struct
import time

TOTP = "/api/auth/mfa/totp"
STEP_S = 30


def code_of(secret, step):
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">q", step), "sha1")
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at:at + 4])[0] & 0x7fffffff) % 1000000:06}"


class App:
    """Gives each code once, in order, so that a test can use two at a time: first the code of the previous step, then
    those of the current and the next step. The server accepts all three, also when the step changes in between."""

    def __init__(self, secret):
        self.secret, self.used = secret, 0

    def code(self):
        now = int(time.time()) // STEP_S
        self.used = max(self.used + 1, now)
        assert self.used <= now + 1, "more codes than the server accepts at a time"
        return code_of(self.secret, self.used)

    def wrong(self):
        now = int(time.time()) // STEP_S
        near = {code_of(self.secret, step) for step in range(now - 3, now + 4)}
        return next(code for code in ("000000", "111111", "222222", "333333", "444444", "555555", "666666", "777777") if code not in near)


def begin(user, password=None):
    return user.post(TOTP, {"password": password or user.password})


def turn_on(user):
    """Turns on the second factor of the account: (app, recovery codes). The app has two codes left at this time."""
    made = begin(user)
    assert made.status_code == 200, made.text
    app = App(made.json()["secret"])
    app.used = int(time.time()) // STEP_S - 1
    answer = user.post(TOTP + "/confirm", {"code": code_of(app.secret, app.used)})
    if answer.status_code == 422:       # the step changed in between
        answer = user.post(TOTP + "/confirm", {"code": app.code()})
    assert answer.status_code == 200, answer.text
    return app, answer.json()["recovery_codes"]


def first_step(api, user, password=None):
    """Logs in with the password and returns the ticket."""
    answer = api.post("/api/auth/login", {"username": user.name, "password": password or user.password})
    assert answer.status_code == 401 and answer.json()["code"] == "mfa_required", answer.text
    return answer.json()["mfa_ticket"]


def second_step(api, ticket, **given):
    return api.post("/api/auth/mfa", {"mfa_ticket": ticket, **given})
