"""A web metric of Argo Rollouts → a business number of the catalogue with its floor."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from rollback_manager.importing.argo_conditions import brought
from rollback_manager.importing.argo_place import Place
from rollback_manager.importing.promql import Unread
from rollback_manager.metrics.sources import BusinessSource
from rollback_manager.statistics.argo.conditions import COMPARISON

STEP = re.compile(r"\.([A-Za-z_][\w-]*)|\[(\d+)\]|\['([^']+)'\]")
BEARER = re.compile(r"Bearer \{\{\s*args\.([^{}\s]+)\s*\}\}")
OPPOSITE = {">=": "<", ">": "<=", "<=": ">", "<": ">="}


def read_web(
    metric: Mapping[str, Any], provider: Mapping[str, Any], name: str, at: Place
) -> BusinessSource | None:
    """The number and its floor; None where it is none, and the notes say why."""
    try:
        better, floor = _floor(metric, at)
        made = BusinessSource.model_validate(
            {
                "kind": "http_json",
                "name": name,
                "url": _url(provider, at),
                "pointer": _pointer(at.filled(provider.get("jsonPath"))),
                "unit": name,
                "better": better,
                "floor": floor,
                "within_ms": 1000 * float(provider.get("timeoutSeconds") or 10),
                "token": _token(provider, at),
            }
        )
    except Unread as unread:
        return at.ignored(str(unread))
    except ValidationError as error:
        said = error.errors()[0]
        return at.ignored(f"{'.'.join(map(str, said['loc']))}: {said['msg']}")
    except (TypeError, ValueError):
        raise at.refused("timeoutSeconds is no number") from None
    word = "least" if better == "higher" else "most"
    at.notes.taken(at.where, f"a business number; well at {word} {floor:g}")
    at.approximated("its interval and limits are those of all business numbers here")
    at.approximated("its unit is not in the file: put it into words under unit")
    return made


def _url(provider: Mapping[str, Any], at: Place) -> str:
    if str(provider.get("method") or "GET").upper() != "GET" or provider.get("body"):
        raise Unread("only GET without a body is asked: a watch changes nothing")
    url = at.filled(provider.get("url"))
    if "{{" in url:
        raise Unread("its url has an argument without a value; write it whole under business:")
    return url


def _pointer(path: str) -> str:
    """`{$.a.b[0]}` → `/a/b/0` (RFC 6901)."""
    text = path.strip().removeprefix("{").removesuffix("}").strip().removeprefix("$")
    steps = [match.group() for match in STEP.finditer(text)]
    if "".join(steps) != text:
        raise Unread(f"the path {path!r} is not one to a single number")
    keys = [next(filter(None, match.groups())) for match in STEP.finditer(text)]
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)


def _floor(metric: Mapping[str, Any], at: Place) -> tuple[str, float]:
    """In which direction it is well, and from where on."""
    said = at.filled(metric.get("successCondition"))
    fails = at.filled(metric.get("failureCondition"))
    found = brought(said or fails) if said or fails else None
    match = COMPARISON.fullmatch(found.text) if found else None
    if match is None or match["sign"] not in OPPOSITE:
        raise Unread("its condition is no limit of a number, as a business number has")
    sign = match["sign"] if said else OPPOSITE[match["sign"]]
    if not sign.endswith("="):
        at.approximated(f"{match['limit']} itself is bad there, and well here")
    if said and fails:
        at.approximated("failureCondition is not carried over; successCondition is the floor")
    return ("higher" if sign.startswith(">") else "lower"), float(match["limit"])


def _token(provider: Mapping[str, Any], at: Place) -> str | None:
    """Where a bearer token may be put; any other header is not sent."""
    token, lost = None, []
    said = provider.get("headers")
    for header in said if isinstance(said, list) else ():
        key = str(header.get("key")) if isinstance(header, Mapping) else ""
        bearer = BEARER.fullmatch(str(header.get("value"))) if key else None
        if key.lower() == "authorization" and bearer:
            token = f"env:{re.sub(r'[^A-Za-z0-9]', '_', bearer[1]).upper()}"
            at.approximated(f"its token: set the worker's environment variable {token[4:]}")
        else:
            lost.append(key)
    if lost:
        at.ignored(f"the headers {', '.join(lost)} are not sent")
    return token
