"""Known good: verified, not bad, and never assumed from position."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_manager.errors import Blocked, PermanentError, RollbackError, TemporaryError
from rollback_manager.release import Release, Standing, known_good

START = datetime(2026, 3, 1, tzinfo=UTC)
C, V, B = Standing.CANDIDATE, Standing.VERIFIED, Standing.BAD


def release(number: int, standing: Standing, because: str = "") -> Release:
    return Release(
        version=f"v{number}",
        digest=f"sha256:{number}",
        recorded_at=START + timedelta(days=number),
        recorded_by="ci",
        standing=standing,
        because=because,
    )


def row(*standings: Standing) -> list[Release]:
    """v1, v2, … in the order in which they went out."""
    return [release(number, standing) for number, standing in enumerate(standings, 1)]


histories = st.lists(st.sampled_from(Standing), min_size=1, max_size=8).map(lambda s: row(*s))


@pytest.mark.parametrize(
    ("standings", "current", "chosen"),
    [
        ((V, C), "v2", "v1"),
        ((V, V, C), "v3", "v2"),
        ((V, B, C), "v3", "v1"),
        ((V, C, C), "v3", "v1"),
        ((V, B, V), "v3", "v1"),
        ((V, V), "v1", "v2"),
        ((V, V, B), "v2", "v1"),
    ],
)
def test_the_newest_verified_release_is_taken(
    standings: tuple[Standing, ...], current: str, chosen: str
) -> None:
    assert known_good(row(*standings), current).release.version == chosen


def test_undoing_twice_does_not_walk_back_into_the_bad_release() -> None:
    after_the_first = row(V, V, B)  # v3 was undone to v2, which turns out to be bad as well
    assert known_good(after_the_first, "v2").release.version == "v1"


def test_what_was_passed_over_is_said() -> None:
    target = known_good(row(V, B, C), "v3")
    assert target.because == "newest verified release that is not bad; newer but not taken: v3, v2"
    assert known_good(row(B, V), "v1").because == "newest verified release that is not bad"


@pytest.mark.parametrize("standings", [(C,), (C, C), (B, C), (B, B), (C, V)])
def test_without_a_verified_release_it_is_blocked(standings: tuple[Standing, ...]) -> None:
    with pytest.raises(Blocked, match="no verified release to go back to: v") as refusal:
        known_good(row(*standings), f"v{len(standings)}")
    assert "releases mark" in refusal.value.next_step


def test_without_any_release_it_is_blocked() -> None:
    with pytest.raises(Blocked, match="none is recorded"):
        known_good([], "v1")


def test_a_release_may_be_asked_for_by_name() -> None:
    target = known_good(row(V, V, C), "v3", "v1")
    assert target.release.version == "v1"
    assert target.because == "asked for by name; verified"


@pytest.mark.parametrize(
    ("wanted", "because"),
    [
        ("v4", "v4 is the version that has the traffic now"),
        ("v3", "v3 is candidate, not verified (no evidence)"),
        ("v2", "v2 is bad, not verified (it lost orders)"),
        ("v9", "no release v9 is recorded: v4 is verified, v3 is candidate, v2 is bad, v1 is"),
    ],
)
def test_asking_by_name_does_not_make_a_release_good(wanted: str, because: str) -> None:
    releases = [release(1, V), release(2, B, "it lost orders"), release(3, C), release(4, V)]
    with pytest.raises(Blocked) as refusal:
        known_good(releases, "v4", wanted)
    assert because in refusal.value.what


def test_asking_by_name_where_nothing_is_recorded_is_blocked() -> None:
    with pytest.raises(Blocked, match="no release v1 is recorded: none is"):
        known_good([], "v2", "v1")


@given(histories, st.data(), st.booleans())
def test_a_target_is_always_verified_and_never_the_current_one(
    releases: list[Release], data: st.DataObject, by_name: bool
) -> None:
    versions = st.sampled_from([r.version for r in releases])
    current, wanted = data.draw(versions), data.draw(versions) if by_name else None
    try:
        chosen = known_good(releases, current, wanted).release
    except Blocked:
        return
    assert chosen.standing is Standing.VERIFIED
    assert chosen.version != current
    if wanted is None:
        others = [r for r in releases if r.standing is V and r.version != current]
        assert chosen.recorded_at == max(r.recorded_at for r in others)
    else:
        assert chosen.version == wanted


@given(histories, st.randoms(use_true_random=False))
def test_the_order_of_the_records_does_not_matter(releases: list[Release], chance: object) -> None:
    shuffled = list(releases)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # random.Random, which TID251 bans by name
    try:
        chosen = known_good(releases, "v1")
    except Blocked:
        with pytest.raises(Blocked):
            known_good(shuffled, "v1")
    else:
        assert known_good(shuffled, "v1") == chosen


def test_an_error_says_what_happened_what_it_means_and_what_to_type() -> None:
    error = Blocked("a freeze", effect="Production is unchanged.", next_step="rollback-manager x")
    assert str(error) == "a freeze\nProduction is unchanged.\nrollback-manager x"
    assert str(PermanentError("alone")) == "alone"


def test_a_temporary_error_says_when_to_try_again() -> None:
    error = TemporaryError("busy", retry_after_s=7, effect="Nothing moved.")
    assert error.retry_after_s == 7
    assert isinstance(error, RollbackError)
    assert str(error) == "busy\nNothing moved."
