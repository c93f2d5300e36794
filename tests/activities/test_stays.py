"""One look after a rollback: what is meant to stay, who was given back, and where that is."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from activities.stays import Letting, StayActivities, StayQuestion
from rollback_manager.errors import PermanentError
from rollback_manager.owners import Agreement, Owner, OwnerKind
from rollback_manager.plan import OwnersHeld
from rollback_manager.stays import Kept, Live, Stayed, Staying, Verdict

AT = datetime.now(UTC) - timedelta(minutes=20)
SCALER, OTHER = (
    Owner(kind=OwnerKind.AUTOSCALER, name=f"HorizontalPodAutoscaler shop/{name}")
    for name in ("shop", "shop-v2")
)
ARGO = Owner(kind=OwnerKind.ARGO_CD, name="Application argocd/shop")


class StandInTarget:
    """A service that went back to v1; agrees: the owners that may be given back."""

    def __init__(self, replicas: int = 4, agrees: tuple[Owner, ...] = ()) -> None:
        self.replicas, self._agrees = replicas, agrees
        self.given_back: list[Owner] = []
        self.traffic = SimpleNamespace(split=lambda: {"v1": 100})
        ready = {"v1": SimpleNamespace(ready=replicas)}
        self.workloads = SimpleNamespace(versions=lambda: ready)
        self.owners = self
        self.place = "cluster main (uid 1), namespace shop"

    def live(self) -> Live:
        kept = Kept(name="deployment/shop", version="v1", digest="d", replicas=self.replicas)
        return Live(kept=(kept,))

    def missing(self, _: OwnersHeld) -> str:
        return ""

    def agrees(self, owner: Owner, _: datetime) -> Agreement:
        return Agreement(agrees=owner in self._agrees, because="said so")

    def set(self, wanted: OwnersHeld, _: object) -> str:
        self.given_back += wanted.owners
        return "given back"

    def deny(self, version: str) -> str:
        raise AssertionError(version)

    def must_be_at(self, planned: str) -> None:
        if planned != self.place:
            raise PermanentError("this is another cluster than the plan was made for")


def staying(*owners: Owner, place: str = "cluster main (uid 1), namespace shop") -> Staying:
    return Staying(
        env="prod",
        service="shop",
        rollback="rollback/prod/k",
        version="v1",
        digest="d",
        bad="v2",
        floor=3,
        epoch=7,
        since=AT,
        checks_s=(10,),
        owners=owners,
        place=place,
    )


def look(target: Any, about: Staying, held: tuple[Owner, ...], **more: Any) -> Stayed:
    question = StayQuestion(staying=about, until=AT, known=Verdict.STAYS, held=held, **more)
    return StayActivities(lambda *_: target).check_stays(question)


def test_what_an_autoscaler_does_once_it_is_given_back_is_no_reversal() -> None:
    target, about = StandInTarget(replicas=2), staying(SCALER, ARGO)
    assert look(target, about, about.owners).verdict is Verdict.REVERSED
    assert look(target, about, (ARGO,)).verdict is Verdict.STAYS


def test_of_two_names_that_begin_alike_one_is_given_back() -> None:
    about = staying(SCALER, OTHER)
    target = StandInTarget(agrees=(OTHER,))
    stayed = look(target, about, about.owners, releases=about.owners)
    assert (target.given_back, stayed.left) == ([OTHER], (SCALER,))


def test_nothing_is_written_in_another_cluster_than_the_plans() -> None:
    target: Any = StandInTarget()
    about = staying(ARGO, place="cluster main (uid 2), namespace shop")
    activities = StayActivities(lambda *_: target)
    with pytest.raises(PermanentError, match="another cluster"):
        activities.let_owners_go(Letting(staying=about, owners=(ARGO,)))
    with pytest.raises(PermanentError, match="another cluster"):
        activities.deny_version(about)
    assert target.given_back == []
