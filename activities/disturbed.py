"""Whether somebody else writes while a rollback is under way; then it stops, and never fights."""

from activities.step import Step
from activities.targets import Target
from rollback_manager.errors import Blocked
from rollback_manager.owners import NOBODY
from rollback_manager.plan import Capacity, Drained, OwnersHeld, Removed, Split, Well
from rollback_manager.stays import Kept, Live

STOPPED = "This step writes nothing more; what it wrote before stays."
HOW = "Stop that deploy, then retry-step; or abort, and leave its version to it."


def undisturbed(step: Step, target: Target, *, reached: bool) -> None:
    """Raises Blocked where a deploy began meanwhile, or the template was put back.

    reached: whether this attempt has written, or found, the template that the step wants.
    """
    if target.owners is None or isinstance(step.action.wanted, OwnersHeld):
        return
    live = target.owners.live()
    if live.newest_epoch > step.mark.epoch:
        return  # a newer rollback: the write itself is refused, and says so
    if reached:
        _must_not_shrink(step, live)
    if len(live.kept) == 1:
        _in_place(step, live.kept[0], reached=reached)
    else:
        _side_by_side(step, live)


def pre_empted(target: Target, version: str) -> str:
    """In words the rollout that a new template puts an end to; empty where none is under way."""
    live = target.owners.live() if target.owners else None
    if live is None or len(live.kept) > 1:
        return ""
    kept = live.kept[0]
    if kept.version == version or not kept.rollout:
        return ""
    begun = f"{kept.name} to {kept.version} ({kept.rollout}), begun by {kept.template_by}"
    return f", in place of the rollout of {begun}"


def _must_not_shrink(step: Step, live: Live) -> None:
    wanted = step.action.wanted
    if not isinstance(wanted, Capacity):
        return
    for kept in live.kept:
        shrunk = kept.version == wanted.version and kept.replicas < wanted.instances
        if shrunk and kept.replicas_by != NOBODY:
            raise Blocked(
                f"{kept.name} was scaled to {kept.replicas}, not {wanted.instances}:"
                f" written by {kept.replicas_by}",
                effect=STOPPED,
                next_step="Keep it from that (a minimum, a pause), then retry-step; or abort.",
            )


def _in_place(step: Step, kept: Kept, *, reached: bool) -> None:
    plan, wanted = step.plan, step.action.wanted
    known = {plan.from_version, plan.to_version, *(one.version for one in plan.alternatives)}
    if kept.version not in known:
        raise _began(kept)
    if not reached:
        return
    match wanted:
        case Drained(version=version) | Removed(version=version):
            gone = kept.version == version
        case Capacity(version=version) | Split(version=version) | Well(version=version):
            gone = kept.version != version
        case _:
            return
    changed = kept.version == plan.to_version and kept.digest != plan.to_digest
    if gone or changed:
        what = f"{kept.version} again" if gone else f"another template of {kept.version}"
        raise Blocked(
            f"{kept.name} was given {what}: written by {kept.template_by}",
            effect=STOPPED,
            next_step=HOW,
        )


def _side_by_side(step: Step, live: Live) -> None:
    plan = step.plan
    there = {one.version for one in live.kept}
    if there >= {plan.from_version, plan.to_version} or isinstance(step.action.wanted, Capacity):
        return  # a Capacity of what is not there is refused by name where it is written
    known = {plan.from_version, plan.to_version, *(one.version for one in plan.alternatives)}
    others = [one for one in live.kept if one.version not in known]
    if others:
        raise _began(others[0])


def _began(kept: Kept) -> Blocked:
    return Blocked(
        f"a deploy of {kept.version} began meanwhile: {kept.name}, written by {kept.template_by}",
        effect=STOPPED,
        next_step=HOW,
    )
