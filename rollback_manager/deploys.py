"""May this be deployed? The gate before the way forward, its questions and its answers. Pure.

Not knowing is never a yes: who cannot read what the answer rests on raises, and no answer is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from rollback_manager.freezes import Direction, Freeze, Moment, Reason
from rollback_manager.release import Release, Standing
from rollback_manager.values import Value


class MayDeploy(Value):
    """Whether a release may go out. digest, version: which one; both empty: any at all."""

    verb: Literal["may-deploy"] = "may-deploy"
    env: str
    service: str
    digest: str = ""
    version: str = ""


class SayFreeze(Value):
    """Stop deploys for a while. id: the same one again is the same freeze. begins: None: now.

    token: what the gateway signed; empty where nothing is.
    """

    verb: Literal["freeze"] = "freeze"
    env: str
    service: str = ""
    id: str
    begins: Moment | None = None
    until: Moment
    reason: Reason
    direction: Direction = Direction.DEPLOYS
    by: str
    token: str = ""


class LiftFreezes(Value):
    """End the freezes that were said of exactly this: a service, or "" all of an environment.

    ids: these alone; empty: all of them. token: as above.
    """

    verb: Literal["unfreeze"] = "unfreeze"
    env: str
    service: str = ""
    ids: tuple[str, ...] = ()
    by: str
    token: str = ""


class ListFreezes(Value):
    """What is frozen now or will be. service: "" for all of the environment."""

    verb: Literal["freezes"] = "freezes"
    env: str
    service: str = ""


DeployAsk = Annotated[
    MayDeploy | SayFreeze | LiftFreezes | ListFreezes, Field(discriminator="verb")
]


class DeployRequest(Value):
    """One thing to ask or to say about deploys."""

    ask: DeployAsk


class DeployAnswer(Value):
    """The answer.

    may: of `may-deploy`; None for the others. because: each thing that speaks against it.
    freezes: that hold or will. lifted: that this call ended.
    """

    may: bool | None = None
    because: tuple[str, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    lifted: tuple[Freeze, ...] = ()


class DeployFacts(Value):
    """What the answer rests on, all of it read now.

    rollbacks: of the service that run, whoever waits for whom. left: of those that ended without
    giving the service back. frozen: what holds for it now.
    """

    releases: tuple[Release, ...]
    rollbacks: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    frozen: tuple[Freeze, ...] = ()
    now: datetime


def may_deploy(ask: MayDeploy, facts: DeployFacts) -> DeployAnswer:
    """No, with every reason; or yes, which is the absence of all of them."""
    because = (
        *(f"{one} is under way for {ask.service}" for one in facts.rollbacks),
        *(f"{one} left {ask.service} in quarantine" for one in facts.left),
        *_denied(ask, facts.releases),
        *(one.words for one in facts.frozen),
    )
    return DeployAnswer(may=not because, because=because, freezes=facts.frozen)


def _denied(ask: MayDeploy, releases: Sequence[Release]) -> Iterable[str]:
    """Releases that were undone or called bad, under their own name or another one."""
    bad = [one for one in releases if one.standing is Standing.BAD]
    digest = _bare(ask.digest)
    named = {_bare(one.digest) for one in releases if ask.version and one.version == ask.version}
    for one in bad:
        if one.version == ask.version:
            yield f"{one.version} is bad: {_why(one)}"
        elif one.digest and _bare(one.digest) in named | {digest}:
            yield f"this digest is that of {one.version}, which is bad: {_why(one)}"
        elif digest and digest in _its_own(one, releases):
            yield f"this digest is an image of {one.version}, which is bad: {_why(one)}"


def _why(release: Release) -> str:
    return release.because or "no evidence was kept"


def _its_own(bad: Release, releases: Sequence[Release]) -> set[str]:
    """Images that no release has which is not bad: what both have (a sidecar) accuses nobody."""
    good = {image for one in releases if one.standing is not Standing.BAD for image in _images(one)}
    return _images(bad) - good


def _images(release: Release) -> set[str]:
    point = release.restore_point
    if point is None:
        return set()
    return {_bare(image) for images in point.images.values() for image in images}


def _bare(digest: str) -> str:
    """Without the repository before it: the same image may be pulled from several places."""
    return digest.rpartition("@")[2]
