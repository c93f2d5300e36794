"""Who somebody is: one person, whatever the account. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from rollback_manager.values import Value

Subject = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,127}$")]
"""The directory's name of one human or machine: `ana@example.com`, `ci:github/8812`."""


OURS = ("local:", "ci:", "alert:", "incident/")
"""How subjects begin that we give out ourselves; no identity provider may."""


class Kind(StrEnum):
    """What stands behind a subject. Machines may ask; they never approve."""

    HUMAN = "human"
    CI = "ci"
    ALERT = "alert"
    LOCAL = "local"
    """The operator of this machine: whoever can open the port, not authenticated."""


class Person(Value):
    """Who asks or decides, as known at that moment.

    groups: of the directory. method: how they signed in, one of `local`, `temporal-ui`, `web`,
    `web+mfa`, `slack`, `cli`, `ci`, `alert`. factors: of that sign-in, as OpenID's `amr`. behind:
    of a machine, who made it ask.
    """

    subject: str
    kind: Kind = Kind.HUMAN
    groups: tuple[str, ...] = ()
    method: str = "local"
    factors: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()

    def is_among(self, names: tuple[str, ...]) -> bool:
        """Whether one of `names`, groups or subjects, means this person.

        Who signs in comes through `Directory.completed` first: no name is both there.
        """
        return self.subject in names or bool(set(self.groups) & set(names))


class Accounts(Value):
    """One person's accounts elsewhere, as the catalogue's `people` names them."""

    slack: Annotated[str, Field(pattern=r"^[A-Z0-9]+/[A-Z0-9]+$")] | None = None
    """TEAM/USER, both by id: `T024BE7LD/U061F7AUR`."""
    github: Annotated[int, Field(gt=0)] | None = None
    """The numeric id of the account: its name may be taken over by somebody else."""
    gitlab: Annotated[int, Field(gt=0)] | None = None
    """The numeric id again."""
    groups: tuple[Subject, ...] = ()
    """Groups, besides those that the sign-in tells."""


class Directory(Value):
    """All people of the catalogue. Duties are separated by person, not by account.

    named: whom its roles, approvers and owners name, people and groups alike.
    """

    people: dict[Subject, Accounts] = Field(default_factory=dict)
    named: frozenset[str] = frozenset()

    def is_of_one(self, name: str) -> bool:
        """Whether the name means one person or machine alone; every other one means a group alone.

        A key of `people` is a person, what stands in somebody's `groups` is a group. Where neither
        says it, the form does: a mail address, or a subject of our own kind, is of one.
        """
        if name in self.people:
            return True
        return ("@" in name or name.startswith(OURS)) and name not in self._groups

    def is_taken(self, subject: str) -> bool:
        """Whether the catalogue uses this name for a group: nobody may sign in under it."""
        return not self.is_of_one(subject) and subject in self.named | self._groups

    def uncounted(self, groups: tuple[str, ...]) -> tuple[str, ...]:
        """Groups that are called as one person is; to be in one makes nobody that person."""
        return tuple(one for one in groups if self.is_of_one(one))

    @property
    def _groups(self) -> frozenset[str]:
        return frozenset(name for one in self.people.values() for name in one.groups)

    def by_subject(self, subject: str) -> Person | None:
        """The person of that subject; None: not in the catalogue."""
        known = self.people.get(subject)
        return None if known is None else Person(subject=subject, groups=known.groups)

    def completed(self, person: Person) -> Person:
        """The same person with the groups that the catalogue gives them beside their own.

        Without those of the sign-in that are called as a person is.
        """
        uncounted = self.uncounted(person.groups)
        own = (one for one in person.groups if one not in uncounted)
        known = self.people.get(person.subject, Accounts())
        groups = tuple(dict.fromkeys((*own, *known.groups)))
        return person.model_copy(update={"groups": groups})

    def by_slack(self, team: str, user: str) -> Person | None:
        """The person behind an account of Slack; None: nobody who is known here."""
        return self._whose("slack", f"{team}/{user}", "slack")

    def by_github(self, id: int) -> Person | None:
        """The person behind an account of GitHub, by its numeric id."""
        return self._whose("github", id, "web")

    def by_gitlab(self, id: int) -> Person | None:
        """The person behind an account of GitLab, by its numeric id."""
        return self._whose("gitlab", id, "web")

    def _whose(self, field: str, account: str | int, method: str) -> Person | None:
        for subject, accounts in self.people.items():
            if getattr(accounts, field) == account:
                return Person(subject=subject, groups=accounts.groups, method=method)
        return None


def shared_accounts(people: Mapping[str, Accounts]) -> Iterator[tuple[str, str, str]]:
    """(subject, field, what is wrong) for each account that two people have."""
    for field in ("slack", "github", "gitlab"):
        held = {s: getattr(one, field) for s, one in people.items() if getattr(one, field)}
        times = Counter(held.values())
        for subject, account in held.items():
            if times[account] > 1:
                also = ", ".join(s for s, a in held.items() if a == account and s != subject)
                yield subject, field, f"{account} is also {also}'s: one account is one person"


def groups_that_are_people(people: Mapping[str, Accounts]) -> Iterator[tuple[str, str]]:
    """(subject, what is wrong) for each group in `people` that is called as somebody there."""
    for subject, one in people.items():
        for name in one.groups:
            if name in people:
                yield subject, f"{name} is a person of this catalogue, and so no group"
