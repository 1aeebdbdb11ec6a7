# SPDX-License-Identifier: ISC
"""Valid and forged JSON Web Tokens for the table in test_tokens.py, made without a library."""

import base64
import hashlib
import hmac
import json


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sign(header, payload, key, digest=hashlib.sha256):
    """Signs a token. header and payload: anything that can be written as JSON, or bytes, which are used unchanged."""
    parts = [b64(p if isinstance(p, bytes) else json.dumps(p).encode()) for p in (header, payload)]
    body = ".".join(parts)
    return body + "." + b64(hmac.new(key, body.encode(), digest).digest())


class Forge:
    """Variants of one valid token, signed with the real key of the daemon unless a case says otherwise."""

    def __init__(self, token, key):
        head, body, _ = token.split(".")
        self.good, self.key = token, key
        self.header, self.claims = json.loads(unb64(head)), json.loads(unb64(body))

    def same(self):
        return sign(self.header, self.claims, self.key)

    def head(self, drop=None, digest=hashlib.sha256, key=None, **changes):
        header = {**self.header, **changes}
        if drop:
            del header[drop]
        return sign(header, self.claims, self.key if key is None else key, digest)

    def with_(self, drop=None, **changes):
        payload = {**self.claims, **changes}
        if drop:
            del payload[drop]
        return sign(self.header, payload, self.key)

    def payload(self, data):
        return sign(self.header, data, self.key)

    def keyed(self, key):
        return sign(self.header, self.claims, key)

    def unsigned(self, alg):
        header = {**self.header, "alg": alg}
        return b64(json.dumps(header).encode()) + "." + b64(json.dumps(self.claims).encode()) + "."

    def parts(self):
        return self.good.split(".")

    def cases(self, now):
        """Returns (name, token) of all tokens that the server must refuse."""
        head, body, mac = self.parts()
        flipped = b64(bytes([unb64(mac)[0] ^ 1]) + unb64(mac)[1:])
        other = b64(json.dumps({**self.claims, "sub": "1"}).encode())
        yield from [(f"unsigned, alg {alg!r}", self.unsigned(alg)) for alg in ("none", "None", "NONE", "nOnE", "", None)]
        yield "alg none with a signature", self.head(alg="none")
        yield "no alg", self.head(drop="alg")
        yield from [(f"alg {alg!r} with our HS256", self.head(alg=alg))
                    for alg in ("HS384", "HS512", "RS256", "ES256", "PS256", "hs256", "HS256 ", 5, None, ["HS256"])]
        yield "real HS384", self.head(alg="HS384", digest=hashlib.sha384)
        yield "real HS512", self.head(alg="HS512", digest=hashlib.sha512)
        yield "kid of another key", self.head(kid="0123456789abcdef")
        yield "kid as a path", self.head(kid="../../../dev/null", key=b"")
        yield "kid as SQL", self.head(kid="' OR '1'='1", key=b"1")
        yield "kid a number", self.head(kid=7)
        yield "no kid", self.head(drop="kid")
        jwk = {"kty": "oct", "k": b64(b"attacker" * 4)}
        yield "key in the header", self.head(jwk=jwk, key=b"attacker" * 4)
        yield "key by address", self.head(jku="http://127.0.0.1:1/keys", key=b"attacker" * 4)
        yield "crit", self.head(crit=["exp"])
        yield from [(f"header {h!r}", sign(h, self.claims, self.key)) for h in ([], "x", None, {}, b"{", b"\xff\xfe")]
        for name, key in (("empty", b""), ("short", b"secret"), ("sample", b"your-256-bit-secret"), ("zeros", bytes(32)),
                          ("newline", self.key + b"\n"), ("half", self.key[:32]), ("twice", self.key * 2)):
            yield f"key: {name}", self.keyed(key)
        yield "no signature", f"{head}.{body}."
        yield "two parts", f"{head}.{body}"
        yield "one part", head
        yield "four parts", f"{self.good}.{mac}"
        yield "five parts", f"{head}.{body}.{mac}.{mac}.{mac}"
        yield "empty", ""
        yield "dots", ".."
        yield "first bit of the signature", f"{head}.{body}.{flipped}"
        yield "signature cut", f"{head}.{body}.{mac[:-4]}"
        yield "signature too long", f"{head}.{body}.{mac}AAAA"
        yield "signature of another payload", f"{head}.{other}.{mac}"
        yield "signature in hex", f"{head}.{body}.{unb64(mac).hex()}"
        for name, value in (("past", now - 1), ("0", 0), ("negative", -1), ("text", str(now + 900)), ("null", None),
                            ("true", True), ("list", [now + 900]), ("object", {})):
            yield f"exp {name}", self.with_(exp=value)
        yield "no exp", self.with_(drop="exp")
        yield "iat in an hour", self.with_(iat=now + 3600)
        yield "iat text", self.with_(iat=str(now))
        yield "no iat", self.with_(drop="iat")
        yield "nbf in an hour", self.with_(nbf=now + 3600)
        yield "no sub", self.with_(drop="sub")
        for value in ("0", "-1", "1e3", "abc", "", " 1", "1 ", "+1", "0x1", "9223372036854775808", "99999999999999999999",
                      None, [], {}, True, 1.5):
            yield f"sub {value!r}", self.with_(sub=value)
        yield "no sid", self.with_(drop="sid")
        for value in (0, -1, None, [], "abc", 10 ** 30):
            yield f"sid {value!r}", self.with_(sid=value)
        yield "no rc", self.with_(drop="rc")
        for value in (-1, None, "x", []):
            yield f"rc {value!r}", self.with_(rc=value)
        yield "no typ", self.with_(drop="typ")
        for value in ("refresh", "", "ACCESS ", None, 1, ["access"]):
            yield f"typ {value!r}", self.with_(typ=value)
        yield "no iss", self.with_(drop="iss")
        yield "iss of another", self.with_(iss="https://other.example")
        yield "no aud", self.with_(drop="aud")
        yield "aud of another", self.with_(aud="other")
        yield "aud list of others", self.with_(aud=["other"])
        for data in ([], "x", None, {}, 7, b"{", b"", b"\xff", b'{"sub":"1"} x', b"\xef\xbb\xbf{}", b"[" * 400):
            yield f"payload {data!r:.20}", self.payload(data)
        yield "very long", self.with_(pad="x" * 4000)
        yield "refresh shape", self.with_(typ="refresh", exp=now + 86400)


# Values of the Authorization header without a valid token; %s is replaced by a valid one.
HEADERS = ["Bearer", "Bearer ", "Basic %s", "Token %s", "%s", "Bearer %s x", "Bearer,%s", "Bearer=%s", "BearerX %s",
           "Basic dXNlcjpwYXNz", "null", "undefined", "Bearer null", "Bearer undefined", "Bearer %%20%s"]
