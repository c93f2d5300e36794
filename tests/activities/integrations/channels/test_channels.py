"""Each kind of channel against the other end of its wire."""

import hashlib
import hmac
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from activities.integrations.channels import (
    Email,
    PagerDuty,
    Slack,
    SlackAnswers,
    StatusPage,
    Webhook,
)
from demo.slack import SlackStandIn
from rollback_manager.errors import PermanentError, TemporaryError
from rollback_manager.progress import State
from rollback_manager.telling.card import Card, Question
from rollback_manager.telling.channels import (
    EmailChannel,
    PagerDutyChannel,
    SlackChannel,
    StatusPageChannel,
    WebhookChannel,
)
from rollback_manager.telling.notices import Milestone, Notice
from workers import materials

CANARY = "canary-7c1b2e"
"""A secret that must stand nowhere but on the wire."""
ASKED = Notice(milestone=Milestone.ASKED, key="asked", text="asked for by ana@example.com")
STARTED = Notice(milestone=Milestone.STARTED, key="started", text="started")
DONE = Notice(milestone=Milestone.DONE, key="done", text="VERIFIED")


def card(**more: object) -> Card:
    words = {"rollback": "rollback/prod/inc-1", "env": "prod", "headline": "Rollback of shop",
             "stands": "RUNNING"}  # fmt: skip
    return Card.model_validate({**words, **more})


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with materials.http_client() as one:
        yield one


class Receiver(ThreadingHTTPServer):
    """An HTTP endpoint of somebody else's, with the answer that a test asks for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taken)
        self.status, self.got = 202, list[tuple[dict[str, str], bytes]]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/in"

    @property
    def said(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


class _Taken(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        self.send_response(self.server.status)
        self.send_header("Retry-After", "7")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as one:
        thread = threading.Thread(target=one.serve_forever, args=(0.05,))
        thread.start()
        yield one
        one.shutdown()
        thread.join()


@pytest.fixture
def stand_in() -> Iterator[SlackStandIn]:
    with SlackStandIn() as one:
        yield one


def slack(stand_in: SlackStandIn, client: httpx.Client, token: str = "") -> Slack:
    channel = SlackChannel(kind="slack", channel="C0OPS", token="env:T", api=stand_in.api)  # noqa: S106 -- a reference
    return Slack(channel, client, lambda _: token or stand_in.token)


def test_slack_edits_its_one_message_and_threads_the_rest(
    stand_in: SlackStandIn, client: httpx.Client
) -> None:
    channel = slack(stand_in, client)
    reference = channel.show(card(), "", "")
    assert channel.show(card(stands="VERIFIED"), reference, "") == reference
    channel.say(card(), (ASKED, DONE), reference, "")
    (message,), threads = stand_in.posted(), stand_in.posted(thread=True)
    assert message["edited"]
    assert [one["thread_ts"] for one in threads] == [reference.split("/")[1]] * 2


def test_slack_posts_anew_where_somebody_deleted_its_message(
    stand_in: SlackStandIn, client: httpx.Client
) -> None:
    channel = slack(stand_in, client)
    first = channel.show(card(), "", "")
    stand_in.messages.clear()
    assert channel.show(card(), first, "") != first


def test_slack_that_is_busy_says_when_to_try_again(
    stand_in: SlackStandIn, client: httpx.Client
) -> None:
    stand_in.limited, stand_in.retry_after_s = 1, 7
    with pytest.raises(TemporaryError, match="slack: answered 429") as busy:
        slack(stand_in, client).show(card(), "", "")
    assert busy.value.retry_after_s == 7


def test_slack_that_is_down_may_come_back(stand_in: SlackStandIn, client: httpx.Client) -> None:
    stand_in.down = True
    with pytest.raises(TemporaryError, match="slack: RemoteProtocolError"):
        slack(stand_in, client).show(card(), "", "")


def test_slack_is_not_waited_for(
    stand_in: SlackStandIn, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.integrations.channels.posting.WITHIN_S", 0.2)
    stand_in.slow_s = 1
    with pytest.raises(TemporaryError, match="slack: no answer within"):
        slack(stand_in, client).show(card(), "", "")


def test_a_wrong_token_is_refused_for_good_and_is_not_told(
    stand_in: SlackStandIn, client: httpx.Client
) -> None:
    with pytest.raises(PermanentError, match="invalid_auth") as refused:
        slack(stand_in, client, CANARY).show(card(), "", "")
    assert CANARY not in str(refused.value)


def test_a_late_answer_goes_to_slack_and_nowhere_else(
    stand_in: SlackStandIn, client: httpx.Client, receiver: Receiver
) -> None:
    answers = SlackAnswers(stand_in.api, lambda: stand_in.token, client, stand_in.url)
    answers.respond(f"{stand_in.url}/response/1", "applied")
    assert stand_in.responses[0]["response_type"] == "ephemeral"
    for elsewhere in (receiver.url, f"{stand_in.url}@evil.example/x", "file:///etc/passwd", ""):
        with pytest.raises(PermanentError, match="leads elsewhere"):
            answers.respond(elsewhere, "applied")
    assert receiver.got == []


def test_a_webhook_can_prove_who_spoke_and_that_it_is_the_same_again(
    receiver: Receiver, client: httpx.Client
) -> None:
    channel = WebhookChannel(kind="webhook", url=receiver.url, secret="env:S")  # noqa: S106 -- a reference
    webhook = Webhook(channel, client, lambda _: CANARY)
    for _ in range(2):
        webhook.say(card(), (ASKED,), webhook.show(card(), "", ""), "https://x.example/r")
    headers, body = receiver.got[0]
    stamp, mac = (part.split("=")[1] for part in headers["Rollback-Signature"].split(","))
    signed = f"{headers['Rollback-Id']}.{stamp}.".encode() + body
    assert mac == hmac.new(CANARY.encode(), signed, hashlib.sha256).hexdigest()
    assert receiver.got[0][0]["Rollback-Id"] == receiver.got[1][0]["Rollback-Id"]
    said = receiver.said[0]
    assert (said["milestone"], said["card"]["stands"]) == ("asked", "RUNNING")
    assert CANARY not in body.decode()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_webhook_that_is_broken_may_be_mended(
    receiver: Receiver, client: httpx.Client, status: int
) -> None:
    receiver.status = status
    channel = WebhookChannel(kind="webhook", url=receiver.url, secret="env:S")  # noqa: S106 -- a reference
    with pytest.raises(TemporaryError, match=f"webhook: answered {status}") as error:
        Webhook(channel, client, lambda _: CANARY).say(card(), (ASKED,), "", "")
    assert error.value.retry_after_s == 7


@pytest.mark.parametrize("status", [301, 400, 404])
def test_a_webhook_that_refuses_is_not_asked_again_nor_followed(
    receiver: Receiver, client: httpx.Client, status: int
) -> None:
    receiver.status = status
    channel = WebhookChannel(kind="webhook", url=receiver.url, secret="env:S")  # noqa: S106 -- a reference
    with pytest.raises(PermanentError, match=f"answered {status}"):
        Webhook(channel, client, lambda _: CANARY).say(card(), (ASKED,), "", "")


def test_pagerduty_calls_while_somebody_is_needed_and_once_for_each_need(
    receiver: Receiver, client: httpx.Client
) -> None:
    channel = PagerDutyChannel(kind="pagerduty", routing_key="env:K", url=receiver.url)
    pager, reference = PagerDuty(channel, client, lambda _: CANARY), ""
    question, vote = Question(), ("approve by ana",)
    for one in (
        card(),
        card(needs_somebody=True, question=question),
        card(needs_somebody=True, question=question),
        card(needs_somebody=True, question=question, decisions=vote),
        card(decisions=vote),
        card(needs_somebody=True, decisions=vote, stands=str(State.NEEDS_HUMAN)),
        card(is_well=True),
    ):
        reference = pager.show(one, reference, "")
    actions = [event["event_action"] for event in receiver.said]
    assert actions == ["trigger", "acknowledge", "resolve", "trigger", "resolve"]
    assert {event["dedup_key"] for event in receiver.said} == {"rollback/prod/inc-1"}


def test_a_status_page_is_told_in_words_for_customers(
    receiver: Receiver, client: httpx.Client
) -> None:
    channel = StatusPageChannel(
        kind="status_page",
        url=receiver.url,
        token="env:T",  # noqa: S106 -- a reference
        component="Checkout",
    )
    page = StatusPage(channel, client, lambda _: CANARY)
    page.say(card(), (ASKED, STARTED), "", "")
    page.say(card(is_well=True), (DONE,), "", "")
    page.say(card(), (DONE,), "", "")
    statuses = [one["status"] for one in receiver.said]
    assert statuses == ["in_progress", "resolved", "investigating"]
    assert "inc-1" not in json.dumps(receiver.said)
    assert receiver.got[0][0]["Authorization"] == f"Bearer {CANARY}"


class Mailbox:
    """Keeps what a real SMTP server took."""

    def __init__(self) -> None:
        self.letters: list[str] = []

    async def handle_DATA(self, _: Any, __: Any, envelope: Any) -> str:  # noqa: N802 -- its name
        self.letters.append(envelope.content.decode())
        return "250 OK"


class Relay(Controller):
    """aiosmtpd with STARTTLS and a sign-in, as relays ask for it."""

    def __init__(self, box: Mailbox, folder: Path, password: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*_certificate(folder))
        self._context, self._password = context, password
        super().__init__(box, hostname="127.0.0.1", port=_free_port())

    def factory(self) -> SMTP:
        def sign_in(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:
            knows = data.password.decode() == self._password
            return AuthResult(success=knows, handled=knows)

        return SMTP(
            self.handler,
            tls_context=self._context,
            require_starttls=True,
            authenticator=sign_in,
            auth_required=True,
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _certificate(folder: Path) -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "relay.pem", folder / "relay.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(certificate), str(private)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def relay(mailbox: Mailbox, tmp_path: Path) -> Iterator[Relay]:
    one = Relay(mailbox, tmp_path, CANARY)
    one.start()
    yield one
    one.stop()


def email(relay: Relay, folder: Path, **more: object) -> EmailChannel:
    words = {
        "kind": "email", "host": "127.0.0.1", "port": relay.port, "user": "rollback",
        "ca": str(folder / "relay.pem"), "sender": "rollback@example.com",
        "to": ["ops@example.com"], "password": "env:P",
    }  # fmt: skip
    return EmailChannel.model_validate({**words, **more})


def test_mail_is_one_conversation_over_an_encrypted_signed_in_connection(
    relay: Relay, mailbox: Mailbox, tmp_path: Path
) -> None:
    mail = Email(email(relay, tmp_path), lambda _: CANARY)
    reference = mail.show(card(), "", "")
    mail.say(card(), (ASKED, DONE), reference, "https://x.example/r")
    first, second = mailbox.letters
    assert f"Message-ID: {reference}" in first
    assert f"In-Reply-To: {reference}" in second
    assert "Subject: [rollback] Rollback of shop" in first
    assert "asked for by ana@example.com" in first
    assert "see:   https://x.example/r" in first


def test_a_relay_that_cannot_prove_who_it_is_is_told_nothing(
    relay: Relay, mailbox: Mailbox, tmp_path: Path
) -> None:
    with pytest.raises(PermanentError, match="cannot prove who it is"):
        Email(email(relay, tmp_path, ca=""), lambda _: CANARY).say(card(), (ASKED,), "<1@x>", "")
    assert mailbox.letters == []


def test_a_wrong_password_is_refused_and_not_told(relay: Relay, tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="refused the sign-in") as refused:
        Email(email(relay, tmp_path), lambda _: "wrong-canary").say(card(), (ASKED,), "<1@x>", "")
    assert "canary" not in str(refused.value)


def test_a_relay_that_is_not_there_may_come_back(tmp_path: Path) -> None:
    channel = EmailChannel(
        kind="email", host="127.0.0.1", port=1, sender="a@example.com", to=("b@example.com",)
    )
    with pytest.raises(TemporaryError, match="email: ConnectionRefusedError"):
        Email(channel, lambda _: CANARY).say(card(), (ASKED,), "<1@x>", "")


def test_no_header_can_be_forged_by_what_others_wrote(
    relay: Relay, mailbox: Mailbox, tmp_path: Path
) -> None:
    forged = card(headline="Rollback of shop\r\nBcc: eve@example.com")
    mail = Email(email(relay, tmp_path), lambda _: CANARY)
    mail.say(forged, (ASKED,), mail.show(forged, "", ""), "")
    head = mailbox.letters[0].partition("\r\n\r\n")[0]
    assert not [line for line in head.splitlines() if line.startswith("Bcc")]
