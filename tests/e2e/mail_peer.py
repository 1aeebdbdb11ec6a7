# SPDX-License-Identifier: ISC
"""Peers that receive what the daemon sends: a real SMTP server (aiosmtpd) and a Slack incoming webhook, each in a
thread.

The webhook accepts the documented format: a POST of JSON with `text` or `blocks` gets 200 with the body `ok`; anything
else gets 400 invalid_payload, as from Slack.
"""

import base64
import contextlib
import email
import email.policy
import http.server
import json
import re
import socket
import ssl
import subprocess
import threading
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


def certificate(directory):
    """Creates a self-signed certificate for 127.0.0.1 that is its own authority: (cert, key)."""
    cert, key = directory + "/mail.crt", directory + "/mail.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", key, "-out", cert], check=True,
                   capture_output=True)
    return cert, key


class Mail:
    """One received mail."""

    def __init__(self, envelope, session):
        self.sender, self.to, self.raw = envelope.mail_from, envelope.rcpt_tos, envelope.content
        self.message = email.message_from_bytes(self.raw, policy=email.policy.default)
        self.id, self.subject = self.message["Message-ID"], self.message["Subject"]
        self.body = self.message.get_content()
        self.tls, self.login = session.ssl is not None, getattr(session, "peer_login", None)
        found = re.search(r"https?://\S+/r/(\S+)", self.body)
        self.token = found.group(1) if found else None


class Handler:
    def __init__(self, peer):
        self.peer = peer

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.peer.rcpt_answers:
            answer = self.peer.rcpt_answers.pop(0)
            if answer:
                return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = Mail(envelope, session)
        if self.peer.on_data:
            answer = self.peer.on_data(mail)
            if answer:
                return answer
        self.peer.mails.append(mail)
        return "250 taken"


class MailPeer(Controller):
    """An SMTP server. tls=(cert, key): STARTTLS is required; login=(user, password): AUTH is required."""

    def __init__(self, port=0, tls=None, login=None):
        self.mails, self.rcpt_answers, self.on_data, self.login, self.logins = [], [], None, login, 0
        self.context = None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*tls)
        super().__init__(Handler(self), hostname="127.0.0.1", port=port)

    def factory(self):
        return SMTP(self.handler, tls_context=self.context, require_starttls=self.context is not None,
                    auth_required=self.login is not None, authenticator=self.check if self.login else None,
                    hostname="peer.example", enable_SMTPUTF8=True)

    def check(self, server, session, envelope, mechanism, data):
        self.logins += 1
        good = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) == self.login
        session.peer_login = data.login.decode() if good else None
        return AuthResult(success=good, handled=good)

    def start(self):
        super().start()
        return self

    def _trigger_server(self):
        """Replaces the check that aiosmtpd makes of its own port, which does not support port 0."""
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()

    def ids(self):
        return [mail.id for mail in self.mails]


class SlackPeer:
    def __init__(self):
        self.posts, self.answers = [], []
        peer = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, text, extra = peer.answers.pop(0) if peer.answers else peer.judge(self, body)
                if status == 200:
                    peer.posts.append(json.loads(body))
                self.send_response(status)
                for name, value in extra.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/services/T000/B000/" + base64.b16encode(b"secret").decode()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @staticmethod
    def judge(request, body):
        try:
            payload = json.loads(body)
            blocks = payload.get("blocks", [])
            good = (request.headers["Content-Type"].startswith("application/json") and (payload.get("text") or blocks)
                    and len(blocks) <= 50)
            for block in blocks:
                good = good and block["type"] == "section" and block["text"]["type"] in ("mrkdwn", "plain_text")
                good = good and 1 <= len(block["text"]["text"]) <= 3000
        except (ValueError, KeyError, TypeError):
            good = False
        return (200, "ok", {}) if good else (400, "invalid_payload", {})

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


DROP = object()     # an answer that closes the connection without a reply


class RudePeer:
    """A mail server that does at each step of the dialog what the test wants.

    plan[step] is a list; each connection that reaches the step takes the first entry. A text is the reply (several
    lines separated by \\n), DROP closes the connection, a number is a pause in seconds, and a function is called with
    the mail so far and returns one of these or None. Without an entry the reply is the usual one. Steps: greeting,
    ehlo, mail, rcpt, data, text (in the middle of it), dot, quit (the mail was accepted).
    """

    USUAL = {"greeting": "220 rude.example", "mail": "250 OK", "rcpt": "250 OK", "data": "354 go on", "text": None, "dot": "250 taken",
             "quit": "221 bye"}

    def __init__(self, extensions=("8BITMIME", "SMTPUTF8"), slow=None):
        self.plan, self.extensions, self.slow = {}, extensions, slow or {}
        self.whole, self.accepted, self.lines, self.opened = [], [], [], []
        self.usual = {**self.USUAL, "ehlo": "\n".join(["250 rude.example", *(f"250 {e}" for e in extensions)])}
        self.lock, self.closing = threading.Lock(), threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while not self.closing.is_set():
            with contextlib.suppress(OSError):
                sock, _ = self.listener.accept()
                self.opened.append(time.monotonic())
                threading.Thread(target=self.talk, args=(sock,), daemon=True).start()

    def stop(self):
        self.closing.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def answer(self, step, mail):
        """Returns the reply at this step; None: no reply. Raises ConnectionError to end the connection."""
        with self.lock:
            act = self.plan[step].pop(0) if self.plan.get(step) else None
        if callable(act):
            act = act(mail)
        if act is DROP:
            raise ConnectionError
        if isinstance(act, (int, float)):
            self.closing.wait(act)
            act = None
        return act if act is not None else self.usual[step]

    def talk(self, sock):
        mail = {}
        with sock, sock.makefile("rb") as lines, contextlib.suppress(OSError):
            self.say(sock, self.answer("greeting", mail))
            for line in lines:
                self.lines.append(line.decode().rstrip("\r\n"))
                verb = line[:4].decode().lower()
                if verb == "data":
                    self.say(sock, self.answer("data", mail))
                    if not self.text(sock, lines, mail):
                        return
                    continue
                if verb in ("ehlo", "mail", "rcpt", "quit"):
                    if verb in ("mail", "rcpt"):
                        mail[verb] = re.search(r"<(.*)>", line.decode()).group(1)
                    self.say(sock, self.answer(verb, mail))
                    if verb == "quit":
                        return
                else:
                    self.say(sock, "250 OK")

    def text(self, sock, lines, mail):
        text = b""
        for line in lines:
            if line == b".\r\n":
                break
            if not text:
                early = self.answer("text", mail)
                if early is not None:
                    self.say(sock, early)
                    return False
            text += line[1:] if line.startswith(b".") else line
        else:
            return False
        mail["id"] = re.search(rb"^Message-ID: (\S+)\r$", text, re.M).group(1).decode()
        mail["text"] = text
        self.whole.append(dict(mail))
        self.closing.wait(self.slow.get(mail["rcpt"].split("@")[1], 0))
        answer = self.answer("dot", mail)
        if answer.startswith("250"):
            self.accepted.append(dict(mail))
        self.say(sock, answer)
        return True

    @staticmethod
    def say(sock, answer):
        """Sends a reply: its last line has a blank after the code, the lines before it a hyphen."""
        rows = answer.split("\n")
        sock.sendall(b"".join(row[:3].encode() + (b" " if row is rows[-1] else b"-") + row[4:].encode() + b"\r\n" for row in rows))

    def ids(self, of=None):
        return [mail["id"] for mail in (self.whole if of is None else of)]
