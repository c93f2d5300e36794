"""Whether something may be deployed: yes is the absence of every reason against it."""

from datetime import UTC, datetime, timedelta

import pytest

from rollback_manager.deploys import DeployFacts, MayDeploy, may_deploy
from rollback_manager.freezes import Freeze
from rollback_manager.release import Release, RestorePoint, Standing

NOON = datetime(2026, 12, 24, 12, tzinfo=UTC)
SIDECAR = "registry.example/proxy@sha256:51de"


def release(version: str, standing: Standing, digest: str, *images: str) -> Release:
    point = RestorePoint(
        digest=digest,
        instances=1,
        shares={version: 100},
        taken_at=NOON,
        images={"app": images} if images else {},
    )
    return Release(
        version=version,
        digest=digest,
        recorded_at=NOON,
        recorded_by="ci",
        standing=standing,
        because="undone by rollback/prod/inc-1" if standing is Standing.BAD else "",
        restore_point=point,
    )


RELEASES = (
    release("v3", Standing.BAD, "sha256:bad", "registry.example/shop@sha256:0ff", SIDECAR),
    release("v2", Standing.VERIFIED, "sha256:good", "registry.example/shop@sha256:900d", SIDECAR),
)


def asked(**more: str) -> MayDeploy:
    return MayDeploy.model_validate({"env": "prod", "service": "shop", **more})


def facts(**more: object) -> DeployFacts:
    return DeployFacts.model_validate({"releases": RELEASES, "now": NOON, **more})


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"version": "v4"},
        {"version": "v2"},
        {"digest": "sha256:new"},
        {"digest": "sha256:good", "version": "v2"},
        {"digest": "registry.example/shop@sha256:900d"},
    ],
)
def test_what_nothing_speaks_against_may_be_deployed(more: dict[str, str]) -> None:
    answer = may_deploy(asked(**more), facts())
    assert (answer.may, answer.because) == (True, ())


@pytest.mark.parametrize(
    ("more", "because"),
    [
        ({"version": "v3"}, "v3 is bad: undone by rollback/prod/inc-1"),
        ({"digest": "sha256:bad"}, "this digest is that of v3"),
        ({"digest": "mirror.example/shop@sha256:bad"}, "this digest is that of v3"),
        ({"digest": "sha256:bad", "version": "v4"}, "this digest is that of v3"),
        ({"digest": "elsewhere.example/s@sha256:0ff"}, "this digest is an image of v3"),
    ],
)
def test_a_release_that_was_undone_is_not_deployed_again_under_any_name(
    more: dict[str, str], because: str
) -> None:
    answer = may_deploy(asked(**more), facts())
    assert answer.may is False
    assert answer.because[0].startswith(because)


def test_an_image_that_good_releases_have_as_well_accuses_nobody() -> None:
    assert may_deploy(asked(digest=SIDECAR), facts()).may is True


def test_a_version_recorded_with_the_digest_of_a_bad_one_is_bad() -> None:
    again = release("v4", Standing.CANDIDATE, "sha256:bad")
    answer = may_deploy(asked(version="v4"), facts(releases=(again, *RELEASES)))
    assert answer.because == (
        "this digest is that of v3, which is bad: undone by rollback/prod/inc-1",
    )


def test_each_reason_is_named() -> None:
    frozen = Freeze(
        env="prod",
        begins=NOON,
        until=NOON + timedelta(hours=1),
        reason="inventory",
        by="catalogue",
    )
    answer = may_deploy(
        asked(version="v3"),
        facts(rollbacks=("rollback/prod/inc-2",), left=("rollback/prod/inc-1",), frozen=(frozen,)),
    )
    assert answer.may is False
    assert answer.because == (
        "rollback/prod/inc-2 is under way for shop",
        "rollback/prod/inc-1 left shop in quarantine",
        "v3 is bad: undone by rollback/prod/inc-1",
        "all of prod is frozen until 2026-12-24 13:00Z (inventory; catalogue)",
    )
