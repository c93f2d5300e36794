"""Hand-made histories of one rollback, built from the product's own models."""

from datetime import UTC, datetime, timedelta

from rollback_manager.contract import (
    Answered,
    EvidencePoint,
    Planned,
    RollbackRequest,
    ServiceRollback,
    Vote,
)
from rollback_manager.gates import GateAnswer, GateResult, Group
from rollback_manager.metrics.reading import Reading
from rollback_manager.plan import ActionKind, Estimate, Found, RollbackPlan, ServicePlan
from rollback_manager.policy import ApprovalPolicy, Policy
from rollback_manager.progress import (
    EndState,
    Result,
    RollbackOutcome,
    Sample,
    ServiceOutcome,
    StepRecord,
    StepState,
)
from rollback_manager.progress import Found as FoundAtEnd
from rollback_manager.release import Baseline
from rollback_manager.report import Entry, Kind
from rollback_manager.strategies import ServiceFacts
from rollback_manager.strategies.blue_green import phases
from rollback_manager.values import Value
from rollback_manager.verification import Answer, Verdict

START = datetime(2026, 3, 1, 14, 0, tzinfo=UTC)
PARENT = "rollback/demo/inc-1"
CHILD = "service/demo/shop"
OLD, NEW = "v1", "v2"  # v2 is the bad one


def at(seconds: float) -> datetime:
    """So many seconds after the rollback was asked for."""
    return START + timedelta(seconds=seconds)


def service_plan(service: str = "shop") -> ServicePlan:
    policy = Policy()
    facts = ServiceFacts(
        good=OLD, bad=NEW, desired=2, good_instances=2, shares={NEW: 100}, policy=policy
    )
    return ServicePlan(
        service=service,
        strategy="blue_green",
        from_version=NEW,
        from_digest="sha256:41d8",
        to_version=OLD,
        to_digest="sha256:9ab1",
        target_because="newest verified release that is not bad",
        desired=2,
        floor=2,
        phases=phases(facts),
        policy=policy,
        baseline=Baseline(
            requests=6000,
            error_ratio=0.001,
            latency_p95_ms=9,
            requests_per_s=80,
            window_s=75,
            taken_at=at(-600),
        ),
        not_undone=("data that the bad version wrote stays",),
    )


def plan(**changes: object) -> RollbackPlan:
    made = RollbackPlan(
        env="demo",
        security="local",
        services=(service_plan(),),
        waves=(("shop",),),
        approval=ApprovalPolicy(),
        time_limit_s=900,
        plan_valid_s=900,
        abort_when=(),
        done_when=(),
        risks=(),
        gates=(
            gate(Group.BEFORE, "impact_assessment", "v2 fails 11.0 % of 4800 requests"),
            gate(Group.BEFORE, "backup_verification", "touches no data", "not_applicable"),
        ),
        found=(
            Found(
                service="shop",
                ready={OLD: 2, NEW: 2},
                shares={NEW: 100},
                bad_reading=Reading(
                    version=NEW,
                    requests=4800,
                    errors=528,
                    latency_p95_ms=12,
                    window_s=60,
                    taken_at=at(0.1),
                ),
                by_hand=("curl -X POST http://localhost:1/shares -d 'v1=100'",),
            ),
        ),
        estimate=Estimate(traffic_back_s=60, verified_s=120, source="the strategy"),
        made_at=at(0.2),
    )
    return made.model_copy(update=changes).sealed()


def gate(group: Group, name: str, because: str, answer: str = "passed") -> GateResult:
    return GateResult(group=group, gate=name, answer=GateAnswer(answer), because=because)


def evidence() -> tuple[EvidencePoint, ...]:
    """A minute: v1 alone, then v2, of which every ninth request fails."""
    return tuple(
        EvidencePoint(
            at=at(second),
            requests={OLD: 80, NEW: 0} if second < -40 else {OLD: 0, NEW: 80},
            errors={OLD: 0, NEW: 0} if second < -40 else {OLD: 0, NEW: 7 + abs(second) % 5},
        )
        for second in range(-60, 0)
    )


def request(**changes: object) -> RollbackRequest:
    made = RollbackRequest(
        env="demo",
        services=("shop",),
        key="inc-1",
        requested_by="operator-a",
        reason="errors after the release",
        evidence=evidence(),
    )
    return made.model_copy(update=changes)


def step(kind: ActionKind, start: float, end: float, **more: object) -> StepRecord:
    made = StepRecord(
        kind=kind,
        state=StepState.DONE,
        before=f"before {kind}",
        written=f"written by {kind}",
        observed=f"observed by {kind}",
        started_at=at(start),
        finished_at=at(end),
        lowest_ready=2,
        own_errors=0,
        samples=tuple(_sample(s, kind) for s in range(int(start), int(end))),
    )
    return made.model_copy(update=more)


def _sample(second: int, kind: ActionKind) -> Sample:
    back = second >= 23
    return Sample(
        at=at(second),
        ready={OLD: 2, NEW: 0 if kind is ActionKind.CLEAN_UP and second > 87 else 2},
        requests={OLD: 80, NEW: 0} if back else {OLD: 0, NEW: 80},
        errors={OLD: 0, NEW: 0} if back else {OLD: 0, NEW: 8 + second % 3},
    )


def steps() -> tuple[StepRecord, ...]:
    verdict = Verdict(check="error_ratio", answer=Answer.PASSED, because="0 of 4880 failed")
    return (
        step(ActionKind.PREPARE, 21, 21.5, written="", samples=()),
        step(ActionKind.REDIRECT_TRAFFIC, 21.5, 25.2, first_write_at=at(22.25)),
        step(ActionKind.DRAIN, 25.3, 26.4, written=""),
        step(ActionKind.VERIFY, 26.5, 87.0, written="", verdicts=(verdict,)),
        step(ActionKind.CLEAN_UP, 87.1, 91.0),
    )


def outcome(**changes: object) -> RollbackOutcome:
    made = RollbackOutcome(
        rollback=PARENT,
        result=Result.VERIFIED,
        because="all services are verified",
        effect="Production is on the known-good release.",
        digest=plan().digest,
        services=(service_outcome(),),
        gates=(
            *plan().gates,
            gate(Group.DURING, "health_monitoring", "lowest ready 2, floor 2"),
            gate(Group.AFTER, "functional_tests", "journey: checkout answered 200"),
            gate(Group.COMPLETION, "time_limit", "92 s of 900 s"),
        ),
    )
    return made.model_copy(update=changes)


def service_outcome(**changes: object) -> ServiceOutcome:
    made = ServiceOutcome(
        service="shop",
        end=EndState.ROLLED_BACK,
        verified=True,
        because="users are well",
        found=FoundAtEnd(shares={OLD: 100}, ready={OLD: 2, NEW: 0}),
        steps=steps(),
    )
    return made.model_copy(update=changes)


class History:
    """Entries in the order in which they are added, numbered as Temporal would."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._numbers: dict[str, int] = {}

    def add(
        self, workflow: str, seconds: float, kind: Kind, name: str = "", says: Value | None = None,
        **more: object,
    ) -> int:  # fmt: skip
        """One entry; its number."""
        number = self._numbers[workflow] = self._numbers.get(workflow, 0) + 1
        made = Entry(
            at=at(seconds),
            workflow=workflow,
            run_id=f"run-of-{workflow}",
            event=number,
            kind=kind,
            name=name,
            payload=says.model_dump_json() if says else "",
        )
        self.entries.append(made.model_copy(update=more))
        return number

    def activity(self, record: StepRecord, attempt: int = 1, because: str = "") -> None:
        """Scheduled, started and done, as one step leaves it in the child's history."""
        start = (record.started_at - START).total_seconds()
        number = self._numbers.get(CHILD, 0) + 1
        self.add(CHILD, start, Kind.ACTIVITY_SCHEDULED, record.kind, of=number)
        self.add(
            CHILD, start + 0.01, Kind.ACTIVITY_STARTED, record.kind,
            of=number, attempt=attempt, identity="7@worker", because=because,
        )  # fmt: skip
        end = (record.finished_at - START).total_seconds()
        self.add(CHILD, end, Kind.ACTIVITY_DONE, record.kind, record, of=number)


def asked(history: History, asked_for: RollbackRequest | None = None) -> None:
    """Up to the plan."""
    history.add(PARENT, 0, Kind.STARTED, "RollbackWorkflow", asked_for or request())
    history.add(PARENT, 0.3, Kind.LOCAL_ACTIVITY, "plan_rollback", Planned(plan=plan()))


def approved(history: History, by: str = "operator-b") -> None:
    """The child waits; a vote counts."""
    history.add(PARENT, 0.5, Kind.CHILD_STARTED, CHILD)
    child = ServiceRollback(
        env="demo", rollback=PARENT, digest=plan().digest, plan=service_plan(), go=False
    )
    history.add(CHILD, 0.5, Kind.STARTED, "ServiceRollbackWorkflow", child)
    vote = Vote(plan=plan().digest, by=by, reason="the figures are clear")
    number = history.add(PARENT, 20, Kind.UPDATE_ACCEPTED, "approve", vote)
    answer = Answered(applied=True, because="counted for plan")
    history.add(PARENT, 20.1, Kind.UPDATE_ANSWERED, "approve", answer, of=number)


def verified(
    asked_for: RollbackRequest | None = None, ended: RollbackOutcome | None = None
) -> tuple[Entry, ...]:
    """A whole rollback; a worker died while traffic was shifted."""
    history = History()
    asked(history, asked_for)
    approved(history)
    for record in steps():
        died = record.kind is ActionKind.REDIRECT_TRAFFIC
        history.activity(record, 2 if died else 1, "activity Heartbeat timeout" if died else "")
    history.add(PARENT, 91.5, Kind.CHILD_DONE, CHILD, service_outcome())
    history.add(PARENT, 92, Kind.COMPLETED, "", ended or outcome())
    return tuple(history.entries)
