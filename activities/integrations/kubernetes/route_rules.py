"""An HTTPRoute's rules, taken apart from their weights and put together again. Pure."""

import copy
import json
from collections.abc import Iterator

from activities.integrations.kubernetes.objects import Json
from rollback_manager.frozen import Route


def route(item: Json) -> Route:
    """An HTTPRoute as it is kept."""
    spec = copy.deepcopy(item["spec"])
    weights = {}
    for number, place, ref in _refs(spec):
        weights[f"{number}/{place}"] = ref.pop("weight", 1)
    return Route(
        name=item["metadata"]["name"], spec=json.dumps(spec, sort_keys=True), weights=weights
    )


def with_weights(wanted: Route, now: Json) -> list[Json]:
    """The wanted rules with the weights that their backends have right now.

    now: the spec of the route as it is. A backend that it does not name gets nothing where another
    one of its rule is named there, else what it had: such a rule splits no version of ours.
    """
    spec: Json = json.loads(wanted.spec)
    current: dict[str, int] = {}
    for _, _, ref in _refs(now):
        current.setdefault(_name(ref), ref.get("weight", 1))
    for number, rule in enumerate(spec.get("rules") or []):
        refs = rule.get("backendRefs") or []
        is_ours = any(_name(ref) in current for ref in refs)
        for place, ref in enumerate(refs):
            old = wanted.weights.get(f"{number}/{place}", 1)
            ref["weight"] = current.get(_name(ref), 0) if is_ours else old
        if refs and not any(ref["weight"] for ref in refs):  # all requests would fail
            for place, ref in enumerate(refs):
                ref["weight"] = wanted.weights.get(f"{number}/{place}", 1)
    rules: list[Json] = spec.get("rules") or []
    return rules


def _refs(spec: Json) -> Iterator[tuple[int, int, Json]]:
    for number, rule in enumerate(spec.get("rules") or []):
        for place, ref in enumerate(rule.get("backendRefs") or []):
            yield number, place, ref


def _name(ref: Json) -> str:
    return f"{ref.get('kind', 'Service')}/{ref.get('namespace', '')}/{ref['name']}"
