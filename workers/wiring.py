"""Puts the parts together, once, at the start: names in the catalogue → objects that work."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Engine
from temporalio.client import Client

from activities.asks import Asks
from activities.audit import AuditActivities, Chain
from activities.budget import BudgetActivities
from activities.claims import Claims, Holders
from activities.clusters import Access, ClusterActivities
from activities.configuration import ConfigurationActivities
from activities.decisions import DecisionActivities
from activities.deploys import DeployActivities, Underway
from activities.freezes import FreezesKept
from activities.frozen import FrozenContents
from activities.glass import GlassActivities, GlassesKept
from activities.incident_role import Incidents
from activities.incidents import IncidentActivities, Ledger
from activities.integrations.sql import SqlRecords, engine_for, upgrade
from activities.integrations.temporal_incidents import TemporalIncidents
from activities.integrations.temporal_runs import TemporalRuns
from activities.judgement import JudgementActivities
from activities.metrics import MetricsActivities
from activities.notifications import Channels, NotificationActivities
from activities.orphans import OrphanActivities
from activities.owners import OwnerActivities
from activities.past import Models, Past, PastAlarms
from activities.planning import PlanningActivities
from activities.records import RecordActivities, Records
from activities.releases import ReleaseActivities
from activities.revert import RevertActivities, Reverts
from activities.secrets import Secrets
from activities.slices import SliceActivities
from activities.sources import CounterSource, SourceActivities
from activities.stays import StayActivities
from activities.targets import Targets
from activities.traffic import TrafficActivities
from activities.watch.numbers import Numbers
from activities.watch.warm_ups import WarmUps
from activities.watch.watching import WatchActivities
from activities.workloads import WorkloadActivities
from rollback_manager.authority.level import SecurityLevel
from rollback_manager.catalogue import Catalogue
from rollback_manager.client.codec import Keys
from rollback_manager.errors import Blocked, Unreachable
from workers import materials
from workers.channels import channels, no_channels
from workers.settings import Settings
from workers.targets import access, counter_sources, reverts, targets


class Levels(Protocol):
    """Which environments were of level secured once."""

    def keep_secured(self, env: str) -> None:
        """This one is."""

    def once_secured(self) -> frozenset[str]:
        """All of them, the present ones included."""


class Store(
    Records,
    Claims,
    Ledger,
    PastAlarms,
    Models,
    WarmUps,
    Numbers,
    FrozenContents,
    FreezesKept,
    GlassesKept,
    Levels,
    Protocol,
):
    """All roles that one database plays."""


@dataclass(frozen=True)
class Parts:
    """All that activities need, but for the Temporal of their worker."""

    catalogue: Catalogue
    records: Store
    targets: Targets
    access: Mapping[str, Access] = field(default_factory=dict)
    """By the name of the cluster."""
    counter_sources: Mapping[str, Sequence[CounterSource]] = field(default_factory=dict)
    """Environment → who counts for its services, beside its proxies."""
    reverts: Callable[[str, str], Reverts | None] = lambda env, service: None
    """Environment and service → its repository, if the catalogue names one."""
    audit: Chain | None = None
    """None: nothing is audited, as in tests of other matters; every process has one."""
    secrets: Secrets = field(default_factory=Secrets)
    channels: Channels = no_channels
    """Environment and name → where people are told."""
    page: Callable[[str], str] = lambda rollback: ""
    """A rollback's id → the address of its page; empty where none is served."""
    codec: Keys | None = None
    """None: payloads are not encrypted."""

    @property
    def takes_unbound(self) -> bool:
        """Whether a page may send what the codec server encrypted, which is for no workflow alone.

        Where decisions are signed nobody decides from Temporal's own pages.
        """
        return not any(one.security == "secured" for one in self.catalogue.environments.values())


def parts(settings: Settings) -> Parts:
    """The parts that the settings and the catalogue name; unknown names stop the start."""
    catalogue = materials.catalogue_of(settings)
    materials.make_data_folder(settings)
    secrets = materials.secrets_of(catalogue)
    engine = engine_for(materials.records_url(settings, secrets))
    _upgrade(engine)
    client, records = materials.http_client(), SqlRecords(engine)
    must_not_be_lowered(catalogue, records)
    return Parts(
        catalogue,
        records,
        targets(catalogue, client, records),
        access=access(catalogue),
        counter_sources=counter_sources(catalogue, client),
        reverts=reverts(catalogue, client),
        audit=materials.audit(settings, engine, secrets),
        secrets=secrets,
        channels=channels(catalogue, client, secrets.resolve),
        page=lambda rollback: f"{settings.pages_url}/{rollback}" if settings.pages_url else "",
        codec=materials.codec(settings, secrets),
    )


def _upgrade(engine: Engine) -> None:
    try:
        upgrade(engine)
    except Unreachable as error:  # a step would wait for them; a start does not
        raise Unreachable(
            error.what,
            effect="Nothing was started; production is unchanged.",
            next_step="Bring the database back, then start this again.",
        ) from error


def must_not_be_lowered(catalogue: Catalogue, levels: Levels) -> None:
    """An environment that was secured once is not local by mistake (security.md, introduction)."""
    once = levels.once_secured()
    for env, described in catalogue.environments.items():
        if described.security is SecurityLevel.SECURED:
            levels.keep_secured(env)
        elif env in once and not described.lowered_because.strip():
            raise Blocked(
                f"{env} was of level secured, and the catalogue says local",
                effect="Nothing was started; production is unchanged.",
                next_step=f"Say so where it is reviewed: environments.{env}.lowered_because",
            )


@dataclass(frozen=True)
class OfTemporal:
    """What activities ask of the Temporal of their worker, and tell it."""

    runs: Underway
    incidents: Incidents


def temporal(client: Client, task_queue: str) -> OfTemporal:
    """Over the worker's own client; to be called inside the client's loop."""
    loop = asyncio.get_running_loop()
    return OfTemporal(TemporalRuns(client, loop), TemporalIncidents(client, loop, task_queue))


def activities(parts: Parts, temporal: OfTemporal) -> Sequence[Callable[..., Any]]:
    """Every activity, bound to its parts."""
    holders = Holders(parts.records, temporal.runs)
    planning = PlanningActivities(
        parts.catalogue, parts.records, parts.targets, holders, parts.audit
    )
    asks = Asks(parts.catalogue, parts.audit)
    glass = GlassActivities(
        parts.records, lambda env: parts.catalogue.environments[env].security, asks
    )
    traffic = TrafficActivities(parts.targets)
    workloads = WorkloadActivities(parts.targets)
    reverts = RevertActivities(parts.reverts, parts.records)
    stays = StayActivities(parts.targets, reverts)
    records = RecordActivities(parts.records, parts.records, parts.targets)
    orphans = OrphanActivities(holders, parts.records, parts.targets, asks)
    budget = BudgetActivities(parts.catalogue)
    past = Past(parts.records, parts.records)
    incidents = IncidentActivities(
        parts.catalogue, parts.records, parts.records, past, parts.targets
    )
    sources = SourceActivities(parts.catalogue, parts.targets, parts.counter_sources)
    watching = WatchActivities(parts.catalogue, parts.records, parts.targets, temporal.incidents)
    return (
        planning.plan_rollback,
        planning.seal_part,
        ConfigurationActivities(parts.records, parts.targets).restore_configuration,
        OwnerActivities(parts.targets).hold_owner,
        stays.check_stays,
        stays.deny_version,
        stays.let_owners_go,
        workloads.prepare,
        traffic.redirect_traffic,
        traffic.drain,
        MetricsActivities(parts.targets).verify,
        SliceActivities(parts.targets).check_slice,
        workloads.stop_batch,
        workloads.clean_up,
        records.claim,
        records.observe,
        records.close_service,
        orphans.look_at_orphan,
        orphans.give_back,
        orphans.watch_claims,
        JudgementActivities().conclude,
        JudgementActivities().conclude_tree,
        budget.ask_budget,
        budget.judge_budget,
        ReleaseActivities(parts.records, parts.targets, asks).keep_releases,
        watching.watch_releases,
        ClusterActivities(parts.catalogue, parts.access).check_clusters,
        sources.check_sources,
        reverts.open_revert,
        AuditActivities(parts.audit).ask_audit,
        NotificationActivities(parts.channels, parts.page).tell_people,
        DeployActivities(parts.catalogue, parts.records, temporal.runs, asks).ask_deploys,
        glass.break_glass,
        glass.ask_glasses,
        DecisionActivities(parts.catalogue, parts.records, parts.records).ask_decisions,
        incidents.judge_incident,
        incidents.who_may_speak,
    )
