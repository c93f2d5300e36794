"""The command line of a kill matrix, wherever it runs."""

import argparse
import sys


def options(
    prog: str, about: str | None, *, quick: int, lanes: int, side_by_side: str
) -> argparse.Namespace:
    """What was typed. quick: runs of a sample; side_by_side: what `lanes` counts, in words."""
    parser = argparse.ArgumentParser(prog=prog, description=about)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--quick", action="store_true", help=f"a sample of {quick} runs")
    parser.add_argument("--runs", type=int, help="a sample of so many runs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lanes", type=int, default=lanes, help=f"{side_by_side} side by side")
    parser.add_argument("--only", default="", help="only runs whose names contain this")
    return parser.parse_args()


def say(words: str) -> None:
    """Progress goes to stderr: stdout is for the figures."""
    print(words, file=sys.stderr, flush=True)
