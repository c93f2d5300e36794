"""What the catalogue may say of people and security levels, and makes no sense. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from rollback_manager.authority.keys import VerifyKey, unclear
from rollback_manager.authority.level import SecurityLevel
from rollback_manager.authority.people import (
    Accounts,
    groups_that_are_people,
    shared_accounts,
)
from rollback_manager.authority.roles import Roles

Wrong = Iterator[tuple[tuple[int | str, ...], str]]
"""(path in the file, what is wrong) one by one."""


def senseless_people(people: Mapping[str, Accounts]) -> Wrong:
    """Accounts that two people have, people as groups; the path begins below `people`."""
    for subject, field, said in shared_accounts(people):
        yield (subject, field), said
    for subject, said in groups_that_are_people(people):
        yield (subject, "groups"), said


def senseless_level(
    env: str,
    level: SecurityLevel,
    keys: Sequence[VerifyKey],
    roles: Roles,
    owners: Mapping[str, tuple[str, ...]],
) -> Wrong:
    """What one environment lacks for its level. owners: of each service that runs there."""
    place = ("environments", env)
    for index, said in unclear(keys):
        yield (*place, "signing_keys", index), said
    if level is SecurityLevel.LOCAL:
        if keys:
            yield (*place, "signing_keys"), "nothing is signed at level local; security: secured"
        return
    if not keys:
        missing = "secured needs signing_keys: without one, no decision could ever count"
        yield (*place, "security"), f"{missing} (openssl genpkey -algorithm ed25519)"
    if not roles.incident_commander:
        yield (*place, "security"), "secured needs roles.incident_commander: at T3 nobody else may"
    if not roles.on_call:
        yield (*place, "security"), "secured needs roles.on_call: who may abort and break the glass"
    for service, named in owners.items():
        if not named:
            yield ("services", service), f"{env} is secured: it needs owners, who start and approve"
