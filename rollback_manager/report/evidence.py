"""The entries of one rollback, read as what our workflows mean by them."""

from functools import cached_property

from rollback_manager.contract import Planned, RollbackRequest, ServiceRollback
from rollback_manager.errors import NotFound, PermanentError
from rollback_manager.plan import RollbackPlan
from rollback_manager.progress import RollbackOutcome
from rollback_manager.report.entries import Entry, Kind


class Evidence:
    """What the parent was asked, planned and returned; all entries in the order of their times."""

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        if not entries:
            raise NotFound("there is no history to report from")
        self.id = entries[0].workflow
        self.parent = [entry for entry in entries if entry.workflow == self.id]
        self.entries = sorted(entries, key=lambda e: (e.at, e.workflow, e.run_id, e.event))

    @cached_property
    def request(self) -> RollbackRequest:
        """What was asked for."""
        request = self.parent[0].says(RollbackRequest)
        if request is None:
            raise PermanentError(
                f"the history of {self.id} does not begin with a readable request",
                effect="Nothing was changed: a report only reads.",
                next_step="Give the id of a rollback whose payloads are plain JSON.",
            )
        return request

    @cached_property
    def planning(self) -> Entry | None:
        """The entry in which the plan was made."""
        mine = (e for e in self.parent if e.name == "plan_rollback" and e.kind in ANSWERS)
        return next((entry for entry in mine if not entry.because), None)

    @cached_property
    def planned(self) -> Planned | None:
        """A plan, or why there can be none."""
        return self.planning.says(Planned) if self.planning else None

    @property
    def plan(self) -> RollbackPlan | None:
        """The plan, if there could be one."""
        return self.planned.plan if self.planned else None

    @cached_property
    def outcome(self) -> RollbackOutcome | None:
        """How it ended, if it returned."""
        ends = (entry for entry in self.parent if entry.kind is Kind.COMPLETED)
        return next((entry.says(RollbackOutcome) for entry in ends), None)

    @cached_property
    def digest(self) -> str:
        """The plan's, as it was then: a later build may know more fields, hence another one."""
        starts = (e for e in self.entries if e.kind is Kind.STARTED and e.workflow != self.id)
        asked = [entry.says(ServiceRollback) for entry in starts]
        then = [self.outcome.digest if self.outcome else "", *(a.digest for a in asked if a)]
        return next((digest for digest in then if digest), self.plan.digest if self.plan else "")

    def of(self, workflow: str) -> list[Entry]:
        """The entries of one workflow."""
        return [entry for entry in self.entries if entry.workflow == workflow]


ANSWERS = {Kind.LOCAL_ACTIVITY, Kind.ACTIVITY_DONE}
"""Short work is done at once or, if that fails, by an ordinary activity (workflows/short.py)."""
