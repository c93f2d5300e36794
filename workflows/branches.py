"""A rollback of more services than one plan can hold: its parts, each a rollback, in order."""

import asyncio
from collections.abc import Awaitable, Callable

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import (
    ChildWorkflowError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)
from temporalio.workflow import ChildWorkflowHandle, ParentClosePolicy

from workflows.control import Control
from workflows.halt import Halt
from workflows.options import A_MINUTE
from workflows.outbox import Outbox
from workflows.short import FAILED, short

with workflow.unsafe.imports_passed_through():
    from activities.judgement import JudgementActivities, TreeConclusion
    from activities.planning import PlanningActivities
    from rollback_manager.contract import (
        ROLLBACK_WORKFLOW,
        Planned,
        RollbackRequest,
        rollback_id,
    )
    from rollback_manager.fleet.tree import Tree, again, joined, no_less, other_releases, sealed
    from rollback_manager.plan import Part
    from rollback_manager.progress import EndState, Result, RollbackOutcome, ServiceOutcome
    from rollback_manager.values import Value

AGAIN = "a part is not tried again under a plan that is used up: start its services anew"
"""What builds before `PLANNED_ANEW` answered; their rollbacks are replayed so."""
PLANNED_ANEW = "a part that is tried again is planned anew"
NO_WAY_BACK = (
    "not tried again, what is not well is on the version that it was to go back to;"
    " look at it, then skip_step or abort"
)
AT_ONCE = 4
"""Parts planned at once; each looks at many services."""

Agreed = Callable[[Tree, str], Awaitable[Result | None]]
"""Asks people about a tree, in words what it is about. None: they agreed, or need not be asked."""


class Branches:
    """The parts of one rollback. They run one after another: each has the whole width."""

    def __init__(
        self, request: RollbackRequest, control: Control, halted: Halt, tell: Callable[[str], None]
    ) -> None:
        self._request, self._control, self._halted, self._say = request, control, halted, tell
        self._outbox = Outbox(control)
        self.tree: Tree | None = None
        self._called_bad: dict[str, str] = {}

    def tell(self, name: str, command: Value) -> None:
        """Keep a signal for the part that runs, or for the next one."""
        self._outbox.keep(name, command)

    async def seal(self, parts: tuple[Part, ...]) -> Planned | None:
        """Have every part planned, so that all of it can be agreed to. A refusal, if there is one.

        The plans stay with the parts: together they would not fit one message.
        """
        made: list[tuple[Part, Planned]] = []
        for start in range(0, len(parts), AT_ONCE):
            some = parts[start : start + AT_ONCE]
            self._say(f"planning parts {start + 1} to {start + len(some)} of {len(parts)}")
            answers = await self._control.to_the_end(asyncio.gather(*map(self._sealed, some)))
            made += zip(some, answers, strict=True)
        refused = [planned for _, planned in made if planned.approval is None]
        if refused:
            return refused[0]
        whole = [part.model_copy(update={"digest": planned.digest}) for part, planned in made]
        self.tree = sealed(whole, [planned for _, planned in made])
        for _, planned in made:
            self._called_bad |= planned.from_versions
        if self.tree.keys:
            self._outbox.word = str(workflow.uuid4())
        return None

    async def _sealed(self, part: Part) -> Planned:
        planned: Planned = await short(
            PlanningActivities.seal_part,
            self._of(part),
            patience=A_MINUTE,
            summary=f"plan of {len(part.services)} services, wave {part.wave}",
        )
        return planned

    async def run(self, tree: Tree, agreed: Agreed) -> list[RollbackOutcome]:
        """Every part in its order; the first that is not well stops the next, and asks.

        agreed: asks about the new plan of a part that is to be tried again.
        """
        ended: list[RollbackOutcome] = []
        for number, part in enumerate(tree.parts, start=1):
            await self._control.until(lambda: True)  # so that a native cancel is seen
            if self._control.abort is not None:
                break
            name = rollback_id(self._request.env, part.key)
            self._say(f"part {number} of {len(tree.parts)}: {name}")
            outcome = await self._part(part, name)
            if outcome.result is not Result.VERIFIED and number < len(tree.parts):
                outcome = await self._ask(number, part, outcome, agreed)
            ended.append(outcome)
        return ended

    async def _part(self, part: Part, name: str) -> RollbackOutcome:
        starting = workflow.start_child_workflow(
            ROLLBACK_WORKFLOW,
            self._of(part),
            id=name,
            result_type=RollbackOutcome,
            parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            static_summary=f"wave {part.wave}: {len(part.services)} services",
        )
        try:
            handle = await self._control.to_the_end(starting)
        except WorkflowAlreadyStartedError:
            return _unknown(part, name, f"{name} was started by somebody else")
        await self._followed(handle)
        try:
            outcome: RollbackOutcome = await handle
        except ChildWorkflowError as error:
            return _unknown(part, name, f"it did not end by itself: {error.cause or error}")
        return outcome if outcome.services or outcome.well else _not_begun(part, outcome)

    async def _followed(self, handle: ChildWorkflowHandle[object, RollbackOutcome]) -> None:
        """Pass on what people say until the part has ended."""
        while not handle.done():
            try:
                await workflow.wait_condition(lambda: handle.done() or self._outbox.is_full())
            except asyncio.CancelledError:
                if workflow.cancellation_reason() is None:
                    raise
            await self._outbox.send(handle)

    async def _ask(
        self, number: int, part: Part, outcome: RollbackOutcome, agreed: Agreed
    ) -> RollbackOutcome:
        """Until it is well, or a person goes on without it or aborts; how it ended then."""
        because, attempt = f"{outcome.result}: {outcome.because}", 1
        while outcome.result is not Result.VERIFIED:
            self._say(self._halted.ask(f"part-{number}", because))
            await self._control.until(self._halted.is_answered)
            if self._halted.close() != "retry_step":
                break
            because = f"{AGAIN}; it ended {outcome.result}: {outcome.because}"
            if workflow.patched(PLANNED_ANEW):
                attempt += 1
                made = again(part, outcome, attempt)
                refused, outcome = await self._again(number, made, outcome, agreed)
                because = f"{refused}{outcome.result}: {outcome.because}"
        return outcome

    async def _again(
        self, number: int, part: Part, before: RollbackOutcome, agreed: Agreed
    ) -> tuple[str, RollbackOutcome]:
        """Once more those that are not back: looked at and planned anew, and agreed to.

        In words why that was not done, empty where it was; and how the part stands now.
        """
        if not part.services:
            return f"{NO_WAY_BACK}; before, it ended ", before
        count = f"{len(part.services)} services" if len(part.services) > 1 else part.services[0]
        self._say(f"part {number} again: planning {count} anew")
        planned, why = await self._anew(part)
        if planned is None:
            return f"not tried again, {why}; before, it ended ", before
        tree = sealed([part.model_copy(update={"digest": planned.digest})], [planned])
        refused = await agreed(tree, f"part-{number} again, {count} planned anew")
        if refused is not None or self._control.abort is not None:
            why = refused or Result.ABORTED
            return f"not tried again, its new plan is {why}; before, it ended ", before
        name = rollback_id(self._request.env, part.key)
        self._say(f"part {number} again: {name}")
        return "", joined(before, await self._part(tree.parts[0], name))

    async def _anew(self, part: Part) -> tuple[Planned | None, str]:
        """The part's new plan; None, and why, where there is none that may be asked about.

        Until people answer again the rollback goes on: it does not end by a plan that fails.
        """
        try:
            planned = await self._control.to_the_end(self._sealed(part))
        except FAILED as error:
            if is_cancelled_exception(error):
                raise
            return None, f"it could not be planned: {error.cause or error}"
        if planned.approval is None or self.tree is None:
            return None, planned.blocked_because
        if others := other_releases(part.services, self._called_bad, planned.from_versions):
            return None, others
        return no_less(planned, self.tree), ""

    def _of(self, part: Part) -> RollbackRequest:
        more = {"services": part.services, "key": part.key, "expect_plan": part.digest or None}
        more |= {"confirmed": None, "word": self._outbox.word}  # typed out for the whole
        more |= {"token": "", "origin": None}  # the whole was signed
        if self._outbox.word:
            more["first_run"] = workflow.info().first_execution_run_id  # a reset keeps this one
        return self._request.model_copy(update=more)


async def concluded(
    tree: Tree, ended: list[RollbackOutcome], refused: Result | None, control: Control
) -> RollbackOutcome:
    """How all of it ended; judged in an activity."""
    conclusion = TreeConclusion(
        rollback=workflow.info().workflow_id, tree=tree, ended=tuple(ended), refused=refused
    )
    work = short(
        JudgementActivities.conclude_tree, conclusion, patience=A_MINUTE, summary="all parts"
    )
    outcome: RollbackOutcome = await control.to_the_end(work)
    return outcome


def _not_begun(part: Part, outcome: RollbackOutcome) -> RollbackOutcome:
    """A part that was refused tells of no service; they are untouched, and named."""
    services = tuple(
        ServiceOutcome(service=one, end=EndState.UNTOUCHED, verified=False, because=outcome.because)
        for one in part.services
    )
    return outcome.model_copy(update={"services": services})


def _unknown(part: Part, name: str, because: str) -> RollbackOutcome:
    services = tuple(
        ServiceOutcome(service=one, end=EndState.UNKNOWN, verified=False, because=because)
        for one in part.services
    )
    return RollbackOutcome(
        rollback=name,
        result=Result.NOT_VERIFIED,
        because=because,
        effect="The state of these services is unknown: look before you act.",
        services=services,
    )
