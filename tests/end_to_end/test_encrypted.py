"""Real processes, Envoy, supervisord, command line, and all encrypted: `make encrypted`."""

from pathlib import Path

import pytest
from temporalio.client import Client

from tests import keys
from tests.canaries import Canaries, of_history
from tests.end_to_end.small_world import small_world
from workers.temporal_server import TemporalServer

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


async def test_a_rollback_by_the_command_line_leaves_no_word_in_temporal(
    temporal: TemporalServer, client: Client, tmp_path: Path
) -> None:
    planted, ring = Canaries(), keys.write(tmp_path / "codec.json")
    with small_world(temporal.address, "encrypted", ROLLBACK_CODEC_KEYS=f"file:{ring}") as world:
        started = world.run(
            *("start", "shop", "--yes", "--timeout", "0", "--key", "secret", "--confirm", "shop"),
            *("--reason", planted["a reason"]),
        )
        assert started.code == 8, started.err + started.out
        rollback = "rollback/demo/secret"
        digest = ""
        while not digest:
            digest = world.run("status", rollback).document["status"]["digest"]  # type: ignore[index]
        approved = world.run("approve", rollback, "--plan", digest[:12], "--confirm", "shop")
        assert approved.code == 0, approved.err
        keys.write(ring, "new", old=keys.OLD, new=keys.NEW)
        world.run("watch", rollback, "--timeout", "15")  # no traffic: nothing can be verified
        assert world.run("abort", rollback).code in {0, 8}
        looks = (world.run("watch", rollback, "--timeout", "50").code for _ in range(3))
        assert next((code for code in looks if code != 8), 8) == 3, "after the step under way"
        report = world.run("report", rollback)
        assert report.code == 0
        assert planted["a reason"] in report.out, "who has the keys reads it"
        assert '"holds":true' in report.out
        shown = world.run("audit", "verify")
        assert (shown.code, shown.document["holds"]) == (0, True)
    parent = await client.get_workflow_handle(rollback).fetch_history()
    child = await client.get_workflow_handle("service/demo/shop").fetch_history()
    surfaces = {one.workflow_id: of_history(one) for one in (parent, child)}
    assert planted.found_in(surfaces) == {}
    assert all(b"requested_by" not in raw for raw in surfaces.values())
