"""What is sent to one rollback, in rounds; and what the world of its service is like."""

from enum import StrEnum

from rollback_manager.values import Value


class Kind(StrEnum):
    """Messages of people and programs; `mend` is the world's own: the cause is gone."""

    APPROVE = "approve"
    REJECT = "reject"
    HOLD = "hold"
    RESTORE = "restore"
    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry_step"
    SKIP = "skip_step"
    NONSENSE = "nonsense"
    MEND = "mend"


VOTES = (Kind.APPROVE, Kind.REJECT)
STEP_COMMANDS = (Kind.RETRY, Kind.SKIP)


class Message(Value):
    """One of them. right: it quotes this plan, or names the step that waits.

    variant: which of the unreadable messages, for `nonsense`.
    """

    kind: Kind
    by: str = "anna"
    right: bool = True
    variant: int = 0


class World(StrEnum):
    """well: every step succeeds. unwell: the journeys fail. draining: a request never ends."""

    WELL = "well"
    UNWELL = "unwell"
    DRAINING = "draining"


class Mode(StrEnum):
    """How the messages of a round meet the workflow.

    asleep: no worker takes workflow tasks until all are there, so that they come in one task.
    live: one after the other, each once the one before has had its effect; votes as updates.
    racing: as fast as they can be sent, while the rollback runs.
    """

    ASLEEP = "asleep"
    LIVE = "live"
    RACING = "racing"


class Sequence(Value):
    """One rollback's fate. required: whether a person must agree."""

    required: bool
    world: World
    rounds: tuple[tuple[Message, ...], ...]
