"""The kill matrix as figures: `python -m tests.end_to_end.matrix [--json] [--quick]`."""

import argparse
import json
import sys
import time
from pathlib import Path

import pytest

from workers.process import end

HERE = Path(__file__).parent


class Tally:
    """What came of each run: a pytest plugin."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.recovered_s: dict[str, float] = {}
        self.violations: list[dict[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A run that could not even begin is a violation, too."""
        name = report.nodeid.rpartition("::")[2]
        if report.when == "call":
            self.seconds[name] = round(report.duration, 1)
            found = dict(report.user_properties).get("recovered_s")
            if isinstance(found, float):
                self.recovered_s[name] = round(found, 1)
        if report.failed:
            because = report.longreprtext.strip().splitlines()
            self.violations.append({"run": name, "because": " ".join(because[-3:])[:500]})

    def figures(self, seconds: float) -> dict[str, object]:
        """The last line of stdout."""
        broken = {one["run"] for one in self.violations}
        runs = self.seconds.keys() | broken
        recovered = sorted(self.recovered_s.values())
        return {
            "runs": len(runs),
            "held": len(runs - broken),
            "violations": self.violations,
            "seconds": round(seconds, 1),
            "recovered_s": {"median": recovered[len(recovered) // 2], "worst": recovered[-1]}
            if recovered
            else None,
            "seconds_by_run": self.seconds,
        }


def main() -> None:
    """Run it; 0 if everything held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--quick", action="store_true", help="the sample of `make test` alone")
    options, passed_on = parser.parse_known_args()
    chosen = "kill and not whole_matrix" if options.quick else "kill"
    tally, begun = Tally(), time.monotonic()
    code = pytest.main([str(HERE), "-m", chosen, *passed_on], plugins=[tally])
    figures = tally.figures(time.monotonic() - begun)
    shown = json.dumps(figures) if options.json else json.dumps(figures, indent=2)
    sys.stdout.write(f"{shown}\n")
    end(int(code))


if __name__ == "__main__":
    main()
