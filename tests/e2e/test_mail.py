# SPDX-License-Identifier: ISC
"""Mail: the queue, a real SMTP server with STARTTLS and AUTH, refusals, outages, and couriers that die."""

import base64
import os
import signal
import socket
import threading

import pytest

import cluster
from mail_peer import MailPeer, certificate
from parlour import SLOW, free_port, porters, wait_for

URL = "/api/feedback-requests"
PUBLIC = "https://chat.example.org"


@pytest.fixture(scope="module")
def tls(workdir):
    cert, key = certificate(workdir)
    cluster.give(cert)
    return cert, key


@pytest.fixture(autouse=True)
def empty_queue(rows):
    """Removes mails of earlier tests, so that the server of this test does not receive them."""
    rows("DELETE FROM jobs")


@pytest.fixture
def post(parlour):
    """post(port) starts a daemon that sends through the server on that port, without TLS."""
    def make(port, **settings):
        return parlour(**{"smtp_url": f"smtp://127.0.0.1:{port}/parlour.example", "smtp_tls": "off",
                          "mail_from": "bot@parlour.example", "public_url": PUBLIC, "feedback_mail_to": "*", **settings})
    return make


def ask(user, to="carla@example.net", **more):
    answer = user.post("/api/feedback-requests", {"question": "Ship it?", "channel": {"kind": "mail", "destination": to}, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def look(user, request):
    return user.get(f"{URL}/{request}").json()


def sent(user, request, within=10):
    return wait_for(lambda: (r := look(user, request))["status"] == "sent" and r, within, "the mail is sent")


def health(daemon):
    return daemon.get("/health").json()


def test_off_without_a_server(shared):
    assert health(shared)["services"]["mail"] == "off" and health(shared)["status"] == "healthy"
    user = shared.register()
    answer = user.post("/api/feedback-requests", {"question": "?", "channel": {"kind": "mail", "destination": "a@b.org"}})
    assert answer.status_code == 422 and answer.json()["detail"][0]["msg"] == "mail is not configured on this server"


def test_starttls_and_login(parlour, smtp, tls, workdir, rows):
    peer = smtp(tls=tls, login=("bot", "s3cret-pass"))
    secret = workdir + "/smtp.pass"
    with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
        file.write("s3cret-pass\n")
    cluster.give(secret)
    daemon = parlour(smtp_url=f"smtp://127.0.0.1:{peer.port}", smtp_ca_file=tls[0], smtp_user="bot", smtp_password_file=secret,
                     mail_from="bot@parlour.example", public_url=PUBLIC + "/", feedback_mail_to="example.net")
    ann = daemon.register()
    question = "Straße fertig? ✓ " + "lang " * 40 + "\n.\n..\nFrom here"
    request = ask(ann, question=question, options=["ja", "nein"], context={"build": 7})
    sent(ann, request)
    mail, = peer.mails
    assert mail.tls and mail.login == "bot" and mail.sender == "bot@parlour.example" and mail.to == ["carla@example.net"]
    text = mail.body.replace("\r\n", "\n")
    assert question in text and "- ja\n- nein" in text and '{"build": 7}' in text.replace('":7', '": 7')
    assert mail.subject.startswith(f"{ann.name} asks: Straße fertig? ✓ lang")
    row = rows(f"SELECT id::text FROM jobs WHERE request_id = '{request}'")[0][0]
    assert mail.id == f"<{row}@parlour.example>" and mail.message["Auto-Submitted"] == "auto-generated"
    assert mail.message["Date"].datetime is not None and max(map(len, mail.raw.split(b"\r\n"))) <= 120
    assert health(daemon)["services"]["mail"] == "up"
    assert "s3cret-pass" not in daemon.log_text() and mail.token not in daemon.log_text()
    stored = str(rows(f"SELECT o.*, r.* FROM jobs o JOIN feedback_requests r ON r.id = o.request_id WHERE r.id = '{request}'"))
    assert mail.token not in stored, "the link is not in the database"
    assert daemon.http.post(f"/r/{mail.token}", data={"answer": "ja", "comment": ""}).status_code == 200
    end = look(ann, request)
    assert (end["status"], end["answer"], end["comment"], end["answered_via"]) == ("answered", "ja", None, "mail")


def test_an_address_outside_ascii_after_a_login(parlour, smtp, tls, rows):
    """The reply of the server to AUTH lists no extensions: those of its EHLO stay valid."""
    peer = smtp(tls=tls, login=("bot", "s3cret-pass"))
    parlour(smtp_url=f"smtp://127.0.0.1:{peer.port}", smtp_ca_file=tls[0], smtp_user="bot", smtp_password="s3cret-pass",
            mail_from="bot@parlour.example", public_url=PUBLIC)
    number = rows("SELECT mail_queue('jörg@example.net', 'Hello', 'One line')::text")[0][0]
    end = wait_for(lambda: (r := rows(f"SELECT state, last_error FROM jobs WHERE id = '{number}'")[0])[0] != "waiting"
                   and r[0] != "running" and r, 20, "the job ends")
    assert end == ("done", None) and peer.mails[0].to == ["jörg@example.net"] and peer.mails[0].login == "bot"


def test_a_server_that_is_not_trusted_or_refuses_the_login(parlour, smtp, tls):
    peer = smtp(tls=tls, login=("bot", "right"))
    common = {"smtp_url": f"smtp://127.0.0.1:{peer.port}", "mail_from": "bot@parlour.example", "public_url": PUBLIC,
              "feedback_mail_to": "*"}
    wrong = parlour(smtp_ca_file=tls[0], smtp_user="bot", smtp_password="wrong", **common)
    wait_for(lambda: health(wrong)["services"]["mail"] == "down" and health(wrong)["status"] == "degraded", 10)
    distrust = parlour(smtp_user="bot", smtp_password="right", **common)
    wait_for(lambda: health(distrust)["services"]["mail"] == "down", 10)
    plain = smtp()
    no_tls = parlour(**{**common, "smtp_url": f"smtp://127.0.0.1:{plain.port}"})
    ask(no_tls.register())
    wait_for(lambda: health(no_tls)["services"]["mail"] == "down", 10)
    assert peer.mails == [] and plain.mails == []


def test_refusals(smtp, post, rows):
    peer = smtp()
    daemon = post(peer.port)
    ann = daemon.register()
    peer.rcpt_answers = ["550 5.1.1 no such mailbox"]
    request = ask(ann)
    end = wait_for(lambda: (r := look(ann, request))["delivery_error"] and r, 10)
    assert end["delivery_error"] == "The mail server said: 550 5.1.1 no such mailbox"
    assert end["status"] == "created" and peer.mails == []
    assert rows(f"SELECT state, tries FROM jobs WHERE request_id = '{request}'") == [("dead", 1)]
    assert health(daemon)["services"]["mail"] == "up", "the server works; it does not want this mail"
    peer.rcpt_answers = ["451 4.7.1 grey", "451 4.7.1 grey"]
    request = ask(ann)
    assert sent(ann, request, 20)["delivery_error"] is None
    assert rows(f"SELECT tries FROM jobs WHERE request_id = '{request}'") == [(3,)] and len(peer.mails) == 1
    peer.on_data = lambda mail: "554 5.7.1 spam"
    request = ask(ann)
    wait_for(lambda: look(ann, request)["delivery_error"], 10)


def test_a_server_that_is_down(smtp, post, rows):
    port = free_port()
    daemon = post(port)
    wait_for(lambda: health(daemon)["services"]["mail"] == "down", 10)
    ann = daemon.register()
    request = ask(ann)
    wait_for(lambda: rows(f"SELECT tries >= 1 AND state = 'waiting' FROM jobs WHERE request_id = '{request}'") == [(True,)], 10)
    peer = smtp(port=port)
    sent(ann, request, 20)
    wait_for(lambda: health(daemon)["services"]["mail"] == "up", 10)
    assert len(peer.mails) == 1
    assert "mail server is down" in daemon.log_text() and "mail server is up" in daemon.log_text()


def test_a_server_that_says_nothing(post):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        daemon = post(silent.getsockname()[1])
        ann = daemon.register()
        web = ann.post("/api/feedback-requests", {"question": "?", "timeout_s": 1, "channel": {"kind": "web", "destination": ann.name}})
        wait_for(lambda: look(ann, web.json()["id"])["timed_out_at"], 6, "time-outs are handled all the same")
        wait_for(lambda: health(daemon)["services"]["mail"] == "down", 20)
        daemon.send_signal(signal.SIGTERM)
        daemon.http.close()
        assert daemon.wait_exit(15) == 0


def test_each_mail_once(smtp, post, rows):
    peer = smtp()
    daemon = post(peer.port)
    ann = daemon.register()
    requests = [ask(ann, f"p{i}@example.net") for i in range(30)]
    for request in requests:
        sent(ann, request, 20)
    assert len(peer.mails) == 30 and len(set(peer.ids())) == 30


def test_a_courier_that_dies_after_the_server_took_it(smtp, post, rows):
    peer = smtp()
    daemon = post(peer.port)
    ann = daemon.register()
    deaths = []

    def die(mail):
        if not deaths:
            deaths.append(mail.id)
            trying = porters(daemon)
            for pid in daemon.procs("courier").values():
                daemon.kill_child(pid)
            wait_for(lambda: not trying & porters(daemon), what="the try ends with the courier")

    peer.on_data = die
    request = ask(ann)
    sent(ann, request, 20)
    assert peer.ids() == [deaths[0]] * 2, "the same Message-ID, so that the reader's program can tell"


def test_the_database_away_after_the_server_took_it(pg, smtp, post, rows):
    peer = smtp()
    daemon = post(peer.port)
    ann = daemon.register()
    gone, asked = [], threading.Event()

    def away(mail):
        asked.wait(10 * SLOW)       # the mail may arrive before the reply
        if not gone:
            gone.append(1)
            pg.stop("immediate")

    peer.on_data = away
    request = ask(ann)
    daemon.expect_error("database|connection")
    try:
        asked.set()
        wait_for(lambda: gone and len(peer.mails) == 1, 10)
        wait_for(lambda: "not stored yet" in daemon.log_text(), 20)
    finally:
        pg.start()
    wait_for(lambda: ann.get(f"{URL}/{request}").status_code == 200, 20)
    sent(ann, request, 20)
    assert len(peer.mails) == 1, "what the server took is not sent again while the courier lives"


def test_killed_at_any_time_nothing_is_lost(smtp, post):
    peer = smtp()
    daemon = post(peer.port)
    ann = daemon.register()
    requests = [ask(ann, f"q{i}@example.net") for i in range(20)]
    for _ in range(4):
        for pid in daemon.procs("courier").values():
            daemon.kill_child(pid)
        seen = len(peer.mails)
        wait_for(lambda seen=seen: len(peer.mails) > seen or len(set(peer.ids())) == 20, 10)
    for request in requests:
        sent(ann, request, 30)
    assert len(set(peer.ids())) == 20


def test_cancelled_before_it_was_sent(post, rows, smtp):
    port = free_port()
    daemon = post(port)
    ann = daemon.register()
    request = ask(ann)
    wait_for(lambda: rows(f"SELECT state FROM jobs WHERE request_id = '{request}' AND tries > 0") == [("waiting",)], 10)
    assert ann.post(f"{URL}/{request}/cancel").json()["status"] == "cancelled"
    assert rows(f"SELECT state FROM jobs WHERE request_id = '{request}'") == [("dropped",)]


def test_who_may_be_mailed(parlour, smtp, rows):
    peer = smtp()
    daemon = parlour(smtp_url=f"smtp://127.0.0.1:{peer.port}", smtp_tls="off", mail_from="bot@parlour.example", public_url=PUBLIC,
                     feedback_mail_to="ops@example.org example.com")
    ann = daemon.register()
    body = {"question": "?", "channel": {"kind": "mail"}}
    for to, status in (("ops@example.org", 201), ("x@Example.COM", 201), ("y@example.org", 422), ("z@sub.example.com", 422),
                       ("no address", 422), ("a@b.org\r\nBcc: c@d.org", 422)):
        body["channel"]["destination"] = to
        assert ann.post("/api/feedback-requests", body).status_code == status, to
    rows(f"UPDATE users SET access = 'operator' WHERE id = {ann.id}")
    body["channel"]["destination"] = "anybody@else.example"
    assert daemon.login(ann.name).post("/api/feedback-requests", body).status_code == 201
    wait_for(lambda: len(peer.mails) == 3, 10)


def test_queued_by_sql(smtp, post, rows):
    peer = smtp()
    post(peer.port)
    rows("SELECT mail_queue('dora@example.net', 'Reset: ü', E'Line one\\nLine two\\n')")
    wait_for(lambda: peer.mails, 10)
    assert peer.mails[0].subject == "Reset: ü" and peer.mails[0].body.split() == ["Line", "one", "Line", "two"]
    assert base64.b64encode(b"Line one\r\n")[:8] in peer.mails[0].raw


def test_one_process_does_it_all(smtp, post):
    peer = smtp()
    daemon = post(peer.port, extra=("-1",), workers="1")
    ann = daemon.register()
    for i in range(3):
        request = ask(ann, f"s{i}@example.net", timeout_s=2)
    sent(ann, request)
    wait_for(lambda: look(ann, request)["status"] == "expired", 8)
    assert len(peer.mails) == 3
    ask(ann)  # a mail may be in progress when the daemon stops


@pytest.mark.parametrize("settings, key", [
    ({"smtp_url": "http://x", "mail_from": "a@b.c"}, "smtp_url"),
    ({"smtp_url": "smtp://user@host", "mail_from": "a@b.c"}, "smtp_url"),
    ({"smtp_url": "smtp://host"}, "mail_from"),
    ({"lead_mail_to": "sales@example.net, nobody"}, "lead_mail_to"),
    ({"smtp_url": "smtp://host", "mail_from": "a@b.c", "smtp_tls": "off", "smtp_user": "u"}, "smtp_tls"),
    ({"slack_webhook": "ftp://x"}, "slack_webhook"),
])
def test_settings(parlour, settings, key):
    daemon = parlour(start=False, **settings)
    done = daemon.ctl("check", check=False)
    assert done.returncode != 0 and f"{key}:" in done.stdout + done.stderr
