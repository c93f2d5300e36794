"""One look after a rollback: what is meant to stay, who was given back, and where that is."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from activities.stays import Letting, StayActivities, StayQuestion
from rollback_manager.errors import NotYet, PermanentError
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
    """A service that went back to v1; agrees: the owners that may be given back.

    loose: those that somebody else has let loose.
    """

    loose: tuple[Owner, ...] = ()

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

    def missing(self, wanted: OwnersHeld) -> str:
        return "; ".join(one.name for one in wanted.owners if one in self.loose)

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


def asked(about: Staying, held: tuple[Owner, ...], **more: Any) -> StayQuestion:
    return StayQuestion(staying=about, until=AT, known=Verdict.STAYS, held=held, **more)


def look(target: Any, about: Staying, held: tuple[Owner, ...], **more: Any) -> Stayed:
    return StayActivities(lambda *_: target).check_stays(asked(about, held, **more))


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


class Git:
    """Counts how often it was copied."""

    copies = 0

    def agrees(self, _: Staying) -> Agreement:
        self.copies += 1
        return Agreement(agrees=False, because="it names v2")


def test_git_is_not_copied_for_every_look() -> None:
    git, target, about = Git(), StandInTarget(), staying(ARGO)
    stand_in: Any = target
    activities = StayActivities(lambda *_: stand_in, git)
    looks = [activities.check_stays(asked(about, (ARGO,), releases=(ARGO,))) for _ in range(3)]
    assert {one.held_because for one in looks} == {"Application argocd/shop: it names v2"}
    assert git.copies == 1
    later = about.model_copy(update={"rollback": "rollback/prod/later"})
    activities.check_stays(asked(later, (ARGO,), releases=(ARGO,)))
    assert git.copies == 2


def test_who_fights_on_and_on_is_told_of_seldom() -> None:
    target: Any = StandInTarget(replicas=2)
    now, activities = datetime.now(UTC), StayActivities(lambda *_: target)
    later = asked(staying(SCALER), (SCALER,)).model_copy(update={"until": now + timedelta(days=1)})
    assert activities.check_stays(later).verdict is Verdict.REVERSED
    quiet = later.model_copy(update={"quiet_until": now + timedelta(minutes=1)})
    with pytest.raises(NotYet, match="scaled to 2, below its floor"):
        activities.check_stays(quiet)
    due = quiet.model_copy(update={"until": now})
    assert activities.check_stays(due).verdict is Verdict.REVERSED


def test_one_that_a_person_let_loose_once_git_was_mended_is_no_alarm() -> None:
    about, target = staying(ARGO, SCALER), StandInTarget(agrees=(ARGO,))
    target.loose = (ARGO,)
    stayed = look(target, about, about.owners, releases=about.owners)
    assert (stayed.verdict, stayed.left) == (Verdict.STAYS, (SCALER,))
    target.loose = (SCALER,)
    stayed = look(target, about, about.owners, releases=about.owners)
    assert (stayed.verdict, stayed.left) == (Verdict.UNHELD, (SCALER,))
    assert stayed.released == ("Application argocd/shop given back: said so",)
