"""`make bench-gateway`: an abort in a flood, a decision's way, and a storm of alerts.

The gateway is a process of its own, as people run it, over a real Temporal; what floods it is
another one. A worker with services without processes runs here.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from temporalio.client import Client

from proof.attack.slack_gate import free_port
from proof.in_process import Fleet, fleet, quick_looks
from proof.own_temporal import own_temporal
from rollback_manager.client import Rollback
from rollback_manager.contract import INCIDENT_WORKFLOW
from rollback_manager.progress import State
from rollback_manager.values import Value
from workers.process import end

TOKEN = "a-token-of-this-benchmark"  # noqa: S105 -- of this benchmark alone
FLOOD_PER_S = 1000
FLOOD_S = 20.0
EVERY_S = 0.75
"""Between two aborts: below the pace of one person."""
DECISIONS = 200
PACE_S = 1.05
"""Between two decisions of one person, whom the gateway lets decide once a second."""
STORM_PER_S, STORM_S, STORM_SERVICES = 1000, 10.0, 50
CONNECTIONS = 100
STORM_CONNECTIONS = 600
"""So many wait for their answer at once: fewer would send slower than STORM_PER_S by waiting."""
FLOODED = ("/api/v1/services", "/api/v1/rollbacks", "/", "/api/v1/incidents")


class Aborted(Value):
    """Aborts while the flood lasts. answered: of the flood, by status."""

    aborts: int
    p50_s: float
    p95_s: float
    worst_s: float
    flooded_per_s: float
    answered: dict[str, int]


class Decided(Value):
    """From the request until the vote stands in the rollback, by its own time; and its answer."""

    decisions: int
    decided_p50_s: float
    decided_p99_s: float
    answered_p50_s: float
    answered_p99_s: float


class Stormed(Value):
    """Alerts about many releases at once. lost: services of which no incident came."""

    sent: int
    per_s: float
    answered: dict[str, int]
    services: int
    incidents: int
    lost: int
    slowest_s: float


class Measured(Value):
    """All three, and how busy the machine was: its load over a minute, before and after."""

    abort: Aborted
    decide: Decided
    storm: Stormed
    load_before: float
    load_after: float


@dataclass(frozen=True)
class Gate:
    """The gateway's process, and what stands before it."""

    origin: str
    http: httpx.AsyncClient


@asynccontextmanager
async def gateway(made: Fleet, address: str) -> AsyncIterator[Gate]:
    """As `rollback-manager gateway` starts it; alerts of Alertmanager by a token."""
    folder = made.settings.data / f"gateway-{made.env}"
    folder.mkdir(mode=0o700)
    file = folder / "catalogue.yaml"
    tree = made.catalogue.model_dump(mode="json", exclude_none=True)
    names = {"secrets": ["env:BENCH_TOKEN"], "triggers": {"HighErrorRate": "data_corruption"}}
    file.write_text(json.dumps({**tree, "alerts": {"alertmanager": names}}))
    port = free_port()
    environment = {
        **os.environ,
        "BENCH_TOKEN": TOKEN,
        "TEMPORAL_ADDRESS": address,
        "ROLLBACK_CATALOGUE": str(file),
        "ROLLBACK_DATA": str(folder),
        "ROLLBACK_TASK_QUEUE": made.settings.task_queue,
        "ROLLBACK_GATEWAY_PORT": str(port),
    }
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "workers.gateway"), env=environment
    )
    origin = f"http://127.0.0.1:{port}"
    limits = httpx.Limits(max_connections=200)
    try:
        async with httpx.AsyncClient(base_url=origin, trust_env=False, limits=limits) as http:
            await _up(http)
            yield Gate(origin, http)
    finally:
        with suppress(ProcessLookupError):
            running.terminate()
        await running.wait()


async def _up(http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(90):
        while True:
            with suppress(httpx.HTTPError):
                if (await http.get("/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.2)


async def flood(origin: str, per_s: int, seconds: float) -> Counter[int]:
    """So many requests a second to other doors than those of decisions; status → how many.

    By plain sockets: a client library would be busier than the gateway that it floods.
    """
    answered: Counter[int] = Counter()

    async def one(number: int) -> None:
        connection = await _Connection.to(origin)
        begun, sent = time.monotonic(), 0
        while (gone := time.monotonic() - begun) < seconds:
            if sent > gone * per_s / CONNECTIONS:
                await asyncio.sleep(0.01)
                continue
            path = FLOODED[(number + sent) % len(FLOODED)]
            answered[await connection.send(f"GET {path}")] += 1
            sent += 1
        connection.writer.close()

    await asyncio.gather(*map(one, range(CONNECTIONS)))
    return answered


async def _status(reader: asyncio.StreamReader) -> int:
    """Of the next answer, which is read to its end."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))
    return int(head.split()[1])


async def aborts(client: Client, folder: Path, address: str) -> Aborted:
    """Rollbacks that wait for a person are stopped, one after another, in the midst of it."""
    count = int(FLOOD_S / EVERY_S)
    waits = {"approval": {"required": True, "deadline_s": 600}}
    opened = fleet(client, folder, services=count, policy=waits)
    async with opened as made, made.worker(), gateway(made, address) as gate:
        rollbacks = [await _waiting(made, name) for name in made.worlds]
        flooding = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.gateway", "--flood", gate.origin),
            stdout=asyncio.subprocess.PIPE,
        )
        await asyncio.sleep(2)
        took = []
        for rollback in rollbacks:
            took.append(await _abort(gate, rollback))
            await asyncio.sleep(max(0.0, EVERY_S - took[-1]))
        said, _ = await flooding.communicate()
        answered = json.loads(said)
        await asyncio.gather(*(one.result() for one in rollbacks))
    return Aborted(
        aborts=len(took),
        p50_s=_quantile(took, 50),
        p95_s=_quantile(took, 95),
        worst_s=round(max(took), 3),
        flooded_per_s=round(sum(answered.values()) / FLOOD_S, 1),
        answered=answered,
    )


async def _abort(gate: Gate, rollback: Rollback) -> float:
    """Seconds until Temporal has it."""
    begun = time.monotonic()
    body = {"decision": "abort_hold", "reason": "measured"}
    got = await gate.http.post(f"/api/v1/{rollback.id}/decisions", json=body, timeout=30)
    got.raise_for_status()
    return time.monotonic() - begun


async def decisions(client: Client, folder: Path, address: str, count: int) -> Decided:
    """So many approvals, each of a rollback of its own."""
    decided, answered = list[float](), list[float]()
    waits = {"approval": {"required": True, "deadline_s": 600}}
    opened = fleet(client, folder, services=count, policy=waits)
    async with opened as made, made.worker(), gateway(made, address) as gate:
        for service in made.worlds:
            rollback = await _waiting(made, service)
            one = await _approve(gate, rollback, service)
            decided.append(one[0])
            answered.append(one[1])
            await asyncio.sleep(max(0.0, PACE_S - one[1]))
    return Decided(
        decisions=len(decided),
        decided_p50_s=_quantile(decided, 50),
        decided_p99_s=_quantile(decided, 99),
        answered_p50_s=_quantile(answered, 50),
        answered_p99_s=_quantile(answered, 99),
    )


async def _approve(gate: Gate, rollback: Rollback, service: str) -> tuple[float, float]:
    digest = (await rollback.status()).digest
    vote = {"decision": "approve", "plan": digest, "confirm": service}
    at, begun = datetime.now(UTC), time.monotonic()
    got = await gate.http.post(f"/api/v1/{rollback.id}/decisions", json=vote, timeout=30)
    answered = time.monotonic() - begun
    if not got.json().get("applied"):
        raise RuntimeError(got.text)
    taken = (await rollback.status()).decisions[0].at
    return max(0.0, (taken - at).total_seconds()), answered


async def _waiting(made: Fleet, service: str) -> Rollback:
    rollback = await made.start(service)
    async for status in rollback.events(every_s=0.1):
        if status.state is State.WAITING_FOR_APPROVAL:
            return rollback
    raise RuntimeError(f"{rollback.id} ended before anybody was asked")


async def storm(client: Client, folder: Path, address: str) -> Stormed:
    """Alertmanager's requests, each with an alert of its own, about the services in turn."""
    opened = fleet(client, folder, services=STORM_SERVICES)
    async with opened as made, made.worker(), gateway(made, address) as gate:
        names, total = list(made.worlds), int(STORM_PER_S * STORM_S)
        answered, took = Counter[int](), list[float]()
        begun = time.monotonic()

        async def one(first: int) -> None:
            """Each connection has its share of the alerts; it may be late, but never skips one."""
            connection = await _Connection.to(gate.origin)
            for number in range(first, total, STORM_CONNECTIONS):
                due = begun + number / STORM_PER_S
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                began = time.monotonic()
                alert = _alert(made.env, names[number % len(names)], number)
                answered[await _told(connection, alert)] += 1
                took.append(time.monotonic() - began)

        await asyncio.gather(*map(one, range(STORM_CONNECTIONS)))
        seconds = time.monotonic() - begun
        await asyncio.sleep(2)  # a list follows a task later
        query = f"RollbackEnv = '{made.env}' AND WorkflowType = '{INCIDENT_WORKFLOW}'"
        found = [run.id async for run in client.list_workflows(query)]
    return Stormed(
        sent=total,
        per_s=round(total / seconds, 1),
        answered={str(status): n for status, n in sorted(answered.items())},
        services=len(names),
        incidents=len(found),
        lost=len(names) - len(set(found)),
        slowest_s=round(max(took), 2),
    )


@dataclass(frozen=True)
class _Connection:
    """One connection that is kept: a client library would be busier than the gateway."""

    host: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def to(cls, origin: str) -> "_Connection":
        host = origin.removeprefix("http://")
        name, _, port = host.partition(":")
        return cls(host, *await asyncio.open_connection(name, int(port)))

    async def send(self, request: str, body: bytes = b"", more: str = "") -> int:
        """The status of the answer."""
        head = (
            f"{request} HTTP/1.1\r\nHost: {self.host}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
        )
        self.writer.write(head.encode() + body)
        return await _status(self.reader)


def _alert(env: str, service: str, number: int) -> bytes:
    """One of its own, as Alertmanager sends it."""
    labels = {
        "alertname": "HighErrorRate",
        "service": service,
        "environment": env,
        "version": "v2",
    }
    told = {"status": "firing", "labels": labels, "fingerprint": f"{number:016x}"}
    return json.dumps({"alerts": [{**told, "startsAt": datetime.now(UTC).isoformat()}]}).encode()


async def _told(connection: _Connection, alert: bytes) -> int:
    """The status of the answer; after one of 5xx it is told again, as Alertmanager does it."""
    proof = f"Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
    status = 0
    for _ in range(5):
        status = await connection.send("POST /alerts/alertmanager", alert, proof)
        if status < 500:
            break
        await asyncio.sleep(1)
    return status


def _quantile(values: Sequence[float], percent: int) -> float:
    return round(statistics.quantiles(values, n=100, method="inclusive")[percent - 1], 3)


async def measure(count: int) -> Measured:
    """One after the other, each with a gateway of its own."""
    before = os.getloadavg()[0]
    with quick_looks():
        async with own_temporal(on_disk=True) as own:
            client, address = await own.client(), own.server.address
            aborted = await aborts(client, own.folder, address)
            _tell("aborts", aborted)
            stormed = await storm(client, own.folder, address)
            _tell("storm", stormed)
            decided = await decisions(client, own.folder, address, count)
    return Measured(
        abort=aborted,
        decide=decided,
        storm=stormed,
        load_before=round(before, 2),
        load_after=round(os.getloadavg()[0], 2),
    )


def _tell(what: str, value: Value) -> None:
    print(f"{what}: {value.model_dump_json()}", file=sys.stderr, flush=True)


def main(arguments: Iterable[str] | None = None) -> None:
    """Figures alone; what they should be says the documentation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--decisions", type=int, default=DECISIONS)
    parser.add_argument("--flood", metavar="ORIGIN", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments if arguments is None else list(arguments))
    if options.flood:
        print(json.dumps(asyncio.run(flood(options.flood, FLOOD_PER_S, FLOOD_S))))
        return
    found = asyncio.run(measure(options.decisions))
    print(json.dumps(found.model_dump(), indent=None if options.json else 2), flush=True)
    end(0)


if __name__ == "__main__":
    main()
