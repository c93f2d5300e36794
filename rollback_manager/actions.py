"""The planned actions of which every strategy is made, each with its check and its way back."""

import math

from rollback_manager.owners import Owner
from rollback_manager.plan import (
    Action,
    Capacity,
    Drained,
    NotWorse,
    OwnersHeld,
    Phase,
    Reduced,
    Removed,
    Split,
    Well,
)
from rollback_manager.policy import Policy
from rollback_manager.values import Ratio

SIGMAS = 3
"""A proxy draws lots: of 100 requests a share of 10 % may well get 4. Three standard deviations."""


def hold(owners: tuple[Owner, ...], minimum: int, policy: Policy) -> Action:
    """Keep those from writing who would take the rollback back.

    Who is held already would put back what an earlier rollback undid: an undo leaves him held.
    """
    held = OwnersHeld(owners=owners, minimum=minimum)
    ours = tuple(one for one in owners if not one.held_before)
    return Action(
        wanted=held,
        timeout_s=policy.timeouts.redirect_traffic_s,
        check=f"{held.names} held, and nothing of it under way",
        undo=held.model_copy(update={"owners": ours, "hold": False}) if ours else None,
        no_undo_because="" if ours else "they were held before, for an earlier rollback",
    )


def carry(version: str, instances: int, policy: Policy) -> Action:
    """Make `version` able to carry the load of `instances`."""
    return Action(
        wanted=Capacity(version=version, instances=instances),
        timeout_s=policy.timeouts.prepare_s,
        check=f"{instances} instances of {version} ready and in the proxy's rotation",
        no_undo_because="more ready instances harm nobody; they stay",
    )


def shift(version: str, shares: dict[str, int], before: dict[str, int], policy: Policy) -> Action:
    """Give `version` its part of `shares`; the way back is the split `before`."""
    at_least = measurable(shares[version], policy)
    others = sorted(other for other, part in before.items() if part and other != version)
    loser = others[0] if others else version
    return Action(
        wanted=Split(version=version, shares=shares, at_least=at_least),
        timeout_s=policy.timeouts.redirect_traffic_s,
        check=f"measured share of {version} ≥ {at_least:.0%}",
        undo=Split(version=loser, shares=before, at_least=measurable(before[loser], policy)),
    )


def measurable(percent: int, policy: Policy) -> Ratio:
    """The lowest share that a sample of `confirmed_requests` shows where `percent` is set.

    The policy's share of it (99 % for > 99 %), less three standard deviations of the sample.
    """
    part, requests = percent / 100, max(1, policy.confirmed_requests)
    spread = SIGMAS * math.sqrt(part * (1 - part) / requests)
    return max(0.0, policy.confirmed_share * part - spread)


def check_slice(
    version: str, shares: dict[str, int], before: dict[str, int], policy: Policy
) -> Action:
    """Look whether the slice harms users; if it does, `before` is put back."""
    slices = policy.slices
    fall_back = shift(version, shares, before, policy).undo
    return Action(
        wanted=NotWorse(version=version, percent=shares[version]),
        timeout_s=slices.max_s + 30,
        check=f"no harm over ≥ {slices.min_s:.0f} s and ≥ {slices.requests} requests of {version}",
        no_undo_because="it only reads",
        fall_back=fall_back,
    )


def stop_batch(bad: str, good: str, instances: int, before: int, policy: Policy) -> Action:
    """Leave `instances` of the bad version, of which `before` ran; the rest drains and stops."""
    return Action(
        wanted=Reduced(version=bad, kept=good, instances=instances),
        timeout_s=policy.timeouts.stop_batch_s,
        check=f"{instances} instances of {bad} run and are in the proxy's rotation",
        undo=Capacity(version=bad, instances=before),
    )


def drain(version: str, policy: Policy) -> Action:
    """Wait until `version`, which gets no traffic, answers nothing any more."""
    return Action(
        wanted=Drained(version=version),
        timeout_s=policy.timeouts.drain_s,
        check=f"no request in flight on {version}, read twice",
        no_undo_because="it only waits",
    )


def prove(version: str, instances: int, policy: Policy) -> Action:
    """Show that users of `version` are well."""
    return Action(
        wanted=Well(version=version, instances=instances),
        timeout_s=policy.verification.max_window_s + 30,
        check="errors, P95, throughput and journeys as before the bad release",
        no_undo_because="it only reads",
    )


def remove(bad: str, good: str, before: int, policy: Policy) -> Action:
    """Stop the bad version, of which `before` instances ran; its definition stays."""
    keep = policy.keep_instances
    return Action(
        wanted=Removed(version=bad, kept=good, instances=keep),
        timeout_s=policy.timeouts.clean_up_s,
        check=f"{keep} instances of {bad} run; its definition stays",
        undo=Capacity(version=bad, instances=before),
    )


def slices(good: str, shares: dict[str, int], policy: Policy) -> tuple[Phase, ...]:
    """From the split `shares` to all traffic on `good`, each slice watched before the next one.

    Slices below what `good` has already are left out: traffic is never taken from it.
    """
    phases: list[Phase] = []
    before = {version: part for version, part in shares.items() if part}
    for percent in policy.slices.percents:
        if percent <= before.get(good, 0) and percent < 100:
            continue
        after = split(good, percent, before)
        actions = (shift(good, after, before, policy), check_slice(good, after, before, policy))
        phases.append(Phase(name=f"{percent} % of the traffic", actions=actions))
        before = after
    return tuple(phases)


def split(good: str, percent: int, before: dict[str, int]) -> dict[str, int]:
    """`percent` for `good`, the rest for the others as they shared it before."""
    others = {v: part for v, part in sorted(before.items()) if v != good and part}
    if percent == 100 or not others:
        return {good: 100}
    left, total = 100 - percent, sum(others.values())
    parts = {version: left * part // total for version, part in others.items()}
    largest = max(parts, key=lambda version: parts[version])
    parts[largest] += left - sum(parts.values())
    return {good: percent, **{version: part for version, part in parts.items() if part}}
