"""The API described for programs: what its doors ask for as proof, and what alerts hold."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from starters.gateway.alerts import payloads, proofs

COMPONENT = "#/components/schemas/{model}"
SCHEMES: dict[str, dict[str, str]] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A secret that the catalogue names for this source",
    },
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": proofs.SIGNATURE.title(),
        "description": "`t=SECONDS,v1=HEX`: HMAC-SHA256 over `id.timestamp.body`; the id stands in"
        f" `{proofs.ID.title()}`",
    },
}


def describe(app: FastAPI) -> None:
    """Have the app describe itself with its proofs; made once, at the first question."""

    def made() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _whole(app)
        return app.openapi_schema

    app.openapi = made  # type: ignore[method-assign] # FastAPI's own way to extend it


def _whole(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
    parts = schema.setdefault("components", {})
    asked = {name for path in schema["paths"].values() for one in path.values()
             for need in one.get("security", ()) for name in need}  # fmt: skip
    if asked:
        parts["securitySchemes"] = {name: SCHEMES[name] for name in sorted(asked)}
    for kind in {*payloads.KINDS.values()}:
        model = kind.model_json_schema(ref_template=COMPONENT)
        parts["schemas"].update({**model.pop("$defs", {}), kind.__name__: model})
    return schema
