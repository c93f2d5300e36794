"""What must hold of a rollback on Kubernetes, whatever was done to its worker.

Judged from the API server's audit log, its objects, and what users saw: nothing that the product
says of itself, but for what it declares, which must be so. Invariants: I1 (no effect twice), I2
(never under the floor), I3 (never half-shifted silently), I6 (one writer), I10 (nothing lost).
"""

import re
from collections import Counter
from collections.abc import Iterator

from proof.kill_matrix.oracle import kept
from proof.kubernetes.account import Account
from proof.kubernetes.users import RATE
from rollback_manager.progress import EndState, Result

FLOOR = 3
"""⌈0.66 × 4⌉, by hand: four pods carry the traffic before the rollback."""
LOOKS_PER_S = 2
SENT = 0.95
MARK = re.compile(r"(\d+)\.(\d+)\.([0-9a-f]{16})")


def violations(account: Account, reference: Account | None) -> list[str]:
    """What does not hold, in words. reference: of an undisturbed run of the same placement."""
    found = [*harm(account), *_share(account), *_end(account), *kept(account)]
    return found if reference is None else [*found, *_as(account, reference)]


def harm(account: Account) -> list[str]:
    """What must not even happen in a rollback that stops half-way."""
    return [*_once(account), *_order(account), *_users(account), *_capacity(account)]


def _as(account: Account, reference: Account) -> Iterator[str]:
    if account.effects != reference.effects:
        yield f"I1: the cluster was changed {account.effects}, not {reference.effects}"
    if account.end.changes != reference.end.changes:
        yield f"I1: the API server counted {account.end.changes}, not {reference.end.changes}"


def _once(account: Account) -> Iterator[str]:
    """An op_id has at most one effect, whoever wrote it and how often."""
    effects = Counter(one.mark for one in account.writes if one.effects)
    for mark, times in effects.items():
        if times > 1:
            yield f"I1: {mark} had an effect {times} times"
    changes, written = (
        account.end.changes,
        Counter(one.target for one in account.writes if one.effects),
    )
    for target, times in changes.items():
        if times > written[target]:
            yield f"I1: {target} changed {times} times, {written[target]} of them ours"


def _order(account: Account) -> Iterator[str]:
    """Every write is ours, of one epoch, and none is of an earlier step than the one before."""
    epochs, last = set[int](), (0, -1)
    for one in account.writes:
        mark = MARK.fullmatch(one.mark)
        if mark is None:
            yield f"I6: {one.target} was written without a mark: {one.mark!r}"
            continue
        now = int(mark[1]), int(mark[2])
        epochs.add(now[0])
        if now < last:
            yield f"I6: {one.target}: {one.mark} was let through after {last}"
        last = max(now, last)
    if len(epochs) > 1:
        yield f"I6: {len(epochs)} epochs wrote: {sorted(epochs)}"


def _users(account: Account) -> Iterator[str]:
    if account.failed >= 1:
        yield f"I2: {account.failed:.0f} of {account.sent:.0f} requests went where nobody was ready"
    if account.sent < SENT * RATE * (account.seconds - 1):
        yield f"M: {account.sent:.0f} requests in {account.seconds:.1f} s"
    if len(account.seen) < LOOKS_PER_S * (account.seconds - 1):
        yield f"M: {len(account.seen)} looks in {account.seconds:.1f} s"


def _capacity(account: Account) -> Iterator[str]:
    lowest = min(account.seen, key=lambda one: one.worth)
    if lowest.worth < FLOOR:
        yield (
            f"I2: only {lowest.worth:.1f} pods' worth carried users, floor {FLOOR}:"
            f" {lowest.parts}, ready {lowest.ready}"
        )


def _share(account: Account) -> Iterator[str]:
    """I3: drain begins only once users are sent to the good version alone."""
    begun = account.first("activity_task_scheduled", "drain")
    before = [one for one in account.seen if begun and one.at <= begun]
    if not before or before[-1].parts != {"v1": 100}:
        yield f"I3: drain began while users were sent {before[-1].parts if before else 'nowhere'}"


def _end(account: Account) -> Iterator[str]:
    """I3: the cluster is rolled back, and what is declared is what is there."""
    outcome, end = account.outcome, account.end
    if (end.parts, end.ready, end.pods) != ({"v1": 100}, {"v1": 4}, {"v1": 4}):
        yield f"I3: the cluster ended as {end}"
    if outcome.result is not Result.VERIFIED or len(outcome.services) != 1:
        yield f"I3: declared {outcome.result}: {outcome.because}"
        return
    (service,) = outcome.services
    found = service.found
    if service.end is not EndState.ROLLED_BACK or found is None:
        yield f"I3: declared {service.end}, found {found}"
    elif found.shares != {"v1": 100} or found.ready.get("v1") != 4 or found.ready.get("v2"):
        yield f"I3: declared {found}, but it is {end}"
