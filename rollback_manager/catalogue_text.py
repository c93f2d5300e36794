"""Text in, `Catalogue` out; each mistake with its line."""

from collections.abc import Iterator

from pydantic import ValidationError
from ruamel.yaml.comments import CommentedMap

from rollback_manager import written
from rollback_manager.authority.sense import senseless_level, senseless_people
from rollback_manager.catalogue import Catalogue
from rollback_manager.errors import CatalogueError
from rollback_manager.fleet import waves
from rollback_manager.incidents.alert_names import nameless
from rollback_manager.policy import Policy
from rollback_manager.policy_sense import senseless, senseless_decisions
from rollback_manager.strategies import all_strategies


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


def _refused(lines: list[str]) -> CatalogueError:
    return CatalogueError(
        "\n".join(lines),
        effect="Nothing was started; production is unchanged.",
        next_step="Mend the lines above, then: rollback-manager catalogue check FILE",
    )
