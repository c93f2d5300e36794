"""After a rollback: does it stay, who took it back, and when may its owners have theirs back?"""

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import SearchAttributeKey, VersioningBehavior
from temporalio.exceptions import ActivityError, ApplicationError

from workflows.options import A_MINUTE, RETRY
from workflows.short import FAILED, short
from workflows.steps import reason_of
from workflows.telling import Telling

with workflow.unsafe.imports_passed_through():
    import pydantic

    from activities.revert import RevertActivities
    from activities.stays import LATER_S, LOOK_S, PATIENCE, Letting, StayActivities, StayQuestion
    from rollback_manager.authority.asks import content
    from rollback_manager.authority.keys import Aim, Seal
    from rollback_manager.authority.proving import proven
    from rollback_manager.authority.token import BadToken, Dec, audience
    from rollback_manager.contract import STAY_WORKFLOW, ReleaseHold
    from rollback_manager.owners import Owner, OwnerKind
    from rollback_manager.progress import State
    from rollback_manager.rendering import web_ui_stays
    from rollback_manager.revert import Revert, RevertState
    from rollback_manager.stays import (
        OFTEN,
        PAGES,
        Check,
        Stayed,
        Staying,
        StayStatus,
        Verdict,
        quiet_until,
        remembered,
    )
    from rollback_manager.telling.saying import of_stay
    from workflows.messages import readable

STATE = SearchAttributeKey.for_keyword("RollbackState")
ONE_LOOK = timedelta(seconds=30)
ONE_PROPOSAL, ALL_PROPOSALS = timedelta(minutes=5), timedelta(minutes=15)
AT_LONGEST = timedelta(days=30)
"""Nobody answered for so long: it ends, and says so."""


@workflow.defn(
    name=STAY_WORKFLOW,
    failure_exception_types=[pydantic.ValidationError],
    versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
)
class StayWorkflow:
    """Checks at +10 s, +4 min, +15 min and looks in between; then looks after the hold."""

    @workflow.init
    def __init__(self, staying: Staying) -> None:
        self._staying = staying
        self._held: tuple[Owner, ...] = staying.owners
        self._known = Verdict.NOT_LOOKED
        self._because = ""
        self._state, self._waits_for, self._next_step = State.RUNNING, "", ""
        self._expired, self._over = False, False
        self._asked: ReleaseHold | None = None
        self._checks: list[Check] = []
        self._changes = 0
        self._notes: list[str] = []
        self._telling = Telling(lambda: of_stay(self.status()))

    @workflow.run
    async def run(self, staying: Staying) -> StayStatus:
        """Ends when nothing is left to look after, or another rollback or release took over."""
        if workflow.info().parent is None:  # else anybody would have what they name given back
            raise ApplicationError(
                "only a rollback has what it held looked after: nothing was given back",
                type="Blocked",
                non_retryable=True,
            )
        self._telling.go_on(staying.env, staying.told)
        proposing = asyncio.create_task(self._propose()) if staying.checks_s else None
        if staying.checks_s:
            await self._deny()
        for seconds in staying.checks_s:
            if not await self._watch_until(self._after(seconds), due=True):
                break
        await self._look_after_the_rest()
        if proposing is not None:
            await proposing
        self._move(State.FINISHED, "", "")
        for one in await self._telling.end():
            self._notes.append(f"not told: {one}")
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.status()

    async def _propose(self) -> None:
        """The revert in Git, if the service has one: what ends a hold for good is a merge."""
        try:
            revert: Revert = await workflow.execute_activity_method(
                RevertActivities.open_revert,
                self._staying,
                start_to_close_timeout=ONE_PROPOSAL,
                schedule_to_close_timeout=ALL_PROPOSALS,
                heartbeat_timeout=ONE_LOOK,
                retry_policy=RETRY,
                summary=f"Git: {self._staying.bad} → {self._staying.version} on a branch",
            )
        except ActivityError as error:
            self._notes.append(f"no revert was proposed in Git: {reason_of(error)}")
        else:
            if revert.state is not RevertState.NO_GIT:
                self._notes.append(" ".join((revert.because, revert.request_url)).strip())
        self._show()

    async def _deny(self) -> None:
        try:
            told: str = await short(
                StayActivities.deny_version,
                self._staying,
                patience=A_MINUTE,
                summary=f"{self._staying.bad} onto the deny list, if there is one",
            )
        except FAILED as error:
            told = f"{self._staying.bad} is not on the deny list: {error.cause or error}"
        self._notes.append(told)

    async def _watch_until(self, until: datetime, *, due: bool) -> bool:
        """Looks until then, and tells of each change. False: another one took over."""
        while True:
            stayed = await self._look(until)
            over = workflow.now() >= until
            if stayed is not None:
                self._tell(stayed, due=due and over)
                if stayed.verdict is Verdict.SUPERSEDED:
                    self._give_way()
                    return False
            await self._release_if_asked()
            if over or not (due or self._is_left()):
                return True

    async def _look_after_the_rest(self) -> None:
        """Until all is well and given back; loud from the moment on when the hold is too old."""
        expires = self._after(self._staying.hold_s)
        while self._is_left() and not self._over:
            expiring = self._held and not self._expired  # without a hold nothing expires
            until = expires if expiring else self._after(AT_LONGEST.total_seconds())
            await self._watch_until(until, due=False)
            if workflow.now() >= self._after(AT_LONGEST.total_seconds()):
                self._notes.append("nobody answered: this ends, and what is held stays held")
                return
            if self._held and not self._expired and workflow.now() >= expires:
                await self._expire()

    def _give_way(self) -> None:
        """A newer rollback knows of the hold. A newer release does not: then that alone is left."""
        self._over = not (self._held and self._staying.checks_s)
        if not self._over:
            self._staying = self._staying.model_copy(update={"checks_s": ()})
            self._known = Verdict.NOT_LOOKED

    def _is_left(self) -> bool:
        return bool(self._held) or self._known in PAGES

    async def _expire(self) -> None:
        self._expired = True
        names = ", ".join(one.name for one in self._held)
        hours = self._staying.hold_s / 3600
        self._page(f"{names} held for {hours:g} h by now: {self._because}")
        if self._staying.release_on_expiry:
            await self._let_go("the policy says so")

    async def _look(self, until: datetime) -> Stayed | None:
        """One answer; None where a person asked for the hold meanwhile."""
        checking = len(self._checks_done()) < len(self._staying.checks_s)
        question = StayQuestion(
            staying=self._staying,
            until=until,
            known=self._known,
            held=self._held,
            releases=() if checking else self._held,
            every_s=LOOK_S if checking or self._held_for_load() else LATER_S,
            quiet_until=quiet_until(self._changes, workflow.now()),
        )
        looking = workflow.start_activity_method(
            StayActivities.check_stays,
            question,
            start_to_close_timeout=ONE_LOOK,
            schedule_to_close_timeout=max(until - workflow.now(), timedelta()) + 10 * PATIENCE,
            retry_policy=RETRY,
            summary=f"{self._staying.version} stays until {until:%H:%M:%SZ}? ({self._known})",
        )
        await workflow.wait_condition(lambda: looking.done() or self._asked is not None)
        if not looking.done():
            looking.cancel()
        try:
            return await looking
        except ActivityError as error:
            if self._asked is not None:
                return None
            because = f"no worker could look: {error.cause or error}"
            return Stayed(verdict=Verdict.CANNOT_TELL, because=because, left=self._held)

    def _held_for_load(self) -> bool:
        return any(one.kind is OwnerKind.AUTOSCALER for one in self._held)

    def _tell(self, stayed: Stayed, *, due: bool) -> None:
        changed = stayed.verdict is not self._known
        if due or changed:
            at = workflow.now()
            after_s = (at - self._staying.since).total_seconds()
            check = Check(at=at, after_s=max(0, after_s), due=due, stayed=stayed)
            self._checks = remembered([*self._checks, check])
            self._changes += 1
        self._known = stayed.verdict
        self._because = stayed.held_because or stayed.because
        self._notes = [*self._notes[-OFTEN:], *stayed.released]
        if stayed.verdict in {Verdict.STAYS, Verdict.UNHELD}:
            self._held = stayed.left
        if stayed.verdict is Verdict.STAYS:
            if not self._expired or not self._held:
                self._move(State.RUNNING, "", "")
        elif stayed.verdict in PAGES and (changed or self._state is not State.NEEDS_HUMAN):
            self._page(stayed.because)
        self._show()

    def _checks_done(self) -> list[Check]:
        return [one for one in self._checks if one.due]

    def _page(self, words: str) -> None:
        workflow.logger.error(
            "a rollback did not stay, or cannot be let go",
            extra={
                "service": self._staying.service,
                "rollback": self._staying.rollback,
                "because": words,
            },
        )
        self._notes.append(words)
        self._move(State.NEEDS_HUMAN, words, web_ui_stays.what_to_do(self._staying, self._held))

    async def _release_if_asked(self) -> None:
        asked, self._asked = self._asked, None
        if asked is not None and self._held:
            await self._let_go(f"{asked.by} asked for it: {asked.reason or 'no reason given'}")

    async def _let_go(self, because: str) -> None:
        letting = Letting(staying=self._staying, owners=self._held)
        try:
            told: str = await short(
                StayActivities.let_owners_go, letting, patience=A_MINUTE, summary="give back"
            )
        except FAILED as error:
            self._page(f"could not be given back: {error.cause or error}")
            return
        self._held = ()
        self._notes.append(f"{told}: {because}")
        if self._known not in PAGES:
            self._move(State.RUNNING, "", "")

    def _after(self, seconds: float) -> datetime:
        return self._staying.since + timedelta(seconds=seconds)

    def _move(self, state: State, waits_for: str, next_step: str) -> None:
        if state is not self._state:
            workflow.upsert_search_attributes([STATE.value_set(str(state))])
        self._state, self._waits_for, self._next_step = state, waits_for, next_step
        self._show()

    def _show(self) -> None:
        workflow.set_current_details(web_ui_stays.details(self.status()))

    @workflow.query
    def status(self) -> StayStatus:
        """How it stands."""
        return StayStatus(
            staying=self._staying,
            state=str(self._state),
            waits_for=self._waits_for,
            next_step=self._next_step,
            checks=tuple(self._checks),
            held=tuple(one.name for one in self._held),
            notes=tuple(self._notes),
        )

    @workflow.signal(description="Give those back who were held, whatever they would do")
    def release_hold(self, command: ReleaseHold | None = None) -> None:
        """Give those back who were held, whatever they would do."""
        if (known := readable(command or ReleaseHold(by="signal"), ReleaseHold)) is None:
            return
        try:
            self._must_count(known)
        except BadToken as bad:
            said = f"not given back: the word of {known.by} does not count: {bad.what}"
            self._notes = [*self._notes[-OFTEN:], said]
            return
        self._asked = known

    def _must_count(self, command: ReleaseHold) -> None:
        """Raise BadToken. Said twice it does no more: what is held again has another run."""
        info = workflow.info()
        seal = Seal(
            keys=self._staying.keys,
            aud=audience(self._staying.env),
            aims=(Aim(rid=info.workflow_id, run=info.first_execution_run_id),),
        )
        claims = proven(
            command,
            seal,
            Dec.RELEASE_HOLD,
            workflow.now(),
            (),
            plan=content(command),
            nonce="",
        )
        if claims is not None and claims.sub != command.by:
            raise BadToken("it was signed for somebody else")
