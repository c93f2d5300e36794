"""`make fuzz-messages`: sequences, disagreements, seeds, seconds, by kind of end."""

import argparse
import asyncio
import json
import logging
import secrets
import sys
import threading
import time
from collections import Counter
from collections.abc import Coroutine, Iterator
from collections.abc import Sequence as Many
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from temporalio.client import Client

from proof.in_process import quick_looks
from proof.messages.drawing import batches
from proof.messages.play import Disagreement, Played, play
from proof.messages.sequence import Mode, Sequence
from proof.messages.shrinking import shrunk
from proof.own_temporal import OwnTemporal, own_temporal
from workers.process import end

T = TypeVar("T")

AT_ONCE = 30
FOUND = Path(".hypothesis/messages")
"""Where Hypothesis keeps what failed; the next run tries that first."""


class Tally:
    """What was played until the first disagreement, and how it ended."""

    def __init__(self) -> None:
        self.sequences = 0
        self.ends: Counter[str] = Counter()
        self.modes: Counter[str] = Counter()
        self.found: list[Disagreement] = []

    def count(self, mode: Mode, played: list[Played]) -> None:
        """One batch."""
        self.found = [one.disagreement for one in played if one.disagreement is not None]
        self.sequences += len(played)
        self.modes[mode] += len(played)
        self.ends.update(one.end for one in played)
        said = f"{self.sequences} sequences, {len(self.found)} disagreements"
        print(said, file=sys.stderr, flush=True)

    def figures(self, number: int, seconds: float) -> dict[str, object]:
        """The last line of stdout."""
        return {
            "sequences": self.sequences,
            "disagreements": len(self.found),
            "seeds": [number],
            "seconds": round(seconds, 1),
            "by_end": dict(sorted(self.ends.items())),
            "by_mode": dict(sorted(self.modes.items())),
            "shrunk": [one.model_dump(mode="json") for one in self.found],
        }


class Player:
    """A server of this process's own, and an event loop in a thread of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop, client: Client, folder: Path) -> None:
        self._loop, self._client, self._folder = loop, client, folder

    def play(self, mode: Mode, sequences: Many[Sequence]) -> list[Played]:
        """How each of them ended."""
        work = play(self._client, self._folder, mode, sequences)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def disagreements(self, mode: Mode, sequences: Many[Sequence]) -> list[Disagreement]:
        """Those that disagree with the automaton."""
        played = self.play(mode, sequences)
        return [one.disagreement for one in played if one.disagreement is not None]


@contextmanager
def player() -> Iterator[Player]:
    """As long as the context lasts."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    def run(work: Coroutine[None, None, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    context = own_temporal()
    with quick_looks():
        own = run(_entered(context))
        try:
            yield Player(loop, run(own.client()), own.folder)
        finally:
            run(_left(context))


async def _entered(context: AbstractAsyncContextManager[OwnTemporal]) -> OwnTemporal:
    return await context.__aenter__()


async def _left(context: AbstractAsyncContextManager[OwnTemporal]) -> None:
    await context.__aexit__(None, None, None)


def fuzz(sequences: int, number: int, tally: Tally) -> None:
    """Play so many; what disagrees is made as short as possible, and kept in the tally."""
    with player() as playing:

        @seed(number)
        @settings(
            max_examples=-(-sequences // AT_ONCE),
            database=DirectoryBasedExampleDatabase(FOUND),
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.reuse, Phase.generate),  # shrinking one at a time would take hours
            report_multiple_bugs=False,
        )
        @given(batches(AT_ONCE))
        def agrees(batch: tuple[Mode, list[Sequence]]) -> None:
            if not tally.found:
                tally.count(batch[0], playing.play(*batch))
            assert not tally.found

        with suppress(AssertionError):  # it is in the tally
            agrees()
        if tally.found:
            print("the automaton and the rollback disagree", file=sys.stderr, flush=True)
            tally.found[0] = shrunk(tally.found[0], playing.disagreements)


def main() -> None:
    """0 when nothing disagreed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--sequences", type=int, default=5_010)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    options = parser.parse_args()
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)  # it tells of each unreadable one
    tally, begun = Tally(), time.monotonic()
    fuzz(options.sequences, options.seed, tally)
    figures = tally.figures(options.seed, time.monotonic() - begun)
    print(json.dumps(figures, indent=None if options.json else 2), flush=True)
    end(1 if tally.found else 0)


if __name__ == "__main__":
    main()
