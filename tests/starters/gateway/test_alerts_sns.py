"""Amazon SNS at the door: signed by itself, for a topic of ours, of now, and each message once."""

import asyncio
import base64
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from pydantic import ValidationError
from temporalio.client import Client

from rollback_manager.errors import Unreachable
from rollback_manager.incidents.alarms import Alarm
from rollback_manager.incidents.alert_names import AlertNames, Alerts, AlertSource
from rollback_manager.incidents.triggers import TriggerKind
from starters.gateway.alerts.open import Open
from starters.gateway.sns.door import SnsDoor
from tests import rig
from tests.starters.gateway.conftest import ORIGIN, Gate, opened
from tests.starters.gateway.test_alerts import InProcess

TOPIC = "arn:aws:sns:eu-central-1:123456789012:alarms"
HOST = "https://sns.eu-central-1.amazonaws.com"
CERTIFICATE = f"{HOST}/SimpleNotificationService-{'a' * 32}.pem"
NAMES = AlertNames(topics=(TOPIC,), triggers={"HighErrorRate": TriggerKind.DATA_CORRUPTION})
ORDER = (
    *("Message", "MessageId", "Subject", "SubscribeURL"),
    *("Timestamp", "Token", "TopicArn", "Type"),
)
KEY, OTHER_KEY = generate_private_key(65537, 2048), generate_private_key(65537, 2048)


def certificate(key: RSAPrivateKey, begins: timedelta = timedelta(days=-1)) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    at = datetime.now(UTC) + begins
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(at)
        .not_valid_after(at + timedelta(days=30))
        .sign(key, SHA256())
    )
    return made.public_bytes(Encoding.PEM)


@dataclass
class StandInSns:
    """A stand-in for SNS's host of certificates, and for who signs with their keys."""

    held: dict[str, bytes] = field(default_factory=lambda: {CERTIFICATE: certificate(KEY)})
    asked: list[str] = field(default_factory=list)
    is_down: bool = False
    clock: float = 0.0

    def fetch(self, url: str, at_most: int) -> bytes:
        self.asked.append(url)
        if self.is_down:
            raise Unreachable("it does not answer")
        return b"<ok/>" if "Action=" in url else self.held[url]

    def message(self, of: dict[str, Any], **changes: str) -> dict[str, Any]:
        """As SNS sends it: signed, then changed as a forger would."""
        whole = {
            "Type": "Notification",
            "MessageId": str(uuid.uuid4()),
            "TopicArn": TOPIC,
            "Subject": "ALARM",
            "Message": json.dumps(of),
            "Timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.123Z"),
            "SignatureVersion": "2",
            "SigningCertURL": CERTIFICATE,
        }
        return self.signed(whole) | changes

    def signed(self, whole: dict[str, Any], key: RSAPrivateKey = KEY) -> dict[str, Any]:
        """Its text by AWS's documentation, written down here a second time."""
        text = "".join(f"{name}\n{whole[name]}\n" for name in ORDER if name in whole)
        signature = key.sign(text.encode(), PKCS1v15(), SHA256())
        return whole | {"Signature": base64.b64encode(signature).decode()}


@dataclass
class At:
    gate: Gate
    sns: StandInSns
    replays: InProcess

    async def send(self, message: dict[str, Any], http: Any = None) -> httpx.Response:
        return await (http or self.gate.http).post(
            "/alerts/cloudwatch",
            content=json.dumps(message),
            headers={
                "content-type": "text/plain; charset=UTF-8",
                "x-amz-sns-message-type": str(message.get("Type")),
            },
        )

    def event(self, state: str = "ALARM") -> dict[str, Any]:
        """As EventBridge sends it through a topic."""
        at = {"value": state, "reason": "too many", "timestamp": "2026-11-28T04:00:00.000+0000"}
        metric = {"dimensions": self.labels()}
        return {
            "id": "e-1",
            "detail": {
                "alarmName": "HighErrorRate",
                "state": at,
                "configuration": {"metrics": [{"metricStat": {"metric": metric}}]},
            },
        }

    def alarm(self) -> dict[str, Any]:
        """As an alarm sends it whose action is the topic."""
        return {
            "AlarmName": "HighErrorRate",
            "AlarmDescription": None,
            "NewStateValue": "ALARM",
            "NewStateReason": "Threshold crossed",
            "StateChangeTime": "2026-11-28T04:00:00.000+0000",
            "Trigger": {
                "MetricName": "5xx",
                "Dimensions": [{"name": n, "value": v} for n, v in self.labels().items()],
            },
        }

    def labels(self) -> dict[str, str]:
        return {"service": self.gate.rig.service, "environment": "test", "version": "v2"}


@pytest.fixture
async def at(client: Client, tmp_path: Path) -> AsyncIterator[At]:
    sns, replays = StandInSns(), InProcess()
    async with rig.rig(client, tmp_path, cached=1000) as made:
        alerts = Alerts(cloudwatch=NAMES)
        async with opened(
            made,
            catalogue=made.parts.catalogue.model_copy(update={"alerts": alerts}),
            alert_secrets={AlertSource.CLOUDWATCH: lambda: ()},
            replays=replays,
            sns=SnsDoor(sns.fetch, lambda: sns.clock),
        ) as gate:
            yield At(gate, sns, replays)


async def test_what_sns_signed_is_taken_in_both_of_cloudwatchs_forms(at: At) -> None:
    first = await at.send(at.sns.message(at.event()))
    assert first.status_code == 202, first.text
    (taken,) = first.json()["alerts"]
    assert taken["incident"] == f"incident/test/{at.gate.rig.service}/v2"
    second = await at.send(at.sns.message(at.alarm()))
    assert second.status_code == 202, second.text
    assert at.sns.asked == [CERTIFICATE]  # once, and kept


def forged(at: At) -> dict[str, dict[str, Any]]:
    good, sns = at.event(), at.sns
    whole = {n: v for n, v in sns.message(good).items() if n != "Signature"}
    old = (datetime.now(UTC) - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    ahead = (datetime.now(UTC) + timedelta(minutes=9)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    elsewhere = "https://sns.eu-central-1.amazonaws.com.evil.example/x.pem"
    return {
        "another message": sns.message(good, Message=json.dumps(at.event("OK"))),
        "another id": sns.message(good, MessageId=str(uuid.uuid4())),
        "another subject": sns.message(good, Subject="OK"),
        "another type": sns.message(good, Type="UnsubscribeConfirmation"),
        "no signature": sns.message(good, Signature=""),
        "no base64": sns.message(good, Signature="!!!"),
        "the first version": sns.message(good, SignatureVersion="1"),
        "another topic": sns.signed(whole | {"TopicArn": f"{TOPIC}-2"}),
        "another account": sns.signed(whole | {"TopicArn": TOPIC.replace("1234", "9999")}),
        "another key": sns.signed(whole, OTHER_KEY),
        "too old": sns.signed(whole | {"Timestamp": old}),
        "of the future": sns.signed(whole | {"Timestamp": ahead}),
        "another host": sns.message(good, SigningCertURL=elsewhere),
        "another region": sns.message(good, SigningCertURL=CERTIFICATE.replace("central", "west")),
        "without TLS": sns.message(good, SigningCertURL=CERTIFICATE.replace("https", "http")),
        "another port": sns.message(good, SigningCertURL=CERTIFICATE.replace(".com/", ".com:1/")),
        "somebody's name": sns.message(good, SigningCertURL=CERTIFICATE.replace("//", "//a@")),
        "another path": sns.message(good, SigningCertURL=f"{HOST}/?x={CERTIFICATE}"),
        "a way up": sns.message(good, SigningCertURL=f"{HOST}/../SimpleNotificationService-a.pem"),
        "no message": {"Type": "Notification"},
    }


async def test_nothing_else_is_taken_and_no_other_address_is_asked(at: At) -> None:
    for what, message in forged(at).items():
        answer = await at.send(message)
        assert (answer.status_code, answer.json()["type"]) == (401, "not-proven"), what
    assert set(at.sns.asked) <= {CERTIFICATE}
    assert not at.replays.seen


async def test_a_certificate_counts_while_it_is_valid_and_its_key_is_long_enough(at: At) -> None:
    weak = generate_private_key(65537, 1024)  # noqa: S505 -- just that
    whole = {n: v for n, v in at.sns.message(at.event()).items() if n != "Signature"}
    cases = {
        "1" * 32: (certificate(KEY, timedelta(days=-90)), KEY),
        "2" * 32: (certificate(KEY, timedelta(days=1)), KEY),
        "3" * 32: (certificate(weak), weak),
        "4" * 32: (b"no certificate", KEY),
    }
    for number, (held, key) in cases.items():
        url = f"{HOST}/SimpleNotificationService-{number}.pem"
        at.sns.held[url] = held
        at.sns.clock += 5
        answer = await at.send(at.sns.signed(whole | {"SigningCertURL": url}, key))
        assert answer.status_code == 401, number


async def test_a_message_counts_once_and_one_that_could_not_be_given_comes_again(
    at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = at.sns.message(at.event())
    with monkeypatch.context() as patched:

        async def away(*_: object) -> None:
            raise Unreachable("Temporal does not answer")

        patched.setattr("starters.gateway.alerts.taking.Open.has", away)
        assert (await at.send(message)).status_code == 503
    assert (await at.send(message)).status_code == 202
    again = await at.send(message)
    assert (again.status_code, again.json()["type"]) == (409, "replayed")


async def test_made_up_certificates_are_not_asked_for_all_the_time(at: At) -> None:
    for number in range(20):
        url = f"{HOST}/SimpleNotificationService-{number:032x}.pem"
        at.sns.held[url] = certificate(OTHER_KEY) if number == 0 else b""
        answer = await at.send(at.sns.message(at.event(), SigningCertURL=url))
        assert answer.status_code == (401 if number == 0 else 503)
    assert len(at.sns.asked) == 1
    at.sns.clock += 5
    assert (await at.send(at.sns.message(at.event()))).status_code == 202
    at.sns.is_down = True
    assert (await at.send(at.sns.message(at.alarm()))).status_code == 202  # known before


async def test_a_flood_of_made_up_certificates_does_not_keep_out_the_real_one(at: At) -> None:
    for number in range(20):
        url = f"{HOST}/SimpleNotificationService-{number:032x}.pem"
        at.sns.held[url] = b""
        await at.send(at.sns.message(at.event(), SigningCertURL=url))
    app = at.gate.http._transport.app  # type: ignore[attr-defined] # reached from elsewhere
    transport = httpx.ASGITransport(app, client=("198.51.100.7", 443))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        assert (await at.send(at.sns.message(at.event()), http)).status_code == 202


async def test_many_who_wait_for_one_certificate_have_it_asked_for_once(at: At) -> None:
    messages = [at.sns.message(at.event()) for _ in range(5)]
    answers = await asyncio.gather(*map(at.send, messages))
    assert {answer.status_code for answer in answers} == {202}
    assert at.sns.asked == [CERTIFICATE]


async def test_what_was_taken_by_a_process_that_died_then_is_taken_again(
    at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it must not be known as taken while it is on its way to Temporal."""
    on_its_way = list[set[str]]()
    real = Open.has

    async def looked_at(self: Open, alarm: Alarm) -> bool:
        on_its_way.append(set(at.replays.seen))
        return await real(self, alarm)

    monkeypatch.setattr(Open, "has", looked_at)
    assert (await at.send(at.sns.message(at.event()))).status_code == 202
    assert on_its_way == [set()]
    assert len(at.replays.seen) == 1


async def test_a_subscription_is_confirmed_for_a_topic_of_the_catalogue_alone(at: At) -> None:
    whole = {
        "Type": "SubscriptionConfirmation",
        "MessageId": str(uuid.uuid4()),
        "Token": "t0ken&x=1",
        "TopicArn": TOPIC,
        "Message": "You have chosen to subscribe",
        "SubscribeURL": "https://evil.example/?Action=ConfirmSubscription",
        "Timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.123Z"),
        "SignatureVersion": "2",
        "SigningCertURL": CERTIFICATE,
    }
    strange = at.sns.signed(whole | {"TopicArn": f"{TOPIC}-of-somebody"})
    assert (await at.send(strange)).status_code == 401
    assert not at.sns.asked
    answer = await at.send(at.sns.signed(whole))
    assert (answer.status_code, answer.json()) == (202, {"alerts": []}), answer.text
    arn = TOPIC.replace(":", "%3A")
    confirmed = f"{HOST}/?Action=ConfirmSubscription&TopicArn={arn}&Token=t0ken%26x%3D1"
    assert at.sns.asked == [CERTIFICATE, confirmed]


async def test_without_a_topic_its_signature_is_worth_nothing(at: At) -> None:
    names = AlertNames(secrets=("env:X",), triggers=NAMES.triggers)
    catalogue = at.gate.doors.catalogue.model_copy(update={"alerts": Alerts(cloudwatch=names)})
    async with opened(
        at.gate.rig, catalogue=catalogue, alert_secrets={AlertSource.CLOUDWATCH: lambda: ()},
        replays=at.replays, sns=at.gate.doors.sns,
    ) as gate:  # fmt: skip
        answer = await At(gate, at.sns, at.replays).send(at.sns.message(at.event()))
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "alerts",
    [
        {"cloudwatch": {"triggers": {"A": "data_corruption"}}},
        {"cloudwatch": {"triggers": {"A": "data_corruption"}, "topics": ["arn:aws:sqs:x"]}},
        {"cloudwatch": {"triggers": {"A": "data_corruption"}, "topics": [f"{TOPIC}/evil"]}},
        {"generic": {"triggers": {"A": "data_corruption"}, "topics": [TOPIC]}},
    ],
)
def test_topics_are_sns_and_something_must_prove_an_alert(alerts: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Alerts.model_validate(alerts)
