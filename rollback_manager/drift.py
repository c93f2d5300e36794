"""What became of the world since a release was recorded: what returns with it, and what does not.

Pure. Names of keys are told, never what stands under them: it may be what nobody should read.
"""

import json
from collections.abc import Iterator

from rollback_manager.frozen import ConfigMap, Frozen, Route, config_map, http_route
from rollback_manager.values import Value

NAMED = 5
"""Keys that a sentence names before it counts the rest."""

NOT_ASKED = (
    "whether the image is still in its registry: no registry is asked",
    "whether data was migrated since: the records know of no migrations",
)


class Drift(Value):
    """The difference between a restore point and now, in sentences.

    restored: objects that the rollback writes back. locked: those of them that nobody can write.
    stays: what differs and is not written back. until: what ends the way back, or will.
    """

    told: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()
    locked: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()
    until: tuple[str, ...] = ()
    not_asked: tuple[str, ...] = NOT_ASKED


def drift(point: Frozen, now: Frozen) -> Drift:
    """now: the objects of `point` as they are."""
    wanted, there = point.only(_objects(point)), now.only(_objects(point))
    restored = differing(wanted, there)
    locked = {one.name for one in now.config_maps if one.immutable}
    return Drift(
        told=(
            *_config_maps(point, now),
            *_replicas(point, now),
            *_scalers(point, now),
            *_route(point.route, now.route),
            *(f"{name}: written since, or made anew" for name in _secrets(point, now)),
            *_crds(point, now),
            *_revision(point, now),
        ),
        restored=restored,
        locked=tuple(name for name in restored if name.removeprefix("ConfigMap ") in locked),
        stays=(*_kept_out(point, now), *_stays(point, now)),
        until=(*_history(point, now), *_served(point, now)),
        not_asked=(*_unread(point, now), *NOT_ASKED),
    )


def differing(wanted: Frozen, now: Frozen) -> tuple[str, ...]:
    """Objects that are not as wanted and can be brought back: content that was not kept cannot."""
    there = {one.name: one.digest for one in now.config_maps}
    known = there.keys() | set(now.missing)
    maps = [
        config_map(one.name)
        for one in wanted.config_maps
        if one.is_kept and one.name in known and there.get(one.name) != one.digest
    ]
    is_other = wanted.route and now.route and _rules(wanted.route) != _rules(now.route)
    return (*maps, *([http_route(wanted.route.name)] if wanted.route and is_other else []))


def _objects(point: Frozen) -> list[str]:
    maps = [config_map(name) for name in (*(m.name for m in point.config_maps), *point.missing)]
    return [*maps, *([http_route(point.route.name)] if point.route else [])]


def _config_maps(point: Frozen, now: Frozen) -> Iterator[str]:
    there = {one.name: one for one in now.config_maps}
    for one in point.config_maps:
        if one.name in now.missing:
            yield f"{config_map(one.name)}: gone"
        elif one.name in there and there[one.name].digest != one.digest:
            yield f"{config_map(one.name)}: {_keys(one, there[one.name])}"
    for name in point.missing:
        if name in there:
            yield f"{config_map(name)}: made since"


def _keys(then: ConfigMap, now: ConfigMap) -> str:
    if not then.is_kept:
        return "its content differs"
    before, after = {**then.content, **then.binary}, {**now.content, **now.binary}
    keys = sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    differ = "1 key differs" if len(keys) == 1 else f"{len(keys)} keys differ"
    return f"{differ}: {', '.join(keys[:NAMED])}{more}"


def _replicas(point: Frozen, now: Frozen) -> Iterator[str]:
    there = {one.name: one.replicas for one in now.workloads}
    for one in point.workloads:
        if one.name in there and there[one.name] != one.replicas:
            yield f"{one.name}: replicas {one.replicas} → {there[one.name]}"


def _scalers(point: Frozen, now: Frozen) -> Iterator[str]:
    if _is_unread(now, "autoscalers"):
        return
    then, there = {s.name: s for s in point.scalers}, {s.name: s for s in now.scalers}
    for name in sorted(then.keys() | there.keys()):
        if name not in there or name not in then:
            yield f"autoscaler {name}: {'gone' if name in then else 'made since'}"
            continue
        before, after = then[name], there[name]
        if before.minimum != after.minimum:
            yield f"autoscaler {name}: minimum {before.minimum} → {after.minimum}"
        if before.maximum != after.maximum:
            yield f"autoscaler {name}: maximum {before.maximum} → {after.maximum}"


def _route(then: Route | None, now: Route | None) -> Iterator[str]:
    if then is None or now is None:
        return
    before, after = _rules(then), _rules(now)
    added, removed = [r for r in after if r not in before], [r for r in before if r not in after]
    changed = min(len(added), len(removed))
    parts = [
        f"{count} rule{'s'[: count != 1]} {word}"
        for count, word in (
            (changed, "changed"),
            (len(added) - changed, "added"),
            (len(removed) - changed, "removed"),
        )
        if count
    ]
    if parts or before != after:
        yield f"{http_route(then.name)}: {', '.join(parts) or 'its rules are in another order'}"
    yield from (f"{http_route(then.name)}: {part} differ" for part in _others(then, now))


def _rules(one: Route) -> list[str]:
    rules = json.loads(one.spec).get("rules") or []
    return [json.dumps(rule, sort_keys=True) for rule in rules]


def _others(then: Route, now: Route) -> list[str]:
    """Parts of an HTTPRoute beside its rules that differ; they are not written back."""
    before, after = json.loads(then.spec), json.loads(now.spec)
    names = (before.keys() | after.keys()) - {"rules"}
    return sorted(name for name in names if before.get(name) != after.get(name))


def _secrets(point: Frozen, now: Frozen) -> list[str]:
    there = {one.name: one.written for one in now.secrets}
    return [
        f"Secret {one.name}"
        for one in point.secrets
        if one.written and there.get(one.name) and there[one.name] != one.written
    ]


def _crds(point: Frozen, now: Frozen) -> Iterator[str]:
    for name, stored in (point.crds or {}).items() if now.crds is not None else ():
        after = (now.crds or {}).get(name)
        if after is None:
            yield f"CRD {name}: gone"
        elif after != stored:
            yield f"CRD {name}: storage version {stored} → {after}"


def _revision(point: Frozen, now: Frozen) -> Iterator[str]:
    if point.revision and now.revision and point.revision != now.revision:
        yield f"{point.revision}, now: {now.revision}"


def _kept_out(point: Frozen, now: Frozen) -> Iterator[str]:
    there = {one.name: one.digest for one in now.config_maps}
    for one in point.config_maps:
        if not one.is_kept and there.get(one.name) != one.digest:
            yield f"{config_map(one.name)} stays as it is: it was too large to be kept"
    for name in point.missing:
        if name in there:
            yield f"{config_map(name)}, which was made since, stays"


def _stays(point: Frozen, now: Frozen) -> Iterator[str]:
    for name in _secrets(point, now):
        yield f"{name} was written since {point.version} was recorded: it stays as it is"
    if point.route and now.route:
        for part in _others(point.route, now.route):
            yield f"{part} of {http_route(point.route.name)} stay as they are"


def _history(point: Frozen, now: Frozen) -> Iterator[str]:
    there = {one.name: one for one in now.workloads}
    for one in point.workloads:
        if one.name not in there or not one.hash:
            continue
        kept_for = there[one.name].kept_for
        if kept_for is None:
            yield f"{one.name}: its history forgot the template; only the stored one remains"
        else:
            yield (
                f"{one.name}: its history keeps the template for {kept_for} more rollouts; then"
                " only the stored one remains"
            )


def _served(point: Frozen, now: Frozen) -> Iterator[str]:
    for name, versions in point.served.items() if now.crds is not None else ():
        if lost := [v for v in versions if v not in now.served.get(name, ())]:
            yield f"CRD {name}: {', '.join(lost)} no longer served; what needs it fails"


def _unread(point: Frozen, now: Frozen) -> list[str]:
    unread = [f"at the time of the record: {words}" for words in point.not_read]
    return list(dict.fromkeys([*(f"now: {words}" for words in now.not_read), *unread]))


def _is_unread(now: Frozen, what: str) -> bool:
    return any(words.startswith(f"{what}:") for words in now.not_read)
