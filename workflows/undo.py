"""What would have to be put back; noted before a step, for a write may land and its answer not."""

from collections.abc import Iterator, Set

from rollback_manager.plan import (
    Action,
    ActionKind,
    Capacity,
    Configured,
    ServicePlan,
    Split,
    Wanted,
)
from rollback_manager.progress import Found


class Undo:
    """The way back to what was found, in as few steps as that takes."""

    def __init__(self) -> None:
        self._noted: list[tuple[Action, Wanted]] = []

    def note(self, action: Action) -> None:
        """The step is about to begin; the same one again adds nothing."""
        if action.undo is not None and (action, action.undo) not in self._noted:
            self._noted.append((action, action.undo))

    def actions(self) -> list[Action]:
        """Undoing steps, the last change first.

        Of several changes to one thing (the split; a version's instances; the version that one
        controller brings up) only the first is undone:
        values are absolute, so what it replaced is what was there before all of them.
        """
        first: dict[str, Action] = {}
        for action, before in self._noted:
            first.setdefault(_thing(action, before), _undoing(action, before))
        return list(reversed(first.values()))


def _thing(action: Action, before: Wanted) -> str:
    match before:
        case Split():
            return "traffic"
        case Capacity() if isinstance(action.wanted, Capacity):
            return "the version of its one controller"
        case Capacity(version=version):
            return f"instances of {version}"
        case _:
            return str(before.kind)


def _undoing(action: Action, before: Wanted) -> Action:
    return Action(
        wanted=before,
        timeout_s=action.timeout_s,
        check=f"as before {action.name}",
        no_undo_because="it is the undo itself",
    )


def seals(loose: Set[ActionKind], found: Found, plan: ServicePlan) -> Iterator[Action]:
    """Steps that change nothing and leave a newer mark, so that a loose write comes too late.

    Temporal gives an attempt up that it does not hear of, and cannot end it: a worker that hung may
    write minutes later, when the rollback is held or has ended.
    """
    if ActionKind.REDIRECT_TRAFFIC in loose:
        most = max(found.shares, key=lambda version: found.shares[version])
        yield _seal(Split(version=most, shares=found.shares, at_least=0), plan)
    if ActionKind.RESTORE_CONFIGURATION in loose:
        configured = (one.wanted for one in plan.actions if isinstance(one.wanted, Configured))
        for wanted in configured:
            yield _seal(wanted.model_copy(update={"digest": ""}), plan)
    if loose - {ActionKind.REDIRECT_TRAFFIC, ActionKind.RESTORE_CONFIGURATION}:
        same = found.current or plan.from_version  # in place, another version would be a rollout
        yield _seal(Capacity(version=same, instances=found.ready.get(same, 0)), plan)


def _seal(wanted: Wanted, plan: ServicePlan) -> Action:
    return Action(
        wanted=wanted,
        timeout_s=plan.policy.timeouts.redirect_traffic_s,
        check="as found, with a newer mark",
        no_undo_because="it changes nothing",
    )
