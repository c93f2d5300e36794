"""What Envoy says about itself: its admin port, read only."""

import http.client
import json
import re
from urllib.parse import quote

LOCALHOST = "127.0.0.1"


def get(port: int, path: str, timeout_s: float = 2.0) -> tuple[int, str]:
    """Status and body of one GET on loopback.

    Raises:
        OSError, http.client.HTTPException: there was no answer.
    """
    connection = http.client.HTTPConnection(LOCALHOST, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def answers(port: int, path: str) -> bool:
    """Whether a GET is answered with 200 now."""
    try:
        return get(port, path)[0] == http.client.OK
    except (OSError, http.client.HTTPException):
        return False


def stats(port: int, name: str) -> dict[str, str]:
    """Counters, gauges and texts whose full name matches the pattern; absent until first set."""
    shown = get(port, f"/stats?filter={quote(f'^{name}$')}")[1]
    pairs = (line.partition(": ") for line in shown.splitlines())
    return {key: value.strip('"') for key, _, value in pairs}


def healthy_instances(port: int, cluster: str) -> int:
    """How many instances of a cluster Envoy would send requests to; -1 while it has no cluster."""
    shown = stats(port, rf"cluster\.{re.escape(cluster)}\.membership_healthy")
    return int(next(iter(shown.values()), -1))


def weights(port: int, route_configuration: str) -> dict[str, int]:
    """The weights by cluster that are in force, not those of the file."""
    shown = json.loads(get(port, "/config_dump?resource=dynamic_route_configs")[1])
    found: dict[str, int] = {}
    for config in (one["route_config"] for one in shown.get("configs", [])):
        if config["name"] != route_configuration:
            continue
        for host in config.get("virtual_hosts", []):
            for cluster in host["routes"][0]["route"]["weighted_clusters"]["clusters"]:
                found[cluster["name"]] = cluster.get("weight", 0)
    return found
