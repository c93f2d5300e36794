"""What would have to be put back; noted before a step, for a write may land and its answer not."""

from rollback_manager.plan import Action, Capacity, Split, Wanted


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

        Of several changes to one thing (the split; a version's instances) only the first is undone:
        values are absolute, so what it replaced is what was there before all of them.
        """
        first: dict[str, Action] = {}
        for action, before in self._noted:
            first.setdefault(_thing(before), _undoing(action, before))
        return list(reversed(first.values()))


def _thing(wanted: Wanted) -> str:
    match wanted:
        case Split():
            return "traffic"
        case Capacity(version=version):
            return f"instances of {version}"
        case _:
            return str(wanted.kind)


def _undoing(action: Action, before: Wanted) -> Action:
    return Action(
        wanted=before,
        timeout_s=action.timeout_s,
        check=f"as before {action.name}",
        no_undo_because="it is the undo itself",
    )
