"""What must hold of every rollback of the soak, judged from the targets' own ledger."""

from collections import Counter
from collections.abc import Iterator, Mapping

from proof.soak.drawing import Drawn, Trouble
from proof.soak.target import Effect, Troubled, Truth
from rollback_manager.progress import EndState, Result, RollbackOutcome, ServiceOutcome

FRACTION = 0.66


def violations(
    drawn: Drawn,
    targets: Mapping[str, Troubled],
    initial: Mapping[str, Truth],
    outcome: RollbackOutcome,
) -> list[str]:
    """What does not hold, in words; each begins with the invariant's name."""
    told = {service.service: service for service in outcome.services}
    found = [
        f"I10: {name} is not told of" for name in targets if outcome.services and name not in told
    ]
    for number, (name, target) in enumerate(targets.items()):
        mine = [fault.trouble for fault in drawn.faults if fault.service == number]
        found += [f"{words} ({name})" for words in _ledger(target, drawn.desired, mine)]
        if name in told:
            found += [
                f"{words} ({name})" for words in _declared(told[name], target, initial[name], mine)
            ]
    if outcome.result is Result.VERIFIED:
        ends = Counter(service.end for service in outcome.services)
        if set(ends) != {EndState.ROLLED_BACK}:
            found.append(f"I3: declared verified, with {dict(ends)}")
    return found


def _ledger(target: Troubled, desired: int, mine: list[Trouble]) -> Iterator[str]:
    died = Trouble.DEATH in mine
    for kind in ("set_shares", "scale"):
        row = [effect for effect in target.effects if effect.write == kind]
        yield from _rising(row)
        if not died:  # what was started and died may be started again
            yield from _once(row)
        if kind == "set_shares" and Trouble.LATE_WRITE not in mine:
            yield from _not_again(row)
    floor = -(-int(FRACTION * 100 * desired) // 100) or 1
    for effect in target.effects:
        if sum(effect.after[0].values()) != 100:
            yield f"I3: a split that does not sum to 100: {effect.after[0]}"
        before, after = worth(effect.before), worth(effect.after)
        if after < floor and after < before:
            yield f"I2: {effect.write} {effect.mark} took users from {before:.1f} to {after:.1f}"


def _once(row: list[Effect]) -> Iterator[str]:
    for op_id, times in Counter(effect.mark.op_id for effect in row if effect.changed).items():
        if times > 1:
            yield f"I1: {op_id} had an effect {times} times"


def _not_again(row: list[Effect]) -> Iterator[str]:
    """A retry finds its own write; only one that was held back comes on top of it."""
    for op_id, times in Counter(effect.mark.op_id for effect in row).items():
        if times > 1:
            yield f"I1: {op_id} was written {times} times"


def _rising(row: list[Effect]) -> Iterator[str]:
    last = (0, -1)
    for effect in row:
        now = effect.mark.epoch, effect.mark.step
        if now < last:
            yield f"I6: {effect.write} of {now} came after {last}"
        last = now
    if len({effect.mark.epoch for effect in row}) > 1:
        yield f"I6: several epochs wrote: {sorted({effect.mark.epoch for effect in row})}"


def worth(truth: Truth) -> float:
    """How many instances' worth of the load the split carries; shares are whole percents."""
    shares, able = truth
    busy = {v: 100 if part == 100 else max(1, part - 1) for v, part in shares.items() if part}
    return min((100 * able.get(version, 0) / part for version, part in busy.items()), default=0.0)


def _declared(
    told: ServiceOutcome, target: Troubled, initial: Truth, mine: list[Trouble]
) -> Iterator[str]:
    """I3: what is declared is so, in truth."""
    shares, able = target.truth
    lies = Trouble.LIE in mine
    match told.end:
        case EndState.ROLLED_BACK:
            if shares != {"v1": 100} and not lies:
                yield f"I3: declared rolled back, users have {shares}"
        case EndState.UNTOUCHED | EndState.RESTORED:
            if shares != initial[0] and not lies:
                yield f"I3: declared {told.end}, users have {shares}, had {initial[0]}"
        case EndState.MIXED | EndState.UNKNOWN:
            pass
    dead = Trouble.DEATH not in mine and not able["v1"]
    if told.verified and (Trouble.STILL_BAD in mine or shares != {"v1": 100} or dead):
        yield f"I3: declared verified with {mine}, {shares}, {able}"

    if told.found is not None and not lies and told.found.shares != shares:
        yield f"I3: declared {told.found.shares}, users have {shares}"
