"""`make fuzz-api`: Schemathesis over the API's own description, against a gateway that listens.

All phases: examples, coverage of the schema, random requests right and wrong, and chains along the
links start → status → decide → report.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from temporalio.client import Client

from proof.attack.alerts_run import alert_gate
from proof.attack.slack_gate import hurried
from proof.in_process import Fleet, fleet, quick_looks
from proof.own_temporal import own_temporal
from rollback_manager.values import Value
from starters.gateway.pace import Pace
from workers.process import end

EACH = 1200
"""Random requests of each operation: with twenty of them more than 20,000 in all."""
UNASKED = "positive_data_acceptance"
"""A right request may be refused: names are looked up in the catalogue, proofs are checked."""
SETTINGS = """
[checks]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 409, 413, 415, 422, 429]
"""
"""A body that is too large is refused for that, whatever else is wrong with it."""
ENDLESS = "/events$"
"""A stream ends when its rollback does; what is refused before it begins is tested elsewhere."""


class Fuzzed(Value):
    """What came of it. cases: requests sent.

    findings: checks that failed, each once, and whatever broke the run itself.
    """

    cases: int
    findings: int
    exit_code: int
    kinds: tuple[str, ...] = ()


async def fuzz(each: int, seed: int, keep: Path | None = None) -> Fuzzed:
    """So many random requests for each operation. keep: where the whole report goes."""
    async with own_temporal() as own:
        return await over(await own.client(), own.folder, each, seed, keep=keep)


async def over(
    client: Client,
    folder: Path,
    each: int,
    seed: int,
    *,
    keep: Path | None = None,
    described: Callable[[dict[str, Any]], dict[str, Any]] = lambda schema: schema,
) -> Fuzzed:
    """On that Temporal. described: what is to be held against the gateway instead of its own."""
    async with fleet(client, folder, services=1) as made, made.worker():
        with quick_looks():
            async with alert_gate(made, pace=Pace(hurried)) as http:
                schema = described((await http.get("/api/v1/openapi.json")).json())
                file = folder / "openapi.json"
                file.write_text(json.dumps(_with_real_names(schema, made)))
                report = keep.resolve() if keep else folder / "report.json"
                code = await _run(file, str(http.base_url), each, seed, report)
                return _read(report, code)


def _with_real_names(schema: dict[str, Any], made: Fleet) -> dict[str, Any]:
    """Examples that lead somewhere, so that chains begin with a rollback that runs."""
    (service,) = made.worlds
    for name in ("Start", "Wanted"):
        fields = schema["components"]["schemas"][name]["properties"]
        fields["env"]["examples"] = [made.env]
        fields["services"]["examples"] = [[service]]
        if "confirm" in fields:
            fields["confirm"]["examples"] = [service]
    return schema


async def _run(schema: Path, url: str, each: int, seed: int, report: Path) -> int:
    settings = schema.with_name("schemathesis.toml")
    settings.write_text(SETTINGS)
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings)),
        *("run", str(schema), "--url", url),
        *("--max-examples", str(each), "--seed", str(seed), "--workers", "1"),
        *("--exclude-checks", UNASKED, "--exclude-path-regex", ENDLESS),
        *("--continue-on-failure", "--generation-database", "none", "--no-color"),
        *("--warnings", "off", "--suppress-health-check", "all"),
        *("--report-json-path", str(report)),
    ]
    running = await asyncio.create_subprocess_exec(
        *command, cwd=schema.parent, stdout=sys.stderr, stderr=sys.stderr
    )
    return await running.wait()


def _read(report: Path, code: int) -> Fuzzed:
    found = json.loads(report.read_text())
    errors = sum(one["count"] for one in found["errors"])
    return Fuzzed(
        cases=found["test_cases"]["generated"],
        findings=found["test_cases"]["unique_failures"] + errors,
        exit_code=code,
        kinds=tuple(f"{one['code']} {one['title']}" for one in found["failures"]),
    )


def main() -> None:
    """0 when nothing was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--each", type=int, default=EACH, help="requests of each operation")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path, help="where the whole report goes")
    options = parser.parse_args()
    found = asyncio.run(fuzz(options.each, options.seed, options.report))
    print(json.dumps(found.model_dump(), indent=None if options.json else 2), flush=True)
    end(0 if not found.findings and not found.exit_code else 1)


if __name__ == "__main__":
    main()
