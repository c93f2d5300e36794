"""Where a rollback comes from, as its own workflow knows it. Pure."""

from datetime import datetime

from rollback_manager.values import Value


class Origin(Value):
    """What a workflow knows about its own start, and what nobody who asks for one can say.

    rollback: its id. run: of just this execution: a reset and a second start have another. parent:
    id of the workflow whose child it is, which only a worker can make it; empty: it was asked for
    from outside. at: of its start, by Temporal's clock.
    """

    rollback: str
    run: str
    parent: str = ""
    at: datetime
