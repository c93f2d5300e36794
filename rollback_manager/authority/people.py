"""Who somebody is: one person, whatever the account. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from rollback_manager.values import Value

Subject = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,127}$")]
"""The directory's name of one human or machine: `ana@example.com`, `ci:github/8812`."""


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
        """Whether one of `names`, groups or subjects, means this person."""
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
    """All people of the catalogue. Duties are separated by person, not by account."""

    people: dict[Subject, Accounts] = Field(default_factory=dict)

    def by_subject(self, subject: str) -> Person | None:
        """The person of that subject; None: not in the catalogue."""
        known = self.people.get(subject)
        return None if known is None else Person(subject=subject, groups=known.groups)

    def completed(self, person: Person) -> Person:
        """The same person with the groups that the catalogue gives them beside their own."""
        known = self.people.get(person.subject)
        if known is None:
            return person
        groups = tuple(dict.fromkeys((*person.groups, *known.groups)))
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
