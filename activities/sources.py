"""Asks every declared source of numbers once, as the watch would. Reads only."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from temporalio import activity

from activities.targets import Targets
from rollback_manager.access import Checked
from rollback_manager.catalogue import Catalogue
from rollback_manager.errors import RollbackError, Unreachable
from rollback_manager.metrics.source_checks import (
    BUSINESS,
    METRICS,
    Place,
    SourcesAsked,
    SourcesChecked,
    no_answer,
    number_checked,
)
from rollback_manager.metrics.sources import BusinessSource
from rollback_manager.veil import VEIL

WITHIN_S = 12.0
"""Two questions of 5 s each, and to spare; whoever is slower is told as that."""
AT_ONCE = 32
SLOW = "Is that server overloaded, or is one of its names slow to resolve?"


class CounterSource(Protocol):
    """What counts for some services of an environment by one question."""

    @property
    def services(self) -> Collection[str]:
        """For whom."""

    def check(self, env: str, carrying: Callable[[str], Collection[str]]) -> Sequence[Checked]:
        """What it says of each. carrying: the versions of a service that have traffic.

        Raises RollbackError where it cannot be asked.
        """


class SourceActivities:
    """The activity behind what `doctor` says of metrics and business numbers."""

    def __init__(
        self,
        catalogue: Catalogue,
        targets: Targets,
        counters: Mapping[str, Sequence[CounterSource]],
    ) -> None:
        """counters: by environment."""
        self._catalogue, self._targets, self._counters = catalogue, targets, counters

    @activity.defn(no_thread_cancel_exception=True)
    def check_sources(self, asked: SourcesAsked) -> SourcesChecked:
        """All at once, in bounded time: one that hangs keeps no other from answering."""
        envs = self._catalogue.environments
        threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="sources")
        begun = [(one, threads.submit(one.ask)) for env in envs for one in self._questions(env)]
        wait([answer for _, answer in begun], timeout=WITHIN_S)
        threads.shutdown(wait=False, cancel_futures=True)
        return SourcesChecked(
            checks=tuple(_veiled(told) for one, answer in begun for told in one.told(answer))
        )

    def _questions(self, env: str) -> Iterator["_Question"]:
        for source in self._counters.get(env, ()):
            places = tuple(Place(env=env, service=name) for name in source.services)
            yield _Question(METRICS, places, partial(self._counted, env, source))
        for name, service in self._catalogue.services.items():
            placement = service.environments.get(env)
            place = Place(env=env, service=name)
            for number, declared in enumerate(placement.business if placement else ()):
                ask = partial(self._number, place, number, declared)
                yield _Question(BUSINESS, (place,), ask)

    def _counted(self, env: str, source: CounterSource) -> Sequence[Checked]:
        return source.check(env, partial(self._carrying, env))

    def _carrying(self, env: str, service: str) -> Collection[str]:
        """None where that cannot be read: that is said by other checks."""
        try:
            shares = self._targets(env, service).traffic.split()
        except RollbackError:
            return ()
        return [version for version, share in shares.items() if share]

    def _number(self, place: Place, number: int, source: BusinessSource) -> Sequence[Checked]:
        reads = self._targets(place.env, place.service).business[number]
        return (number_checked(place, source, reads.read()),)


@dataclass(frozen=True)
class _Question:
    """One question to one source, and for whom."""

    check: str
    places: tuple[Place, ...]
    ask: Callable[[], Sequence[Checked]]

    def told(self, answer: "Future[Sequence[Checked]]") -> Sequence[Checked]:
        """What came of it; of each place why nothing did."""
        try:
            return answer.result(0)
        except (TimeoutError, CancelledError):
            late = Unreachable(f"no answer within {WITHIN_S:g} s", next_step=SLOW)
            return [no_answer(self.check, one, late) for one in self.places]
        except RollbackError as error:
            return [no_answer(self.check, one, error) for one in self.places]


def _veiled(one: Checked) -> Checked:
    """A server may say again what it was sent, the token too; this is read on other machines."""
    said = {"told": VEIL.over(one.told), "next_step": VEIL.over(one.next_step)}
    return one.model_copy(update=said)
