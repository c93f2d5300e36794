"""Whether a chain is as it was written; if not, where it first differs, and how."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import StrEnum

from rollback_manager.audit.entries import GENESIS, Anchor, Entry, content_hash
from rollback_manager.audit.keys import PublicKeys
from rollback_manager.values import Value


class Fault(StrEnum):
    """What was done to a chain."""

    EDITED = "edited"
    MISSING = "missing"
    MOVED = "moved"
    INSERTED = "inserted"
    FORKED = "forked"
    NOT_SIGNED = "not_signed"
    TRUNCATED = "truncated"
    REWRITTEN = "rewritten"
    FALSE_ANCHOR = "false_anchor"


class Verdict(Value):
    """What was found. at: number of the first entry that is not as it was written.

    entries: read until then. head, head_seq: hash and number of the last one that holds. anchored:
    number up to which anchors vouch for it; 0 where none does, and then neither a cut end nor a
    chain written anew shows. trusted: whether the keys were known beforehand.
    """

    entries: int
    head: str
    head_seq: int
    anchored: int
    trusted: bool
    fault: Fault | None = None
    at: int = 0
    because: str = ""

    @property
    def holds(self) -> bool:
        """Whether nothing was found to be wrong."""
        return self.fault is None


def verify(
    entries: Iterable[Entry],
    keys: Collection[str] = (),
    anchors: Sequence[Anchor] = (),
    since: Anchor | None = None,
) -> Verdict:
    """Read a chain, in the order in which it is kept, against its anchors.

    keys: ids of the keys that may sign, old ones too. Where none are given each signature is held
    against the key that it names, which shows accidents: whoever forges entries names his own.
    since: `entries` begins after this one of the anchors; what is before is not read.
    """
    return _Check(keys, anchors, since).of(iter(entries))


class _Wrong(Exception):
    """The first thing found, with the number of the entry."""

    def __init__(self, fault: Fault, at: int, because: str) -> None:
        super().__init__(because)
        self.fault, self.at, self.because = fault, at, because


class _Check:
    def __init__(
        self, keys: Collection[str], anchors: Sequence[Anchor], since: Anchor | None
    ) -> None:
        self._keys, self._public = frozenset(keys), PublicKeys()
        self._seq, self._head = (since.seq, since.hash) if since else (0, GENESIS)
        left = [one for one in anchors if one.seq >= self._seq]
        self._anchors = sorted(left, key=lambda one: (one.seq, one.at))
        self._next_anchor, self._anchored = 0, self._seq
        self._entries = 0

    def of(self, entries: Iterator[Entry]) -> Verdict:
        wrong: _Wrong | None = None
        try:
            self._check_anchors()
            self._check_against_anchors()  # those that were made before the first entry
            for entry in entries:
                self._follow(entry, entries)
            self._check_end()
        except _Wrong as found:
            wrong = found
        return Verdict(
            entries=self._entries,
            head=self._head,
            head_seq=self._seq,
            anchored=self._anchored,
            trusted=bool(self._keys),
            fault=wrong.fault if wrong else None,
            at=wrong.at if wrong else 0,
            because=wrong.because if wrong else "",
        )

    def _check_anchors(self) -> None:
        for one in self._anchors:
            if why := self._unsigned(one):
                raise _Wrong(Fault.FALSE_ANCHOR, one.seq, f"the anchor of {one.at} {why}")

    def _follow(self, entry: Entry, rest: Iterator[Entry]) -> None:
        expected = self._seq + 1
        if entry.seq > expected:
            raise _ahead(entry, expected, rest)
        if entry.seq < expected:
            raise _behind(entry, expected, same=entry.hash == self._head)
        if content_hash(entry) != entry.hash:
            raise _Wrong(Fault.EDITED, entry.seq, "its hash is not that of what it says")
        if why := self._unsigned(entry):
            raise _Wrong(Fault.NOT_SIGNED, entry.seq, f"it {why}")
        if entry.prev_hash != self._head:
            raise _Wrong(Fault.FORKED, entry.seq, f"it follows another entry than {self._seq}")
        self._seq, self._head = entry.seq, entry.hash
        self._entries += 1
        self._check_against_anchors()

    def _check_against_anchors(self) -> None:
        while self._next_anchor < len(self._anchors):
            anchor = self._anchors[self._next_anchor]
            if anchor.seq > self._seq:
                return
            if anchor.hash != self._head:
                first = self._anchored + 1
                since = f"entries {first} to {anchor.seq} may be others than were written"
                raise _Wrong(Fault.REWRITTEN, first, f"it is not what was anchored: {since}")
            self._next_anchor, self._anchored = self._next_anchor + 1, anchor.seq

    def _check_end(self) -> None:
        left = self._anchors[self._next_anchor :]
        if left:
            last = left[-1]
            gone = f"entry {last.seq} was anchored at {last.at}, and the chain ends at {self._seq}"
            if self._anchored < self._seq:
                gone += f"; what stands after {self._anchored} may be another end"
            raise _Wrong(Fault.TRUNCATED, self._seq + 1, gone)

    def _unsigned(self, one: Entry | Anchor) -> str:
        """Why its signature does not count, in words; empty where it does."""
        if self._keys and one.key_id not in self._keys:
            return f"is signed by a key that is not trusted: {one.key_id[:60]}"
        if not self._public.has_signed(one.key_id, one.hash, one.sig):
            return "is not signed by the key that it names"
        return ""


def _ahead(entry: Entry, expected: int, rest: Iterator[Entry]) -> _Wrong:
    if any(later.seq == expected for later in rest):
        return _Wrong(Fault.MOVED, expected, f"entry {entry.seq} stands in its place")
    last = entry.seq - 1
    which = f"entry {last} is" if last == expected else f"entries {expected} to {last} are"
    return _Wrong(Fault.MISSING, expected, f"{which} missing")


def _behind(entry: Entry, expected: int, *, same: bool) -> _Wrong:
    if same:
        return _Wrong(Fault.INSERTED, expected, f"entry {entry.seq} stands there twice")
    return _Wrong(Fault.FORKED, entry.seq, f"another entry of this number stands at {expected}")
