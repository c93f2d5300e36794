"""Weights and thresholds of a canary configuration of Kayenta."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rollback_manager.importing.report import MEND, Notes, refused, short
from rollback_manager.watch.kayenta_judge import KayentaJudge, KayentaMetric

FIELDS = KayentaJudge.model_fields


class Thresholds(NamedTuple):
    """Points of 100."""

    pass_at: float
    marginal_at: float


def thresholds(
    config: Mapping[str, Any], request: Mapping[str, Any], notes: Notes, name: str
) -> Thresholds:
    """Those of the request, else of the configuration, else Kayenta's own examples'."""
    classifier = _mapping(config.get("classifier"))
    for where, said in (
        ("executionRequest.thresholds", request.get("thresholds")),
        ("classifier.scoreThresholds", classifier.get("scoreThresholds")),
    ):
        if isinstance(said, Mapping) and said:
            found = Thresholds(
                _points(said.get("pass"), f"{where}.pass", name),
                _points(said.get("marginal"), f"{where}.marginal", name),
            )
            if found.marginal_at > found.pass_at:
                raise refused(name, f"{where}: marginal lies above pass", MEND)
            notes.taken(where, f"pass {found.pass_at:g}, marginal {found.marginal_at:g}")
            return found
    usual = Thresholds(float(FIELDS["pass_at"].default), float(FIELDS["marginal_at"].default))
    text = f"not in the file; pass {usual.pass_at:g}, marginal {usual.marginal_at:g} here"
    notes.approximated("classifier.scoreThresholds", text)
    return usual


def weights(
    config: Mapping[str, Any], metrics: Sequence[KayentaMetric], notes: Notes, name: str
) -> dict[str, float]:
    """By group, of those that are left, scaled to 100: a lost group would only lower the score."""
    where = "classifier.groupWeights"
    said = _mapping(_mapping(config.get("classifier")).get("groupWeights"))
    given = {short(group): _points(one, f"{where}.{group}", name) for group, one in said.items()}
    named = [short(group) for one in config["metrics"] for group in one.get("groups") or ()]
    shares = _shares(given, [*dict.fromkeys([*named, *given])])
    left = {group: shares[group] for one in metrics for group in one.groups}
    total = sum(left.values())
    if total <= 0:
        notes.approximated(where, "no weight is left: all groups count alike")
        return {}
    if lost := [f"{group} {share:g}" for group, share in shares.items() if group not in left]:
        notes.approximated(where, f"without {', '.join(lost)}; the others are scaled up to 100")
    elif round(total, 6) != 100:
        notes.approximated(where, f"they sum to {total:g}; scaled to 100")
    else:
        notes.taken(where, ", ".join(f"{group} {share:g}" for group, share in left.items()))
    return _scaled(left, total)


def _shares(given: Mapping[str, float], groups: Sequence[str]) -> dict[str, float]:
    """Groups without a weight share what is left of 100."""
    rest = [group for group in groups if group not in given]
    share = max(0.0, 100 - sum(given.values())) / len(rest) if rest else 0.0
    return {group: given.get(group, share) for group in groups}


def _scaled(left: Mapping[str, float], total: float) -> dict[str, float]:
    scaled = {group: round(share * 100 / total, 2) for group, share in left.items()}
    largest = max(scaled, key=lambda group: scaled[group])
    scaled[largest] = round(scaled[largest] + 100 - sum(scaled.values()), 6)
    return scaled


def _points(said: Any, where: str, name: str) -> float:
    try:
        found = math.nan if isinstance(said, bool) else float(said)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not 0 <= found <= 100:
        raise refused(name, f"{where}: {said!r} is no number from 0 to 100", MEND)
    return found


def _mapping(said: Any) -> Mapping[str, Any]:
    return said if isinstance(said, Mapping) else {}
