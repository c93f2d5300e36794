"""What an ended rollback left of a service, on a terminal. At most 80 columns, plain text."""

from rollback_manager.claim import Claim, Left
from rollback_manager.operation import Mark
from rollback_manager.plan import ServicePlan
from rollback_manager.progress import EndState
from rollback_manager.rendering import words
from rollback_manager.rendering.layout import foreign, labelled, page

STANDS = {
    EndState.UNTOUCHED: "UNTOUCHED: all traffic is on {from_version}, and nothing was shifted",
    EndState.ROLLED_BACK: "ROLLED BACK: all traffic is on {to_version}, the good one",
    EndState.RESTORED: "AS BEFORE: it wrote, and all traffic is on {from_version}",
    EndState.MIXED: "MIXED: the traffic is neither wholly on {from_version} nor on {to_version}",
    EndState.UNKNOWN: "UNKNOWN: look before you act",
}


def left(seen: Left, plan: ServicePlan | None = None) -> str:
    """Who left it, since when, at which step, and how production stands.

    plan: for the names of the steps, where one could be made.
    """
    claim, purpose = seen.claim, seen.claim.purpose
    way = f"{purpose.from_version or words.UNKNOWN} → {purpose.to_version or words.UNKNOWN}"
    lines = [f"{claim.service} in {claim.env}   LEFT BEHIND   {foreign(way)}"]
    lines += labelled("left by:", map(_who, (claim, *seen.older)))
    lines += labelled("last write:", [_written(seen.mark, claim, plan)])
    lines += labelled("production:", [STANDS[seen.end].format(**purpose.model_dump())])
    if seen.found is not None:
        shares, ready = seen.found.shares, seen.found.ready
        lines += labelled("traffic:", [words.by_version(shares, "%")])
        lines += labelled("ready:", [words.by_version(ready)])
    if seen.given_back:
        start = f"rollback-manager start {claim.service} --env {claim.env}"
        lines += labelled("given back:", ["as it stands. Nothing was written to production."])
        lines += labelled("next:", [f"If it is still bad: {start}"])
    return page(lines)


def _who(claim: Claim) -> str:
    since = words.day_and_clock(claim.claimed_at)
    return f"{foreign(claim.rollback)} at epoch {claim.epoch}, since {since}; it runs no more"


def _written(mark: Mark | None, claim: Claim, plan: ServicePlan | None) -> str:
    """By the mark at the traffic's target: instances carry none that could be read."""
    if mark is None:
        return "none of ours to the traffic, by the mark at the target"
    step = f"step {mark.step}"
    if mark.epoch == claim.epoch and plan is not None and mark.step < len(plan.actions):
        step += f" ({plan.actions[mark.step].name})"
    if mark.epoch < claim.epoch:
        return f"an earlier rollback's (epoch {mark.epoch}): this one did not shift the traffic"
    if mark.epoch > claim.epoch:
        return (
            f"epoch {mark.epoch}, {step}: newer than the claim. Were the records lost or restored?"
            " Going on draws an epoch above it."
        )
    return f"epoch {mark.epoch}, {step}"
