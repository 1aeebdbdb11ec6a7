# SPDX-License-Identifier: ISC
"""A plain HTTP client that sends header and body in one packet: thousands of requests in seconds.

It can replace Api.http. Unlike a complete client, it neither checks nor normalizes header values, and it quotes only
those characters of an address that would break the request line.
"""

import http.client
import json as codec
import re
import urllib.parse

SAFE = "".join(map(chr, range(0x21, 0x7f)))


class Answer:
    def __init__(self, answer, body, sent):
        self.status_code, self.headers, self.content, self.sent = answer.status, answer.headers, body, sent

    @property
    def text(self):
        return self.content.decode("utf-8", "replace")

    def json(self):
        return codec.loads(self.content)

    @property
    def next_link(self):
        found = re.search(r'<([^>]*)>; rel="next"', self.headers.get("Link", ""))
        return found and found[1]


class Quick:
    """One persistent connection to a daemon."""

    def __init__(self, api, timeout=30):
        self.api, self.timeout, self.conn = api, timeout, None

    def close(self):
        if self.conn is not None:
            self.conn.close()
        self.conn = None

    def request(self, method, path, headers=None, json=None, content=None):
        if self.conn is None:
            self.conn = http.client.HTTPConnection(self.api.host, self.api.port, timeout=self.timeout)
        headers = {k: v.strip() for k, v in (headers or {}).items()}
        if json is not None:
            content = codec.dumps(json).encode()
            headers.setdefault("Content-Type", "application/json")
        try:
            self.conn.request(method, urllib.parse.quote(path, safe=SAFE), content, headers)
            answer = self.conn.getresponse()
            return Answer(answer, answer.read(), content)
        except (http.client.HTTPException, OSError):
            self.close()
            raise

    def get(self, path, **how):
        return self.request("GET", path, **how)

    def post(self, path, **how):
        return self.request("POST", path, **how)

    def delete(self, path, **how):
        return self.request("DELETE", path, **how)
