"""The order between services: who goes back first, and who may go back together. Pure.

Forward, a service is deployed after those it needs, and a reader before the writers of what it
reads. Back it is the other way round: the reverse of the deploy order, and writers before readers.
"""

from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from rollback_manager.values import Value


class Links(Value):
    """What ties one service to others."""

    deploys_after: tuple[str, ...] = ()
    """Services that are deployed before this one: it goes back before them."""
    reads_from: tuple[str, ...] = ()
    """Services whose data this one reads: they go back before it."""


class Cycle(NamedTuple):
    """Services of which each must go back before the next, the last one being the first."""

    services: tuple[str, ...]
    because: str

    def __str__(self) -> str:
        """In words: `a → b → a: a deploys after b; b deploys after a`."""
        return f"{' → '.join(self.services)}: {self.because}"


def unknown(links: Mapping[str, Links]) -> Iterator[tuple[str, str, int, str]]:
    """Names that nobody bears: the service, which list, where in it, the name."""
    for service, own in links.items():
        for kind in Links.model_fields:
            for index, name in enumerate(getattr(own, kind)):
                if name not in links:
                    yield service, kind, index, name


def cycle(links: Mapping[str, Links]) -> Cycle | None:
    """One round of services that cannot be put in order, from its first name on; or None."""
    try:
        TopologicalSorter(_earlier(links)).prepare()
    except CycleError as error:
        round_trip: list[str] = error.args[1][:-1]
        first = round_trip.index(min(round_trip))
        turned = [*round_trip[first:], *round_trip[:first]]
        pairs = zip(turned, [*turned[1:], turned[0]], strict=True)
        because = "; ".join(_why(links, one, other) for one, other in pairs)
        return Cycle((*turned, turned[0]), because)
    return None


def waves(services: Collection[str], links: Mapping[str, Links]) -> tuple[tuple[str, ...], ...]:
    """The services in waves, each sorted: what is in a later one waits for all before it.

    Ties count through services that are not part of it as well. Raises ValueError on a cycle.
    """
    if found := cycle(links):
        raise ValueError(str(found))
    chosen, earlier = set(services), _earlier(links)
    number: dict[str, int] = {}
    for name in TopologicalSorter(earlier).static_order():
        before = (number[one] + (one in chosen) for one in earlier.get(name, ()))
        number[name] = max(before, default=0)
    by_number: dict[int, list[str]] = {}
    for name in sorted(chosen):
        by_number.setdefault(number.get(name, 0), []).append(name)
    return tuple(tuple(by_number[one]) for one in sorted(by_number))


def _earlier(links: Mapping[str, Links]) -> dict[str, list[str]]:
    """For each service those that go back before it, in an order that is always the same."""
    earlier: dict[str, set[str]] = {name: set() for name in sorted(links)}
    for service in sorted(links):
        for needed in links[service].deploys_after:
            earlier.setdefault(needed, set()).add(service)
        earlier[service].update(links[service].reads_from)
    return {name: sorted(before) for name, before in earlier.items()}


def _why(links: Mapping[str, Links], first: str, then: str) -> str:
    """Why `first` goes back before `then`."""
    if then in links.get(first, Links()).deploys_after:
        return f"{first} deploys after {then}"
    return f"{then} reads from {first}"
