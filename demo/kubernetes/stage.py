"""The demo's stage on Kubernetes."""

import shlex
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from demo.kubernetes import binaries, catalogue, cluster
from demo.kubernetes.catalogue import SHOP
from demo.kubernetes.world import KubernetesWorld
from demo.scenarios import Scenario
from demo.stage import INSTANCES, Stage
from workers.process import say

PLAYABLE = ("error_rate", "latency", "healthy")
"""Of the demo's, those that can be played here."""
POLICY = {
    **catalogue.POLICY,
    "approval": {"required": False},
    "verification": {"min_window_s": 10, "max_window_s": 90, "latency_factor": 4},
}
"""As the example's, which the other demo plays with."""
WORDS = """\
real: etcd, kube-apiserver, kube-controller-manager; Envoy; Prometheus; the pods' processes; users
stand-ins: the nodes with their kubelet and scheduler, the registry of images, and the gateway's
  controller, which tells Envoy what HTTPRoutes, Services and EndpointSlices say"""


class KubernetesShop:
    """The shop of a world on Kubernetes."""

    def __init__(self, world: KubernetesWorld) -> None:
        self._world = world

    def bring_up(self, version: str, options: Mapping[str, float]) -> None:
        """As many pods as a version has, ready and without users."""
        self._world.build(version, **options)
        self._world.bring_up(version)

    def set_shares(self, shares: Mapping[str, int], version_info: str) -> None:
        """By the weights of its HTTPRoute."""
        self._world.split(shares)

    def shares(self) -> dict[str, int]:
        """As its HTTPRoute says."""
        weights = self._world.weights()
        named = self._world.versions(SHOP).items()
        return {version: weights.get(name, 0) for version, name in named}

    def healthy(self, version: str) -> int:
        """Pods that Envoy was told of."""
        name = self._world.versions(SHOP).get(version, "")
        return self._world.gateway.ready(name, version)


async def on_kubernetes(
    stack: AsyncExitStack, folder: Path, scenario: Scenario, rate: float
) -> Stage:
    """A control plane of its own, with pods that are processes."""
    programs = None if (named := cluster.named()) else await binaries.find(say)
    how = programs.how if programs else f"{binaries.NAMED_CLUSTER} ({named})"
    say(f"the Kubernetes control plane: {how}")
    world = KubernetesWorld(
        folder, programs=programs, services=(SHOP,), instances=INSTANCES, policy=POLICY
    )
    stack.callback(world.stop)
    world.start()
    say(f"the world is up: Kubernetes, Envoy at {world.url(SHOP)}, {rate:.0f} requests/s")
    for line in WORDS.splitlines():
        say(line)
    begin = f"kubectl --kubeconfig {shlex.quote(str(world.kubeconfig))} -n {world.namespace}"
    say("look at it from another terminal, while it lasts:")
    for words in (
        "get deployments,pods,services,httproutes --show-labels",
        "get httproute shop -o jsonpath='{.spec.rules[0].backendRefs}'",
        "get events --watch",
    ):
        say(f"  {begin} {words}")
    shop = KubernetesShop(world)
    return Stage(shop, shop.bring_up, world.url(SHOP), world.catalogue)
