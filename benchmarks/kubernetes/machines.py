"""`python -m benchmarks.kubernetes.machines KUBECONFIG`: the stand-in for nodes, until stdin ends.

A process of its own: what it computes must not be taken from the worker that is measured.
"""

import sys
from pathlib import Path

from benchmarks.kubernetes.objects import LATER, READY_S
from demo.kubernetes.api import connected
from demo.kubernetes.kubelet import Kubelet
from demo.kubernetes.pods import Ready

NODES = 10


def main() -> None:
    """Says `ready` once the nodes are there."""
    with connected(Path(sys.argv[1])) as api, Kubelet(api, nodes=NODES) as kubelet:
        for version in LATER:
            kubelet.behaviour[version] = Ready(after_s=READY_S)
        print("ready", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
