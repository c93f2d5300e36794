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
    """Whether a person must agree, and until when. Minutes of the clock, at night as by day."""

    required: bool = True
    """At least one, whatever the tier; at level secured the tier may ask for more."""
    escalate_s: Seconds = 900
    """Time for the first answer, then more people are told: 15 minutes (reliability R15)."""
    remind_s: Seconds = 600
    """Between two reminders while nobody has decided: ten minutes (ours); 0: none."""
    deadline_s: Seconds = 3600
    """When silence becomes what `on_expiry` says: an hour (reliability R15)."""
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
    tree_above: Annotated[int, Field(ge=1)] = 100
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
    stay_checks_s: tuple[Seconds, ...] = (10, 240, 900)
    """When it is checked that the rollback stays: after what GitOps needs (reliability R18)."""
    hold_s: Seconds = 86_400
    """How long owners may be held until a person is asked: a day (ours)."""
    release_on_expiry: bool = False
    """Whether they are then let loose; otherwise they stay held, and it is said loudly."""
    approval: ApprovalPolicy = ApprovalPolicy()
    verification: VerificationPolicy = VerificationPolicy()
    slices: SlicePolicy = SlicePolicy()
    timeouts: TimeoutPolicy = TimeoutPolicy()


class TriggerLimits(Value):
    """From which size on a regression is as bad as the seed's trigger table says; "more than"."""

    error_ratio: Ratio = 0.10
    """Share of requests that fail: 10 %."""
    latency_factor: Annotated[float, Field(gt=1)] = 2.0
    """P95 ÷ its baseline. "200 % baseline" means twice as slow, not three times (detection A.4)."""
    unhealthy_share: Ratio = 0.30
    """Share of the release's instances that are unhealthy: 30 %."""
    business_drop: Ratio = 0.20
    """Share of revenue or conversion that is lost: 20 %."""
    throughput_drop: Ratio = 0.50
    """Share of throughput that is lost: 50 %."""


class ComplexityPolicy(Value):
    """Points that make a rollback or a fix complex; all but the fixes are the seed's."""

    blue_green: Count = 20
    feature_flag: Count = 10
    canary: Count = 30
    rolling_update: Count = 40
    database_migration: Count = 80
    unknown: Count = 50
    data_changes: Count = 30
    """Added once where the release changed data."""
    further_service: Count = 10
    """Added for each affected service after the first."""
    dependency: Count = 5
    """Added for each dependency."""
    medium_from: Count = 30
    """Below: low, under 5 minutes."""
    high_from: Count = 60
    """Below: medium, 5 to 15 minutes. From here on: high, 15 minutes and more."""
    fix_built: Count = 20
    """Fixing forward where the fix is built: no harder than a blue-green switch (ours)."""
    fix_known: Count = 50
    """Where the cause is known and nothing is built: as an unknown kind of deployment (ours)."""
    fix_unknown: Count = 80
    """Where the cause must be found first: "low feasibility, requires investigation" (the seed)."""


class DecisionPolicy(Value):
    """When a release is judged bad, and when the product may act on that by itself.

    No part of `Policy`: that travels in every plan and counts into its digest (decision 27).
    """

    limits: TriggerLimits = TriggerLimits()
    complexity: ComplexityPolicy = ComplexityPolicy()

    stale_after_s: Seconds = 300
    """An alarm that fired longer ago is refused: 5 minutes (Teletraan; field 3.13)."""
    watched_s: Seconds = 604_800
    """How old a release may be: 7 days (ours; the seed still judges what is older than one)."""
    probe_every_s: Timeout = 10
    """Between two probes of each instance; three that fail in a row count (detection A.6)."""
    journeys_every_s: Timeout = 30
    """Between two rounds of the journeys at the release; three that fail in a row count."""
    cannot_tell_s: Seconds = 120
    """How long nothing may be known of a release with traffic until a person is asked: the seed's
    time to answer a critical trigger."""
    start_within_s: Seconds = 300
    """How long "it is still starting" excuses a release: the seed's time-out of a deploy."""

    strong_base: Ratio = 0.7
    weak_base: Ratio = 0.3
    per_indicator: Ratio = 0.1
    highest_confidence: Ratio = 0.95
    """Root-cause confidence: 0.7 + 0.1 n strong, else 0.3 + 0.1 n weak; at most 0.95 (the seed)."""
    recent_s: Seconds = 1800
    recent_factor: Annotated[float, Field(ge=1)] = 1.2
    """A release younger than 30 minutes is suspected more (the seed)."""
    old_s: Seconds = 86_400
    old_factor: Ratio = 0.8
    """A release older than 24 hours is suspected less (the seed)."""
    timing_window_s: Seconds = 1800
    """Trouble that begins so soon after the release is its own: the seed's 30 minutes again."""
    load_factor: Annotated[float, Field(gt=1)] = 1.5
    """Requests per second ÷ usual that count as more load: the daily wave of detection A.5."""

    rule_confidence: Ratio = 0.8
    """A rule decides above this (the seed)."""
    model_confidence: Ratio = 0.7
    """The trained model decides above this (the seed)."""
    manual_confidence: Ratio = 0.5
    """What a decision left to people is worth (the seed)."""
    calibration_alarms: Count = 20
    """Fewest judged alarms that a calibrated confidence may rest on (ours: one in 20 is 5 %)."""
    calibration_weight: Count = 10
    """For how many of a service's own alarms the fleet's past stands (ours)."""
    model_labels: Count = 50
    """Fewest labelled decisions to train from (ours: five for each of about ten factors)."""
    model_labels_each: Count = 10
    """Fewest of each answer among them, for one that is never seen is never learnt (ours)."""

    tier_up_without_evidence: bool = True
    """A way back without a fresh rehearsal or N/N-1 evidence needs one tier more (security §3)."""
    fresh_s: Seconds = 60
    """Evidence older than this lets nothing begin by itself (reliability R12)."""
    cool_down_s: Seconds = 1800
    """After a rollback the next one asks a person: 30 minutes (reliability R9)."""
