"""What an environment or a service asks of a rollback: floors, deadlines, limits.

Every default says where it comes from; R… are the rules of reliability that it follows.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, field_validator

from rollback_manager.values import Count, Percent, Ratio, Seconds, Timeout, Value


class OnExpiry(StrEnum):
    """What happens when nobody answers in time. Never: approve."""

    HOLD = "hold"
    REJECT = "reject"


class ApprovalPolicy(Value):
    """Whether a person must agree, and until when."""

    required: bool = True
    deadline_s: Seconds = 900
    """Time for the first answer: 15 minutes (reliability R15)."""
    on_expiry: OnExpiry = OnExpiry.HOLD


class VerificationPolicy(Value):
    """What "users are well" means."""

    error_ratio_margin: Ratio = 0.001
    """Errors above the baseline that still count as back to it: 0.1 % (the seed)."""
    latency_factor: float = 2.0
    """P95 may be this many times the baseline: 200 % (the seed's latency trigger)."""
    throughput_floor: Ratio = 0.5
    """Requests per second against those before the shift: a drop of 50 % (the seed)."""
    min_window_s: Seconds = 60
    """Shortest time that is judged after the shift (reliability R12)."""
    max_window_s: Seconds = 600
    """Longest time before "cannot tell" is the answer: 10 minutes (the seed's stage)."""
    max_age_s: Seconds = 60
    """Counters older than this are no evidence (reliability R12)."""


class SlicePolicy(Value):
    """How traffic comes back where the good version is cold."""

    percents: tuple[Percent, ...] = (10, 33, 66, 100)
    """Shares of the good version, rising to 100 (reliability R3, AWS)."""
    min_s: Seconds = 60
    """Shortest time of a slice (R3)."""
    requests: Count = 100
    """Fewest requests of a slice (R3)."""
    max_s: Seconds = 600
    """Longest wait for those requests; then a person is asked."""

    @field_validator("percents")
    @classmethod
    def _rise_to_100(cls, percents: tuple[int, ...]) -> tuple[int, ...]:
        if not percents or percents[-1] != 100 or sorted(set(percents)) != list(percents):
            raise ValueError("slices rise, and the last one is 100")
        return percents


class TimeoutPolicy(Value):
    """How long each kind of step may take before a person is asked."""

    prepare_s: Timeout = 300
    redirect_traffic_s: Timeout = 60
    drain_s: Timeout = 360
    """Longer than a load balancer's own 300 s (reliability R6); the seed's 60 s cuts requests."""
    stop_batch_s: Timeout = 360
    """An instance drains while it stops: as long as a drain may take."""
    clean_up_s: Timeout = 120
    heartbeat_s: Timeout = 10
    """A worker silent for this long is taken for dead, and another one goes on (R16)."""


class FleetPolicy(Value):
    """What an environment asks of all its rollbacks together."""

    budget: Count = 3
    """Rollbacks that may begin by themselves within the window; the rest are one question."""
    budget_window_s: Seconds = 600
    """Ten minutes: alerts of one cause come within the longest stage of the seed."""
    width: Annotated[int, Field(ge=1)] = 10
    """Services of one rollback that are under way at once (reliability R11)."""
    tree_above: Annotated[int, Field(ge=1)] = 200
    """Services that one rollback may have: its plan and its end must fit a message of Temporal."""


class Policy(Value):
    """Everything that can differ between environments and services."""

    floor_fraction: Ratio = 0.66
    """Ready instances against desired that must remain (AWS, Spinnaker; reliability R1)."""
    floor_by_size: bool = False
    """Ask for 100 % below 10 instances, for 90 % below 20, else for 95 % (Spinnaker)."""
    batch_fraction: Ratio = 0.33
    """Instances replaced at once by a rolling way back (AWS; reliability R4)."""
    confirmed_share: Ratio = 0.99
    """Measured share that counts as shifted (the seed: > 99 %)."""
    confirmed_requests: Count = 100
    """Fewest requests that a measured share may rest on (reliability R3)."""
    further_attempts: Annotated[int, Field(ge=0, le=3)] = 0
    """Older verified versions tried without asking when the first one fails its verification.

    0: hold and ask (reliability F49). At most 3: K versions back (R7).
    """
    keep_instances: Count = 0
    """Instances of the bad version that stay after clean-up; its definition always stays."""
    rehearsed_within_days: Count = 30
    """How old the newest rehearsal or verified rollback may be (reliability R20)."""
    time_limit_s: Seconds = 900
    """Completion criterion of the whole rollback: 15 minutes (the seed)."""
    plan_valid_s: Seconds = 900
    """How long a plan may be agreed to (design §4)."""
    approval: ApprovalPolicy = ApprovalPolicy()
    verification: VerificationPolicy = VerificationPolicy()
    slices: SlicePolicy = SlicePolicy()
    timeouts: TimeoutPolicy = TimeoutPolicy()
