"""Ten thousand signals to one rollback that waits for its approval: the limit of the server."""

import argparse
import asyncio
import json
import sys
import time
from contextlib import suppress
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

from proof.converting import data_converter
from proof.in_process import fleet, quick_looks
from proof.own_temporal import own_temporal
from rollback_manager.client import Rollback
from rollback_manager.contract import AbortCommand, Decision, PauseCommand, Vote
from rollback_manager.errors import RollbackError, SignalsUsedUp
from rollback_manager.progress import State
from rollback_manager.values import Value
from workers.process import end

SENDERS = 50
PATIENCE_S = 180
ASKED = {"approval": {"required": True, "deadline_s": 3600}}
NOISE: dict[str, Value] = {
    "approve": Vote(plan="f" * 64, by="a loop"),
    "pause": PauseCommand(by="a loop"),
}
"""A vote for another plan, and a command that is passed on to the service."""


class Flooded(Value):
    """What the server took, what a person was told, and how the rollback ended.

    events, kib: of its history at the end. way_out: what whoever types `resume` is told.
    """

    signal: str
    sent: int
    refused: int
    refusal: str
    sending_s: float
    events: int
    kib: int
    status_s: float
    answered: str
    way_out: str
    result: str


async def flood(client: Client, folder: Path, signal: str, signals: int) -> Flooded:
    """Send that signal so often, then approve, and see what became of the rollback."""
    async with fleet(client, folder, services=1, policy=ASKED) as made, made.worker():
        (service,) = made.worlds
        rollback = await made.start(service)
        while (status := await rollback.status()).state is not State.WAITING_FOR_APPROVAL:
            await asyncio.sleep(0.1)
        begun = time.monotonic()
        address = client.service_client.config.target_host
        refusals = await _send(rollback.id, address, signal, signals)
        sending_s = round(time.monotonic() - begun, 1)
        return await _after(rollback, status.digest, signal, refusals, signals, sending_s)


async def _send(rollback: str, address: str, signal: str, signals: int) -> list[str]:
    """From a process of its own: whoever floods a worker does not share its processor time."""
    module = ("-m", __spec__.name if __spec__ else "proof.messages.flood")
    given = ("--to", address, "--rollback", rollback, "--signal", signal, "--signals", str(signals))
    sender = await asyncio.create_subprocess_exec(
        sys.executable, *module, *given, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await sender.communicate()
    refusals: list[str] = json.loads(said)
    return refusals


async def _send_here(rollback: str, address: str, signal: str, signals: int) -> list[str]:
    client = await Client.connect(address, data_converter=data_converter())
    handle = client.get_workflow_handle(rollback)
    left, refusals = iter(range(signals)), list[str]()

    async def sender() -> None:
        for _ in left:
            try:
                await handle.signal(signal, NOISE[signal])
            except RPCError as error:
                refusals.append(f"{error.status.name}: {error.message}")

    await asyncio.gather(*(sender() for _ in range(SENDERS)))
    return refusals


async def _answers_after(rollback: Rollback) -> float:
    """Seconds until it says again how it stands."""
    begun = time.monotonic()
    while time.monotonic() - begun < PATIENCE_S:
        with suppress(RollbackError):  # no answer yet, or a task that failed
            await rollback.status()
            break
    return round(time.monotonic() - begun, 2)


async def _way_out(rollback: Rollback) -> str:
    """Resume it; where Temporal takes no signal any more, what a person is told to do, done."""
    try:
        await rollback.resume(PauseCommand(by="anna"))
    except SignalsUsedUp as used_up:
        await rollback.abort(AbortCommand(by="anna"))
        return used_up.next_step
    return ""


async def _after(
    rollback: Rollback, digest: str, signal: str, refusals: list[str], signals: int, took: float
) -> Flooded:
    answered, result, way_out, status_s = "", "", "", await _answers_after(rollback)
    try:
        vote = Vote(plan=digest, by="anna")
        answer = await rollback.vote(Decision.APPROVE, vote, vote_id="1")
        answered = f"applied={answer.applied}: {answer.because}"
        if signal == "pause":
            way_out = await _way_out(rollback)
        async with asyncio.timeout(120):
            result = (await rollback.result()).result.value
    except (RollbackError, TimeoutError) as error:
        result = f"{type(error).__name__}: {error}"
    events = (await rollback.history()).events
    return Flooded(
        signal=signal,
        sent=signals - len(refusals),
        refused=len(refusals),
        refusal=refusals[0] if refusals else "",
        sending_s=took,
        events=len(events),
        kib=sum(event.ByteSize() for event in events) // 1024,
        status_s=status_s,
        answered=answered,
        way_out=way_out,
        result=result,
    )


async def _main(signal: str, signals: int) -> Flooded:
    with quick_looks():
        async with own_temporal() as own:
            return await flood(await own.client(), own.folder, signal, signals)


def main() -> None:
    """0 when it came to its end all the same: verified, or held where it could not be resumed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--signals", type=int, default=10_500)
    parser.add_argument("--signal", choices=sorted(NOISE), default="approve")
    parser.add_argument("--to", metavar="ADDRESS", default="", help=argparse.SUPPRESS)
    parser.add_argument("--rollback", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.to:
        noise = options.signal, options.signals
        print(json.dumps(asyncio.run(_send_here(options.rollback, options.to, *noise))))
        return
    flooded = asyncio.run(_main(options.signal, options.signals))
    figures = flooded.model_dump()
    print(json.dumps(figures, indent=None if options.json else 2), flush=True)
    end(0 if flooded.result == ("aborted" if flooded.way_out else "verified") else 1)


if __name__ == "__main__":
    main()
