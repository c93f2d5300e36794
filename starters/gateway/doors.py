"""What every door of the gateway needs, put together once by the process."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from fastapi import Request

from rollback_manager.catalogue import Catalogue
from rollback_manager.client import RollbackClient
from rollback_manager.incidents.alert_names import AlertSource
from starters.gateway.answered import Answers
from starters.gateway.auditing import Auditing
from starters.gateway.ci.door import CiDoor
from starters.gateway.following import Followings
from starters.gateway.last_plans import LastPlans
from starters.gateway.pace import Pace
from starters.gateway.pictures import Pictures
from starters.gateway.replays import Replays
from starters.gateway.seal import Seal
from starters.gateway.sign_in.flow import SignIn
from starters.gateway.signing import Signer
from starters.gateway.slack.door import SlackDoor
from starters.gateway.sns.door import SnsDoor
from starters.gateway.told import Told

Secrets = Callable[[], Sequence[str]]
"""Those that are live now, read anew for each request: they may be replaced at any time."""


@dataclass(frozen=True)
class Binding:
    """Where it listens, and under which name people reach it.

    origin: exactly what a browser sends as `Origin`, such as `http://127.0.0.1:8088`.
    """

    host: str
    port: int
    origin: str
    hosts: tuple[str, ...]
    """What may stand in `Host`: nobody else's name for this address (DNS rebinding)."""


@dataclass(frozen=True)
class Doors:
    """All that routes need. now: the clock of the process, in UTC."""

    rollbacks: RollbackClient
    catalogue: Catalogue
    binding: Binding
    now: Callable[[], datetime]
    operator: str = "local:unknown"
    """The one operator of level `local`."""
    replays: Replays | None = None
    """What remembers signed requests; None: no door is opened that needs it."""
    alert_secrets: Mapping[AlertSource, Secrets] = field(default_factory=dict)
    """Of the sources whose alerts are taken."""
    sns: SnsDoor | None = None
    """What is asked of Amazon SNS; None: its signatures do not count."""
    plans: LastPlans = field(default_factory=LastPlans)
    answers: Answers = field(default_factory=Answers)
    pace: Pace = field(default_factory=Pace)
    auditing: Auditing = field(default_factory=Auditing)
    signer: Signer | None = None
    """What signs decisions; None at level `local`."""
    following: Followings = field(default_factory=Followings)
    ci: CiDoor | None = None
    """How CI jobs sign in; None: they cannot."""
    seal: Seal = field(default_factory=Seal)
    """Of what goes to a browser and must come back unchanged."""
    pictures: Pictures = field(default_factory=Pictures)
    told: Told = field(default_factory=Told)
    sign_in: SignIn | None = None
    """How people sign in; None at level `local`."""
    slack: SlackDoor | None = None
    """Slack's way in; None: there is none."""


def doors(request: Request) -> Doors:
    """Those of the app that answers this request."""
    known: Doors = request.app.state.doors
    return known


async def known_doors(request: Request) -> Doors:
    """The same for FastAPI: a function that is not async would cost each request a thread."""
    return doors(request)
