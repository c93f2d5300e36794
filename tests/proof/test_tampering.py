"""A fixed sample of `make tamper`."""

from proof.tampering import TAMPERINGS, tamper


def test_sixty_five_tamperings_are_all_found_and_nothing_else_is() -> None:
    found = tamper(5 * len(TAMPERINGS), seed=20)
    assert (found.detected, found.missed) == (found.tampered, ())
    assert found.first_named >= 60, "an insider's shorter branch looks like a cut end"
    assert found.false_alarms == 0
