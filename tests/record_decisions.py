"""Records the decisions of real demo runs: `python -m tests.record_decisions RUNS`.

Each run is a whole demo: Temporal, Envoy, supervisord, and a release that breaks. What its ledger
holds at the end is kept as it is; `benchmarks/replayed.py` decides it again under other policies.
"""

import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path

from activities.integrations.sql import SqlRecords, engine_for
from demo.run import ENV, play
from demo.scenarios import SCENARIOS

FOLDER = Path(__file__).parent / "data" / "decisions"
RECORDED = ("error_rate", "latency")
RATE = 250.0


async def _record(scenario: str, number: int) -> int:
    """One run; how many decisions it left behind."""
    folder = Path(tempfile.mkdtemp(prefix="rb-"))  # short: a Unix socket's path has 108 bytes
    try:
        await play(folder, folder / "report", RATE, False, SCENARIOS[scenario])
        engine = engine_for(f"sqlite:///{folder / 'data' / 'records.sqlite'}")
        entries = SqlRecords(engine).decisions(ENV)
        engine.dispose()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    kept = [entry.model_dump(mode="json", exclude={"label"}) for entry in entries]
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / f"{scenario}_{number}.json"
    file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return len(kept)


async def main(runs: int) -> None:
    """So many of each scenario."""
    for number in range(1, runs + 1):
        for scenario in RECORDED:
            kept = await _record(scenario, number)
            sys.stderr.write(f"{scenario} {number}: {kept} decisions\n")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
