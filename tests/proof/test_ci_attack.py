"""A sample of the attack on the door of CI: bad tokens of both issuers, good ones many times."""

from pathlib import Path

from proof.attack.ci_run import attack


async def test_no_bad_token_is_worth_a_credential_and_a_good_one_is_worth_one(
    tmp_path: Path,
) -> None:
    found = await attack(tmp_path, quick=True)
    assert found.tried >= 150
    assert (found.accepted, found.server_errors, found.credentials) == (0, 0, 2), found.violations
