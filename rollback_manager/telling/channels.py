"""Where people are told: what the catalogue says of each channel. Secrets stand as references."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from rollback_manager.metrics.sources import Url
from rollback_manager.values import Value

Named = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]
"""A channel's own name; it stands in plans, summaries and reports."""
REFERENCE = (
    r"(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+|aws:secretsmanager:[!-~]+"
    r"|kubernetes:[a-z0-9.-]+/[a-z0-9.-]+/[A-Za-z0-9._-]+)"
)
"""Where a secret may be, never what it is."""
Reference = Annotated[str, StringConstraints(pattern=f"^{REFERENCE}$", max_length=300)]
Address = Annotated[
    str, StringConstraints(pattern=r"^[^@\s,;<>\"]+@[^@\s,;<>\"]+$", max_length=254)
]
"""One mailbox without a name, so that no header can be forged by it."""


class SlackChannel(Value):
    """One Slack channel: a message for each rollback, edited, with its milestones in a thread."""

    kind: Literal["slack"]
    name: Named = "slack"
    channel: Annotated[str, StringConstraints(pattern=r"^[CGD][A-Z0-9]{2,20}$")]
    """Its id, not its name: names change hands."""
    token: Reference
    """The bot's, with the scope `chat:write` and no other."""
    api: Url = "https://slack.com/api"
    """Slack's own, or that of GovSlack or of a stand-in."""


class WebhookChannel(Value):
    """Any endpoint that takes JSON; the body is signed so that it can be trusted."""

    kind: Literal["webhook"]
    name: Named = "webhook"
    url: Url
    secret: Reference
    """Of the HMAC-SHA256 over `id.timestamp.body`, in the header `Rollback-Signature`."""


class EmailChannel(Value):
    """Mail by SMTP; one conversation for each rollback."""

    kind: Literal["email"]
    name: Named = "email"
    host: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:-]+$", max_length=253)]
    port: Annotated[int, Field(ge=1, le=65_535)] = 587
    encryption: Literal["starttls", "tls", "none"] = "starttls"
    """Never given up on: a relay that cannot do it is told nothing."""
    ca: str = ""
    """File of the authority that vouches for the relay; empty: those of the system."""
    sender: Address
    to: Annotated[tuple[Address, ...], Field(min_length=1, max_length=50)]
    user: str = ""
    password: Reference | None = None

    @model_validator(mode="after")
    def _no_password_in_the_clear(self) -> EmailChannel:
        if self.encryption == "none" and self.password:
            raise ValueError("a password needs encryption: starttls or tls")
        if bool(self.user) != bool(self.password):
            raise ValueError("user and password belong together")
        return self


class PagerDutyChannel(Value):
    """Events API v2: an alert while a person is needed, resolved when nobody is any more."""

    kind: Literal["pagerduty"]
    name: Named = "pagerduty"
    routing_key: Reference
    url: Url = "https://events.pagerduty.com/v2/enqueue"


class StatusPageChannel(Value):
    """A status page's own webhook: started, verified, closed, in words for customers."""

    kind: Literal["status_page"]
    name: Named = "status-page"
    url: Url
    token: Reference
    component: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    """What customers call it."""


Channel = Annotated[
    SlackChannel | WebhookChannel | EmailChannel | PagerDutyChannel | StatusPageChannel,
    Field(discriminator="kind"),
]


def _told_apart(channels: tuple[Channel, ...]) -> tuple[Channel, ...]:
    if twice := [name for name, n in Counter(one.name for one in channels).items() if n > 1]:
        raise ValueError(f"two channels have one name: {', '.join(twice)}; give them a `name`")
    return channels


Channels = Annotated[tuple[Channel, ...], AfterValidator(_told_apart), Field(max_length=10)]


def told_by(channels: tuple[str, ...]) -> str:
    """The gate `communication` in words; empty where nobody is told."""
    return f"told at each milestone: {', '.join(channels)}" if channels else ""
