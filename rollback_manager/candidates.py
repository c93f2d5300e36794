"""Second thoughts: where to go when the version that was gone back to is not well either. Pure."""

from rollback_manager import actions
from rollback_manager.plan import Alternative, Phase
from rollback_manager.release import Release, older
from rollback_manager.strategies import ServiceFacts, Strategy


def usable(
    releases: list[Release], first: Release, bad: str, digests: dict[str, str]
) -> list[Release]:
    """Older verified releases that still are what was verified, newest first."""
    return [
        release
        for release in older(releases, first)
        if release.version not in {bad, first.version}
        and digests.get(release.version) == release.digest
    ]


def alternatives(
    strategy: Strategy, facts: ServiceFacts, candidates: list[Release], running: dict[str, int]
) -> tuple[Alternative, ...]:
    """A plan for each candidate in turn, from the one before it; as many as the policy allows.

    facts: of the first way, whose good version is what the first candidate replaces.
    """
    made: list[Alternative] = []
    leaving = facts.good
    for release in candidates[: facts.policy.further_attempts]:
        own = facts.model_copy(
            update={
                "good": release.version,
                "bad": leaving,
                "good_instances": running.get(release.version, 0),
                "bad_instances": facts.desired,
                "shares": {leaving: 100},
            }
        )
        rest = _the_bad_one_goes_too(facts, release.version)
        made.append(
            Alternative(
                version=release.version,
                digest=release.digest,
                because=f"next older verified release; verified because {release.because}",
                baseline=release.baseline,
                phases=(*strategy.phases(own), rest),
            )
        )
        leaving = release.version
    return tuple(made)


def _the_bad_one_goes_too(facts: ServiceFacts, good: str) -> Phase:
    removal = actions.remove(facts.bad, good, facts.desired, facts.policy)
    return Phase(name="remove the release that was bad first", actions=(removal,))
