"""Amazon SNS: is a message signed by SNS itself, for a topic of ours, and of now? Pure.

Nothing of a message leads anywhere: where its certificate is and where a subscription is confirmed
follow from the topic of the catalogue. Whoever signs is whoever answers there over TLS.
"""

import base64
import binascii
import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlencode

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from pydantic import StringConstraints, ValidationError

from rollback_manager.values import Value

HEADER = "x-amz-sns-message-type"
OLDEST = timedelta(hours=1)
"""SNS tries again for some minutes; what is older is somebody's copy."""
AHEAD = timedelta(minutes=5)
SMALLEST_KEY = 2048
CERTIFICATE = re.compile(r"/SimpleNotificationService-[0-9a-f]{16,64}\.pem")
Line = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\n]*$")]


class Kind(StrEnum):
    """What SNS sends."""

    NOTIFICATION = "Notification"
    SUBSCRIPTION = "SubscriptionConfirmation"
    UNSUBSCRIBED = "UnsubscribeConfirmation"


class Envelope(Value):
    """A message as SNS sends it by HTTPS, with the signature that it has since 2022."""

    Type: Kind
    MessageId: Annotated[str, StringConstraints(pattern="^[0-9A-Za-z-]{1,64}$")]
    TopicArn: Line
    Message: Annotated[str, StringConstraints(max_length=64 * 1024)]
    Timestamp: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT[\d:.]{8,13}Z$")]
    SignatureVersion: Annotated[str, StringConstraints(pattern="^2$")]
    Signature: Line
    SigningCertURL: Line
    Subject: Line | None = None
    Token: Line = ""
    SubscribeURL: Line = ""

    def signed(self) -> bytes:
        """The text that SNS signs: names and values, each on its line, in its order."""
        told = self.Type is Kind.NOTIFICATION
        subject = ["Subject"] if self.Subject is not None else []
        own = subject if told else ["SubscribeURL"]
        token = [] if told else ["Token"]
        names = ("Message", "MessageId", *own, "Timestamp", *token, "TopicArn", "Type")
        return "".join(f"{name}\n{getattr(self, name)!s}\n" for name in names).encode()


def read(body: bytes, topics: tuple[str, ...], now: datetime) -> Envelope | None:
    """A message of one of these topics, of now; None for anything else. Nothing is proven yet."""
    try:
        message = Envelope.model_validate_json(body)
        at = datetime.fromisoformat(message.Timestamp)
    except (ValidationError, ValueError):
        return None
    is_now = now - OLDEST <= at <= now + AHEAD
    return message if message.TopicArn in topics and is_now else None


def certificate_url(message: Envelope) -> str | None:
    """Where its certificate is: at SNS of the topic's own region; None where it says otherwise."""
    host = _host(message)
    path = message.SigningCertURL.removeprefix(host)
    return f"{host}{path}" if path != host and CERTIFICATE.fullmatch(path) else None


def confirmation_url(message: Envelope) -> str:
    """Where a subscription is confirmed; made here, whatever `SubscribeURL` says."""
    asked = {"Action": "ConfirmSubscription", "TopicArn": message.TopicArn, "Token": message.Token}
    return f"{_host(message)}/?{urlencode(asked)}"


def _host(message: Envelope) -> str:
    return f"https://sns.{message.TopicArn.split(':')[3]}.amazonaws.com"


def is_signed(message: Envelope, certificate: bytes, now: datetime) -> bool:
    """Whether the key of this certificate, which is valid now, signed it."""
    try:
        found = x509.load_pem_x509_certificate(certificate)
        key, signature = found.public_key(), base64.b64decode(message.Signature, validate=True)
        if not isinstance(key, RSAPublicKey) or key.key_size < SMALLEST_KEY:
            return False
        if not found.not_valid_before_utc <= now <= found.not_valid_after_utc:
            return False
        key.verify(signature, message.signed(), PKCS1v15(), SHA256())
    except (ValueError, binascii.Error, InvalidSignature):
        return False
    return True
