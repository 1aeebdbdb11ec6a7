# SPDX-License-Identifier: ISC
"""An identity provider that can send wrong data: OpenID Connect (Core 1.0, Discovery 1.0), in a thread of the test.

A test sets `lies`, the differences from correct behavior (see Lies). `seen` has every request. sign_in() follows the
redirects like a browser and keeps its cookies.
"""

import base64
import hashlib
import http.server
import json
import secrets
import threading
import time
import urllib.parse

from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
CURVES = {"ES256": (ec.SECP256R1, "P-256", 32), "ES384": (ec.SECP384R1, "P-384", 48), "ES512": (ec.SECP521R1, "P-521", 66)}
RSA = {}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def rsa_key(bits=2048, which=0):
    """Returns an RSA key; keys are created once per run, because that takes long."""
    if (bits, which) not in RSA:
        RSA[bits, which] = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    return RSA[bits, which]


class Key:
    """A key of the provider with its algorithm."""

    def __init__(self, alg="RS256", kid=None, bits=2048, which=0):
        self.alg, self.kid = alg, kid or "k" + secrets.token_hex(4)
        if alg in CURVES:
            self.private = ec.generate_private_key(CURVES[alg][0]())
        elif alg == "EdDSA":
            self.private = ed25519.Ed25519PrivateKey.generate()
        else:
            self.private = rsa_key(bits, which)

    def jwk(self, **changes):
        public = self.private.public_key()
        if self.alg in CURVES:
            _, name, size = CURVES[self.alg]
            point = public.public_numbers()
            fields = {"kty": "EC", "crv": name, "x": number(point.x, size), "y": number(point.y, size)}
        elif self.alg == "EdDSA":
            raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            fields = {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}
        else:
            numbers = public.public_numbers()
            fields = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
        fields.update({"kid": self.kid, "use": "sig"}, **changes)
        return {k: v for k, v in fields.items() if v is not None}

    def pem(self):
        return self.private.public_key().public_bytes(serialization.Encoding.PEM,
                                                      serialization.PublicFormat.SubjectPublicKeyInfo)

    def sign(self, text, alg=None):
        alg = alg or self.alg
        if alg == "none":
            return b""
        if alg.startswith("HS"):    # signs with the public key as the secret
            mac = hmac.HMAC(self.pem(), HASHES[alg[2:]]())
            mac.update(text)
            return mac.finalize()
        if alg == "EdDSA":
            return self.private.sign(text)
        digest = HASHES[alg[2:]]()
        if alg.startswith("ES"):
            r, s = utils.decode_dss_signature(self.private.sign(text, ec.ECDSA(digest)))
            size = CURVES[self.alg][2]
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        pad = padding.PSS(padding.MGF1(digest), digest.digest_size) if alg.startswith("PS") else padding.PKCS1v15()
        return self.private.sign(text, pad, digest)


class Lies:
    """What the provider sends instead of correct data. By default everything is correct."""

    def __init__(self):
        self.claims = {}            # claims of the ID token instead of the correct ones; None: the claim is absent
        self.header = {}            # fields of its header instead of the correct ones
        self.alg = None             # signs with this algorithm instead of the one of the key
        self.token = None           # fn(token) returns another ID token
        self.keys = None            # the published key set, as a list of JWKs
        self.meta = {}              # members of the metadata instead of the correct ones
        self.userinfo = {}          # members of the reply of the userinfo endpoint instead of the correct ones
        # path -> (status, headers, body): sends this reply instead, or calls a function of the handler
        self.at = {}
        self.back = {}              # parameters of the redirect back instead of the correct ones
        self.pkce = True            # checks the PKCE verifier


class Provider:
    def __init__(self):
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                provider.serve(self, b"")

            def do_POST(self):
                provider.serve(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        self.client_id, self.client_secret = "parlour", "s3cret & more/+%"
        self.key = Key()
        self.reset()
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def reset(self):
        self.lies, self.seen, self.codes = Lies(), [], {}
        self.person = {"sub": "s" + secrets.token_hex(6)}

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def settings(self, **changes):
        return {"issuer": self.issuer, "client_id": self.client_id, "client_secret": self.client_secret, "label": "Peer", **changes}

    def count(self, path):
        return sum(1 for _, seen, _, _ in self.seen if seen == path)

    # ---- endpoints ----

    def serve(self, handler, body):
        url = urllib.parse.urlsplit(handler.path)
        form = dict(urllib.parse.parse_qsl(body.decode() if body else url.query, keep_blank_values=True))
        self.seen.append((handler.command, url.path, form, dict(handler.headers)))
        lie = self.lies.at.get(url.path)
        if callable(lie):
            lie(handler)
            return
        status, headers, text = lie or self.answer(url.path, form, handler.headers)
        text = text if isinstance(text, bytes) else json.dumps(text).encode()
        handler.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        try:
            handler.wfile.write(text)
        except OSError:     # the server closed before it read everything
            handler.close_connection = True

    def answer(self, path, form, headers):
        if path == "/.well-known/openid-configuration":
            return 200, {}, self.metadata()
        if path == "/jwks":
            return 200, {}, {"keys": self.lies.keys if self.lies.keys is not None else [self.key.jwk()]}
        if path == "/authorize":
            return self.authorize(form)
        if path == "/token":
            return self.token(form, headers)
        if path == "/userinfo":
            return self.userinfo(headers)
        return 404, {}, {"error": "not_found"}

    @staticmethod
    def changed(fields, changes):
        return {k: v for k, v in {**fields, **changes}.items() if v is not None}

    def metadata(self):
        return self.changed({"issuer": self.issuer, "authorization_endpoint": self.issuer + "/authorize",
                             "token_endpoint": self.issuer + "/token", "jwks_uri": self.issuer + "/jwks",
                             "response_types_supported": ["code"], "subject_types_supported": ["public"],
                             "id_token_signing_alg_values_supported": ["RS256"]}, self.lies.meta)

    def authorize(self, query):
        assert query["response_type"] == "code" and query["client_id"] == self.client_id
        assert "openid" in query["scope"].split() and query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(24)
        self.codes[code] = query
        back = self.changed({"code": code, "state": query["state"]}, self.lies.back)
        return 303, {"Location": query["redirect_uri"] + "?" + urllib.parse.urlencode(back)}, b""

    def authenticated(self, form, headers):
        given = headers.get("Authorization", "")
        if given.startswith("Basic "):
            name, _, secret = base64.b64decode(given[6:]).decode().partition(":")
            return (urllib.parse.unquote_plus(name), urllib.parse.unquote_plus(secret)) == (self.client_id, self.client_secret)
        if not self.client_secret:
            return form.get("client_id") == self.client_id and "client_secret" not in form
        return (form.get("client_id"), form.get("client_secret")) == (self.client_id, self.client_secret)

    def token(self, form, headers):
        if not self.authenticated(form, headers):
            return 401, {}, {"error": "invalid_client"}
        query = self.codes.pop(form.get("code"), None)
        challenge = b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if query is None or form["redirect_uri"] != query["redirect_uri"] or \
                (self.lies.pkce and challenge != query["code_challenge"]):
            return 400, {}, {"error": "invalid_grant"}
        return 200, {"Cache-Control": "no-store"}, {"access_token": "at-" + secrets.token_hex(8), "token_type": "Bearer",
                                                    "expires_in": 300, "id_token": self.id_token(query["nonce"])}

    def id_token(self, nonce):
        now = int(time.time())
        claims = self.changed({"iss": self.issuer, "aud": self.client_id, "iat": now, "exp": now + 300, "nonce": nonce,
                               **self.person}, self.lies.claims)
        alg = self.lies.alg or self.key.alg
        header = self.changed({"alg": alg, "kid": self.key.kid, "typ": "JWT"}, self.lies.header)
        text = b64(json.dumps(header).encode()) + "." + b64(json.dumps(claims).encode())
        token = text + "." + b64(self.key.sign(text.encode(), alg))
        return self.lies.token(token) if self.lies.token else token

    def userinfo(self, headers):
        assert headers["Authorization"].startswith("Bearer at-")
        return 200, {}, self.changed({"sub": self.person["sub"]}, self.lies.userinfo)
