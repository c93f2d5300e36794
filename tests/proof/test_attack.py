"""A fixed sample of the attack on alerts' doors, against a gateway on a port of its own."""

from pathlib import Path

from temporalio.client import Client

from proof.attack import alerts_run


async def test_no_forged_and_no_senseless_alert_gets_in_and_a_replayed_one_counts_once(
    client: Client, tmp_path: Path
) -> None:
    found = await alerts_run.attack(client, tmp_path, quick=True)
    assert found.forged.tried > 100
    assert found.senseless.tried > 5
    assert not found.forged.accepted, found.forged.violations
    assert not found.senseless.accepted, found.senseless.violations
    assert found.forged.server_errors == found.senseless.server_errors == 0
    assert found.replays["202"] == 1
    assert found.decisions == found.incidents == 1
