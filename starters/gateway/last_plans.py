"""Plans that were shown here, so that their commands can be shown while Temporal is away."""

from collections import OrderedDict

from rollback_manager.plan import RollbackPlan

MOST = 64
"""Rollbacks whose plan is kept: as many as somebody may be in the midst of (ours)."""


class LastPlans:
    """The plan of each rollback as it was last seen; of many the newest."""

    def __init__(self) -> None:
        self._commands: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    def keep(self, rollback: str, plan: RollbackPlan) -> None:
        """Remember what the plan would do by hand."""
        self._commands[rollback] = tuple(line for seen in plan.found for line in seen.by_hand)
        self._commands.move_to_end(rollback)
        while len(self._commands) > MOST:
            self._commands.popitem(last=False)

    def begun(self, rollback: str, shown_as: str) -> None:
        """The plan that was shown under another name is this rollback's."""
        if shown_as in self._commands:
            self._commands[rollback] = self._commands[shown_as]

    def by_hand(self, rollback: str) -> tuple[str, ...]:
        """Its commands; nothing where its plan was not seen here."""
        return self._commands.get(rollback, ())
