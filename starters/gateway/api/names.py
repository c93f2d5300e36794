"""Names in paths, queries, headers and bodies: nothing else gets further than the door."""

from typing import Annotated

from fastapi import Header, Path, Query
from pydantic import ConfigDict, StringConstraints

from rollback_manager.contract import NAME
from rollback_manager.values import Value

WHOLE = f"^{NAME.pattern}$"
Name = Annotated[str, StringConstraints(pattern=WHOLE)]
Part = Annotated[str, Path(pattern=WHOLE)]
Env = Annotated[str | None, Query(pattern=WHOLE, description="Of this environment alone")]
Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many")]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=WHOLE,
        description="The same request again under the same key gets the same answer",
    ),
]


class Body(Value):
    """What a request brings. A word that we do not know is refused: it may have been a typing
    mistake for one that changes where the rollback goes."""

    model_config = ConfigDict(extra="forbid")
