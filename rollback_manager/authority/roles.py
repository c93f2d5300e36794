"""Roles in one environment: which groups and subjects have them. Pure."""

from enum import StrEnum

from rollback_manager.authority.people import Kind, Person, Subject
from rollback_manager.values import Value

Names = tuple[Subject, ...]
"""Groups or single subjects."""


class Role(StrEnum):
    """What somebody is in an environment, or for the services that an action concerns."""

    OWNER = "owner"
    ON_CALL = "on_call"
    INCIDENT_COMMANDER = "incident_commander"
    APPROVER = "approver"
    ADMIN = "admin"
    AUDITOR = "auditor"
    CI = "ci"
    ALERT = "alert"
    LOCAL_OPERATOR = "local_operator"


class Roles(Value):
    """An environment's roles as the catalogue says them; each by groups or subjects."""

    on_call: Names = ()
    """Answers pages: may stop what runs, and break the glass."""
    incident_commander: Names = ()
    """Leads an incident: starts and stops what touches data or security."""
    admin: Names = ()
    """Keeps releases, freezes and the audit chain in order; agrees to nothing."""
    auditor: Names = ()
    """Reads the audit chain."""
    ci: Names = ()
    """Pipelines, such as `ci:github/8812` by the id of the repository: they ask, never approve."""

    @property
    def named(self) -> frozenset[str]:
        """All names in it."""
        return frozenset(
            (*self.on_call, *self.incident_commander, *self.admin, *self.auditor, *self.ci)
        )


def roles_of(
    person: Person, roles: Roles, owners: tuple[str, ...] = (), approvers: tuple[str, ...] = ()
) -> frozenset[Role]:
    """What this person is. A machine is what it is, whatever groups it claims.

    owners: of the services concerned. approvers: of the environment.
    """
    match person.kind:
        case Kind.LOCAL:
            return frozenset({Role.LOCAL_OPERATOR})
        case Kind.ALERT:
            return frozenset({Role.ALERT})
        case Kind.CI:
            return frozenset({Role.CI}) if person.is_among(roles.ci) else frozenset()
        case Kind.HUMAN:
            named = {
                Role.OWNER: owners,
                Role.ON_CALL: roles.on_call,
                Role.INCIDENT_COMMANDER: roles.incident_commander,
                Role.APPROVER: approvers,
                Role.ADMIN: roles.admin,
                Role.AUDITOR: roles.auditor,
            }
            return frozenset(role for role, names in named.items() if person.is_among(names))
