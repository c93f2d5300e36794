"""Who wrote this, and may they still: operation id, epoch and step, carried to the target."""

import hashlib

from rollback_manager.values import Value


class Mark(Value):
    """What every write leaves at its target.

    op_id: hash of rollback, service, step and plan digest: a retry finds its own.
    epoch: drawn once per rollback and service, ever rising: a late rollback is older.
    step: number of the step inside the rollback: a late attempt of an earlier step is older.
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
        match text.split("."):
            case [epoch, step, op_id] if epoch.isdecimal() and step.isdecimal() and op_id:
                return cls(op_id=op_id, epoch=int(epoch), step=int(step))
            case _:
                return None


def op_id(rollback: str, service: str, step: int, digest: str) -> str:
    """Sixteen hex digits, the same for every attempt of one step of one plan.

    Never built from a run id or an attempt: both change while the step stays the same.
    """
    text = "\n".join((rollback, service, str(step), digest))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
