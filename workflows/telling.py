"""Tells people how something stands: an object that a workflow owns, and never waits for.

Each channel is followed by a task of its own: what happens while one message is under way goes out
with the next. A channel that is dead costs a few tries in the background, and is named at the end.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

from workflows.short import FAILED

with workflow.unsafe.imports_passed_through():
    from activities.notifications import NotificationActivities, Receipt
    from activities.notifications import Telling as Told
    from rollback_manager.telling.saying import Saying

ONE_TRY = timedelta(seconds=8)
"""A channel has 4 s for each of its answers; longer than this is a thread wasted."""
ALL_TRIES = timedelta(seconds=30)
"""Then the next news tries again: a channel that was down for minutes gets what it missed."""
RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_attempts=4
)
LAST_WORDS = timedelta(seconds=10)
"""All is over, the services are free: so long may the last messages take."""
MOST_MESSAGES = 150
"""For each channel: a rollback that is paused and resumed all day must not fill its history."""


class Telling:
    """All channels of one workflow. Without any it costs nothing, and leaves nothing in history."""

    def __init__(self, saying: Callable[[], Saying]) -> None:
        """saying: all that there is to say now."""
        self._saying = saying
        self._over = False
        self._begun = False
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._receipts: dict[str, Receipt] = {}
        self._not_told: dict[str, str] = {}

    def begin(self, env: str, channels: Iterable[str]) -> None:
        """From now on they are told of every change, and how it stands; the first time counts."""
        if self._begun:
            return
        self._begun = True
        for name in channels:
            self._receipts[name] = Receipt()
            self._under_way[name] = asyncio.create_task(self._follow(env, name, None))

    def go_on(self, env: str, told: Mapping[str, str]) -> None:
        """From where another workflow was: channel → its reference. Only what changes is told."""
        self._begun, now_is = True, self._saying() if told else None
        for name, reference in told.items():
            self._receipts[name] = Receipt(reference=reference)
            self._under_way[name] = asyncio.create_task(self._follow(env, name, now_is))

    @property
    def references(self) -> dict[str, str]:
        """Channel → by what it knows this, for whoever goes on."""
        return {name: receipt.reference for name, receipt in self._receipts.items()}

    async def end(self) -> tuple[str, ...]:
        """The last words; the channels that did not take them, each with its reason."""
        if not self._under_way:
            return ()
        self._over = True
        await self._last_words()
        for name, task in self._under_way.items():
            if not task.done():
                task.cancel()
                self._not_told.setdefault(name, "no answer when all was over")
        return tuple(f"{name}: {why}" for name, why in sorted(self._not_told.items()))

    async def _last_words(self) -> None:
        try:
            await workflow.wait_condition(
                lambda: all(task.done() for task in self._under_way.values()),
                timeout=LAST_WORDS,
                timeout_summary="last words to people",
            )
        except TimeoutError:
            workflow.logger.warning("a channel was not told how it ended")

    async def _follow(self, env: str, name: str, said: Saying | None) -> None:
        """One channel, until all is over and it knows."""
        for _ in range(MOST_MESSAGES):
            said = await self._other_than(said)
            if said is None:
                return
            receipt = self._receipts[name]
            news = tuple(one for one in said.news if one.key not in receipt.told)
            telling = Told(env=env, channel=name, card=said.card, news=news, receipt=receipt)
            self._receipts[name] = await self._tell(telling)

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
