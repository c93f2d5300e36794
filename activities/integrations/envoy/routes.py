"""The route file: which share of the traffic each version gets, and who set it so."""

import json
from collections.abc import Collection, Iterator
from copy import deepcopy
from typing import Any, TypeAlias

from rollback_manager.errors import PermanentError
from rollback_manager.operation import Mark

Cluster: TypeAlias = dict[str, Any]
"""One row of a split: name, weight, and whatever else its author wants."""
Split: TypeAlias = dict[str, Any]
"""What Envoy calls weighted_clusters."""
SPLIT = ("weighted_clusters", "weightedClusters")
"""Envoy reads both spellings of its own field names; it writes the first."""


class Routes:
    """The text of one route file, and in it the configuration named `route`.

    Clusters are named `<route>-<version>`. Raises PermanentError where the text is not that.
    """

    def __init__(self, text: str, route: str, place: str) -> None:
        self._place = place
        self._route = route
        self._prefix = f"{route}-"
        try:
            self._document = json.loads(text)
            named = self._named(self._document)
            self._splits = splits(named, self._prefix)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._wrong(f"is not a route file in JSON ({error})") from error
        if len(named) != 1:
            raise self._wrong(f"has {len(named)} route configurations named {route!r}, not one")
        if not self._splits:
            raise self._wrong(f"has no weighted_clusters whose names begin with {self._prefix!r}")

    @property
    def version_info(self) -> str:
        """Who wrote it, as Envoy repeats it once the routes are in force."""
        return str(self._document.get("version_info", self._document.get("versionInfo", "")))

    @property
    def mark(self) -> Mark | None:
        """The mark of our write; None when somebody else wrote it."""
        return Mark.parse(self.version_info)

    def shares(self) -> dict[str, int]:
        """Percent of the traffic by version, without those that get none; sums to 100."""
        shares = [percent(self._weights(split)) for split in self._splits]
        if any(other != shares[0] for other in shares):
            raise self._wrong(f"splits the traffic of {self._prefix}* in several ways: {shares}")
        return shares[0]

    def weights(self) -> list[dict[str, int]]:
        """Weight by cluster of every split, as Envoy shows them when it runs this file."""
        return [cluster_weights(split) for split in self._splits]

    def with_shares(
        self, shares: dict[str, int], version_info: str, known: Collection[str] | None = None
    ) -> str:
        """The text with other shares; all else in it stays.

        known: the versions that Envoy has a cluster for, None when that was not asked. One of them
        stays in the split with weight 0, and so does what was written beside its weight; one that
        is gone would void the file.
        """
        document = deepcopy(self._document)
        for split in splits(self._named(document), self._prefix):
            self._weights(split)  # refuses foreign clusters, whose share would change, too
            split["clusters"] = self._shifted(split["clusters"], shares, known)
        document.pop("versionInfo", None)
        return json.dumps({**document, "version_info": version_info}, indent=1) + "\n"

    def _named(self, document: Any) -> list[Any]:
        return [one for one in document["resources"] if one.get("name") == self._route]

    def _shifted(
        self, clusters: list[Cluster], shares: dict[str, int], known: Collection[str] | None
    ) -> list[Cluster]:
        listed = {one["name"].removeprefix(self._prefix): one for one in clusters}
        kept = {v: one for v, one in listed.items() if known is None or v in known or v in shares}
        new = {v: {"name": self._prefix + v} for v in shares if v not in listed}
        return [{**one, "weight": shares.get(v, 0)} for v, one in (kept | new).items()]

    def _weights(self, split: Split) -> dict[str, int]:
        named = cluster_weights(split)
        if foreign := [name for name in named if not name.startswith(self._prefix)]:
            raise self._wrong(f"mixes {foreign} into the split of {self._prefix}*")
        return {name.removeprefix(self._prefix): weight for name, weight in named.items() if weight}

    def _wrong(self, what: str) -> PermanentError:
        return PermanentError(
            f"{self._place} {what}",
            effect="Nothing was written; Envoy keeps the routes that it has.",
            next_step="Mend that file, or name the right one in the catalogue.",
        )


def splits(node: Any, prefix: str) -> list[Split]:
    """Every weighted_clusters below `node` in which a cluster's name begins with `prefix`."""
    return [
        split
        for split in _all_splits(node)
        if any(name.startswith(prefix) for name in cluster_weights(split))
    ]


def cluster_weights(split: Split) -> dict[str, int]:
    """Weight by name; none written is a weight of 0."""
    return {str(one["name"]): int(one.get("weight", 0)) for one in split.get("clusters", ())}


def percent(weights: dict[str, int]) -> dict[str, int]:
    """Weights of any sum as whole percents that sum to 100; who gets anything gets at least 1."""
    total = sum(weights.values())
    shares = {name: max(1, weight * 100 // total) for name, weight in weights.items()}
    by_remainder = sorted(weights, key=lambda name: weights[name] * 100 % total, reverse=True)
    for name in by_remainder[: max(0, 100 - sum(shares.values()))]:
        shares[name] += 1
    while sum(shares.values()) > 100:
        shares[max(shares, key=shares.__getitem__)] -= 1
    return shares


def _all_splits(node: Any) -> Iterator[Split]:
    match node:
        case dict():
            for key, value in node.items():
                if key in SPLIT and isinstance(value, dict):
                    yield value
                else:
                    yield from _all_splits(value)
        case list():
            for one in node:
                yield from _all_splits(one)
