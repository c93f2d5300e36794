"""Envoy's statistics read as the counters of versions.

Which of its counters say that no version answered was found by experiment with Envoy 1.40: each of
UNREACHED goes up with a 503 of Envoy's own, before any instance had the request.
"""

import re
import threading
from collections.abc import Collection, Mapping
from typing import Any

from rollback_manager.metrics.reading import Counts

UNREACHED = (
    "upstream_cx_none_healthy",
    "upstream_rq_pending_failure_eject",
    "upstream_rq_pending_overflow",
    "upstream_rq_active_overflow",
)
"""No healthy instance; the connection was refused; too many waited; too many were answered."""
RETRIED_ANSWERS = "retry.upstream_rq_completed"
"""Answers of instances in whose place a retry policy tried again; asked for by the name's end."""
NO_CLUSTER = "no_cluster"
"""5xx for routes to a cluster that is not there; one counter per listener's stat_prefix."""
COUNTERS = (
    "membership_healthy",
    "upstream_rq_active",
    "upstream_rq_completed",
    "upstream_rq_5xx",
    "upstream_rq_retry",
    *UNREACHED,
)
LATENCY = "upstream_rq_time"
MERGE_WINDOW_S = 1.0
"""Envoy's update_merge_window: the admin port shows a change of health at once, the threads that
send requests learn of it up to this much later. Measured: 503s for 0.98 s after "2 healthy"."""


def pattern(route: str, stat_prefix: str) -> str:
    """The filter for everything that a snapshot needs, and little else."""
    names = "|".join((*COUNTERS, LATENCY))
    return rf"^cluster\.{re.escape(route)}-.*\.({names})$|^{re.escape(_no_cluster(stat_prefix))}$"


def clusters_pattern(route: str) -> str:
    """The filter for one value of each cluster."""
    return rf"^cluster\.{re.escape(route)}-.*\.membership_healthy$"


def version_text(route: str, stat_prefix: str) -> str:
    """The name under which Envoy repeats the version_info of the routes that it took up last."""
    return f"http.{stat_prefix}.rds.{route}.version_text"


def versions(route: str, values: Mapping[str, Any], others: Collection[str] = ()) -> dict[str, str]:
    """Version → prefix of its counters' names.

    Only a cluster has a membership: `v1.external.upstream_rq_5xx` makes no version `v1.external`.
    others: routes of the same Envoy; `shop-api-v1` is of shop-api where there is one, not of shop.
    """
    begin, end = f"cluster.{route}-", ".membership_healthy"
    found = (name for name in values if name.startswith(begin) and name.endswith(end))
    longer = tuple(f"cluster.{one}-" for one in others if one.startswith(f"{route}-"))
    names = {
        name.removeprefix(begin).removesuffix(end) for name in found if not name.startswith(longer)
    }
    return {version: f"{begin}{version}." for version in names if version}


def counts(
    prefix: str,
    values: Mapping[str, Any],
    histograms: Mapping[str, list[dict[str, Any]]],
    serving: int,
) -> Counts:
    """What one version answered. A request that never reached it counts in neither number."""
    unreached = unreached_of(prefix, values)
    failed = _value(values, f"{prefix}upstream_rq_5xx")
    buckets = histograms.get(prefix + LATENCY, ())
    return Counts(
        requests=_value(values, f"{prefix}upstream_rq_completed") - unreached,
        errors=failed - unreached,
        in_flight=_value(values, f"{prefix}upstream_rq_active"),
        serving=serving,
        latency_ms=tuple((float(one["upper_bound"]), int(one["cumulative"])) for one in buckets),
    )


def unreached_of(prefix: str, values: Mapping[str, Any]) -> int:
    """5xx that Envoy gave because no instance of the version got the request.

    An attempt that was made again is no answer. One after which an instance had answered is known
    to be none of these; the others may have failed for any reason, a connection that broke under
    a request too: of them this counts too few rather than excuse the version.
    """
    tried = sum(_value(values, prefix + name) for name in UNREACHED)
    again = _value(values, f"{prefix}upstream_rq_retry") - _value(values, prefix + RETRIED_ANSWERS)
    given_up = max(0, tried - max(0, again))
    return min(given_up, _value(values, f"{prefix}upstream_rq_5xx"))


def own_errors(stat_prefix: str, prefixes: list[str], values: Mapping[str, Any]) -> int:
    """5xx that no version gave: of the above, and for routes to a cluster that is not there.

    Not `downstream_rq_5xx` less the versions' 5xx: the two are not read at one moment, and the
    difference jumps when a cluster is removed with its counters.
    """
    unreached = sum(unreached_of(prefix, values) for prefix in prefixes)
    return _value(values, _no_cluster(stat_prefix)) + unreached


class Rotation:
    """How many instances the threads that send requests are sure to know of."""

    def __init__(self) -> None:
        self._seen: dict[str, list[tuple[float, int]]] = {}
        self._lock = threading.Lock()

    def sure(self, version: str, healthy: int, now_s: float) -> int:
        """The fewest healthy ones at any time in the last MERGE_WINDOW_S, as far as was looked.

        A look after a longer pause stands for itself: nothing says that anything changed.
        """
        with self._lock:
            seen = self._seen.get(version, [])
            if seen and now_s - seen[-1][0] > MERGE_WINDOW_S:
                seen = []
            seen = [*seen, (now_s, healthy)]
            while len(seen) > 1 and seen[1][0] <= now_s - MERGE_WINDOW_S:
                seen = seen[1:]  # the first stays as what held when the window began
            self._seen[version] = seen
            return min(count for _, count in seen)


def _no_cluster(stat_prefix: str) -> str:
    return f"http.{stat_prefix}.{NO_CLUSTER}"


def _value(values: Mapping[str, Any], name: str) -> int:
    return int(values.get(name, 0))  # absent until it first counts
