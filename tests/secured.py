"""As tests/rig.py, in an environment where only signed decisions count; and who signs them."""

import time
import uuid
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rollback_manager.authority import start_token
from rollback_manager.authority.asks import about, content, dec
from rollback_manager.authority.token import (
    Claims,
    Dec,
    audience,
    hash_of,
    signed,
    verify_key,
)
from rollback_manager.catalogue import Catalogue
from rollback_manager.client import Rollback
from rollback_manager.contract import (
    AbortCommand,
    AbortMode,
    AdoptRequest,
    MarkRelease,
    RecordRelease,
    ReleaseHold,
    RollbackRequest,
    Vote,
    rollback_id,
    stay_id,
)
from rollback_manager.glass import ReviewGlass
from rollback_manager.incidents.incident_status import IncidentVerdict
from rollback_manager.progress import RollbackStatus, State
from tests.rig import Rig, catalogue
from workers import wiring

NOW, NEXT, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([n] * 32)) for n in (1, 2, 3))
KEYS = {"now": NOW, "next": NEXT, "stranger": STRANGER}
A = TypeVar("A", RecordRelease, MarkRelease, ReviewGlass, AdoptRequest)
OWNERS = ("payments",)
GROUPS = {
    "ana@example.com": ("payments",),
    "bo@example.com": ("commanders",),
    "cy@example.com": ("leads",),
    "eve@example.com": ("visitors",),
}
"""Who is who: an owner, two others who may agree, and one who may not."""


@dataclass
class SecuredRig(Rig):
    """pinned: kids of the keys in the catalogue."""

    pinned: tuple[str, ...] = field(default=("now", "next"))

    @property
    def parts(self) -> wiring.Parts:
        """As the rig's, with a catalogue of level secured."""
        known = catalogue(self.service, self.policy, self.strategy, self.decisions)
        return wiring.Parts(
            secured(known, self.pinned),
            self.records,
            lambda _env, _s: self.world.target(),
            audit=self.audit,
        )

    async def start(self, **more: object) -> Rollback:
        """Start a rollback of this service as the gateway does: signed for who asks."""
        return await self.rollbacks.start(begun(self.request(**more)))


def secured_rig(made: Rig, **changes: Any) -> SecuredRig:
    """The same rig at level secured."""
    known = {one.name: getattr(made, one.name) for one in fields(Rig)}
    return SecuredRig(**(known | changes))


def secured(known: Catalogue, kids: tuple[str, ...] = ("now", "next")) -> Catalogue:
    """The same catalogue, in which decisions are signed by one of these keys."""
    tree = known.model_dump()
    for environment in tree["environments"].values():
        environment |= {
            "security": "secured",
            "roles": {"on_call": ["on-call"], "incident_commander": ["commanders"]},
            "approvers": ["leads"],
            "signing_keys": [verify_key(KEYS[kid], kid).model_dump() for kid in kids],
        }
    for service in tree["services"].values():
        service |= {"owners": OWNERS, "pair_tested": True}
    return Catalogue.model_validate(tree)


def begun(request: RollbackRequest, /, **changes: Any) -> RollbackRequest:
    """The request as the gateway sends it. changes: of the claims; kid: of the key."""
    kid = changes.pop("kid", "now")
    sub, at = request.requested_by, int(changes.pop("at", time.time()))
    groups = changes.pop("groups", GROUPS.get(sub, ()))
    claims: dict[str, Any] = {
        "aud": audience(request.env),
        "sub": sub,
        "act": "web+mfa",
        "amr": ("pwd", "mfa"),
        "groups": groups,
        "groups_hash": hash_of(groups),
        "rid": rollback_id(request.env, request.key),
        "request": start_token.hash_of(request),
        "iat": at,
        "exp": at + 120,
        "jti": uuid.uuid4().hex,
    }
    made = start_token.StartClaims(**(claims | changes))
    return request.model_copy(update={"token": start_token.signed(made, KEYS[kid], kid)})


def token(status: RollbackStatus, dec: Dec, sub: str, at: float, /, **changes: Any) -> str:
    """What the gateway would sign. at: of signing, in seconds since 1970. kid: of the key."""
    kid, life = changes.pop("kid", "now"), changes.pop("life", 600)
    groups = changes.pop("groups", GROUPS[sub])
    claims: dict[str, Any] = {
        "aud": audience(status.env),
        "sub": sub,
        "act": "web+mfa",
        "amr": ("pwd", "mfa"),
        "groups": groups,
        "groups_hash": hash_of(groups),
        "rid": status.rollback,
        "run": status.first_run,
        "plan": status.digest,
        "dec": dec,
        "nonce": status.nonce,
        "iat": int(at),
        "exp": int(at) + life,
        "jti": uuid.uuid4().hex,
    }
    return signed(Claims(**(claims | changes)), KEYS[kid], kid)


def vote(status: RollbackStatus, dec: Dec, sub: str, at: float, /, **changes: Any) -> Vote:
    """A vote as the gateway sends it."""
    words = token(status, dec, sub, at, **changes)
    return Vote(plan=status.digest, by=sub, method="web+mfa", token=words)


def word(about: str, run: str, said: IncidentVerdict, /, **changes: Any) -> IncidentVerdict:
    """A person's word on an incident as the gateway sends it. about: the incident's id."""
    status = RollbackStatus(
        rollback=about, env="test", state=State.RUNNING, first_run=run, digest=content(said)
    )
    at = changes.pop("at", time.time())
    sub = changes.pop("sub", said.by)
    words = token(status, Dec.VERDICT, sub, at, **({"nonce": ""} | changes))
    return said.model_copy(update={"token": words})


def hold(service: str, run: str, command: ReleaseHold) -> ReleaseHold:
    """A word on what is held, as the gateway sends it. run: first one of what looks after it."""
    status = RollbackStatus(
        rollback=stay_id("test", service),
        env="test",
        state=State.RUNNING,
        first_run=run,
        digest=content(command),
    )
    words = token(status, Dec.RELEASE_HOLD, command.by, time.time(), nonce="")
    return command.model_copy(update={"token": words})


def signed_ask(ask: A, /, **changes: Any) -> A:
    """What is asked of a worker as the gateway sends it."""
    status = RollbackStatus(
        rollback=about(ask), env=ask.env, state=State.RUNNING, digest=content(ask)
    )
    at, sub = changes.pop("at", time.time()), changes.pop("sub", ask.by)
    words = token(status, changes.pop("dec", dec(ask)), sub, at, **({"nonce": ""} | changes))
    return ask.model_copy(update={"token": words})


async def stop(
    rollback: Rollback, status: RollbackStatus, sub: str, at: float, **changes: Any
) -> None:
    """An abort as the gateway sends it: hold."""
    words = token(status, Dec.ABORT_HOLD, sub, at, **({"nonce": "", "plan": ""} | changes))
    await rollback.abort(AbortCommand(mode=AbortMode.HOLD, by=sub, reason="stop", token=words))
