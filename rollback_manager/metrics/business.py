"""A number of the business, such as orders per minute, or why there is none."""

from datetime import datetime
from typing import Literal

from rollback_manager.values import Value


class Number(Value):
    """What the business said of itself at one moment. unit: in words."""

    kind: Literal["number"] = "number"
    name: str
    value: float
    unit: str
    taken_at: datetime


class NoNumber(Value):
    """Why there is no number. No data is never zero, and never alone a reason to roll back."""

    kind: Literal["no_number"] = "no_number"
    name: str
    because: str
