"""Tells people how a rollback stands: an object that the workflow owns, and never waits for.

Each channel is followed by a task of its own: what happens while one message is under way goes out
with the next. A channel that is dead costs a few tries in the background, and is named at the end.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from temporalio import workflow
from temporalio.common import RetryPolicy

from workflows.control import Control
from workflows.short import FAILED

with workflow.unsafe.imports_passed_through():
    from activities.notifications import NotificationActivities, Receipt
    from activities.notifications import Telling as Told
    from rollback_manager.plan import RollbackPlan
    from rollback_manager.progress import RollbackOutcome, RollbackStatus
    from rollback_manager.telling.card import Card, card
    from rollback_manager.telling.notices import Notice, notices

ONE_TRY = timedelta(seconds=8)
"""A channel has 4 s for each of its answers; longer than this is a thread wasted."""
ALL_TRIES = timedelta(seconds=30)
"""Then the next news tries again: a channel that was down for minutes gets what it missed."""
RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_attempts=4
)
LAST_WORDS = timedelta(seconds=10)
"""The rollback is over, its services are free: so long may the last messages take."""
MOST_MESSAGES = 150
"""For each channel: a rollback that is paused and resumed all day must not fill its history."""


class Saying(NamedTuple):
    """All that there is to say at one moment."""

    card: Card
    news: tuple[Notice, ...]


class Telling:
    """All channels of one rollback. Without any it costs nothing, and leaves nothing in history."""

    def __init__(self, control: Control, look: Callable[[], RollbackStatus]) -> None:
        """look: how the rollback stands now."""
        self._control, self._look = control, look
        self._plan: RollbackPlan | None = None
        self._incident = ""
        self._over = False
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._not_told: dict[str, str] = {}

    def begin(self, plan: RollbackPlan, incident: str) -> None:
        """From now on the plan's channels are told of every change; the first time alone counts."""
        if self._plan is not None:
            self._plan = plan
            return
        self._plan, self._incident = plan, incident
        for name in plan.channels:
            self._under_way[name] = asyncio.create_task(self._follow(plan.env, name))

    async def end(self, outcome: RollbackOutcome) -> RollbackOutcome:
        """The last words; the outcome with the channels that did not take them."""
        if not self._under_way:
            return outcome
        self._over = True
        await self._control.to_the_end(self._last_words())
        silent = [name for name, task in self._under_way.items() if not task.done()]
        for name in silent:
            self._under_way[name].cancel()
            self._not_told.setdefault(name, "no answer when the rollback had ended")
        told = tuple(f"{name}: {why}" for name, why in sorted(self._not_told.items()))
        return outcome.model_copy(update={"not_told": told})

    async def _last_words(self) -> None:
        try:
            await workflow.wait_condition(
                lambda: all(task.done() for task in self._under_way.values()),
                timeout=LAST_WORDS,
                timeout_summary="last words to people",
            )
        except TimeoutError:
            workflow.logger.warning("a channel was not told how the rollback ended")

    async def _follow(self, env: str, name: str) -> None:
        """One channel, until the rollback is over and it knows."""
        said: Saying | None = None
        receipt = Receipt()
        for _ in range(MOST_MESSAGES):
            said = await self._other_than(said)
            if said is None:
                return
            news = tuple(one for one in said.news if one.key not in receipt.told)
            telling = Told(env=env, channel=name, card=said.card, news=news, receipt=receipt)
            receipt = await self._tell(telling)

    async def _other_than(self, said: Saying | None) -> Saying | None:
        """What there is to say now; None: it is over, and all was said."""
        await workflow.wait_condition(lambda: self._over or self._saying() != said)
        now_is = self._saying()
        return now_is if now_is != said else None

    async def _tell(self, telling: Told) -> Receipt:
        name = telling.channel
        try:
            receipt: Receipt = await workflow.execute_activity_method(
                NotificationActivities.tell_people,
                telling,
                start_to_close_timeout=ONE_TRY,
                schedule_to_close_timeout=LAST_WORDS if self._over else ALL_TRIES,
                heartbeat_timeout=ONE_TRY,
                retry_policy=RETRY,
                summary=f"{name}: {telling.card.stands}"[:120],
            )
        except FAILED as error:
            self._not_told[name] = f"{error.cause or error}"[:200]
            return telling.receipt
        self._not_told.pop(name, None)
        return receipt

    def _saying(self) -> Saying:
        status = self._look()
        shown = card(status, self._plan, incident=self._incident)
        return Saying(shown, notices(status, self._plan))
