"""Nodes that no machine stands behind: made, and reported as ready again and again."""

import time

from demo.kubernetes.api import MERGE, Api, Refused

CONFLICT = 409


def create(api: Api, name: str, *, tainted: bool) -> None:
    """Make one, unless it is there. tainted: only pods that ask for it come to it."""
    labels = {"kubernetes.io/hostname": name, "rollback-manager.io/stand-in": "true"}
    node = {"metadata": {"name": name, "labels": labels}, "spec": {}}
    try:
        api.post("/api/v1/nodes", node)
    except Refused as refused:
        if refused.status != CONFLICT:
            raise
    report(api, name)
    # Admission calls every new node not ready; a cluster with real ones keeps theirs apart.
    taint = {"key": "rollback-manager.io/stand-in", "effect": "NoSchedule"}
    spec = {"spec": {"taints": [taint] if tainted else None}}
    api.patch(f"/api/v1/nodes/{name}", spec, MERGE)


def report(api: Api, name: str) -> None:
    """Say that it is well, as of now."""
    room = {"cpu": "1000", "memory": "1000Gi", "pods": "10000"}
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    told = {
        "capacity": room,
        "allocatable": room,
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "conditions": [ready | {"lastHeartbeatTime": now, "message": "a stand-in"}],
    }
    api.patch(f"/api/v1/nodes/{name}/status", {"status": told})
