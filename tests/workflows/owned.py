"""A stand-in for who else writes: an owner that can be held, and what is written."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from activities.targets import Target
from proof.stand_ins import StandInService
from rollback_manager.errors import StaleWrite
from rollback_manager.operation import Mark
from rollback_manager.owners import Agreement, Owner, OwnerKind, Writer
from rollback_manager.plan import OwnersHeld
from rollback_manager.stays import Kept, Live

OWNER = Owner(
    kind=OwnerKind.ARGO_CD,
    name="Application argocd/shop",
    cluster="main",
    path="/applications/shop",
    brings_back="puts its own back within seconds (self-heal)",
    by_hand="argocd app set argocd/shop --sync-policy automated",
)


@dataclass
class StandInOwners:
    """Desired is what runs once `agreed` is set. stranger: who wrote what we did not."""

    world: StandInService
    held: bool = False
    agreed: bool = False
    stranger: str = ""
    epoch: int = 0
    denied: list[str] = field(default_factory=list)
    mark: Mark | None = None

    def found(self) -> tuple[Owner, ...]:
        return (OWNER,)

    def set(self, wanted: OwnersHeld, mark: Mark) -> str:
        if self.mark is not None and mark.is_older_than(self.mark):
            raise StaleWrite(f"{self.mark} stands there")
        self.held, self.mark = wanted.hold, mark
        return f"{OWNER.name} {'held' if wanted.hold else 'given back'}"

    def missing(self, wanted: OwnersHeld) -> str:
        return "" if wanted.hold is self.held or not wanted.owners else "its auto-sync is on"

    def agrees(self, owner: Owner, since: datetime) -> Agreement:
        because = "Synced" if self.agreed else "OutOfSync"
        return Agreement(agrees=self.agreed, because=because)

    def deny(self, version: str) -> str:
        self.denied.append(version)
        return f"{version} denied"

    def live(self) -> Live:
        marks = [one.epoch for one in (self.world.mark, self.world.scale_mark) if one]
        by = Writer(manager=self.stranger or "pipeline", at=datetime.now(UTC))
        kept = tuple(
            Kept(
                name=f"deployment/{version}",
                version=version,
                digest=f"sha256:{version}",
                replicas=running,
                template_by=by,
                replicas_by=by,
            )
            for version, running in self.world.running.items()
        )
        return Live(kept=kept, traffic_by=by, epoch=max([self.epoch, *marks]))


class OwnedService(StandInService):
    """The stand-in service with an owner."""

    owners: StandInOwners

    def target(self) -> Target:
        return replace(super().target(), owners=self.owners)


def owned(world: StandInService) -> StandInOwners:
    """Give the service an owner."""
    world.__class__ = OwnedService
    owners = StandInOwners(world)
    world.owners = owners  # type: ignore[attr-defined]  # its class has just become that
    return owners
