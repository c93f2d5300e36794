"""The kinds of others, as their projects publish them: Go modules carry the definitions as files.

What they say is true of real clusters; the controllers behind them do not run here.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from demo.errors import WorldError
from demo.kubernetes.api import Api
from demo.processes import until

# The newest that Go 1.26.8 takes, and that can be had.
GATEWAY_API = ("sigs.k8s.io/gateway-api@v1.4.1", "config/crd/standard")
ARGO_ROLLOUTS = ("github.com/argoproj/argo-rollouts@v1.9.2", "manifests/crds")
ARGO_CD = ("github.com/argoproj/argo-cd/v3@v3.1.0", "manifests/crds")
FLUX_KUSTOMIZE = ("github.com/fluxcd/kustomize-controller@v1.6.0", "config/crd/bases")
FLUX_HELM = ("github.com/fluxcd/helm-controller@v1.4.0", "config/crd/bases")
ALL = (GATEWAY_API, ARGO_ROLLOUTS, ARGO_CD, FLUX_KUSTOMIZE, FLUX_HELM)

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
SERVED_S = 30.0


def install(api: Api, *sources: tuple[str, str]) -> list[str]:
    """Have these definitions (module, folder) in the cluster, served; return their names.

    Raises:
        WorldError: there is no Go, or it cannot have the module.
    """
    names = []
    for module, folder in sources:
        for text in _definitions(_downloaded(module) / folder):
            names.append(_name(text))
            api.apply(f"{DEFINITIONS}/{names[-1]}", text)
    until("the definitions are served", lambda: _served(api, names), SERVED_S, lambda: None)
    return names


def _downloaded(module: str) -> Path:
    go = shutil.which("go")
    if go is None:
        raise WorldError(f"the definitions of {module} are read from Go's modules: install Go")
    words = [go, "mod", "download", "-json", module]
    done = subprocess.run(words, check=False, capture_output=True, text=True, cwd="/")  # noqa: S603
    told = json.loads(done.stdout or "{}")
    if "Dir" not in told:
        raise WorldError(f"{module} cannot be had: {told.get('Error') or done.stderr[-300:]}")
    return Path(told["Dir"])


def _definitions(folder: Path) -> Iterator[str]:
    for file in sorted(folder.glob("*.yaml")):
        text = file.read_text()
        if re.search(r"^kind: CustomResourceDefinition$", text, re.M):
            yield text


def _name(text: str) -> str:
    found = re.search(r"^metadata:\n(?:  .*\n)*?  name: (\S+)$", text, re.M)
    if found is None:
        raise WorldError(f"a definition without a name: {text[:200]}")
    return found[1]


def _served(api: Api, names: list[str]) -> bool:
    """By discovery: the definitions themselves are megabytes."""
    found = api.request("GET", "/apis", headers={"accept": DISCOVERY})["items"]
    served = {
        f"{resource['resource']}.{group['metadata']['name']}"
        for group in found
        for version in group["versions"]
        for resource in version.get("resources", [])
    }
    return served.issuperset(names)
