"""Whether more pods of a template fit their namespace: quotas and limit ranges. Pure."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from kubernetes.utils.quantity import parse_quantity

from activities.integrations.kubernetes.objects import Json
from rollback_manager.platform_facts import Quota

COMPUTE = ("cpu", "memory")


def quotas(items: Sequence[Json], ranges: Sequence[Json], template: Json) -> tuple[Quota, ...]:
    """What is left of each resource that pods need; quotas for some pods only are left out."""
    found: list[Quota] = []
    for item in items:
        spec, used = item["spec"], item.get("status", {}).get("used", {})
        if spec.get("scopes") or spec.get("scopeSelector"):
            continue
        for resource, hard in sorted((spec.get("hard") or {}).items()):
            if (needs := _needs(resource, template, ranges)) is None:
                continue
            left = parse_quantity(hard) - parse_quantity(used.get(resource, "0"))
            each = None if needs < 0 else float(needs)
            name = item["metadata"]["name"]
            found.append(Quota(name=name, resource=resource, left=float(left), each=each))
    return tuple(found)


def misfits(ranges: Sequence[Json], template: Json) -> tuple[str, ...]:
    """In words, what a LimitRange forbids of the template's containers."""
    return tuple(words for one in ranges for words in _misfits(one, template))


def _needs(resource: str, template: Json, ranges: Sequence[Json]) -> Decimal | None:
    """What a pod takes of it: None where that is nothing, -1 where it must say and does not."""
    if resource in {"pods", "count/pods"}:
        return Decimal(1)
    kind, dot, name = resource.partition(".")
    if not dot:
        kind, name = "requests", resource
    if name not in COMPUTE or kind not in {"requests", "limits"}:
        return None
    total = Decimal(0)
    for container in template["spec"]["containers"]:
        said = _said(container, kind, name) or _default(ranges, kind, name)
        if not said:
            return Decimal(-1)
        total += parse_quantity(said)
    return total


def _said(container: Json, kind: str, name: str) -> str:
    """A request that is not said is as high as the limit."""
    resources = container.get("resources") or {}
    own = (resources.get(kind) or {}).get(name, "")
    return own or ((resources.get("limits") or {}).get(name, "") if kind == "requests" else "")


def _default(ranges: Sequence[Json], kind: str, name: str) -> str:
    key = "default" if kind == "limits" else "defaultRequest"
    for limit in _of_containers(ranges):
        if said := (limit.get(key) or {}).get(name):
            return str(said)
    return ""


def _misfits(item: Json, template: Json) -> Iterator[str]:
    for limit in _of_containers([item]):
        for container in template["spec"]["containers"]:
            for name in COMPUTE:
                most, least = (limit.get("max") or {}).get(name), (limit.get("min") or {}).get(name)
                high = _said(container, "limits", name) or _said(container, "requests", name)
                low = _said(container, "requests", name)
                which = f"LimitRange {item['metadata']['name']}: {name} of {container['name']}"
                if most and high and parse_quantity(high) > parse_quantity(most):
                    yield f"{which} is {high}, at most {most} is allowed"
                if least and low and parse_quantity(low) < parse_quantity(least):
                    yield f"{which} is {low}, at least {least} is asked for"


def _of_containers(ranges: Sequence[Json]) -> Iterator[Json]:
    for item in ranges:
        yield from (one for one in item["spec"]["limits"] if one["type"] == "Container")
