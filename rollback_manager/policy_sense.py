"""Numbers that a policy's fields allow and that make no sense: 0 does the opposite of "no limit".

Not held by the models: they stand in histories, and what an older build took is read for good.
"""

from collections.abc import Iterator

from rollback_manager.policy import DecisionPolicy, Policy
from rollback_manager.values import Value

Field = tuple[str, ...]

MORE_THAN_0: dict[Field, str] = {
    ("confirmed_share",): "without any traffic it would count as shifted",
    ("time_limit_s",): "no rollback could meet it",
    ("plan_valid_s",): "no plan could be agreed to",
    ("approval", "deadline_s"): "nobody could answer in time",
    ("verification", "max_window_s"): "nothing could be verified",
}
OF_DECISIONS: dict[Field, str] = {
    ("stale_after_s",): "every alarm would be refused as too old",
    ("watched_s",): "every release would be too old to be judged",
    ("cannot_tell_s",): "a person would be asked at the first gap",
    ("fresh_s",): "all evidence would be too old, and nothing could begin by itself",
}


def senseless(policy: Policy) -> Iterator[tuple[Field, str]]:
    """Each field that makes no sense, and why, for whoever wrote it."""
    yield from _zeros(policy, MORE_THAN_0)
    checks = policy.verification
    if checks.latency_factor <= 1:
        because = "a P95 as good as the baseline would not pass"
        yield ("verification", "latency_factor"), f"must be more than 1: else {because}"
    if checks.min_window_s > checks.max_window_s:
        limit = f"max_window_s, which is {checks.max_window_s:g}"
        because = "no window could ever be long enough"
        yield ("verification", "min_window_s"), f"must be at most {limit}: else {because}"


def senseless_decisions(policy: DecisionPolicy) -> Iterator[tuple[Field, str]]:
    """The same for the policy of decisions."""
    return _zeros(policy, OF_DECISIONS)


def _zeros(policy: Value, meanings: dict[Field, str]) -> Iterator[tuple[Field, str]]:
    for field, meaning in meanings.items():
        value: object = policy
        for name in field:
            value = getattr(value, name)
        if value == 0:
            yield field, f"must be more than 0: at 0 {meaning}"
