"""One name means one person or one group, never both: nobody gets rights by being called so."""

import pytest

from rollback_manager.authority.people import Accounts, Directory, Person
from rollback_manager.authority.roles import Role, Roles, roles_of

ROLES = Roles(on_call=("on-call",), incident_commander=("u-17", "sre@example.com"))
DIRECTORY = Directory(
    people={
        "u-17": Accounts(groups=("payments", "sre@example.com")),
        "ana@example.com": Accounts(),
    },
    named=frozenset((*ROLES.named, "ana@example.com", "cy@example.com", "leads")),
)


@pytest.mark.parametrize(
    ("name", "is_of_one"),
    [
        ("u-17", True),  # `people` says so
        ("ana@example.com", True),
        ("cy@example.com", True),  # nothing says so but its form
        ("ci:github/1", True),
        ("local:root", True),
        ("leads", False),
        ("on-call", False),
        ("sre@example.com", False),  # a mail address that `groups` says is a group
    ],
)
def test_a_name_means_a_person_or_a_group(name: str, is_of_one: bool) -> None:
    assert DIRECTORY.is_of_one(name) is is_of_one
    assert DIRECTORY.is_taken(name) is not is_of_one
    assert DIRECTORY.uncounted((name,)) == ((name,) if is_of_one else ())


def test_a_name_that_the_catalogue_does_not_use_is_nobodys() -> None:
    assert not DIRECTORY.is_taken("visitor")


@pytest.mark.parametrize("called", ["u-17", "ana@example.com", "cy@example.com"])
def test_a_group_of_the_sign_in_called_as_a_person_gives_none_of_their_rights(called: str) -> None:
    person = Person(subject="bo@example.com", groups=(called, "on-call"), method="web")
    known = DIRECTORY.completed(person)
    assert known.groups == ("on-call",)
    assert not known.is_among((called,))
    assert roles_of(known, ROLES, owners=(called,)) == {Role.ON_CALL}


def test_who_is_named_and_who_is_in_a_group_has_what_is_theirs() -> None:
    u17 = DIRECTORY.completed(Person(subject="u-17", groups=("visitors",), method="web"))
    assert u17.groups == ("visitors", "payments", "sre@example.com")
    assert Role.INCIDENT_COMMANDER in roles_of(u17, ROLES)
    cy = DIRECTORY.completed(Person(subject="cy@example.com", groups=("leads",), method="web"))
    assert roles_of(cy, ROLES, owners=("cy@example.com",), approvers=("leads",)) == {
        Role.OWNER,
        Role.APPROVER,
    }
    by_mail = Person(subject="di@example.com", groups=("sre@example.com",), method="web")
    assert roles_of(DIRECTORY.completed(by_mail), ROLES) == {Role.INCIDENT_COMMANDER}
