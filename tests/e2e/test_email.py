# SPDX-License-Identifier: ISC
"""E-mail addresses are verified by a link, changed by a link, and unique once they are verified."""

import hashlib
import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from mail_peer import RudePeer
from parlour import porters, wait_for
from usagedata import unique

VERIFY = "/api/auth/email/verify"                 # covers: POST /api/auth/email/verify
AGAIN = "/api/auth/email/verification"            # covers: POST /api/auth/email/verification
CHANGE = "/api/profile/email"                     # covers: POST /api/profile/email
PUBLIC = "https://chat.example.org"
PASSWORD, NEW = "correct horse 9", "battery staple 7"
FORGOT = "/api/auth/password/reset"
RESET = re.compile(re.escape(PUBLIC) + r"/reset-password#([0-9a-f]{64})(?=\s)")
LINK = re.compile(re.escape(PUBLIC) + r"/verify-email#([0-9a-f]{64})(?=\s)")


@pytest.fixture(autouse=True)
def empty_queue(rows):
    rows("DELETE FROM jobs")


@pytest.fixture
def mailing(parlour, smtp):
    """mailing() returns (a daemon that can mail links, its mail server)."""
    def make(peer=None, **settings):
        peer = peer or smtp()
        return parlour(**{"smtp_url": f"smtp://127.0.0.1:{peer.port}/parlour.example", "smtp_tls": "off", "public_url": PUBLIC + "/",
                          "mail_from": "bot@parlour.example", "rate_login": "10000/min", "email_verification": "on", **settings}), peer
    return make


def settled(rows):
    """Waits until all mails about accounts were sent or dropped, and returns how many of each."""
    wait_for(lambda: not rows("SELECT 1 FROM jobs WHERE kind = 'account_mail' AND state IN ('waiting', 'running')"), 20, "no mail waits")
    return dict(rows("SELECT state, count(*) FROM jobs WHERE kind = 'account_mail' GROUP BY 1"))


def token_of(mail):
    return LINK.search(mail.body).group(1)


def mail_to(peer, address):
    """Returns the newest mail to an address."""
    def found():
        return [mail for mail in peer.mails if mail.to == [address]]
    return wait_for(found, 20, f"a mail to {address}")[-1]


def verify(daemon, token):
    return daemon.post(VERIFY, {"token": token})


def is_bad_token(answer):
    return answer.status_code == 422 and [e["loc"] for e in answer.json()["detail"]] == [["body", "token"]]


def is_verified(user):
    return user.get("/api/auth/me").json()["email_verified"]


def ask_change(user, address, password=PASSWORD):
    return user.post(CHANGE, {"email": address, "password": password})


def mail_of(name):
    return name + "@example.org"


def sign_up(daemon, name, address, status=201):
    answer = daemon.post("/api/auth/register", {"username": name, "email": address, "password": PASSWORD})
    assert answer.status_code == status, answer.text
    return answer.json()


def test_a_new_account_gets_a_link(mailing, rows):
    daemon, peer = mailing(server_name="Tea house")
    user = daemon.register()
    assert is_verified(user) is False
    mail = mail_to(peer, mail_of(user.name))
    token = token_of(mail)
    assert mail.subject == "Tea house: verify your e-mail address" and user.name in mail.body
    assert settled(rows) == {"done": 1}
    stored = str(rows("SELECT j.* FROM jobs j") + rows("SELECT t.* FROM account_tokens t"))
    assert token not in stored and token not in daemon.log_text() and hashlib.sha256(token.encode()).hexdigest() in str(
        rows(f"SELECT encode(token_hash, 'hex') FROM account_tokens WHERE user_id = {user.id}"))
    for wrong in ("x", token[:-1], token.upper(), user.access[:200]):
        assert is_bad_token(verify(daemon, wrong)), wrong
    page = daemon.get("/verify-email")            # covers: GET /verify-email
    assert page.status_code == 200 and page.headers["referrer-policy"] == "no-referrer"
    assert daemon.http.get("/verify-email", headers={"If-None-Match": page.headers["etag"]}).status_code == 304
    assert is_verified(user) is False, "opening the page uses nothing"
    assert verify(daemon, token).status_code == 204 and is_verified(user) is True
    assert is_bad_token(verify(daemon, token)), "once"
    assert rows(f"SELECT actor_id, address FROM audit WHERE target = 'user:{user.id}' AND action = 'e-mail address verified'") == \
        [(user.id, "127.0.0.1")]


def test_the_link_again(mailing, rows):
    """A user requests another link by name or address, also without a login; at most three in an hour, and the reply
    does not reveal whether the account exists."""
    daemon, peer = mailing()
    user = daemon.register()
    first = token_of(mail_to(peer, mail_of(user.name)))
    bodies = [{"username": user.name}, {"email": mail_of(user.name).upper()}, {"username": user.name}, {"username": unique()},
              {"email": mail_of(unique())}]
    answers = []
    for body in bodies:
        answers.append(daemon.post(AGAIN, body))
        settled(rows)
    assert {(a.status_code, a.text) for a in answers} == {(202, answers[0].text)}
    assert len(peer.mails) == 3 and {tuple(mail.to) for mail in peer.mails} == {(mail_of(user.name),)}
    assert rows(f"SELECT count(*) FROM audit WHERE target = 'user:{user.id}' AND action = 'e-mail verification refused: three mails in an hour'") == [(1,)]
    assert verify(daemon, token_of(peer.mails[2])).status_code == 204
    assert is_bad_token(verify(daemon, first)), "the others ended"
    rows("DELETE FROM account_tokens")
    daemon.post(AGAIN, {"username": user.name})
    settled(rows)
    assert len(peer.mails) == 3, "it is verified"


@pytest.mark.parametrize("body, fields", [
    ({}, ["email"]), ({"email": "ann@example.org", "username": "ann"}, ["username"]), ({"email": "ann"}, ["email"]), ({"username": 7}, ["username"])])
def test_what_cannot_be_asked_for(mailing, body, fields):
    answer = mailing()[0].post(AGAIN, body)
    assert answer.status_code == 422 and [e["loc"][1] for e in answer.json()["detail"]] == fields, answer.text


@pytest.mark.parametrize("missing", ["smtp_url", "public_url"])
def test_a_server_without_mail(mailing, rows, missing):
    """Without mail, the server queues nothing, and a changed address takes effect at once."""
    daemon, _ = mailing(**{missing: ""})
    user, other = daemon.register(), daemon.register()
    assert rows("SELECT count(*) FROM jobs") == [(0,)]
    answer = daemon.post(AGAIN, {"username": user.name})
    assert answer.status_code == 501 and missing in answer.json()["detail"]
    rows(f"UPDATE users SET email_verified_at = now() WHERE id IN ({user.id}, {other.id})")
    address = mail_of(unique())
    assert ask_change(user, mail_of(other.name)).status_code == 409
    assert ask_change(user, address, "wrong password").status_code == 422
    assert ask_change(user, address).status_code == 200
    me = user.get("/api/auth/me").json()
    assert (me["email"], me["email_verified"]) == (address, False)
    again = ask_change(user, address.upper())
    assert again.status_code == 422 and again.json()["detail"][0]["loc"] == ["body", "email"]
    assert rows("SELECT count(*) FROM jobs") == [(0,)]


def test_only_verified_addresses_are_unique(mailing, rows):
    daemon, peer = mailing()
    one, two, address = unique(), unique(), mail_of(unique())
    sign_up(daemon, one, address)
    sign_up(daemon, two, address.upper())
    wait_for(lambda: len(peer.mails) == 2, 20, "both got a mail")
    tokens = {name: token_of(next(mail for mail in peer.mails if name in mail.body)) for name in (one, two)}
    assert verify(daemon, tokens[two]).status_code == 204
    answer = verify(daemon, tokens[one])
    assert answer.status_code == 409 and answer.json()["code"] == "taken"
    assert sign_up(daemon, unique(), address, 409)["code"] == "taken"
    assert daemon.post("/api/auth/login", {"username": address, "password": PASSWORD}).json()["user"]["username"] == two
    rows(f"UPDATE users SET email_verified_at = NULL WHERE username = '{two}'")
    assert verify(daemon, tokens[one]).status_code == 204, "it was not used up"
    assert daemon.post("/api/auth/login", {"username": address, "password": PASSWORD}).json()["user"]["username"] == one


def test_several_accounts_with_one_address(mailing, rows):
    """Each account with the address gets a mail that names the account, so that nobody verifies the account of another
    by mistake."""
    daemon, peer = mailing()
    address, names = mail_of(unique()), sorted(unique() for _ in range(2))
    for name in names:
        sign_up(daemon, name, address)
    settled(rows)
    peer.mails.clear()
    assert daemon.post(AGAIN, {"email": address}).status_code == 202
    wait_for(lambda: len(peer.mails) == 2, 20, "two mails")
    assert sorted(name for name in names for mail in peer.mails if name in mail.body) == names


def test_of_two_at_once_one_gets_the_address(mailing):
    daemon, peer = mailing(workers=2)
    address, names = mail_of(unique()), [unique(), unique()]
    for name in names:
        sign_up(daemon, name, address)
    wait_for(lambda: len(peer.mails) == 2, 20, "both got a mail")
    with ThreadPoolExecutor(2) as pool:
        got = list(pool.map(lambda mail: daemon.once("POST", VERIFY, json={"token": token_of(mail)}).status_code, peer.mails))
    assert sorted(got) == [204, 409]


def test_another_address(mailing, rows):
    daemon, peer = mailing(server_name="Tea house")
    user = daemon.register()
    old, new = mail_of(user.name), mail_of(unique())
    assert verify(daemon, token_of(mail_to(peer, old))).status_code == 204
    settled(rows)
    peer.mails.clear()
    assert ask_change(user, new).status_code == 202
    token = token_of(mail_to(peer, new))
    assert mail_to(peer, old).subject == "Tea house: your e-mail address is to be changed" and "#" not in mail_to(peer, old).body
    me = user.get("/api/auth/me").json()
    assert (me["email"], me["email_verified"]) == (old, True), "it counts after the link was used"
    assert verify(daemon, token).status_code == 204
    me = user.get("/api/auth/me").json()
    assert (me["email"], me["email_verified"]) == (new, True)
    settled(rows)
    assert [mail.subject for mail in peer.mails if mail.to == [old]][-1] == "Tea house: your e-mail address was changed"
    assert is_bad_token(verify(daemon, token))
    actions = [row[0] for row in rows(f"SELECT action FROM audit WHERE target = 'user:{user.id}' AND action LIKE 'e-mail%' ORDER BY id")]
    assert actions == ["e-mail address verified", "e-mail address change asked for", "e-mail address changed", "e-mail address verified"]
    assert new not in str(rows("SELECT * FROM audit"))


@pytest.mark.parametrize("body, field", [
    ({"email": "ann", "password": PASSWORD}, "email"), ({"password": PASSWORD}, "email"), ({"email": "a@example.org"}, "password"),
    ({"email": "a@example.org", "password": "wrong password"}, "password"), ({"email": "a@example.org", "password": PASSWORD, "x": 1}, "x")])
def test_a_change_that_is_refused(mailing, rows, body, field):
    daemon, _ = mailing()
    answer = daemon.register().post(CHANGE, body)
    assert answer.status_code == 422 and [e["loc"] for e in answer.json()["detail"]] == [["body", field]], answer.text
    assert rows("SELECT count(*) FROM jobs WHERE payload ->> 'what' = 'change'") == [(0,)]


def test_a_change_to_the_address_of_another(mailing, rows):
    """The reply does not reveal that another user has the address; the link fails."""
    daemon, peer = mailing()
    user, other = daemon.register(), daemon.register()
    assert verify(daemon, token_of(mail_to(peer, mail_of(other.name)))).status_code == 204
    settled(rows)
    peer.mails.clear()
    assert ask_change(user, mail_of(other.name)).status_code == 202
    answer = verify(daemon, token_of(mail_to(peer, mail_of(other.name))))
    assert answer.status_code == 409 and user.get("/api/auth/me").json()["email"] == mail_of(user.name)


def test_a_new_password_ends_a_change(mailing, rows):
    """A new password cancels a pending change, because an attacker may have requested it."""
    daemon, peer = mailing()
    user, new = daemon.register(), mail_of(unique())
    assert ask_change(user, new).status_code == 202
    token = token_of(mail_to(peer, new))
    assert user.post("/api/auth/password", {"current_password": PASSWORD, "new_password": NEW}).status_code == 204
    assert is_bad_token(verify(daemon, token))
    settled(rows)
    assert [mail.to for mail in peer.mails if LINK.search(mail.body)].count([new]) == 1


@pytest.mark.parametrize("change", [
    "UPDATE account_tokens SET expires_at = now() WHERE user_id = {id}", "UPDATE users SET disabled = true WHERE id = {id}",
    "UPDATE users SET email = 'elsewhere-' || id || '@example.org' WHERE id = {id}"], ids=["a day passed", "disabled", "another address"])
def test_a_link_that_is_not_valid_any_more(mailing, rows, change):
    daemon, peer = mailing()
    user = daemon.register()
    token = token_of(mail_to(peer, mail_of(user.name)))
    rows(change.format(id=user.id))
    assert is_bad_token(verify(daemon, token))
    assert rows(f"SELECT email_verified_at FROM users WHERE id = {user.id}") == [(None,)]


def test_who_must_verify(mailing, rows):
    """With require_email_verification, registration returns no tokens, and login fails until the link was used."""
    daemon, peer = mailing(require_email_verification="on")
    name = unique()
    key = {"Idempotency-Key": unique() + unique()}
    body = {"username": name, "email": mail_of(name), "password": PASSWORD}
    first = daemon.http.post("/api/auth/register", json=body, headers=key)
    assert first.status_code == 202 and set(first.json()) == {"message"}
    again = daemon.http.post("/api/auth/register", json=body, headers=key)
    assert (again.status_code, again.json()) == (202, first.json())
    assert rows(f"SELECT count(*) FROM login_sessions l JOIN users u ON u.id = l.user_id WHERE u.username = '{name}'") == [(0,)]
    for path in ("/api/auth/login", "/auth/refresh"):
        refused = daemon.post(path, {"username": name, "password": PASSWORD})
        assert refused.status_code == 403 and refused.json()["code"] == "email_unverified"
    wrong = daemon.post("/api/auth/login", {"username": name, "password": "wrong password"})
    assert wrong.status_code == 401 and wrong.json()["code"] == "invalid_grant", "the password comes first"
    assert verify(daemon, token_of(mail_to(peer, mail_of(name)))).status_code == 204
    assert daemon.login(name).get("/api/auth/me").json()["email_verified"] is True
    rows(f"UPDATE users SET email = NULL WHERE username = '{name}'")
    assert daemon.login(name), "nothing to verify"


@pytest.mark.parametrize("missing", ["smtp_url", "public_url"])
def test_the_rule_needs_mail(parlour, missing):
    settings = {"smtp_url": "smtp://127.0.0.1:1", "public_url": PUBLIC, "mail_from": "a@b.org", missing: ""}
    daemon = parlour(start=False, require_email_verification="on", **settings)
    done = daemon.ctl("check", check=False)
    assert done.returncode != 0 and "require_email_verification" in done.stderr


@pytest.mark.parametrize("victim", ["courier", "porter"])
def test_a_courier_that_is_killed(mailing, rows, victim):
    """After kill -9 before the reply of the mail server, the mail is sent again with another link, and both are
    valid."""
    peer = RudePeer()
    daemon, _ = mailing(peer)

    def die(_mail):
        gone = porters(daemon)
        for pid in daemon.procs("courier").values() if victim == "courier" else gone:
            daemon.kill_child(pid) if victim == "courier" else os.kill(pid, signal.SIGKILL)    # pylint: disable=expression-not-assigned
        wait_for(lambda: not gone & porters(daemon), 10, "the try is over")

    try:
        wait_for(lambda: "QUIT" in peer.lines, 20, "the courier has looked at its server")
        peer.plan["dot"] = [die]
        user = daemon.register()
        wait_for(lambda: len(peer.accepted) == 2, 30, "it was sent again")
        assert settled(rows) == {"done": 1} and len(set(peer.ids())) == 1
        assert rows(f"SELECT count(*), count(DISTINCT job_id) FROM account_tokens WHERE user_id = {user.id}") == [(2, 1)]
    finally:
        peer.stop()


def test_the_usual_setting(parlour, smtp):
    """Returns settings of a server that can mail links, with defaults for the rest."""
    peer = smtp()
    daemon = parlour(start=False, smtp_url=f"smtp://127.0.0.1:{peer.port}", smtp_tls="off", public_url=PUBLIC, mail_from="bot@parlour.example")
    del daemon.settings["email_verification"]
    daemon.write_config()
    daemon.start()
    assert token_of(mail_to(peer, mail_of(daemon.register().name)))


@pytest.mark.parametrize("required", ["off", "on"])
def test_without_mails_to_new_accounts(mailing, rows, required):
    """With email_verification = off, new accounts get no mail; users can request it, and it is sent where it is
    required."""
    daemon, peer = mailing(email_verification="off", require_email_verification=required)
    name = unique()
    sign_up(daemon, name, mail_of(name), 202 if required == "on" else 201)
    assert rows("SELECT count(*) FROM jobs WHERE kind = 'account_mail'") == [(1 if required == "on" else 0,)]
    assert daemon.post(AGAIN, {"username": name}).status_code == 202
    assert verify(daemon, token_of(mail_to(peer, mail_of(name)))).status_code == 204


def reset_tokens(peer, names):
    """Returns the tokens for new passwords by the account that their mails name."""
    found = [(mail, RESET.search(mail.body)) for mail in peer.mails]
    return {name: link.group(1) for mail, link in found if link for name in names if name in mail.body}


@pytest.mark.parametrize("by", ["username", "email"])
def test_a_new_password_by_mail_verifies(mailing, rows, by):
    """An address that nobody has verified, also from before the migration, gets links and is verified by them."""
    daemon, peer = mailing(email_verification="off")
    user = daemon.register()
    assert daemon.post(FORGOT, {by: user.name if by == "username" else mail_of(user.name)}).status_code == 202
    token = RESET.search(mail_to(peer, mail_of(user.name)).body).group(1)
    assert is_verified(user) is False
    assert daemon.post(FORGOT + "/confirm", {"token": token, "new_password": NEW}).status_code == 204
    assert is_verified(daemon.login(user.name, NEW)) is True
    assert rows(f"SELECT actor_id FROM audit WHERE target = 'user:{user.id}' AND action = 'e-mail address verified'") == [(user.id,)]


def test_a_new_password_for_one_of_several(mailing, rows):
    """Nobody has verified the address: the three oldest accounts that are not disabled each get a mail that names
    them."""
    daemon, peer = mailing(email_verification="off")
    address, names = mail_of(unique()), [unique() for _ in range(5)]
    for name in names:
        sign_up(daemon, name, address)
    rows(f"UPDATE users SET disabled = true WHERE username = '{names[0]}'")
    assert daemon.post(FORGOT, {"email": address}).status_code == 202
    assert settled(rows) == {"done": 3, "dropped": 1}
    tokens = reset_tokens(peer, names)
    assert set(tokens) == set(names[1:4])
    assert daemon.post(FORGOT, {"username": names[4]}).status_code == 202, "by its name"
    assert settled(rows) == {"done": 4, "dropped": 1} and len(peer.mails) == 4
    assert daemon.post(FORGOT + "/confirm", {"token": tokens[names[2]], "new_password": NEW}).status_code == 204
    for name in (names[1], names[3]):
        answer = daemon.post(FORGOT + "/confirm", {"token": tokens[name], "new_password": NEW})
        assert is_bad_token(answer), "the address is that of another account now"
    for body in ({"username": names[1]}, {"email": address}):
        assert daemon.post(FORGOT, body).status_code == 202
    assert settled(rows) == {"done": 5, "dropped": 2}
    assert names[2] in peer.mails[-1].body
    assert rows("SELECT count(*) FROM audit WHERE action = 'password reset refused: another account has verified the address' "
                f"AND target = (SELECT 'user:' || id FROM users WHERE username = '{names[1]}')") == [(1,)]


def test_an_operator_mails_no_link_to_the_address_of_another(mailing, rows):
    daemon, _ = mailing(email_verification="off")
    boss, user, other = (daemon.register() for _ in range(3))
    rows(f"UPDATE users SET access = 'admin' WHERE id = {boss.id}")
    boss = daemon.login(boss.name)
    rows(f"UPDATE users SET email = (SELECT email FROM users WHERE id = {user.id}), email_verified_at = now() WHERE id = {other.id}")
    assert boss.post(f"/api/admin/users/{user.name}/reset").status_code == 409
    assert boss.post(f"/api/admin/users/{other.name}/reset").status_code == 204
    shown = {name: boss.get(f"/api/admin/users/{name}").json()["email_verified"] for name in (user.name, other.name)}
    assert shown == {user.name: False, other.name: True}


def test_mails_to_one_address(mailing, rows):
    """An address gets at most ten mails in an hour, also for several accounts."""
    daemon, peer = mailing()
    address = mail_of(unique())
    for _ in range(12):
        sign_up(daemon, unique(), address)
    assert settled(rows) == {"done": 10, "dropped": 2} and len(peer.mails) == 10
