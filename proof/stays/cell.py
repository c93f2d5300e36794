"""One fighter against one rollback, with the mechanism or without it."""

import asyncio
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from temporalio.client import Client
from temporalio.service import RPCError

from demo.kubernetes.api import Api
from proof.released import PODS
from proof.stays import site as sites
from proof.stays.fighters import Fighter, ImageUpdater, ScaleDown, SelfHeal
from proof.stays.shop import BAD, GOOD, SERVICE
from proof.stays.site import Site
from rollback_manager.client import RollbackClient
from rollback_manager.contract import RollbackRequest, stay_id
from rollback_manager.errors import Unreachable
from rollback_manager.progress import State
from rollback_manager.stays import StayStatus
from workers.settings import Settings
from workers.worker import make_worker

ROLLED_BACK_S, AGAIN_S = 120.0, 2.0


@dataclass(frozen=True)
class Case:
    """Who fights, and after how long; held: whether the mechanism is in."""

    name: str
    after_s: float
    held: bool
    argo: bool = False
    denied: bool = False
    scaled_to: int = 0


FIGHTERS: tuple[tuple[str, float, dict[str, Any]], ...] = (
    ("self-heal", 5.0, {"argo": True}),
    ("self-heal", 180.0, {"argo": True}),
    ("image updater", 60.0, {"denied": True}),
    ("autoscaler", 0.0, {"scaled_to": 1}),
)
CASES = tuple(
    Case(name, after_s, held, **more) for name, after_s, more in FIGHTERS for held in (True, False)
)


@dataclass
class Cell:
    """What was seen. Seconds are since the good version had all pods; None: never."""

    name: str
    after_s: float
    held: bool
    rollback: str = ""
    watched_s: float = 0.0
    bad_served_after_s: float | None = None
    shrunk_to: int | None = None
    looks: int = 0
    writes_of_fighter: int = 0
    refused: int = 0
    named: str = ""
    named_after_s: float | None = None
    checks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


async def run(
    case: Case, client: Client, api: Api, kubeconfig: Path, seconds: float, checks: list[float]
) -> Cell:
    """From v2 with all users to the end of the watch."""
    namespace = f"stays-{uuid.uuid4().hex[:8]}"
    api.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
    if case.denied and case.held:
        body = {"metadata": {"name": "rollback-manager-denied"}}
        api.post(f"/api/v1/namespaces/{namespace}/configmaps", body)
    with tempfile.TemporaryDirectory(prefix="rb-") as name:
        site = await asyncio.to_thread(
            sites.build,
            api,
            kubeconfig,
            namespace,
            Path(name),
            held=case.held,
            argo=case.argo,
            scaled_to=case.scaled_to,
            env=namespace,
            policy={"stay_checks_s": checks},
        )
        settings = Settings(data=Path(name), task_queue=f"q-{namespace}")
        with Fighter(_fights(case, site)) as fighter, sites.watched(site) as seen:
            async with make_worker(client, settings, site.parts):
                cell = await _watch(case, site, client, settings.task_queue, seconds, seen)
        cell.writes_of_fighter, cell.refused = len(fighter.fought), len(fighter.refused)
        return cell


def _fights(case: Case, site: Site) -> Callable[[], bool]:
    if case.argo:
        return SelfHeal(
            site.api, site.deployment, site.application, site.bad_template, case.after_s
        )
    if case.scaled_to:
        return ScaleDown(site.api, site.deployment, site.autoscaler)
    return ImageUpdater(site.api, site.deployment, BAD, case.after_s)


async def _watch(
    case: Case, site: Site, client: Client, queue: str, seconds: float, seen: sites.Seen
) -> Cell:
    cell = Cell(case.name, case.after_s, case.held)
    rollback = await RollbackClient(client, task_queue=queue).start(
        RollbackRequest(env=site.env, services=(SERVICE,), key="proof", requested_by="proof")
    )
    back_at, until = None, time.monotonic() + ROLLED_BACK_S + seconds
    while time.monotonic() < until:
        await asyncio.sleep(AGAIN_S)
        back_at = back_at or next((at for at, images in seen if images == {GOOD}), None)
        try:
            status = await rollback.status()
        except Unreachable:
            continue  # many share this machine; what serves is watched beside this
        cell.rollback = str(status.outcome.result) if status.outcome else str(status.state)
        stay = await _stay(client, site.env)
        named = status.waits_for if status.state is State.NEEDS_HUMAN else ""
        if stay is not None:
            cell.checks = [str(one.stayed.verdict) for one in stay.checks if one.due]
            cell.notes = list(stay.notes)
            named = named or (stay.waits_for if stay.state == State.NEEDS_HUMAN else "")
        if named and not cell.named:
            cell.named = named
            cell.named_after_s = round(time.monotonic() - (back_at or time.monotonic()), 1)
        if back_at is not None and not any("given back" in note for note in cell.notes):
            cell.shrunk_to = _shrunk(cell, site)
        if _is_over(case, cell, back_at, seconds, seen):
            break
    _judge(cell, site, back_at, seen)
    return cell


def _is_over(
    case: Case, cell: Cell, back_at: float | None, seconds: float, seen: sites.Seen
) -> bool:
    """The whole time with the hold; without it, until it was taken back and somebody named."""
    if back_at is not None and time.monotonic() - back_at >= seconds:
        return True
    taken = bool(case.scaled_to) or any(at > (back_at or 0) and BAD in i for at, i in seen)
    return not case.held and bool(cell.named) and taken


def _judge(cell: Cell, site: Site, back_at: float | None, seen: sites.Seen) -> None:
    if back_at is None:
        cell.bad_served_after_s = 0.0 if seen and BAD in seen[-1][1] else None
        return
    after = [(at - back_at, images) for at, images in seen if at >= back_at]
    cell.looks, cell.watched_s = len(after), round(after[-1][0], 1)
    bad = next((at for at, images in after if BAD in images), None)
    cell.bad_served_after_s = None if bad is None else round(bad, 1)


def _shrunk(cell: Cell, site: Site) -> int | None:
    """The fewest pods so far, if ever fewer than there were."""
    replicas = int(site.api.get(site.deployment)["spec"]["replicas"])
    least = min(replicas, cell.shrunk_to or PODS)
    return least if least < PODS else None


async def _stay(client: Client, env: str) -> StayStatus | None:
    handle = client.get_workflow_handle(stay_id(env, SERVICE))
    try:
        status: StayStatus = await handle.query("status", result_type=StayStatus)
    except RPCError:
        return None  # the rollback has not ended
    return status


@contextmanager
def policy(api: Api, text: str) -> Iterator[None]:
    """The deny list's policy in the cluster, as it is shipped."""
    group = "/apis/admissionregistration.k8s.io/v1"
    for item in YAML(typ="safe", pure=True).load_all(text):
        kind = "validatingadmissionpolicies"
        if item["kind"].endswith("Binding"):
            kind = "validatingadmissionpolicybindings"
        api.post(f"{group}/{kind}", item)
    yield
