"""OpenAPI links: what can be asked next, and with what of the answer."""

from typing import Any

Responses = dict[int | str, dict[str, Any]]
_OF_STARTED = {"path.env": "$response.body#/env", "path.key": "$response.body#/key"}
_OF_PATH = {"path.env": "$request.path.env", "path.key": "$request.path.key"}


def _to(parameters: dict[str, str], *operations: str) -> dict[str, Any]:
    return {name: {"operationId": name, "parameters": parameters} for name in operations}


STARTED: Responses = {
    202: {
        "description": "It runs, or ran already under this key",
        "headers": {"Location": {"schema": {"type": "string"}, "description": "Its status"}},
        "links": _to(_OF_STARTED, "status", "decide", "report"),
    }
}
STATUS: Responses = {200: {"links": _to(_OF_PATH, "decide", "report")}}
DECIDED: Responses = {200: {"links": _to(_OF_PATH, "status", "report")}}
