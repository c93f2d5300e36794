"""Mail by SMTP: one conversation per rollback, one letter per milestone."""

import hashlib
import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY

from activities.integrations.channels.posting import EFFECT, refused
from rollback_manager.errors import TemporaryError
from rollback_manager.rendering import letters
from rollback_manager.telling.card import Card
from rollback_manager.telling.channels import EmailChannel
from rollback_manager.telling.notices import Milestone, Notice

STEP_S = 3.0
"""For each answer of the relay."""


class Email:
    """One relay. A reference is the `Message-ID` that every later letter answers to."""

    def __init__(self, channel: EmailChannel, resolve: Callable[[str], str]) -> None:
        self._channel, self._resolve = channel, resolve

    def show(self, card: Card, reference: str, link: str) -> str:
        """No letter: those that were sent cannot be edited."""
        return reference or _id(self._channel, card.rollback)

    def say(self, card: Card, news: tuple[Notice, ...], reference: str, link: str) -> None:
        """One letter for each, with how it stands; the first begins the conversation."""
        for notice in news:
            self._send(self._letter(card, notice, reference, link))

    def _letter(self, card: Card, notice: Notice, root: str, link: str) -> EmailMessage:
        letter = EmailMessage(policy=SMTP_POLICY)  # it refuses line breaks in headers
        letter["From"], letter["To"] = self._channel.sender, ", ".join(self._channel.to)
        letter["Subject"] = letters.subject(card)
        letter["Auto-Submitted"] = "auto-generated"  # no robot answers to it (RFC 3834)
        if notice.milestone is Milestone.ASKED:
            letter["Message-ID"] = root
        else:
            letter["Message-ID"] = _id(self._channel, f"{card.rollback}\n{notice.key}")
            letter["In-Reply-To"] = letter["References"] = root
        letter.set_content(letters.text(card, (notice,), link))
        return letter

    def _send(self, letter: EmailMessage) -> None:
        name = self._channel.name
        try:
            with self._relay() as relay:
                relay.send_message(letter)
        except (smtplib.SMTPAuthenticationError, smtplib.SMTPNotSupportedError) as error:
            raise refused(name, f"the relay refused the sign-in: {_code(error)}") from error
        except ssl.SSLError as error:
            raise refused(name, "the relay cannot prove who it is (TLS)") from error
        except smtplib.SMTPRecipientsRefused as error:
            raise refused(name, "the relay takes no mail for these addresses") from error
        except smtplib.SMTPResponseException as error:
            if error.smtp_code >= 500:
                raise refused(name, f"the relay refused: {error.smtp_code}") from error
            raise TemporaryError(f"{name}: not now: {error.smtp_code}", effect=EFFECT) from error
        except (OSError, smtplib.SMTPException) as error:
            raise TemporaryError(f"{name}: {type(error).__name__}", effect=EFFECT) from error

    def _relay(self) -> smtplib.SMTP:
        """Connected, encrypted as the catalogue says, signed in; never less than that."""
        channel = self._channel
        context = ssl.create_default_context(cafile=channel.ca or None)
        if channel.encryption == "tls":
            relay: smtplib.SMTP = smtplib.SMTP_SSL(
                channel.host, channel.port, timeout=STEP_S, context=context
            )
        else:
            relay = smtplib.SMTP(channel.host, channel.port, timeout=STEP_S)
        try:
            if channel.encryption == "starttls":
                relay.starttls(context=context)
            if channel.password:
                relay.login(channel.user, self._resolve(channel.password))
        except BaseException:
            relay.close()
            raise
        return relay


def _id(channel: EmailChannel, about: str) -> str:
    domain = channel.sender.rpartition("@")[2]
    return f"<{hashlib.sha256(about.encode()).hexdigest()[:32]}@{domain}>"


def _code(error: smtplib.SMTPException) -> str:
    return str(getattr(error, "smtp_code", type(error).__name__))
