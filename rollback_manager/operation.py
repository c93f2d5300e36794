"""Who wrote this, and may they still: operation id, epoch and step, carried to the target."""

import hashlib
import re

from rollback_manager.values import Value

WRITTEN = re.compile(r"(\d+)\.(\d+)\.([0-9a-f]{16})")
"""As `str(Mark)` writes it. A deployer's own "2026.11.24" must not be taken for one of ours."""


class Mark(Value):
    """What every write leaves at its target.

    op_id: hash of rollback, service, step and plan digest: a retry finds its own.
    epoch: drawn once per rollback and service, ever rising: a late rollback is older.
    step: steps of the rollback begun before this one: a late attempt of an earlier one is older.
    """

    op_id: str
    epoch: int
    step: int

    def is_older_than(self, other: "Mark") -> bool:
        """Whether `other` already stands at the target and forbids this write."""
        return (self.epoch, self.step) < (other.epoch, other.step)

    def __str__(self) -> str:
        """As written to targets that keep one short text, such as Envoy's version_info."""
        return f"{self.epoch}.{self.step}.{self.op_id}"

    @classmethod
    def parse(cls, text: str) -> "Mark | None":
        """The mark in a text that `str` made; None when somebody else wrote it."""
        found = WRITTEN.fullmatch(text)
        if found is None:
            return None
        return cls(op_id=found[3], epoch=int(found[1]), step=int(found[2]))


def op_id(rollback: str, service: str, step: int, digest: str) -> str:
    """Sixteen hex digits, the same for every attempt of one step of one plan.

    Never built from a run id or an attempt: both change while the step stays the same.
    """
    text = "\n".join((rollback, service, str(step), digest))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
