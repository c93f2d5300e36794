"""Audit chains tampered with at random: is each found, and is the first wrong entry named?

An outsider can write the database and has no key; an insider has the key as well. Neither can write
the second place, where the head is anchored. What nobody anchored yet, a cut end does not show: so
the head is anchored before each tampering, as it is after each decision and every five minutes.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from rollback_manager.audit import (
    Anchor,
    AuditKey,
    Entry,
    Event,
    anchored,
    as_read,
    as_written,
    chained,
    content_hash,
    verify,
)
from rollback_manager.values import Value
from workers.process import end

BEGINNING = datetime(2026, 3, 1, tzinfo=UTC)
KEY = AuditKey(AuditKey.pem_of(b"a key of this proof, 32 bytes ..."[:32]))
OTHER = AuditKey(AuditKey.pem_of(b"somebody else's key, 32 bytes..."[:32]))
TEXTS = ("event_id", "actor", "subject", "action", "object", "plan_digest", "outcome")


class Tampered(Value):
    """What came of tamperings, and of as many chains that nobody touched."""

    tampered: int
    detected: int
    first_named: int
    """Of these the first wrong entry was named; where a chain is written anew, its span."""
    untouched: int
    false_alarms: int
    by_kind: dict[str, str]
    missed: tuple[str, ...]


Chain = list[Entry]
Tampering = Callable[[random.Random, Chain], tuple[Chain, int]]
"""What an attacker makes of a chain, and the number of the first entry that is wrong then."""


def tamper(trials: int, seed: int) -> Tampered:
    """So many tamperings of each kind in turn; the same seed does the same."""
    chance, kinds = random.Random(seed), list(TAMPERINGS)
    tried, found, missed = Counter[str](), Counter[str](), list[str]()
    named = alarms = 0
    for trial in range(trials):
        kind = kinds[trial % len(kinds)]
        chain, anchors = _chain(chance)
        alarms += not verify(chain, {KEY.id}, anchors).holds
        forged, first = TAMPERINGS[kind](chance, list(chain))
        verdict = verify(forged, {KEY.id}, anchors)
        tried[kind] += 1
        found[kind] += not verdict.holds
        named += not verdict.holds and _names(verdict.at, first, anchors)
        if verdict.holds:
            missed.append(f"trial {trial}: {kind} at {first} of {len(chain)}")
    return Tampered(
        tampered=trials,
        detected=found.total(),
        first_named=named,
        untouched=trials,
        false_alarms=alarms,
        by_kind={kind: f"{found[kind]} of {tried[kind]}" for kind in kinds},
        missed=tuple(missed),
    )


def _names(at: int, first: int, anchors: Iterable[Anchor]) -> bool:
    """Whether it is the first wrong entry, or begins the span between two anchors that has it."""
    before = max((one.seq for one in anchors if one.seq < first), default=0)
    return at in {first, before + 1}


def _chain(chance: random.Random) -> tuple[Chain, list[Anchor]]:
    """Up to a hundred entries with anchors here and there, and one at the head."""
    chain = _grown([], chance.randint(5, 100), KEY)
    places = [None, *chance.sample(chain, chance.randint(0, 3)), chain[-1]]
    return chain, [anchored(one, BEGINNING + timedelta(days=1), KEY) for one in places]


def _grown(chain: Chain, more: int, key: AuditKey, by: str = "ana@example.com") -> Chain:
    grown = list(chain)
    for _ in range(more):
        number = len(grown) + 1
        event = Event(
            event_id=f"{by}-{number}",
            actor="worker",
            subject=by,
            action="step.redirect_traffic",
            object="rollback/prod/inc-7",
            outcome="done: shop",
        )
        when = BEGINNING + timedelta(seconds=number)
        grown.append(chained(event, grown[-1] if grown else None, when, key))
    return grown


def _changed(chance: random.Random, entry: Entry) -> Entry:
    field = chance.choice(TEXTS)
    return entry.model_copy(update={field: f"{getattr(entry, field)}{chance.choice('xyz')}"})


def _edit(chance: random.Random, chain: Chain) -> tuple[Chain, int]:
    place = chance.randrange(len(chain))
    chain[place] = _changed(chance, chain[place])
    return chain, place + 1


def _edit_with_its_hash(chance: random.Random, chain: Chain) -> tuple[Chain, int]:
    """And every hash after it made anew, with the signatures that stand there."""
    place = chance.randrange(len(chain))
    chain[place] = _changed(chance, chain[place])
    return _hashed_anew(chain, place), place + 1


def _edit_of_a_proof(chance: random.Random, chain: Chain) -> tuple[Chain, int]:
    """Of the hash, the link, the signature, the key or the time: one character of it."""
    place = chance.randrange(len(chain))
    written = as_written(chain[place])
    field = chance.choice(("hash", "prev_hash", "sig", "key_id", "ts_server"))
    text = str(written[field])
    at = chance.randrange(len(text) - 3)
    other = chance.choice([one for one in "0123456789" if one != text[at]])
    chain[place] = as_read({**written, field: text[:at] + other + text[at + 1 :]})
    return chain, place + 1


def _drop(chance: random.Random, chain: Chain) -> tuple[Chain, int]:
    first = chance.randrange(len(chain) - 1)
    last = chance.randrange(first + 1, len(chain))
    return chain[:first] + chain[last:], first + 1


def _drop_and_renumber(chance: random.Random, chain: Chain) -> tuple[Chain, int]:
    first = chance.randrange(len(chain) - 1)
    left = chain[:first] + chain[first + 1 :]
    moved = [one.model_copy(update={"seq": one.seq - 1}) for one in left[first:]]
    return _hashed_anew(left[:first] + moved, first), first + 1


def _swap(chance: random.Random, chain: Chain) -> tuple[Chain, int]:
    one, other = sorted(chance.sample(range(len(chain)), 2))
    chain[one], chain[other] = chain[other], chain[one]
    return chain, one + 1


def _swap_what_they_say(chance: random.Random, chain: Chain) -> tuple[Chain, int]:
    """Two entries keep their numbers and change all the rest."""
    one, other = sorted(chance.sample(range(len(chain)), 2))
    places = chain[one].seq, chain[other].seq
    chain[one], chain[other] = (
        chain[other].model_copy(update={"seq": places[0]}),
        chain[one].model_copy(update={"seq": places[1]}),
    )
    return chain, one + 1


def _insert(chance: random.Random, chain: Chain) -> tuple[Chain, int]:
    """One of his own making, with his own key; what follows is numbered and hashed anew."""
    place = chance.randrange(len(chain))
    forged = _grown(chain[:place], 1, OTHER, by="eve@example.com")
    moved = [one.model_copy(update={"seq": one.seq + 1}) for one in chain[place:]]
    return _hashed_anew(forged + moved, place + 1), place + 1


def _repeat(chance: random.Random, chain: Chain) -> tuple[Chain, int]:
    place = chance.randrange(len(chain))
    return [*chain[: place + 1], chain[place], *chain[place + 1 :]], place + 2


def _truncate(chance: random.Random, chain: Chain) -> tuple[Chain, int]:
    kept = chance.randrange(len(chain))
    return chain[:kept], kept + 1


def _fork(chance: random.Random, chain: Chain) -> tuple[Chain, int]:
    """An insider: another end, rightly signed, that may be as long as the one before."""
    kept = chance.randrange(len(chain))
    more = chance.randint(1, len(chain))
    return _grown(chain[:kept], more, KEY, by="eve@example.com"), kept + 1


def _fork_kept_beside(chance: random.Random, chain: Chain) -> tuple[Chain, int]:
    """The branch stands among the entries that it branches off from."""
    kept = chance.randrange(1, len(chain))
    return [*chain, *_grown(chain[:kept], 1, KEY, by="eve@example.com")[kept:]], kept + 1


def _rewrite(chance: random.Random, chain: Chain) -> tuple[Chain, int]:
    """An insider: all of it, rightly signed."""
    return _grown([], len(chain), KEY, by="eve@example.com"), 1


TAMPERINGS: dict[str, Tampering] = {
    "edit": _edit,
    "edit, hashed anew": _edit_with_its_hash,
    "edit of hash, link, signature, key or time": _edit_of_a_proof,
    "drop": _drop,
    "drop, renumbered": _drop_and_renumber,
    "swap": _swap,
    "swap of what they say": _swap_what_they_say,
    "insert": _insert,
    "repeat": _repeat,
    "truncate": _truncate,
    "fork by an insider": _fork,
    "fork kept beside": _fork_kept_beside,
    "rewrite by an insider": _rewrite,
}


def _hashed_anew(chain: Chain, since: int) -> Chain:
    """Links and hashes fit again from there on; the signatures are those that stand there."""
    for place in range(since, len(chain)):
        before = chain[place - 1].hash if place else chain[0].prev_hash
        linked = chain[place].model_copy(update={"prev_hash": before})
        chain[place] = linked.model_copy(update={"hash": content_hash(linked)})
    return chain


def seconds_to_verify(rows: int) -> float:
    """How long one process takes for a chain of so many entries, read from texts."""
    chain = _grown([], min(rows, 20_000), KEY)
    written = [as_written(one) for one in chain]
    begun = time.monotonic()
    for _ in range(max(1, rows // len(written))):
        assert verify(map(as_read, written), {KEY.id}).holds
    return time.monotonic() - begun


def main() -> None:
    """0 when every tampering was found and nothing else."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--trials", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--rows", type=int, default=0, help="and time a chain of so many entries")
    options = parser.parse_args()
    found = tamper(options.trials, options.seed)
    figures: dict[str, object] = found.model_dump()
    if options.rows:
        print(f"verifying {options.rows} entries", file=sys.stderr, flush=True)
        figures["seconds_to_verify"] = round(seconds_to_verify(options.rows), 1)
        figures["rows"] = options.rows
    print(json.dumps(figures, indent=None if options.json else 2), flush=True)
    end(1 if found.missed or found.false_alarms else 0)


if __name__ == "__main__":
    main()
