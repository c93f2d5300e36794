"""Envoy as a deployer sees it: files that it reads, and what it then says is in force."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from demo import envoy_admin, envoy_config
from demo.errors import WorldError
from demo.files import replace
from demo.processes import tail, until
from demo.supervisord_config import Program

SHIFT_S = 3.0


class FrontDoor:
    """The one listener of a service, its clusters and its routes.

    `log` is Envoy's, for errors; `check` raises when Envoy, or what it needs, has ended.
    """

    def __init__(
        self,
        service: str,
        folder: Path,
        ports: tuple[int, int],
        log: Path,
        check: Callable[[], None],
        patience_s: float = envoy_config.ROUTE_TIMEOUT_S,
    ) -> None:
        self.service = service
        self.config = folder / "envoy.yaml"
        self.xds = folder / "xds"
        self.routes_file = self.xds / "rds.json"
        self.front_port, self.admin_port = ports
        self._log, self._check, self._patience_s = log, check, patience_s

    def write_first(self) -> None:
        """The files of a front door that leads nowhere yet."""
        config = envoy_config.bootstrap(self.service, self.xds, self.front_port, self.admin_port)
        replace(self.config, config)
        replace(self.xds / "cds.json", envoy_config.clusters([], "no-version"))
        replace(self.routes_file, envoy_config.routes(self.service, {}, "no-version"))

    def is_live(self) -> bool:
        """Whether Envoy answers and has read its files."""
        return envoy_admin.answers(self.admin_port, "/ready")

    def set_clusters(self, programs: Iterable[Program], version_info: str) -> None:
        """Tell Envoy of all versions that there are; `healthy` says when it has heard."""
        replace(self.xds / "cds.json", envoy_config.clusters(programs, version_info))

    def healthy(self, cluster: str) -> int:
        """How many instances Envoy would send requests to; -1 while it has no such cluster."""
        return envoy_admin.healthy_instances(self.admin_port, cluster)

    def weights(self) -> dict[str, int]:
        """The weights in force, by cluster."""
        return envoy_admin.weights(self.admin_port, self.service)

    def set_weights(self, weights: Mapping[str, int], version_info: str) -> None:
        """Replace the routes and wait until they are in force.

        Raises:
            WorldError: Envoy refused them; the old ones stay.
        """
        refused = self._refused()
        text = envoy_config.routes(self.service, weights, version_info, self._patience_s)
        replace(self.routes_file, text)
        until(
            f"Envoy has the routes of {version_info}",
            lambda: self._in_force(weights, version_info, refused),
            SHIFT_S,
            self._check,
        )

    def _in_force(self, weights: Mapping[str, int], version_info: str, refused: int) -> bool:
        if self._refused() > refused:
            raise WorldError(f"Envoy refuses the routes of {version_info}:\n{tail(self._log)}")
        # The text alone would not tell two writes of one name apart.
        return version_info in self._stats("version_text").values() and self.weights() == weights

    def _refused(self) -> int:
        return sum(map(int, self._stats("update_(rejected|failure)").values()))

    def _stats(self, name: str) -> dict[str, str]:
        return envoy_admin.stats(self.admin_port, rf"http\.ingress\.rds\.{self.service}\.{name}")
