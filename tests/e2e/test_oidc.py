# SPDX-License-Identifier: ISC
"""Signing in through identity providers: the normal flow, and a provider that sends wrong data in every part."""

import base64
import hashlib
import json
import re
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from oidc_flow import APP, BACK, START, TOKEN, Browser, error_of, provider, query_of, serve, unique  # noqa: F401
from oidc_peer import Key, Provider, b64
from parlour import SLOW, User, free_port, wait_for

LIST = "/api/auth/oidc"                             # covers: GET /api/auth/oidc
METADATA = "/.well-known/openid-configuration"


@pytest.fixture(scope="module")
def keys():
    return {alg: Key(alg) for alg in ("RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA")}


# ---- the flow ----

def test_the_whole_flow(serve, provider, rows):
    daemon, name = serve(), unique()
    provider.person.update(preferred_username=name, email=f"{name}@example.net", email_verified=True, name="Pat Doe " + name)
    assert daemon.get(LIST).json() == [{"name": "peer", "label": "Peer", "start_path": START}]
    browser = Browser(daemon)
    first = browser.http.get(START)
    cookie = first.headers["Set-Cookie"]
    assert re.fullmatch(r"parlour_oidc=[\w-]{43}; Path=/api; Max-Age=600; HttpOnly; SameSite=Lax", cookie), cookie
    url = first.headers["Location"]
    sent = query_of(url)
    assert {k: sent[k] for k in ("response_type", "client_id", "redirect_uri", "scope", "code_challenge_method")} == {
        "response_type": "code", "client_id": "parlour", "redirect_uri": daemon.url + BACK, "scope": "openid email profile",
        "code_challenge_method": "S256"}
    back = browser.at_provider(url)
    page, found = browser.back(back)
    assert page == daemon.url + "/" and list(found) == ["oidc_code"]
    answer = daemon.post(TOKEN, {"code": found["oidc_code"]})
    assert answer.status_code == 200, answer.text
    user = User(daemon, name, "", answer.json())
    me = user.get("/api/auth/me").json()
    assert (me["username"], me["email"], me["name"]) == (name, f"{name}@example.net", "Pat Doe " + name)
    assert user.refresh_now().status_code == 200
    assert rows(f"SELECT kind FROM login_sessions WHERE user_id = {user.id}") == [("login",)]
    again = daemon.post(TOKEN, {"code": found["oidc_code"]})
    assert (again.status_code, again.json()["code"]) == (401, "invalid_grant"), "a code counts once"
    assert browser.back(back)[1] == {"oidc_error": "expired"}, "so does the state"
    assert provider.count("/token") == 1
    stored = str(rows("SELECT * FROM oidc_flows")) + str(rows("SELECT * FROM oidc_codes"))
    assert found["oidc_code"] not in stored and sent["state"] not in daemon.log_text()
    secret = re.search(r"parlour_oidc=([\w-]+)", cookie)[1]
    for hidden in (secret, found["oidc_code"], query_of(back)["code"], provider.client_secret):
        assert hidden not in daemon.log_text()
    assert Browser(daemon).user().id == user.id, "the second sign-in finds the account"
    assert [a for a, in rows(f"SELECT action FROM audit WHERE target = 'user:{user.id}' ORDER BY id")][:2] == [
        "account created", "identity linked"]


def test_revocation_is_immediate(serve, provider):
    daemon = serve(workers=2)
    user = Browser(daemon).user()
    with user.ws() as sock:
        assert user.post("/api/auth/logout", {"scope": "global"}).status_code == 204
        assert sock.wait_closed() == 4410
    assert all(user.get("/api/auth/me").status_code == 401 for _ in range(8))


@pytest.mark.parametrize("alg", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"])
def test_algorithms(serve, provider, keys, alg):
    provider.key = Key(alg) if alg not in keys else keys[alg]
    daemon = serve()
    assert Browser(daemon).tokens().status_code == 200


@pytest.mark.parametrize("methods, section, header", [
    (None, {}, True), (["client_secret_post"], {}, False), (["client_secret_basic", "client_secret_post"], {}, True),
    (["private_key_jwt"], {"client_auth": "post"}, False), (["client_secret_post"], {"client_auth": "basic"}, True)])
def test_client_authentication(serve, provider, methods, section, header):
    provider.lies.meta = {"token_endpoint_auth_methods_supported": methods}
    assert Browser(serve(section=section)).tokens().status_code == 200
    _, _, form, headers = next(s for s in provider.seen if s[1] == "/token")
    assert ("Authorization" in headers, "client_secret" in form) == (header, not header)


def test_a_public_client(serve, provider):
    provider.client_secret = ""
    assert Browser(serve(section={"client_secret": ""})).tokens().status_code == 200


# ---- a provider that lies ----

def claim(**claims):
    return lambda p: p.lies.claims.update(claims)


def header(**fields):
    return lambda p: p.lies.header.update(fields)


def alg(name):
    return lambda p: setattr(p.lies, "alg", name)


def reply(path, status, text, **headers):
    return lambda p: p.lies.at.update({path: (status, headers, text)})


def meta(**fields):
    return lambda p: p.lies.meta.update(fields)


def edited(change):
    return lambda p: setattr(p.lies, "token", change)


def other_payload(token):
    head, body, sig = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    return ".".join([head, b64(json.dumps({**claims, "sub": "somebody else"}).encode()), sig])


def foreign_key(p):
    stranger = Key("RS256", kid=p.key.kid, which=1)
    p.key = type("Both", (), {"alg": "RS256", "kid": p.key.kid, "jwk": p.key.jwk, "sign": stranger.sign})()


def elliptic(p):
    """ES256 with the kid of an RSA key."""
    other = Key("ES256", kid=p.key.kid)
    p.key = type("Both", (), {"alg": "ES256", "kid": p.key.kid, "jwk": p.key.jwk, "sign": other.sign})()


DEEP = "[" * 50000 + "]" * 50000
NOW = time.time
# name: the lie, the error code for the page, the text in the log
LIES = {
    "another issuer": (claim(iss="https://evil.example.org"), "invalid_token", "another issuer"),
    "issuer with a slash": (lambda p: p.lies.claims.update(iss=p.issuer + "/"), "invalid_token", "another issuer"),
    "no issuer": (claim(iss=None), "invalid_token", "another issuer"),
    "another audience": (claim(aud="somebody"), "invalid_token", "another client .aud"),
    "no audience": (claim(aud=None), "invalid_token", "another client .aud"),
    "an empty audience": (claim(aud=[]), "invalid_token", "another client .aud"),
    "an audience that begins alike": (claim(aud="parlour2"), "invalid_token", "another client .aud"),
    "two audiences, no azp": (claim(aud=["parlour", "other"]), "invalid_token", "azp"),
    "another azp": (claim(azp="other"), "invalid_token", "azp"),
    "another nonce": (claim(nonce="x" * 43), "invalid_token", "nonce"),
    "no nonce": (claim(nonce=None), "invalid_token", "nonce"),
    "nonce is a number": (claim(nonce=5), "invalid_token", "nonce"),
    "expired": (lambda p: p.lies.claims.update(exp=int(NOW()) - 3600), "invalid_token", "expired"),
    "no exp": (claim(exp=None), "invalid_token", "exp"),
    "exp is text": (claim(exp="soon"), "invalid_token", "exp"),
    "exp is endless": (claim(exp=1e300), "invalid_token", "exp"),
    "from the future": (lambda p: p.lies.claims.update(iat=int(NOW()) + 3600), "invalid_token", "future"),
    "no iat": (claim(iat=None), "invalid_token", "iat"),
    "not valid yet": (lambda p: p.lies.claims.update(nbf=int(NOW()) + 3600), "invalid_token", "nbf"),
    "no subject": (claim(sub=None), "invalid_token", "subject"),
    "an empty subject": (claim(sub=""), "invalid_token", "subject"),
    "a number as subject": (claim(sub=7), "invalid_token", "subject"),
    "a long subject": (claim(sub="s" * 256), "invalid_token", "subject"),
    "alg none": (alg("none"), "invalid_token", "algorithm"),
    "alg nOnE": (header(alg="nOnE"), "invalid_token", "algorithm"),
    "HS256 under the RSA key": (alg("HS256"), "invalid_token", "algorithm"),
    "HS512 under the RSA key": (alg("HS512"), "invalid_token", "algorithm"),
    "no alg": (header(alg=None), "invalid_token", "algorithm"),
    "RS384 in the header, RS256 as signature": (header(alg="RS384"), "invalid_token", "signature"),
    "PS256 in the header, RS256 as signature": (header(alg="PS256"), "invalid_token", "signature"),
    "ES256 under an RSA key": (elliptic, "invalid_token", "does not fit the type"),
    "an alg that the key does not have": (lambda p: setattr(p.lies, "keys", [p.key.jwk(alg="RS512")]), "invalid_token", "does not fit"),
    "critical extensions": (header(crit=["exp"]), "invalid_token", "critical"),
    "signed by a stranger": (foreign_key, "invalid_token", "signature"),
    "another payload": (edited(other_payload), "invalid_token", "signature"),
    "no signature": (edited(lambda t: t.rsplit(".", 1)[0] + "."), "invalid_token", "signature"),
    "a cut signature": (edited(lambda t: t[:-10]), "invalid_token", "signature|compact"),
    "two parts": (edited(lambda t: t.rsplit(".", 1)[0]), "invalid_token", "compact"),
    "five parts": (edited(lambda t: t + ".x.y"), "invalid_token", "compact"),
    "not base64": (edited(lambda t: "?" + t[1:]), "invalid_token", "compact"),
    "not a token": (edited(lambda t: "hello"), "invalid_token", "compact"),
    "an empty token": (edited(lambda t: ""), "invalid_token", "compact"),
    "a token of 20 KB": (claim(padding="x" * 20000), "invalid_token", "16 KB"),
    "an unknown kid": (header(kid="unknown"), "invalid_token", "not in the key set"),
    "a key for encryption": (lambda p: setattr(p.lies, "keys", [p.key.jwk(use="enc")]), "invalid_token", "not in the key set"),
    "a weak key": (lambda p: setattr(p, "key", Key(bits=1024)), "invalid_token", "not in the key set"),
    "keys: none": (lambda p: setattr(p.lies, "keys", []), "invalid_token", "not in the key set"),
    "keys: 65": (lambda p: setattr(p.lies, "keys", [p.key.jwk()] * 65), "provider_error", "at most 64"),
    "keys: not a list": (reply("/jwks", 200, {"keys": 5}), "provider_error", "key set"),
    "keys: odd entries": (reply("/jwks", 200, {"keys": [5, {}, {"kty": "RSA"}, {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
                                                        {"kty": "OKP", "crv": "Ed25519", "x": "?"}]}), "invalid_token", "key set"),
    "keys: status 500": (reply("/jwks", 500, {}), "provider_error", "key set"),
    "keys: not JSON": (reply("/jwks", 200, b"<html>"), "provider_error", "key set"),
    "keys: nested": (reply("/jwks", 200, DEEP.encode()), "provider_error", "key set"),
    "keys: 2 MB": (reply("/jwks", 200, b" " * 2000000), "provider_error", "jwks"),
    "tokens: status 500": (reply("/token", 500, {}), "provider_error", "status 500"),
    "tokens: an error": (reply("/token", 400, {"error": "invalid_grant"}), "provider_error", "400: invalid_grant"),
    "tokens: an odd error": (reply("/token", 400, {"error": "x\nlevel=error msg=forged"}), "provider_error", "status 400.?$"),
    "tokens: not JSON": (reply("/token", 200, b"<html>"), "provider_error", "id_token"),
    "tokens: a list": (reply("/token", 200, []), "provider_error", "id_token"),
    "tokens: no id_token": (reply("/token", 200, {"access_token": "x"}), "provider_error", "id_token"),
    "tokens: id_token is a number": (reply("/token", 200, {"id_token": 5}), "provider_error", "id_token"),
    "tokens: a redirect": (reply("/token", 307, {}, Location="http://127.0.0.1:9/token"), "provider_error", "status 307"),
    "tokens: 2 MB": (reply("/token", 200, b" " * 2000000), "provider_error", "token"),
    "back: another issuer": (lambda p: p.lies.back.update(iss="https://evil.example.org"), "invalid_token", "another issuer .iss"),
    "back: no issuer where one is announced": (meta(authorization_response_iss_parameter_supported=True), "invalid_token", "iss"),
    "back: refused by the user": (lambda p: p.lies.back.update(code=None, error="access_denied"), "access_denied", "access_denied"),
    "back: another error": (lambda p: p.lies.back.update(code=None, error="server_error"), "provider_error", "with an error"),
    "back: nothing": (lambda p: p.lies.back.update(code=None), "provider_error", "without a code"),
    "back: another state": (lambda p: p.lies.back.update(state="x" * 43), "expired", "state is unknown"),
    "back: no state": (lambda p: p.lies.back.update(state=None), "expired", "state is unknown"),
    "userinfo: status 500": (lambda p: (meta(userinfo_endpoint=p.issuer + "/userinfo")(p), reply("/userinfo", 500, {})(p)),
                             "provider_error", "userinfo"),
    "userinfo: another subject": (lambda p: (meta(userinfo_endpoint=p.issuer + "/userinfo")(p), p.lies.userinfo.update(sub="other")),
                                  "invalid_token", "another subject"),
    "userinfo: not JSON": (lambda p: (meta(userinfo_endpoint=p.issuer + "/userinfo")(p), reply("/userinfo", 200, b"jwt")(p)),
                           "provider_error", "userinfo"),
}


def test_lies(serve, provider, rows):
    """One server handles all lies; each lie has a new provider, because cached keys could hide it."""
    key, wrong = provider.key, []
    for name, (lie, error, why) in LIES.items():
        provider.reset()
        provider.key = key
        daemon = serve()
        mark = daemon.log_size()
        lie(provider)
        found = error_of(daemon)
        said = [r for r in daemon.records(mark) if r.get("msg", "").startswith("sign-in through")]
        if found != error or len(said) != 1 or not re.search(why, said[0]["why"]):
            wrong.append((name, found, [r["why"] for r in said]))
        daemon.stop()
    assert not wrong
    assert rows("SELECT count(*) FROM user_identities WHERE subject = 'somebody else'") == [(0,)]


START_LIES = {
    "another issuer in the metadata": (meta(issuer="https://evil.example.org"), "another issuer"),
    "no token endpoint": (meta(token_endpoint=None), "lacks"),
    "an address of another scheme": (meta(jwks_uri="file:///etc/passwd"), "lacks"),
    "an address with blanks": (meta(authorization_endpoint="http://127.0.0.1/a b"), "lacks"),
    "status 500": (reply(METADATA, 500, {}), "status 500"),
    "not JSON": (reply(METADATA, 200, b"<html>"), "JSON"),
    "a list": (reply(METADATA, 200, []), "JSON"),
    "a redirect": (reply(METADATA, 302, {}, Location="http://127.0.0.1:9/"), "status 302"),
    "2 MB": (reply(METADATA, 200, b" " * 2000000), "openid-configuration"),
}


def test_lies_before_the_start(serve, provider):
    """Each lie has its own server, because after a failure the provider is not asked again for a second."""
    wrong = []
    for name, (lie, why) in START_LIES.items():
        provider.reset()
        daemon = serve()
        lie(provider)
        mark = daemon.log_size()
        answer = daemon.get(START)
        said = [r.get("why", "") for r in daemon.records(mark) if r.get("msg", "").startswith("sign-in through")]
        if answer.headers["Location"] != daemon.url + "/#oidc_error=provider_error" or not re.search(why, "".join(said)):
            wrong.append((name, answer.headers["Location"], said))
        provider.reset()
        wait_for(lambda d=daemon: d.get(START).headers["Location"].startswith(provider.issuer), 10, "bad metadata is not kept")
        daemon.stop()
    assert not wrong


def test_a_provider_that_does_not_answer(serve, provider):
    daemon = serve(section={"timeout": "300ms"})
    assert Browser(daemon).tokens().status_code == 200
    gate = []
    provider.lies.at["/token"] = lambda handler: (gate.append(1), handler.rfile.read(1))
    began = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(error_of, daemon)
        wait_for(lambda: gate, 10, "the token endpoint was asked")
        assert daemon.get("/health").status_code == 200, "the only worker is not blocked"
        assert slow.result() == "provider_error"
    assert time.monotonic() - began < 10 * SLOW
    provider.stop()
    assert daemon.get(START).headers["Location"].startswith(provider.issuer + "/"), "the metadata are kept"


def test_a_provider_that_hangs_is_asked_once(serve, provider):
    """Many sign-ins wait for one request; after its failure, sign-ins fail for a second without a request."""
    daemon, waiting, gate = serve(section={"timeout": "60s"}, rate_read="100000/s"), [], threading.Event()

    def hang(handler):
        waiting.append(1)
        gate.wait(60)
        handler.send_response(503)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
    provider.lies.at[METADATA] = hang
    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(daemon.once, "GET", START, follow_redirects=False) for _ in range(12)]
        try:
            wait_for(lambda: waiting, 10, "the provider is asked")
            assert daemon.get("/health").status_code == 200
        finally:
            gate.set()
        assert {a.result().headers["Location"] for a in asked} == {daemon.url + "/#oidc_error=provider_error"}
    assert provider.count(METADATA) <= 2, "one that came after the reply may ask again"
    provider.reset()
    wait_for(lambda: daemon.get(START).headers["Location"].startswith(provider.issuer), 10, "it is asked again")
    assert Browser(daemon).tokens().status_code == 200


def test_a_provider_that_fails_is_not_asked_at_once_again(serve, provider):
    daemon, began = serve(rate_read="100000/s"), time.monotonic()
    provider.lies.at[METADATA] = (500, {}, {})
    for _ in range(40):
        assert daemon.get(START).headers["Location"] == daemon.url + "/#oidc_error=provider_error"
    assert provider.count(METADATA) <= 1 + (time.monotonic() - began), "at most once a second"


def test_sections_with_the_same_address(serve, provider):
    """Data fetched for one section is not used for another one: each has its own proxy, authorities, and issuer."""
    daemon = serve()
    daemon.oidc.update(proxied=provider.settings(proxy=f"http://127.0.0.1:{free_port()}"),
                       slash=provider.settings(issuer=provider.issuer + "/"), twin=provider.settings())
    daemon.write_config()
    daemon.reload()
    assert Browser(daemon).tokens().status_code == 200
    for name in ("proxied", "slash"):
        answer = daemon.get(f"/api/auth/oidc/{name}/start")
        assert answer.headers["Location"] == daemon.url + "/#oidc_error=provider_error", name
    assert provider.count(METADATA) == 2, "peer and slash"
    assert daemon.get("/api/auth/oidc/twin/start").headers["Location"].startswith(provider.issuer)
    assert provider.count(METADATA) == 3


def test_a_callback_at_another_name(serve, provider):
    """With two sections for the same issuer, a sign-in must end in the section where it began."""
    daemon = serve()
    daemon.oidc["twin"] = provider.settings()
    daemon.write_config()
    daemon.reload()
    browser = Browser(daemon)
    back = browser.at_provider(browser.start())
    assert browser.back(back.replace("/peer/callback", "/twin/callback"))[1] == {"oidc_error": "expired"}
    assert provider.count("/token") == 0
    assert list(browser.back(back)[1]) == ["oidc_code"]


def test_an_issuer_that_changes(serve, provider):
    """The code from the old provider is not sent to the new one."""
    daemon, other = serve(), Provider()
    try:
        browser = Browser(daemon)
        back = browser.at_provider(browser.start())
        daemon.oidc["peer"] = other.settings()
        daemon.write_config()
        daemon.reload()
        assert browser.back(back)[1] == {"oidc_error": "expired"}
        assert not other.seen
        daemon.oidc["peer"] = provider.settings()
        daemon.write_config()
        daemon.reload()
        assert list(browser.back(back)[1]) == ["oidc_code"]
    finally:
        other.stop()


def test_codes_are_not_in_the_access_log(serve, provider):
    daemon = serve()
    path = daemon.dir + "/access.log"
    daemon.configure(access_log=path)
    daemon.reload()
    browser = Browser(daemon)
    back = browser.at_provider(browser.start())
    assert list(browser.back(back)[1]) == ["oidc_code"]
    sent = query_of(back)

    def text():
        with open(path, encoding="utf-8") as file:
            return file.read()
    wait_for(lambda: "/peer/callback" in text(), 10, "the access log has the callback")
    assert "code=(hidden)&state=(hidden)" in text()
    assert sent["code"] not in text() + daemon.log_text() and sent["state"] not in text() + daemon.log_text()


def test_times_may_differ_by_a_minute(serve, provider):
    daemon, now = serve(), int(time.time())
    provider.lies.claims = {"exp": now - 30, "iat": now + 30, "nbf": now + 30}
    assert Browser(daemon).tokens().status_code == 200


def test_audiences(serve, provider):
    daemon = serve()
    provider.lies.claims = {"aud": ["parlour"]}
    assert Browser(daemon).tokens().status_code == 200
    provider.lies.claims = {"aud": ["other", "parlour"], "azp": "parlour"}
    assert Browser(daemon).tokens().status_code == 200


# ---- keys that change ----

def test_rotation(serve, provider):
    daemon = serve()
    old = provider.key
    assert Browser(daemon).tokens().status_code == 200
    provider.key = Key("ES256")
    assert error_of(daemon) == "invalid_token", "the set was fetched less than a minute ago"
    assert provider.count("/jwks") == 1
    daemon.stop()
    daemon.start()
    assert Browser(daemon).tokens().status_code == 200
    provider.lies.keys = [old.jwk(), provider.key.jwk(), Key("EdDSA").jwk()]
    assert Browser(daemon).tokens().status_code == 200
    assert provider.count("/jwks") == 2, "known keys need no new set"


def test_rotation_while_the_server_runs(serve, provider):
    daemon = serve(section={"keys_interval": "0s"})
    assert Browser(daemon).tokens().status_code == 200
    for alg_name in ("ES256", "EdDSA", "RS256"):
        provider.key = Key(alg_name, which=1)
        before = provider.count("/jwks")
        assert Browser(daemon).tokens().status_code == 200
        assert Browser(daemon).tokens().status_code == 200
        assert provider.count("/jwks") == before + 1, "once for a new key"
    provider.lies.header = {"kid": "unknown"}
    before = provider.count("/jwks")
    assert error_of(daemon) == "invalid_token"
    assert provider.count("/jwks") == before + 1, "once for a token of nobody"


def test_a_key_without_a_name(serve, provider):
    provider.lies.keys, provider.lies.header = [Key("ES256").jwk(kid=None), provider.key.jwk(kid=None)], {"kid": None}
    assert Browser(serve()).tokens().status_code == 200


# ---- the browser, the state, and the page ----

def test_another_browser_cannot_end_it(serve, provider):
    daemon = serve()
    mine, other = Browser(daemon), Browser(daemon)
    back = mine.at_provider(mine.start())
    assert other.back(back)[1] == {"oidc_error": "expired"}, "no cookie"
    other.start()
    assert other.back(back)[1] == {"oidc_error": "expired"}, "another cookie"
    assert list(mine.back(back)[1]) == ["oidc_code"], "and mine is still good"


def test_several_tabs(serve, provider):
    browser = Browser(serve())
    first, second = browser.start(), browser.start()
    assert query_of(first)["nonce"] != query_of(second)["nonce"]
    assert query_of(first)["code_challenge"] != query_of(second)["code_challenge"]
    for url in (first, second):
        assert list(browser.back(browser.at_provider(url))[1]) == ["oidc_code"]


def test_a_nonce_of_another_sign_in(serve, provider):
    """A token issued for another browser is refused with a code of this browser."""
    browser = Browser(serve())
    stolen = query_of(browser.start())["nonce"]
    provider.lies.claims = {"nonce": stolen}
    assert browser.sign_in() == {"oidc_error": "invalid_token"}


def test_pkce(serve, provider):
    """A provider that checks the PKCE verifier refuses the code of another sign-in."""
    daemon = serve()
    mine, other = Browser(daemon), Browser(daemon)
    theirs = query_of(other.at_provider(other.start()))["code"]
    back = mine.at_provider(mine.start())
    assert mine.back(back.replace(query_of(back)["code"], theirs))[1] == {"oidc_error": "provider_error"}


@pytest.mark.parametrize("page", ["https://evil.example.org/", "//evil.example.org", "/rooms", APP + "/", APP + "?x", "javascript:alert(1)",
                                  "https://app.example.org/", "https://app.example.org@evil.example.org/signed-in"])
def test_other_pages_are_refused(serve, page):
    daemon = serve()
    answer = daemon.get(START, params={"return_to": page})
    assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["query", "return_to"]
    assert "Set-Cookie" not in answer.headers


def test_pages(serve, provider):
    daemon = serve()
    for page in (APP, daemon.url, daemon.url + "/"):
        browser = Browser(daemon)
        found, fragment = browser.back(browser.at_provider(browser.start(return_to=page)))
        assert found == (APP if page == APP else daemon.url + "/") and list(fragment) == ["oidc_code"]


def test_the_verifier_of_a_page(serve, provider):
    daemon, verifier = serve(), secrets.token_urlsafe(40)
    challenge = b64(hashlib.sha256(verifier.encode()).digest())

    def code(**query):
        return Browser(daemon).sign_in(**query)["oidc_code"]
    cases = [({"challenge": challenge}, {"verifier": verifier}, 200), ({"challenge": challenge}, {}, 401),
             ({"challenge": challenge}, {"verifier": "x" * 43}, 401), ({}, {"verifier": verifier}, 401), ({}, {}, 200)]
    for query, given, status in cases:
        answer = daemon.post(TOKEN, {"code": code(**query), **given})
        assert answer.status_code == status, (query, given, answer.text)
    taken = code(challenge=challenge)
    assert daemon.post(TOKEN, {"code": taken}).status_code == 401
    assert daemon.post(TOKEN, {"code": taken, "verifier": verifier}).status_code == 401, "a wrong try uses it up"
    for bad in ("short", "x" * 42 + "?", "x" * 44):
        assert daemon.get(START, params={"challenge": bad}).status_code == 422


def test_a_code_counts_once_for_many(serve, provider):
    daemon = serve(workers=2)
    code = Browser(daemon).sign_in()["oidc_code"]
    with ThreadPoolExecutor(8) as pool:
        found = sorted(pool.map(lambda _: daemon.once("POST", TOKEN, json={"code": code}).status_code, range(8)))
    assert found == [200] + [401] * 7


def test_codes_expire(serve, provider, pg, database):
    daemon = serve()
    browser = Browser(daemon)
    code = browser.sign_in()["oidc_code"]
    pg.admin("UPDATE oidc_codes SET expires_at = now() - interval '1 s'", database)
    assert daemon.post(TOKEN, {"code": code}).status_code == 401
    back = browser.at_provider(browser.start())
    pg.admin("UPDATE oidc_flows SET expires_at = now() - interval '1 s'", database)
    assert browser.back(back)[1] == {"oidc_error": "expired"}
    browser.start()
    browser.sign_in()
    assert pg.admin("SELECT count(*) FROM oidc_flows WHERE expires_at < now()", database) == [(0,)]
