"""Workers by fork: one process imports everything once, so that each further worker costs 50 ms.

Run as `python -m proof.kill_matrix.nursery`: a line of JSON in is an order, a line out the new
process's id. It ends with its input; its workers end with it.
"""

import asyncio
import ctypes
import json
import os
import signal
import sys

from proof.kill_matrix.worker import Order, work
from workers.process import end

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Fork for each order until the input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # none stays as a zombie of the other kind
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        order = Order.model_validate(json.loads(line))
        pid = os.fork()
        if pid == 0:
            _become(order)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
    os.killpg(0, signal.SIGKILL)


def _become(order: Order) -> None:
    """The child: a worker with a log of its own; does not return."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, source in enumerate((nothing, log, log)):
        os.dup2(source, number)
    try:
        asyncio.run(work(order))
    finally:  # never back into the loop of the nursery
        kind, error, trace = sys.exc_info()
        if kind is not None and error is not None:
            sys.excepthook(kind, error, trace)
        end(1 if kind else 0)


if __name__ == "__main__":
    main()
