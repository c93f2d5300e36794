"""More services than one plan can hold: cut into parts, each a rollback of its own. Pure.

The root knows names, their order and each part's digest; whoever agrees to the root's digest agrees
to all of them, and a part whose plan has changed by its turn does not begin.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence

from rollback_manager.authority.keys import VerifyKey
from rollback_manager.authority.quorum import Quorum, strictest
from rollback_manager.contract import Planned
from rollback_manager.fleet.together import some
from rollback_manager.plan import Part
from rollback_manager.policy import ApprovalPolicy, OnExpiry
from rollback_manager.progress import EndState, Result, RollbackOutcome, ServiceOutcome
from rollback_manager.tier import Tier
from rollback_manager.values import Value

KEY_ROOM = 56
"""Of the 63 characters of a key; the rest is for the part's number and that of its attempt."""
UNMOVED = frozenset({EndState.UNTOUCHED, EndState.RESTORED})
"""Production is as it was before."""


class Tree(Value):
    """All parts, in the order in which they go."""

    parts: tuple[Part, ...]
    approval: ApprovalPolicy
    digest: str
    tier: Tier | None = None
    quorum: Quorum | None = None
    keys: tuple[VerifyKey, ...] = ()


def cut(waves: Sequence[Sequence[str]], most: int, key: str) -> tuple[Part, ...]:
    """Parts of at most `most` services; none of them spans two waves."""
    cuts = [
        (number, tuple(wave[start : start + most]))
        for number, wave in enumerate(waves, start=1)
        for start in range(0, len(wave), most)
    ]
    return tuple(
        Part(key=f"{key[:KEY_ROOM]}-p{place}", wave=wave, services=services)
        for place, (wave, services) in enumerate(cuts, start=1)
    )


def again(part: Part, ended: RollbackOutcome, attempt: int) -> Part:
    """Those of a part that can be planned anew, as a part of their own without a plan.

    What is on the version that it was to go back to has no way back any more, proven well or not.
    """
    back = {one.service for one in ended.services if one.end is EndState.ROLLED_BACK}
    left = tuple(one for one in part.services if one not in {*ended.well, *back})
    return Part(key=f"{part.key}-{attempt}", wave=part.wave, services=left)


def other_releases(services: Sequence[str], was: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Which of them would be taken back from another version than before, in words; empty: none.

    It may be the one to which it was to go back, or one that mends it: nobody called that bad.
    was, now: service → the version that is undone; what is not known is no match.
    """
    moved = (
        f"{one} would go back from {now.get(one, 'an unknown version')}, and not from"
        f" {was.get(one, 'one that is known')}, which was called bad"
        for one in services
        if one not in was or was[one] != now.get(one)
    )
    return some(moved, "; ")


def no_less(planned: Planned, tree: Tree) -> Planned:
    """A part's new plan, which asks of people at least what the tree asked of them."""
    approval, quorum = planned.approval, planned.quorum
    if approval is not None and tree.approval.required:
        approval = approval.model_copy(update={"required": True})
    if quorum is not None and tree.quorum is not None:
        stricter = max(quorum, tree.quorum, key=lambda one: one.votes)
        least = {
            "votes": stricter.votes,
            "because": stricter.because,
            "not_requester": quorum.not_requester or tree.quorum.not_requester,
            "of_owners": quorum.of_owners or tree.quorum.of_owners,
            "of_commanders": quorum.of_commanders or tree.quorum.of_commanders,
        }
        quorum = quorum.model_copy(update=least)
    tier = max((one for one in (planned.tier, tree.tier) if one is not None), default=None)
    return planned.model_copy(update={"approval": approval, "quorum": quorum, "tier": tier})


def joined(before: RollbackOutcome, after: RollbackOutcome) -> RollbackOutcome:
    """How a part ended some of whose services were tried again.

    A service that the later attempt left alone, or put back, is as the earlier one left it.
    """
    later = {one.service: one for one in after.services}

    def last(was: ServiceOutcome) -> ServiceOutcome:
        one = later.get(was.service, was)
        return was if one.end in UNMOVED and was.end not in UNMOVED else one

    others = tuple(last(one) for one in before.services if one.service not in after.well)
    told = after.model_copy(update={"well": (*before.well, *after.well), "services": others})
    if after.result is not Result.VERIFIED or not others:
        return told
    not_tried = some((f"{one.service} {one.end}: {one.because}" for one in others), "; ")
    return told.model_copy(update={"result": Result.NOT_VERIFIED, "because": not_tried})


def sealed(parts: Sequence[Part], made: Sequence[Planned]) -> Tree:
    """The tree with its digest. The strictest approval of all parts is asked for, once."""
    text = json.dumps([[part.wave, part.services, part.digest] for part in parts])
    approvals = [one.approval for one in made if one.approval is not None]
    rejects = any(one.on_expiry is OnExpiry.REJECT for one in approvals)
    approval = ApprovalPolicy(
        required=any(one.required for one in approvals),
        escalate_s=min(one.escalate_s for one in approvals),
        remind_s=min(one.remind_s for one in approvals),
        deadline_s=min(one.deadline_s for one in approvals),
        on_expiry=OnExpiry.REJECT if rejects else OnExpiry.HOLD,
    )
    quorums = [one.quorum for one in made if one.quorum is not None]
    return Tree(
        parts=tuple(parts),
        approval=approval,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        tier=max((one.tier for one in made if one.tier is not None), default=None),
        quorum=strictest(quorums) if quorums else None,
        keys=made[0].keys,
    )


def light(outcome: RollbackOutcome) -> RollbackOutcome:
    """A part's outcome as its root keeps it: what is well by name alone, the rest without steps."""
    well = tuple(s.service for s in outcome.services if s.is_well)
    others = (s.model_copy(update={"steps": ()}) for s in outcome.services if not s.is_well)
    return outcome.model_copy(update={"services": tuple(others), "well": well, "gates": ()})


def whole(
    rollback: str, tree: Tree, ended: Sequence[RollbackOutcome], refused: Result | None
) -> RollbackOutcome:
    """How all of it ended; ended: of the parts that were begun, in their order."""
    well = tuple(name for one in ended for name in one.well)
    others = tuple(service for one in ended for service in one.services)
    untouched = tuple(name for part in tree.parts[len(ended) :] for name in part.services)
    result = refused or _result(ended, others, untouched)
    rest = some((f"{s.service} {s.end}: {s.because}" for s in others), "; ")
    return RollbackOutcome(
        rollback=rollback,
        result=result,
        because="; ".join(filter(None, [_counted(well, others, untouched), rest])),
        effect=_effect(well, others, untouched),
        next_step=f"Read a part: rollback-manager report {rollback}-pN",
        digest=tree.digest,
        services=others,
        well=well,
        untouched=untouched,
        security=ended[0].security if ended else "local",
    )


def _result(
    ended: Sequence[RollbackOutcome],
    others: Sequence[ServiceOutcome],
    untouched: Sequence[str],
) -> Result:
    if any(one.result is Result.ABORTED for one in ended):
        return Result.ABORTED
    return Result.NOT_VERIFIED if others or untouched else Result.VERIFIED


def _counted(
    well: Sequence[str], others: Sequence[ServiceOutcome], untouched: Sequence[str]
) -> str:
    total = len(well) + len(others) + len(untouched)
    return f"{len(well)} of {total} services rolled back and well, {len(untouched)} untouched"


def _effect(well: Sequence[str], others: Sequence[ServiceOutcome], untouched: Sequence[str]) -> str:
    moved = [s for s in others if s.end not in UNMOVED]
    if not others and not untouched:
        return "Production is on the known-good releases."
    if not well and not moved:
        return "Production is unchanged."
    return "Production is MIXED: act now."
