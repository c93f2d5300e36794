"""What one measured value is worth: its two conditions, evaluated as Argo Rollouts does.

The conditions are those of its expression language that a single value can meet; indices, loops and
calls into structured answers are not among them. Restated from argoproj/argo-rollouts 0b95b27
(Apache-2.0) and held to test rows of 9f8d111.
"""

import math
import operator
import re
from collections.abc import Callable
from typing import Protocol

from rollback_manager.errors import PermanentError
from rollback_manager.statistics.argo.phases import Phase

Measured = bool | int | float | str | None
"""One answer of a source of metrics; None: it gave none. NaN and infinities are answers."""

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
COMPARISON = re.compile(
    rf"(?:result|asFloat\(result\)|default\(result,\s*(?P<instead>{NUMBER})\))"
    rf"\s*(?P<sign>>=|<=|==|!=|>|<)\s*(?P<limit>{NUMBER})"
)
QUESTIONS = ("isNaN(result)", "isInf(result)", "isNil(result)")


class ConditionError(PermanentError):
    """The condition cannot be read, or does not fit the value that was measured."""


class Condition(Protocol):
    """Whether a value meets it; raises ConditionError where it does not fit the value."""

    def __call__(self, value: Measured, /) -> bool:
        """Whether the value meets it."""


def evaluate(value: Measured, success: str | None, failure: str | None) -> Phase:
    """The phase of one finished measurement.

    Failure is looked at first. With one condition alone its opposite decides; with neither every
    value is a success; with both, neither met is inconclusive. A condition that cannot be evaluated
    makes it an error, whatever the other one says.
    """
    try:
        succeeds = read_condition(success)(value) if success else None
        fails = read_condition(failure)(value) if failure else None
    except ConditionError:
        return Phase.ERROR
    if fails or (fails is None and succeeds is False):
        return Phase.FAILED
    return Phase.INCONCLUSIVE if fails is False and succeeds is False else Phase.SUCCESSFUL


def read_condition(text: str) -> Condition:
    """The condition that a text spells out; raises ConditionError at the first unknown word.

    Known: true, false, `result` itself, comparisons of `result`, `asFloat(result)` or
    `default(result, 0)` with a number, isNaN, isInf and isNil of `result`; joined by &&, || (which
    binds less), negated by !.
    """
    text = text.strip()
    if "||" in text:
        parts = [read_condition(part) for part in text.split("||")]
        return lambda value: any(part(value) for part in parts)
    if "&&" in text:
        parts = [read_condition(part) for part in text.split("&&")]
        return lambda value: all(part(value) for part in parts)
    if text.startswith("!"):
        opposite = read_condition(text[1:])
        return lambda value: not opposite(value)
    if text in ("true", "false"):
        return lambda _: text == "true"
    if text == "result":
        return _truth
    if text in QUESTIONS:
        return lambda value: _answer(text, value)
    return _comparison(text)


def _comparison(text: str) -> Condition:
    if not (match := COMPARISON.fullmatch(text)):
        raise ConditionError(f"cannot read the condition {text!r}")
    holds, limit = OPERATORS[match["sign"]], float(match["limit"])
    instead = None if match["instead"] is None else float(match["instead"])
    converts = text.startswith("asFloat")

    def compare(value: Measured) -> bool:
        if value is None and instead is not None:
            value = instead
        if converts and isinstance(value, str):
            value = _as_float(value)
        if value is None and match["sign"] in ("==", "!="):
            return match["sign"] == "!="
        return holds(_number(value, text), limit)

    return compare


def _answer(question: str, value: Measured) -> bool:
    if question == "isNil(result)":
        return value is None
    asked = math.isnan if question == "isNaN(result)" else math.isinf
    return asked(_number(value, question))


def _truth(value: Measured) -> bool:
    if not isinstance(value, bool):
        raise ConditionError(f"{value!r} is neither true nor false")
    return value


def _as_float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConditionError(f"not a number: {text!r}") from None


def _number(value: Measured, asked: str) -> float:
    """A boolean is no number, and neither is nothing: what is missing is never taken for 0."""
    if isinstance(value, bool | str) or value is None:
        raise ConditionError(f"{value!r} does not fit the condition {asked!r}")
    return value
