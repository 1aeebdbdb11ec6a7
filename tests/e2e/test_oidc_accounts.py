# SPDX-License-Identifier: ISC
"""Identity providers: accounts that are found, linked, and created; links of users; settings."""

import os
import re
import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest

import cluster
from oidc_flow import (BACK, IDENTITIES, START, TOKEN, Browser, begin_link, error_of, link, other_person, provider, query_of,  # noqa: F401
                       serve, unique, unlink)
from parlour import wait_for
from totp import second_step, turn_on

LIST = "/api/auth/oidc"


# ---- accounts ----

@pytest.mark.parametrize("claims, name", [
    ({"preferred_username": "{0}"}, "{0}"), ({"preferred_username": "{0}@corp"}, "{0}"), ({"email": "{0}@example.net"}, "{0}"),
    ({"preferred_username": "  {0} Doe"}, "{0}-Doe"), ({"name": "Jörg {0}"}, "Jrg-{0}"), ({"preferred_username": "..{0}--"}, "{0}"),
    ({"preferred_username": "everyone", "email": "{0}@example.net"}, "{0}"), ({"preferred_username": "12345", "name": "{0}"}, "{0}")])
def test_names_of_new_accounts(serve, provider, claims, name):
    one = unique()
    provider.person.update({k: v.format(one) for k, v in claims.items()})
    assert Browser(serve()).user().name == name.format(one)


def test_taken_names(serve, provider):
    daemon, name = serve(), unique()
    provider.person["preferred_username"] = name
    found = []
    for _ in range(12):
        provider.person["sub"] = "s" + secrets.token_hex(6)
        found.append(Browser(daemon).user().name)
    assert found[:9] == [name, *[f"{name}-{n}" for n in range(2, 10)]]
    assert len(set(found)) == 12 and all(n.startswith(name) for n in found)


def test_a_name_without_letters(serve, provider):
    provider.person["preferred_username"] = "日本"
    assert Browser(serve()).user().name.startswith("newcomer")


def test_addresses_of_new_accounts(serve, provider):
    daemon, name = serve(), unique()
    daemon.register(name)
    cases = [({"email": f"{name}x@example.net", "email_verified": True}, f"{name}x@example.net"),
             ({"email": f"{name}y@example.net", "email_verified": "true"}, f"{name}y@example.net"),
             ({"email": f"{name}z@example.net", "email_verified": False}, None), ({"email": f"{name}z@example.net"}, None),
             ({"email": f"{name}z@example.net", "email_verified": 1}, None),
             ({"email": "not an address", "email_verified": True}, None)]
    for claims, email in cases:
        provider.person = {"sub": "s" + secrets.token_hex(6), **claims}
        assert Browser(daemon).user().get("/api/auth/me").json().get("email") == email, claims


def test_userinfo(serve, provider):
    name = unique()
    provider.lies.meta = {"userinfo_endpoint": provider.issuer + "/userinfo"}
    provider.lies.userinfo = {"preferred_username": name, "email": f"{name}@example.net", "email_verified": True}
    user = Browser(serve()).user()
    assert user.name == name and user.get("/api/auth/me").json()["email"] == f"{name}@example.net"


def test_only_linked_accounts(serve, provider):
    daemon = serve(oidc_register="off", registration="closed")
    assert error_of(daemon) == "no_account"
    daemon = serve(oidc_register="on", registration="closed")
    user = Browser(daemon).user()
    daemon.configure(oidc_register="off")
    daemon.reload()
    assert Browser(daemon).user().id == user.id
    other_person(provider)
    assert error_of(daemon) == "no_account"


def test_first_sign_ins_at_once(serve, provider, rows):
    daemon = serve(workers=2)
    browsers = [Browser(daemon) for _ in range(6)]
    backs = [b.at_provider(b.start()) for b in browsers]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda pair: pair[0].back(pair[1])[1], zip(browsers, backs)))
    assert all(list(f) == ["oidc_code"] for f in found)
    assert len({daemon.post(TOKEN, {"code": f["oidc_code"]}).json()["user"]["id"] for f in found}) == 1


def test_disabled_accounts(serve, provider):
    daemon = serve()
    user = Browser(daemon).user()
    code = Browser(daemon).sign_in()["oidc_code"]
    daemon.ctl("user", "disable", user.name)
    answer = daemon.post(TOKEN, {"code": code})
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_grant")
    assert error_of(daemon) == "refused"
    daemon.ctl("user", "enable", user.name)
    assert Browser(daemon).user().id == user.id


def test_locked_accounts(serve, provider):
    daemon = serve(lockout_attempts=2)
    user = daemon.register(unique())
    link(daemon, user)
    for _ in range(2):
        assert daemon.post("/api/auth/login", {"username": user.name, "password": "wrong horse 9"}).status_code == 401
    assert wait_for(lambda: error_of(daemon) == "refused", 10, "the lock counts")
    daemon.ctl("user", "unlock", user.name)
    assert Browser(daemon).user().id == user.id


def test_the_second_factor_is_asked(serve, provider):
    daemon = serve()
    user = daemon.register(unique())
    link(daemon, user)
    app, _ = turn_on(user)
    answer = Browser(daemon).tokens()
    assert (answer.status_code, answer.json()["code"]) == (401, "mfa_required")
    answer = second_step(daemon, answer.json()["mfa_ticket"], code=app.code())
    assert answer.status_code == 200 and answer.json()["user"]["id"] == user.id


def test_who_must_enrol(serve, provider):
    daemon = serve(mfa_required_for="all")
    answer = Browser(daemon).tokens()
    assert answer.status_code == 200 and answer.json()["mfa_enrolment_required"] is True


# ---- links ----

def test_link_and_unlink(serve, provider):
    daemon = serve(oidc_register="off")
    user = daemon.register(unique())
    provider.person["email"] = "somebody@example.net"
    assert user.get(IDENTITIES).json() == []
    assert link(daemon, user) == {"oidc_linked": "peer"}
    assert link(daemon, user) == {"oidc_linked": "peer"}, "again: nothing changes"
    (one,) = user.get(IDENTITIES).json()
    assert {k: one[k] for k in ("provider", "issuer", "subject", "email", "last_used_at")} == {
        "provider": "peer", "issuer": provider.issuer, "subject": provider.person["sub"], "email": "somebody@example.net",
        "last_used_at": None}
    assert Browser(daemon).user().id == user.id
    assert user.get(IDENTITIES).json()[0]["last_used_at"]
    other = daemon.register(unique())
    assert link(daemon, other) == {"oidc_error": "taken"}
    assert unlink(other, one["id"]).status_code == 404, "somebody else's"
    assert unlink(user, one["id"]).status_code == 204
    assert unlink(user, one["id"]).status_code == 404
    assert error_of(daemon) == "no_account"


def test_the_last_way_in(serve, provider):
    daemon = serve()
    user = Browser(daemon).user()
    (one,) = user.get(IDENTITIES).json()
    answer = unlink(user, one["id"])
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    other_person(provider)
    assert link(daemon, user) == {"oidc_linked": "peer"}
    assert unlink(user, one["id"]).status_code == 204
    (two,) = user.get(IDENTITIES).json()
    assert unlink(user, two["id"]).status_code == 409


def test_linking_needs_the_browser_and_the_login(serve, provider):
    daemon = serve(oidc_register="off")
    user = daemon.register(unique())
    mine, other = Browser(daemon), Browser(daemon)
    back = mine.at_provider(begin_link(mine, user).json()["url"])
    assert other.back(back)[1] == {"oidc_error": "expired"}
    assert user.post("/api/auth/logout").status_code == 204
    assert mine.back(back)[1] == {"oidc_error": "login_ended"}
    assert daemon.login(user.name).get(IDENTITIES).json() == []


def test_linking_refusals(serve, provider):
    daemon = serve()
    user = daemon.register(unique())
    for body, field in (({"provider": "nobody"}, "provider"), ({"return_to": "https://evil.example.org/"}, "return_to")):
        answer = begin_link(Browser(daemon), user, **body)
        assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["body", field]
    provider.lies.meta = {"issuer": "other"}
    answer = begin_link(Browser(daemon), user)
    assert (answer.status_code, answer.json()["code"]) == (502, "upstream_error")


def test_unknown_providers(serve):
    daemon = serve()
    for path in ("/api/auth/oidc/nobody/start", "/api/auth/oidc/nobody/callback?code=x&state=y"):
        assert daemon.get(path).status_code == 404


# ---- settings ----

def test_a_secret_from_a_file(serve, provider, workdir):
    provider.client_secret = "from-a-file"
    path = f"{workdir}/client-{secrets.token_hex(3)}.secret"
    with open(path, "w", encoding="ascii") as file:
        file.write("from-a-file\n")
    os.chmod(path, 0o600)
    cluster.give(path)
    assert Browser(serve(section={"client_secret": "", "client_secret_file": path})).tokens().status_code == 200


BAD = [({"issuer": ""}, {}, "issuer: is required"), ({"issuer": "http://id.example.org"}, {}, "must be an https"),
       ({"issuer": "http://127.0.0.1.example.org"}, {}, "must be an https"), ({"issuer": "ftp://x.example.org"}, {}, "must be an https"),
       ({"issuer": "http://localhost@evil.example.org"}, {}, "must be an https"),
       ({"client_id": ""}, {}, "client_id: is required"), ({"scopes": "email"}, {}, "must contain openid"),
       ({"client_secret_file": "/nowhere"}, {}, "not both"), ({"client_secret": "", "client_secret_file": "/nowhere"}, {}, "/nowhere"),
       ({"ca_file": "/nowhere"}, {}, "ca_file"), ({"proxy": "x"}, {}, "proxy"), ({"nonsense": "x"}, {}, "unknown setting"),
       ({"url": "x"}, {}, "belongs in a .llm NAME. section"), ({"workers": "2"}, {}, "belongs above"),
       ({}, {"public_url": ""}, "public_url: is required by"), ({}, {"oidc_return_to": "/x"}, "oidc_return_to"),
       ({}, {"oidc_return_to": "https://a.example.org/#x"}, "oidc_return_to")]


@pytest.mark.parametrize("section, settings, why", BAD)
def test_bad_settings(parlour, provider, section, settings, why):
    daemon = parlour(start=False, **{"public_url": "https://chat.example.org", **settings})
    daemon.oidc = {"peer": provider.settings(**section)}
    daemon.write_config()
    daemon.expect_error(".")
    daemon.start(ready=False)
    assert daemon.wait_exit() != 0 and re.search(why, daemon.log_text()), daemon.log_tail()


def test_http_by_setting(parlour, provider):
    daemon = parlour(start=False, public_url="https://chat.example.org/sub/")
    daemon.oidc = {"far": provider.settings(issuer="http://id.example.org", allow_http="on"), "peer": provider.settings()}
    daemon.write_config()
    daemon.start()
    assert [p["name"] for p in daemon.get(LIST).json()] == ["far", "peer"]
    answer = daemon.get(START)
    assert "; Path=/sub/api; " in answer.headers["Set-Cookie"] and answer.headers["Set-Cookie"].endswith("; Secure")
    assert query_of(answer.headers["Location"])["redirect_uri"] == "https://chat.example.org/sub" + BACK


def test_without_providers(parlour):
    daemon = parlour()
    assert daemon.get(LIST).json() == []
    assert daemon.get(START).status_code == 404


# ---- accounts with the same address ----

def test_linking_by_address(serve, provider, pg, database):
    """Accounts are linked by address only with the setting, and only if both sides have verified the address."""
    def verified(user, how="now()"):
        pg.admin(f"UPDATE users SET email_verified_at = {how} WHERE id = {user.id}", database)
    daemon = serve(oidc_register="off", oidc_link_by_email="on")
    user = daemon.register(unique())
    address = f"{user.name}@example.org"
    cases = [(False, True), (True, False), (True, "yes"), (True, None)]
    for here, there in cases:
        verified(user, "now()" if here else "NULL")
        provider.person = {"sub": "s" + secrets.token_hex(6), "email": address, "email_verified": there}
        assert error_of(daemon) == "no_account", (here, there)
    verified(user)
    provider.person.update(email=address.upper(), email_verified=True)
    assert Browser(daemon).user().id == user.id
    provider.person.update(email="another@example.net", email_verified=False)
    assert Browser(daemon).user().id == user.id, "linked by subject from now on"
    daemon.configure(oidc_link_by_email="off")
    daemon.reload()
    other_person(provider)
    provider.person.update(email=address, email_verified=True)
    assert error_of(daemon) == "no_account"


def test_a_recycled_address(serve, provider, pg, database):
    """The provider gives the address to another person, who does not get the account that is linked already."""
    daemon = serve(oidc_register="off", oidc_link_by_email="on")
    user = daemon.register(unique())
    pg.admin(f"UPDATE users SET email_verified_at = now() WHERE id = {user.id}", database)
    provider.person.update(email=f"{user.name}@example.org", email_verified=True)
    assert Browser(daemon).user().id == user.id
    other_person(provider)
    provider.person.update(email=f"{user.name}@example.org", email_verified=True)
    assert error_of(daemon) == "no_account"
    daemon.configure(oidc_register="on")
    daemon.reload()
    assert Browser(daemon).user().id != user.id
    assert len(user.get(IDENTITIES).json()) == 1


def test_one_address_and_two_subjects_at_once(serve, provider, pg, database):
    daemon = serve(oidc_register="off", oidc_link_by_email="on", workers=2)
    user = daemon.register(unique())
    pg.admin(f"UPDATE users SET email_verified_at = now() WHERE id = {user.id}", database)
    backs = []
    for _ in range(6):
        browser = Browser(daemon)
        backs.append((browser, browser.at_provider(browser.start())))
    subjects = iter(range(100))
    true_token = provider.id_token

    def another(nonce):
        provider.person = {"sub": f"s{next(subjects)}", "email": f"{user.name}@example.org", "email_verified": True}
        return true_token(nonce)
    provider.id_token = another
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda pair: pair[0].back(pair[1])[1], backs))
    assert sorted(next(iter(f)) for f in found) == ["oidc_code"] + ["oidc_error"] * 5
    assert len(user.get(IDENTITIES).json()) == 1


def test_a_taken_address_stays_with_its_account(serve, provider, pg, database):
    daemon = serve()
    user = daemon.register(unique())
    pg.admin(f"UPDATE users SET email_verified_at = now() WHERE id = {user.id}", database)
    provider.person.update(email=f"{user.name}@example.org", email_verified=True)
    found = Browser(daemon).user()
    assert found.id != user.id and found.get("/api/auth/me").json().get("email") is None
    other_person(provider)
    provider.person.update(email=f"{unique()}@example.net", email_verified=True)
    found = Browser(daemon).user()
    assert pg.admin(f"SELECT email_verified_at IS NOT NULL FROM users WHERE id = {found.id}", database) == [(True,)]
