"""Who is asking: one subject per person, whatever account they use."""

from enum import StrEnum

from rollback_manager.values import Value


class Kind(StrEnum):
    """What stands behind a subject. Only a person decides; a program may ask."""

    HUMAN = "human"
    CI = "ci"
    ALERT = "alert"
    LOCAL = "local"


class Person(Value):
    """Somebody, or a program, as the door saw them when they came in.

    subject: of the directory, such as `ana@example.com`, `ci:github/4711` or `local:USER`.
    method: how they signed in; factors: what they proved it with (`amr`).
    """

    subject: str
    kind: Kind = Kind.HUMAN
    groups: tuple[str, ...] = ()
    method: str = "local"
    factors: tuple[str, ...] = ()
