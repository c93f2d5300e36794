"""What somebody waits for before anything happens: `--help`, and the import of the client."""

import subprocess
import sys
import time

IMPORTS = ("import rollback_manager.client", "import temporalio.client")


def help_ms(times: int) -> list[float]:
    """The whole process of `rollback-manager --help`."""
    return [_process_ms("-m", "rollback_manager", "--help") for _ in range(times)]


def import_ms(times: int) -> tuple[list[float], list[float]]:
    """Our client and Temporal's, in processes of their own, one after the other."""
    pairs = [(_import_ms(IMPORTS[0]), _import_ms(IMPORTS[1])) for _ in range(times)]
    return [ours for ours, _ in pairs], [plain for _, plain in pairs]


def _process_ms(*words: str) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, capture_output=True)  # noqa: S603
    return 1000 * (time.perf_counter() - begun)


def _import_ms(statement: str) -> float:
    """The import alone, without the interpreter's own start."""
    program = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, check=True, capture_output=True, text=True)  # noqa: S603
    return 1000 * float(done.stdout)
