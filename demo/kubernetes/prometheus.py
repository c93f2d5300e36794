"""A real Prometheus that scrapes Envoy: its counters by service and version."""

import json
import shutil
from pathlib import Path
from urllib.parse import quote

from demo import envoy_admin
from demo.errors import WorldError

SCRAPE_S = 1


def command(folder: Path, port: int, envoy_admin_port: int) -> list[str]:
    """The words that start it, once its configuration is written into the folder.

    Raises:
        WorldError: there is none on PATH.
    """
    program = shutil.which("prometheus")
    if program is None:
        raise WorldError("there is no Prometheus on PATH: apt-get install prometheus")
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "prometheus.yml"
    config.write_text(json.dumps(_config(envoy_admin_port)))  # JSON is YAML
    return [
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]


def has_scraped(port: int) -> bool:
    """Whether a query finds Envoy up: some five seconds after it answers at all."""
    try:
        shown = envoy_admin.get(port, f"/api/v1/query?query={quote('up == 1')}")[1]
        return bool(json.loads(shown)["data"]["result"])
    except (OSError, ValueError, KeyError):
        return False


def source(port: int) -> dict[str, object]:
    """The catalogue's `metrics` of every service that this Prometheus counts."""
    return {
        "kind": "prometheus",
        "url": f"http://127.0.0.1:{port}",
        "requests": "envoy_cluster_upstream_rq_xx",
        "errors": {"kind": "label", "label": "envoy_response_code_class", "matches": "5"},
        "latency": "envoy_cluster_upstream_rq_time",
        "latency_unit": "ms",
        "scrape_interval_s": SCRAPE_S,
    }


def _config(envoy_admin_port: int) -> dict[str, object]:
    """Clusters are named <service>_<Service of Kubernetes>_<version>."""
    names = {"source_labels": ["envoy_cluster_name"], "regex": "([^_]+)_([^_]+)_(.+)"}
    envoy = {
        "job_name": "envoy",
        "metrics_path": "/stats/prometheus",
        "params": {"filter": [r"^cluster\..*\.upstream_rq_(xx|[1-5]xx|time)$"]},
        "static_configs": [{"targets": [f"127.0.0.1:{envoy_admin_port}"]}],
        "metric_relabel_configs": [
            {**names, "target_label": "service", "replacement": "$1"},
            {**names, "target_label": "version", "replacement": "$3"},
        ],
    }
    every = f"{SCRAPE_S}s"
    return {
        "global": {"scrape_interval": every, "scrape_timeout": every},
        "scrape_configs": [envoy],
    }
