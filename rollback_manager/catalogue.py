"""The catalogue: one reviewed file that says which services there are and how to reach them.

Text in, `Catalogue` out; each mistake with its line. Nothing from a request or an alert is ever
put into a query, a path or a command: it is looked up here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator
from ruamel.yaml.comments import CommentedMap

from rollback_manager import written
from rollback_manager.authority.ci_rules import CiRule
from rollback_manager.authority.keys import VerifyKey
from rollback_manager.authority.level import SecurityLevel as SecurityLevel
from rollback_manager.authority.people import Accounts, Directory, Subject
from rollback_manager.authority.roles import Roles
from rollback_manager.authority.sense import senseless_level, senseless_people
from rollback_manager.errors import CatalogueError, PermanentError
from rollback_manager.fleet import waves
from rollback_manager.fleet.waves import Links
from rollback_manager.freezes import Window
from rollback_manager.git_source import GitSource
from rollback_manager.incidents.alert_names import Alerts, nameless
from rollback_manager.metrics.data_checks import DataCheck
from rollback_manager.metrics.sources import BusinessSource, PrometheusSource, Url
from rollback_manager.platforms import (
    Cluster,
    GitOpsTarget,
    KubernetesTarget,
    Name,
    TrafficTarget,
    WorkloadsTarget,
    clusters_of,
    misfit,
)
from rollback_manager.policy import DecisionPolicy, FleetPolicy, Policy
from rollback_manager.policy_sense import senseless, senseless_decisions
from rollback_manager.strategies import all_strategies
from rollback_manager.telling.channels import Channels
from rollback_manager.values import Timeout, Value
from rollback_manager.watch.judges import Judges


class Journey(Value):
    """One request as a user makes it, through the front door."""

    name: str
    get: Url
    """Absolute http or https URL, without credentials."""
    status: Annotated[int, Field(ge=100, le=599)] = 200
    contains: str = ""
    within_ms: Timeout = 2000


def _told_apart(journeys: tuple[Journey, ...]) -> tuple[Journey, ...]:
    if twice := [name for name, n in Counter(one.name for one in journeys).items() if n > 1]:
        raise ValueError(f"two journeys have one name: {', '.join(twice)}")
    return journeys


class Placement(Value):
    """One service in one environment."""

    workloads: WorkloadsTarget
    traffic: TrafficTarget
    journeys: Annotated[tuple[Journey, ...], AfterValidator(_told_apart)] = ()
    metrics: Annotated[PrometheusSource, Field(discriminator="kind")] | None = None
    """Where its versions are counted; left out: at the proxy itself."""
    business: tuple[Annotated[BusinessSource, Field(discriminator="kind")], ...] = ()
    gitops: GitOpsTarget | None = None
    """Who deploys it from Git; held while it goes back, so that it stays back."""
    judges: Judges = ()
    """Judges brought along from Kayenta or Argo Rollouts, beside our own tests."""
    git: GitSource | None = None
    """Where Git says which version is deployed, so that a rollback can be proposed there, too."""
    data_checks: tuple[DataCheck, ...] = ()
    """Queries that say whether its data are as they must be."""
    policy: dict[str, Any] = Field(default_factory=dict)
    """Overrides of the environment's policy, field by field."""

    @model_validator(mode="after")
    def _parts_fit(self) -> Placement:
        misfit(self.workloads, self.traffic, counted=self.metrics is not None)
        if self.gitops and not isinstance(self.workloads, KubernetesTarget):
            raise ValueError("gitops needs workloads of Kubernetes")
        return self


class Service(Value):
    """One service, wherever it runs."""

    owners: tuple[str, ...] = ()
    strategy: str
    environments: dict[Name, Placement]
    deploys_after: tuple[Name, ...] = ()
    """Services that are deployed before this one; it goes back before them."""
    reads_from: tuple[Name, ...] = ()
    """Services whose data it reads; they go back before it."""
    pair_tested: bool = False
    """Its pipeline tests each version beside the one before it (N/N-1 evidence)."""
    ci: tuple[CiRule, ...] = ()
    """Jobs that may ask for its way back through the gateway; they never approve one."""


class Environment(Value):
    """One environment and what it asks of every rollback in it."""

    security: SecurityLevel = SecurityLevel.LOCAL
    lowered_because: str = ""
    """Why it is local again; without it, one that was secured once does not start."""
    roles: Roles = Roles()
    signing_keys: tuple[VerifyKey, ...] = ()
    """Whose signatures count at level secured: the gateway's key now, and the next one."""
    policy: Policy = Policy()
    fleet: FleetPolicy = FleetPolicy()
    decisions: DecisionPolicy = DecisionPolicy()
    approvers: tuple[str, ...] = ()
    """Who may agree to a rollback that an incident proposes."""
    notifications: Channels = ()
    """Who is told at each milestone of a rollback, and where."""
    freezes: tuple[Window, ...] = ()
    """When nothing may be deployed; a rollback passes, unless the window says otherwise."""


class Catalogue(Value):
    """All environments and services."""

    version: Literal[1]
    clusters: dict[Name, Cluster] = Field(default_factory=dict)
    """Clusters of Kubernetes, by the name that services call them."""
    environments: dict[Name, Environment]
    services: dict[Name, Service]
    people: dict[Subject, Accounts] = Field(default_factory=dict)
    """Who somebody is whatever the account, by their subject in the directory."""
    alerts: Alerts = Alerts()
    """Monitoring systems that may tell of bad releases."""

    @model_validator(mode="after")
    def _names_agree(self) -> Catalogue:
        for name, service in self.services.items():
            for env in service.environments:
                if env not in self.environments:
                    raise ValueError(f"services.{name}.environments.{env}: no such environment")
            for env, placement in service.environments.items():
                known_by = {placement.gitops.cluster} if placement.gitops else set[str]()
                for cluster in sorted(
                    known_by | clusters_of(placement.workloads, placement.traffic)
                ):
                    if cluster not in self.clusters:
                        known = ", ".join(self.clusters) or "none"
                        raise ValueError(
                            f"services.{name}.environments.{env}: no such cluster: {cluster};"
                            f" known: {known}"
                        )
        return self

    @property
    def links(self) -> dict[str, Links]:
        """What ties the services to each other, in every environment alike."""
        return {
            name: Links(deploys_after=service.deploys_after, reads_from=service.reads_from)
            for name, service in self.services.items()
        }

    @property
    def directory(self) -> Directory:
        """All people, to be found by their accounts, and whom else the catalogue names."""
        owners = (one for service in self.services.values() for one in service.owners)
        others = (
            name
            for env in self.environments.values()
            for name in (*env.approvers, *env.roles.named)
        )
        return Directory(people=self.people, named=frozenset((*owners, *others)))

    def placement(self, env: str, service: str) -> Placement:
        """Where the service runs in that environment, or an error that lists what there is."""
        known = self.services.get(service)
        if known is None:
            raise _unknown(f"no service {service!r} in the catalogue", self.services)
        if env not in known.environments:
            raise _unknown(f"{service} does not run in {env!r}", known.environments)
        return known.environments[env]

    def policy(self, env: str, service: str) -> Policy:
        """The environment's policy with the service's own words on top."""
        own = self.placement(env, service).policy  # first: it refuses unknown names
        written = self.environments[env].policy.model_dump()
        return Policy.model_validate(_merged(written, own), extra="forbid")


def read_catalogue(text: str, name: str = "catalogue.yaml") -> Catalogue:
    """The catalogue in `text`; CatalogueError lists every mistake as `name:line: what`."""
    try:
        tree = written.parsed(text, name, "version, environments and services")
        catalogue = written.read(Catalogue, tree, name)
    except written.Mistaken as mistaken:
        raise _refused(mistaken.lines) from None
    finders = (
        *(_wrong_strategies, _senseless_policies, _wrong_policies, _wrong_ties),
        *(_wrong_people, _wrong_security, _wrong_jobs, _wrong_alerts),
    )
    if wrong := [line for find in finders for line in find(catalogue, tree, name)]:
        raise _refused(wrong)
    return catalogue


def json_schema() -> str:
    """The JSON Schema of the file, as published in docs/catalogue.schema.json."""
    schema = Catalogue.model_json_schema()
    schema["$defs"]["Placement"]["properties"]["policy"]["$ref"] = "#/$defs/Policy"
    for part in (schema, *schema.get("$defs", {}).values()):
        if part.get("type") == "object" and "properties" in part:
            part["additionalProperties"] = False
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "rollback-manager catalogue"
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def _wrong_strategies(catalogue: Catalogue, tree: CommentedMap, name: str) -> Iterator[str]:
    known = all_strategies()
    for service, described in catalogue.services.items():
        if described.strategy not in known:
            place = written.at(tree, ("services", service, "strategy"))
            yield (
                f"{name}:{place}: no such strategy: {described.strategy}; known: {', '.join(known)}"
            )


def _senseless_policies(catalogue: Catalogue, tree: CommentedMap, name: str) -> Iterator[str]:
    for env, described in catalogue.environments.items():
        found = [(("policy", *field), said) for field, said in senseless(described.policy)]
        of_decisions = senseless_decisions(described.decisions)
        for field, said in [*found, *((("decisions", *path), why) for path, why in of_decisions)]:
            yield f"{name}:{written.at(tree, ('environments', env, *field))}: {said}"


def _wrong_policies(catalogue: Catalogue, tree: CommentedMap, name: str) -> Iterator[str]:
    """A service's own policy is judged on top of its environment's, so after all else."""
    for service, described in catalogue.services.items():
        for env in described.environments:
            place = ("services", service, "environments", env, "policy")
            known = set(senseless(catalogue.environments[env].policy))
            try:
                found = senseless(catalogue.policy(env, service))
            except ValidationError as mistakes:
                yield from written.mistakes(mistakes, Policy, tree, name, place)
                continue
            for field, said in found:
                if (field, said) not in known:
                    yield f"{name}:{written.at(tree, (*place, *field))}: {said}"


def _wrong_ties(catalogue: Catalogue, tree: CommentedMap, name: str) -> Iterator[str]:
    """Unknown names, or else the first round of services that no order can satisfy."""
    where: tuple[int | str, ...]
    nobody = list(waves.unknown(catalogue.links))
    for service, kind, index, missing in nobody:
        where = ("services", service, kind, index)
        yield f"{name}:{written.at(tree, where)}: no such service: {missing}"
    if not nobody and (found := waves.cycle(catalogue.links)):
        where = ("services", found.services[0])
        yield f"{name}:{written.at(tree, where)}: {found}"


def _wrong_jobs(catalogue: Catalogue, tree: CommentedMap, name: str) -> Iterator[str]:
    """A job that acts where its service does not run would never be let in: it is a slip."""
    for service, described in catalogue.services.items():
        for index, rule in enumerate(described.ci):
            for env in rule.environments:
                if env not in described.environments:
                    place = written.at(tree, ("services", service, "ci", index))
                    yield f"{name}:{place}: {service} does not run in {env}: name it in acts_in"


def _wrong_people(catalogue: Catalogue, tree: CommentedMap, name: str) -> Iterator[str]:
    for path, said in senseless_people(catalogue.people):
        yield f"{name}:{written.at(tree, ('people', *path))}: {said}"


def _wrong_security(catalogue: Catalogue, tree: CommentedMap, name: str) -> Iterator[str]:
    """What a level needs, and what it would ignore without a word."""
    for env, one in catalogue.environments.items():
        owners = {s: d.owners for s, d in catalogue.services.items() if env in d.environments}
        for path, said in senseless_level(env, one.security, one.signing_keys, one.roles, owners):
            yield f"{name}:{written.at(tree, path)}: {said}"


def _wrong_alerts(catalogue: Catalogue, tree: CommentedMap, name: str) -> Iterator[str]:
    for path, said in nameless(catalogue.alerts, catalogue.services, catalogue.environments):
        yield f"{name}:{written.at(tree, path)}: {said}"


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = dict(below)
    for key, value in above.items():
        old = both.get(key)
        both[key] = (
            _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return both


def _refused(lines: list[str]) -> CatalogueError:
    return CatalogueError(
        "\n".join(lines),
        effect="Nothing was started; production is unchanged.",
        next_step="Mend the lines above, then: rollback-manager catalogue check FILE",
    )


def _unknown(what: str, known: dict[str, Any]) -> PermanentError:
    return PermanentError(
        f"{what}; known: {', '.join(sorted(known)) or 'none'}",
        effect="Production is unchanged.",
        next_step="Names are those of the catalogue: rollback-manager catalogue check FILE",
    )
