"""Asks every declared source of numbers once, as the watch would. Reads only."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from time import monotonic
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
TRAFFIC_WITHIN_S = 4.0
"""Then a source is judged without: a proxy that is silent must not be told as a slow source."""
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
        readers = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="traffic")
        carrying = _Carrying(self._targets, readers, self._counted_places())
        begun = [
            (one, threads.submit(one.ask)) for env in envs for one in self._questions(env, carrying)
        ]
        wait([answer for _, answer in begun], timeout=WITHIN_S)
        for pool in (threads, readers):
            pool.shutdown(wait=False, cancel_futures=True)
        return SourcesChecked(
            checks=tuple(_veiled(told) for one, answer in begun for told in one.told(answer))
        )

    def _counted_places(self) -> Iterator[tuple[str, str]]:
        for env in self._catalogue.environments:
            for source in self._counters.get(env, ()):
                yield from ((env, service) for service in source.services)

    def _questions(self, env: str, carrying: "_Carrying") -> Iterator["_Question"]:
        for source in self._counters.get(env, ()):
            places = tuple(Place(env=env, service=name) for name in source.services)
            yield _Question(METRICS, places, partial(source.check, env, partial(carrying.of, env)))
        for name, service in self._catalogue.services.items():
            placement = service.environments.get(env)
            place = Place(env=env, service=name)
            for number, declared in enumerate(placement.business if placement else ()):
                ask = partial(self._number, place, number, declared)
                yield _Question(BUSINESS, (place,), ask)

    def _number(self, place: Place, number: int, source: BusinessSource) -> Sequence[Checked]:
        reads = self._targets(place.env, place.service).business[number]
        return (number_checked(place, source, reads.read()),)


class _Carrying:
    """Which versions have traffic: read of all services at once, beside the questions."""

    def __init__(
        self, targets: Targets, readers: ThreadPoolExecutor, places: Iterator[tuple[str, str]]
    ) -> None:
        self._targets = targets
        self._until = monotonic() + TRAFFIC_WITHIN_S
        self._read = {place: readers.submit(self._look, *place) for place in places}

    def _look(self, env: str, service: str) -> Collection[str]:
        shares = self._targets(env, service).traffic.split()
        return [version for version, share in shares.items() if share]

    def of(self, env: str, service: str) -> Collection[str]:
        """None where that cannot be read, or not in time: that is said by other checks."""
        try:
            return self._read[env, service].result(max(0.0, self._until - monotonic()))
        except (TimeoutError, CancelledError, RollbackError):
            return ()


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
