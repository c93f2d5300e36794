"""What a report says of the chain behind it: short enough to be kept with the report."""

from collections.abc import Iterable, Sequence

from rollback_manager.audit.entries import Anchor, Entry
from rollback_manager.audit.verdict import verify
from rollback_manager.values import Value


class Proof(Value):
    """The chain as it stood when the report was made.

    entries: those about this rollback. since: the chain was read from this entry's successor on.
    head_seq, head: number and hash of the last entry of all. anchored: number up to which the
    second place vouches. because: what is wrong, if anything is.
    """

    entries: int
    since: int
    head_seq: int
    head: str
    anchored: int
    holds: bool
    because: str = ""

    def __str__(self) -> str:
        """In a sentence, for a report."""
        if not self.holds:
            return f"THE AUDIT CHAIN DOES NOT HOLD: {self.because}."
        read = f"read from entry {self.since + 1} to {self.head_seq}"
        return (
            f"Audit chain: {self.entries} entries about this rollback; it holds, {read};"
            f" anchored up to {self.anchored}; head {self.head}."
        )


def last_before(anchors: Iterable[Anchor], seq: int) -> Anchor | None:
    """The newest anchor before entry `seq`: all that concerns it can be proven from there on."""
    earlier = (one for one in anchors if one.seq < seq)
    return max(earlier, key=lambda one: one.seq, default=None)


def proven(
    rollback: str, entries: Sequence[Entry], anchors: Sequence[Anchor], since: Anchor | None
) -> Proof:
    """The proof for one rollback, of the chain since an anchor; keys are those of the anchors."""
    verdict = verify(entries, {one.key_id for one in anchors}, anchors, since)
    wrong = f"entry {verdict.at} is {verdict.fault}: {verdict.because}" if verdict.fault else ""
    return Proof(
        entries=sum(one.object == rollback for one in entries),
        since=since.seq if since else 0,
        head_seq=verdict.head_seq,
        head=verdict.head,
        anchored=verdict.anchored,
        holds=verdict.holds,
        because=wrong,
    )
