"""One release that is said to be bad: alarms join, it is judged, and the way back is taken."""

from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.common import SearchAttributeKey, VersioningBehavior
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

from workflows.options import A_MINUTE
from workflows.rollback import RollbackWorkflow
from workflows.short import short

with workflow.unsafe.imports_passed_through():
    import pydantic

    from activities.incidents import AlarmsOf, IncidentActivities, Judged
    from rollback_manager.alarms import Alarm, Refused
    from rollback_manager.client.rollbacks import search_attributes
    from rollback_manager.contract import INCIDENT_WORKFLOW, Answered, RollbackRequest, rollback_id
    from rollback_manager.decision.engine import Decision
    from rollback_manager.decision.facts import Action
    from rollback_manager.incident import Incident, Status, moved
    from rollback_manager.incident_status import (
        IncidentOpening,
        IncidentStatus,
        IncidentVerdict,
        unwanted,
    )
    from rollback_manager.progress import Result, RollbackOutcome
    from rollback_manager.rendering import web_ui_incident

STATE = SearchAttributeKey.for_keyword("RollbackState")
COLLECTED = timedelta(seconds=10)
"""Between two judgements of one incident: a storm of alarms is judged once, not 500 times."""
QUIET = timedelta(hours=1)
"""An incident that is only watched ends when nothing new came for so long."""
A_WEEK = timedelta(days=7)
"""A person who is asked has so long; then the incident ends as it stands, and says so."""
MOST_REFUSALS = 20
NOTHING_DONE = (Result.REJECTED, Result.EXPIRED, Result.BLOCKED, Result.STALE_PLAN)
_LEFT_AS = {
    Action.FIX_FORWARD: Status.FIX_FORWARD_INITIATED,
    Action.MONITOR: Status.MONITORING,
    Action.MANUAL_REVIEW: Status.DECISION_MADE,
}


@workflow.defn(
    name=INCIDENT_WORKFLOW,
    failure_exception_types=[pydantic.ValidationError],
    versioning_behavior=VersioningBehavior.PINNED,
)
class IncidentWorkflow:
    """Judges again whenever evidence joins, until it is rolled back or laid to rest."""

    @workflow.init
    def __init__(self, opening: IncidentOpening) -> None:
        self._incident = Incident(
            env=opening.env,
            service=opening.service,
            version=opening.version,
            detected_at=workflow.now(),
        )
        self._alarms: list[Alarm] = []
        self._verdict: IncidentVerdict | None = None
        self._decision: Decision | None = None
        self._refused: list[Refused] = []
        self._rollback = ""
        self._because = "alarms come in"

    @workflow.run
    async def run(self, opening: IncidentOpening) -> IncidentStatus:
        """From the first alarm to an end; the incident as it stood then."""
        await workflow.wait_condition(lambda: bool(self._alarms), timeout=A_MINUTE)
        while await self._goes_on():
            if not await self._news():
                break
        self._show()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.status()

    async def _goes_on(self) -> bool:
        """Judge what has come in and act on it; whether there is anything left to wait for."""
        verdict, self._verdict = self._verdict, None
        if verdict is not None:
            return await self._by_person(verdict)
        await self._judge()
        if self._verdict is not None:
            return True  # a person spoke meanwhile, and was told that it counts
        if self._decision is None:
            self._because = self._refused[-1].because if self._refused else "no alarm came"
            return False
        if self._decision.action is Action.ROLLBACK:
            return await self._roll_back(self._decision, by=self._incident.id)
        if self._decision.action is not Action.MANUAL_REVIEW:
            self._move(_LEFT_AS[self._decision.action])
        return True

    async def _judge(self) -> None:
        alarms, self._alarms = tuple(self._alarms), []
        judged: Judged = await short(
            IncidentActivities.judge_incident,
            AlarmsOf(incident=self._incident, alarms=alarms),
            patience=A_MINUTE,
            summary=f"{len(alarms)} alarms: analyse, decide",
        )
        self._incident = judged.incident
        self._refused = [*self._refused, *judged.refused][-MOST_REFUSALS:]
        self._decision = judged.decision or self._decision
        if judged.decision is not None:
            self._move(Status.ANALYZED)
            self._move(Status.DECISION_MADE)
            self._because = f"{judged.decision.action}: {judged.decision.reasons[0]}"
        self._show()

    async def _news(self) -> bool:
        """Wait for evidence or a person; False when neither came for long."""
        asked = self._incident.status is Status.DECISION_MADE
        with suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._verdict is not None, timeout=COLLECTED)
        try:
            await workflow.wait_condition(
                lambda: bool(self._alarms) or self._verdict is not None,
                timeout=A_WEEK if asked else QUIET,
            )
        except TimeoutError:
            self._because = "nobody answered" if asked else "quiet for an hour"
            return False
        return True

    async def _by_person(self, verdict: IncidentVerdict) -> bool:
        self._because = f"{verdict.by} says {verdict.action}: {verdict.reason}"
        if verdict.action == Action.ROLLBACK:
            return await self._roll_back(self._decision, by=verdict.by)
        self._move(_LEFT_AS[Action(verdict.action)])
        return False

    async def _roll_back(self, decision: Decision | None, *, by: str) -> bool:
        """The rollback as a child that outlives this; whether the incident goes on after it."""
        self._move(Status.PLANNED)
        request = self._request(decision, by)
        self._rollback = rollback_id(request.env, request.key)
        self._show()
        try:
            outcome: RollbackOutcome = await workflow.execute_child_workflow(
                RollbackWorkflow.run,
                request,
                id=self._rollback,
                parent_close_policy=ParentClosePolicy.ABANDON,
                search_attributes=search_attributes(request),
                static_summary=f"{request.services[0]}: {request.reason[:150]}",
            )
        except WorkflowAlreadyStartedError:
            self._move(Status.DECISION_MADE)
            self._because = f"{self._rollback} runs already"
            return True
        self._because = f"{outcome.result}: {outcome.because}"
        return self._after(outcome)

    def _after(self, outcome: RollbackOutcome) -> bool:
        """A rollback that touched nothing leaves the decision to people; all others are an end."""
        if outcome.result in NOTHING_DONE:
            self._move(Status.DECISION_MADE)
            self._decision = None
            return True
        self._move(Status.EXECUTED)
        well = outcome.result is Result.VERIFIED
        self._move(Status.RESOLVED if well else Status.VERIFICATION_FAILED)
        return False

    def _request(self, decision: Decision | None, by: str) -> RollbackRequest:
        incident = self._incident
        fired = incident.joined[0].newest.trigger if incident.joined else "manual"
        by_itself = by == incident.id
        return RollbackRequest(
            env=incident.env,
            services=(incident.service,),
            key=f"{incident.service}-{incident.version}-{workflow.uuid4().hex[:8]}",
            requested_by=by,
            reason=self._because,
            to_version=(decision.target_version or None) if decision and by_itself else None,
            trigger=str(fired) if by_itself else "manual",
            incident=incident.id,
            needs_approval=bool(decision and decision.requires_approval and by_itself),
        )

    def _move(self, status: Status) -> None:
        if status is not self._incident.status:
            self._incident = moved(self._incident, status)
        self._show()

    def _show(self) -> None:
        workflow.upsert_search_attributes([STATE.value_set(str(self._incident.status))])
        workflow.set_current_details(web_ui_incident.details(self.status()))

    @workflow.query
    def status(self) -> IncidentStatus:
        """The incident, what was decided and why, and the rollback that came of it."""
        return IncidentStatus(
            incident=self._incident,
            decision=self._decision,
            refused=tuple(self._refused),
            rollback=self._rollback,
            because=self._because,
        )

    @workflow.signal(description="The release is worse, or is so no more")
    def alarm(self, alarm: Alarm) -> None:
        """Evidence that joins."""
        self._alarms.append(alarm)

    @workflow.signal(description="A person decides: rollback, fix_forward or monitor")
    def decide(self, verdict: IncidentVerdict) -> None:
        """A person's word ends the review."""
        if because := self._unwanted(verdict):
            workflow.logger.warning("a word was ignored", extra={"because": because})
            return
        self._verdict = verdict

    @workflow.update(name="decide", description="A person decides: rollback, fix_forward, monitor")
    def decided(self, verdict: IncidentVerdict) -> Answered:
        """The signal's twin, which answers."""
        self._verdict = verdict
        return Answered(applied=True, because=f"{verdict.action} by {verdict.by}")

    @decided.validator
    def _may_decide(self, verdict: IncidentVerdict) -> None:
        if because := self._unwanted(verdict):
            raise ApplicationError(because, type="AnswerIgnored", non_retryable=True)

    def _unwanted(self, verdict: IncidentVerdict) -> str:
        if self._verdict is not None:
            return f"{self._verdict.by} said {self._verdict.action} just now"
        return unwanted(self._incident, verdict)
