"""One release that is said to be bad: alarms join, it is judged, and the way back is taken."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.common import SearchAttributeKey, VersioningBehavior
from temporalio.exceptions import ApplicationError, ChildWorkflowError, is_cancelled_exception
from temporalio.workflow import ParentClosePolicy

from workflows.messages import readable
from workflows.options import A_MINUTE
from workflows.rollback import RollbackWorkflow
from workflows.short import FAILED, short
from workflows.words import Words

with workflow.unsafe.imports_passed_through():
    import pydantic

    from activities.incidents import AlarmsOf, IncidentActivities, Judged
    from rollback_manager.authority.token import BadToken, Claims
    from rollback_manager.client.rollbacks import search_attributes
    from rollback_manager.contract import INCIDENT_WORKFLOW, Answered, rollback_id
    from rollback_manager.decision.engine import Decision
    from rollback_manager.decision.facts import Action
    from rollback_manager.incidents.alarms import Alarm, Refused, Sighting, collected
    from rollback_manager.incidents.incident import Status, moved
    from rollback_manager.incidents.incident_status import (
        UNDONE,
        IncidentCarried,
        IncidentOpening,
        IncidentStatus,
        IncidentVerdict,
        opened,
        request_for,
        unwanted,
        with_late,
    )
    from rollback_manager.progress import Result, RollbackOutcome
    from rollback_manager.rendering import web_ui_incident
    from rollback_manager.watch.evidence_trace import EvidenceTrace

STATE = SearchAttributeKey.for_keyword("RollbackState")
COLLECTED = timedelta(seconds=10)
"""Between two judgements of one incident: a storm of alarms is judged once, not 500 times."""
SELDOM = timedelta(minutes=5)
"""The same evidence again is judged ever more seldom, up to this."""
QUIET = timedelta(hours=1)
"""An incident that is only watched ends when nothing new came for so long; one that waits for a
person looks then whether the release has traffic at all."""
LATE = timedelta(seconds=30)
"""Alarms of the same storm that come after the release was taken back join within this time: each
would begin an incident of its own, only to be refused, and hide this one. No longer: the release
may go out again, and an alarm then is news."""
AN_HOUR = timedelta(hours=1)
"""Patience with records and targets that do not answer."""
A_WEEK = timedelta(days=7)
"""A person who is asked has so long; then the incident ends as it stands, and says so."""
MOST_REFUSALS = 20
MOST_WORDS = 500
"""Of an error that is not ours."""
MOST_BLOCKED = 3
"""Rollbacks that may be blocked before people are asked: what blocks one may pass."""
LEFT_TO_PEOPLE = (Result.REJECTED, Result.EXPIRED, Result.STALE_PLAN, Result.ABORTED)
"""A rollback that ends so ended by people, or for want of them."""
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
        so_far = opening.so_far if _goes_on_as_new() else None
        before = so_far or IncidentCarried(status=opened(opening, workflow.now()))
        self._incident = before.status.incident
        self._decision: Decision | None = before.status.decision
        self._refused: tuple[Refused, ...] = before.status.refused
        self._rollback, self._because = before.status.rollback, before.status.because
        self._seen: Sighting = before.seen
        self._alarms: tuple[Alarm, ...] = before.alarms
        self._left_to = before.left_to
        self._judgements, self._blocked = before.judgements, before.blocked
        self._verdict: IncidentVerdict | None = None
        self._words = Words(before.keys, before.used, before.status.ignored)
        self._shown: Status | None = None

    @workflow.run
    async def run(self, opening: IncidentOpening) -> IncidentStatus:
        """From the first alarm to an end; the incident as it stood then."""
        with suppress(TimeoutError):
            await workflow.wait_condition(self._has_news, timeout=A_MINUTE)
        while await self._goes_on() and await self._news():
            if is_long() and self._verdict is None:
                workflow.continue_as_new(self._carried(opening))
        self._show()
        if self._incident.status in UNDONE and workflow.patched("late alarms join"):
            await self._wait(is_long, LATE)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.status()

    def _has_news(self) -> bool:
        return bool(self._alarms) or self._verdict is not None

    async def _goes_on(self) -> bool:
        """Judge what has come in and act on it; whether there is anything left to wait for."""
        verdict, self._verdict = self._verdict, None
        if verdict is not None:
            return await self._by_person(verdict)
        judged = await self._judge()
        if judged is None or self._verdict is not None:
            return True  # a person who spoke meanwhile was told that it counts
        if not self._incident.alarms and self._decision is None:
            self._because = self._refused[-1].because if self._refused else "no alarm came"
            return self._has_news()  # what came meanwhile may be better
        if judged.over:
            self._because = judged.over
            return self._has_news()
        if judged.decision is None or self._left_to:
            return True
        return await self._act(judged.decision)

    async def _judge(self) -> Judged | None:
        """What the alarms so far come to; None where that cannot be said now."""
        alarms, self._alarms = self._alarms, ()
        self._judgements += 1
        try:
            judged: Judged = await short(
                IncidentActivities.judge_incident,
                AlarmsOf(
                    incident=self._incident,
                    alarms=alarms,
                    seen=self._seen,
                    number=self._judgements,
                ),
                patience=AN_HOUR,
                summary=f"{sum(one.times for one in alarms)} alarms: analyse, decide",
            )
        except FAILED as error:
            if is_cancelled_exception(error):
                raise
            if not self._words.keys and workflow.patched("words are signed"):
                await self._learn_keys()
            self._fails(f"it could not be judged: {error.cause or error}")
            return None
        self._words.learn(judged.keys)
        self._incident, self._seen = judged.incident, judged.seen
        self._refused = (*self._refused, *judged.refused)[-MOST_REFUSALS:]
        if judged.decision is not None:
            self._decide(judged.decision)
        return judged

    async def _learn_keys(self) -> None:
        """Nothing was judged yet, and a person may still say what is to be done."""
        known: Judged = await short(
            IncidentActivities.who_may_speak,
            self._incident,
            patience=AN_HOUR,
            summary="whose word counts?",
        )
        self._words.learn(known.keys)

    def _decide(self, decision: Decision) -> None:
        """Said in any case; what a person has settled stays settled."""
        self._decision = decision
        if not self._left_to:
            self._because = f"{decision.action}: {decision.reasons[0]}"
            self._come_to_a_decision()
        self._show()

    def _come_to_a_decision(self) -> None:
        """The seed's order: evidence that joins is analysed before anything else follows."""
        if self._incident.status is Status.DECISION_MADE:
            return
        if self._incident.status is not Status.ANALYZED:
            self._move(Status.ANALYZED)
        self._move(Status.DECISION_MADE)

    async def _act(self, decision: Decision) -> bool:
        if decision.action is Action.ROLLBACK:
            return await self._roll_back(by=self._incident.id)
        self._move(_LEFT_AS[decision.action])
        return True

    async def _news(self) -> bool:
        """Wait for evidence or a person; False when neither came for long."""
        await self._wait(lambda: self._verdict is not None, COLLECTED)
        pause = min(COLLECTED * 2 ** min(self._judgements - 1, 6), SELDOM) - COLLECTED
        if pause:
            await self._wait(lambda: self._verdict is not None or self._differs(), pause)
        if await self._wait(self._has_news, QUIET) or self._has_news():
            return True
        asked = self._incident.status is Status.DECISION_MADE
        if asked and workflow.now() - self._incident.detected_at < A_WEEK:
            return True
        self._because = "nobody answered" if asked else "quiet for an hour"
        return False

    async def _wait(self, news: Callable[[], bool], within: timedelta) -> bool:
        """Whether it came in time."""
        with suppress(TimeoutError):
            await workflow.wait_condition(news, timeout=within)
            return True
        return False

    def _differs(self) -> bool:
        """Whether an alarm says what none has said yet: that does not wait."""
        known = {
            (o.newest.trigger, o.newest.source, o.newest.finding) for o in self._incident.joined
        }
        said = (one.evidence for one in self._alarms)
        return any((one.trigger, one.source, one.finding) not in known for one in said)

    async def _by_person(self, verdict: IncidentVerdict) -> bool:
        """A person's word: from now on nothing is done by itself."""
        self._because = self._left_to = f"{verdict.by} says {verdict.action}: {verdict.reason}"
        self._come_to_a_decision()
        if verdict.action is Action.ROLLBACK:
            return await self._roll_back(by=verdict.by)
        self._move(_LEFT_AS[verdict.action])
        return True

    async def _roll_back(self, *, by: str) -> bool:
        """The rollback as a child that outlives this; whether the incident goes on after it."""
        self._move(Status.PLANNED)
        request = request_for(self.status(), by, key=workflow.uuid4().hex[:8])
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
        except ChildWorkflowError as error:
            if is_cancelled_exception(error) and workflow.cancellation_reason() is not None:
                raise
            self._left_to = f"{self._rollback} did not come to its end: {error.cause or error}"
            self._fails(self._left_to)
            return True
        self._because = f"{outcome.result}: {outcome.because}"
        return self._after(outcome)

    def _after(self, outcome: RollbackOutcome) -> bool:
        """What was blocked is tried again a few times; what people ended is theirs from then on."""
        if outcome.result is Result.BLOCKED:
            self._blocked += 1
        if outcome.result in LEFT_TO_PEOPLE or self._blocked >= MOST_BLOCKED:
            self._left_to = self._because
        if outcome.result in (*LEFT_TO_PEOPLE, Result.BLOCKED):
            self._move(Status.DECISION_MADE)
            return True
        self._move(Status.EXECUTED)
        well = outcome.result is Result.VERIFIED
        self._move(Status.RESOLVED if well else Status.VERIFICATION_FAILED)
        return False

    def _fails(self, because: str) -> None:
        """It cannot be handled now: that is said, and waits for better evidence or a person."""
        self._because = because[:MOST_WORDS]
        self._move(Status.ERROR)

    def _carried(self, opening: IncidentOpening) -> IncidentOpening:
        """No rollback is under way here: this is between two judgements."""
        so_far = IncidentCarried(
            status=self.status().model_copy(update={"trace": EvidenceTrace()}),
            seen=self._seen,
            alarms=self._alarms,
            left_to=self._left_to,
            judgements=self._judgements,
            blocked=self._blocked,
            keys=self._words.keys,
            used=tuple(self._words.used),
        )
        return opening.model_copy(update={"so_far": so_far})

    def _move(self, status: Status) -> None:
        if status is not self._incident.status:
            self._incident = moved(self._incident, status)
        self._show()

    def _show(self) -> None:
        """An attribute is an event: only where it differs."""
        if self._shown is not self._incident.status:
            self._shown = self._incident.status
            workflow.upsert_search_attributes([STATE.value_set(str(self._incident.status))])
        workflow.set_current_details(web_ui_incident.details(self.status()))

    @workflow.query
    def status(self) -> IncidentStatus:
        """The incident, what was decided and why, and the rollback that came of it."""
        undone = self._incident.status in UNDONE
        return IncidentStatus(
            incident=with_late(self._incident, self._alarms) if undone else self._incident,
            decision=self._decision,
            refused=self._refused,
            rollback=self._rollback,
            because=self._because,
            trace=self._seen.trace,
            ignored=tuple(self._words.ignored),
        )

    @workflow.signal(description="The release is worse, or is so no more")
    def alarm(self, alarm: Alarm | None = None) -> None:
        """Evidence that joins."""
        if known := readable(alarm, Alarm):
            self._alarms = collected(self._alarms, known)

    @workflow.signal(description="A person decides: rollback, fix_forward or monitor")
    def decide(self, verdict: IncidentVerdict | None = None) -> None:
        """A person's word ends the review."""
        if (known := readable(verdict, IncidentVerdict)) is None:
            return
        try:
            self._hear(known)
        except BadToken as bad:
            self._words.ignore(known, bad.what)

    @workflow.update(name="decide", description="A person decides: rollback, fix_forward, monitor")
    def decided(self, verdict: IncidentVerdict) -> Answered:
        """The signal's twin, which answers."""
        try:
            self._hear(verdict)
        except BadToken as bad:  # a validator is not asked again on replay
            raise ApplicationError(bad.what, type="AnswerIgnored", non_retryable=True) from None
        return Answered(applied=True, because=f"{verdict.action} by {verdict.by}")

    @decided.validator
    def _may_decide(self, verdict: IncidentVerdict) -> None:
        try:
            self._must_count(verdict)
        except BadToken as bad:
            raise ApplicationError(bad.what, type="AnswerIgnored", non_retryable=True) from None

    def _hear(self, verdict: IncidentVerdict) -> None:
        self._words.use(self._must_count(verdict))
        self._verdict = verdict

    def _must_count(self, verdict: IncidentVerdict) -> Claims | None:
        """What proves it; None where nothing must. Raises BadToken, whose words are for people."""
        if self._verdict is not None:
            raise BadToken(f"{self._verdict.by} said {self._verdict.action} just now")
        if because := unwanted(self._incident, verdict):
            raise BadToken(because)
        return self._words.proven(verdict, self._incident.env)


def _goes_on_as_new() -> bool:
    """Whether this workflow began this run itself, so that what it carries is its own.

    Whoever starts one can write anything there; a cron or a retry of theirs would carry it on.
    """
    info = workflow.info()
    repeats = info.cron_schedule is not None or info.retry_policy is not None
    return info.continued_run_id is not None and not repeats


def is_long() -> bool:
    """Whether the history should begin anew."""
    return workflow.info().is_continue_as_new_suggested()
