"""A mistake in what a person wrote, in one plain sentence: what is wrong, and what to write.

pydantic knows what is wrong in words for programmers; which fields there are, and of what type a
missing one is, stands in the schema.
"""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from itertools import chain
from typing import Any

from pydantic_core import ErrorDetails

Where = tuple[int | str, ...]
Schema = dict[str, Any]

TYPES = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping of fields",
}
WANTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping of names",
    "model_type": "a mapping of fields",
    "model_attributes_type": "a mapping of fields",
    "datetime_type": "a moment such as 2026-01-31T08:00:00Z",
    "datetime_from_date_parsing": "a moment such as 2026-01-31T08:00:00Z",
    "datetime_parsing": "a moment such as 2026-01-31T08:00:00Z",
    "timezone_aware": "a moment with its time zone, such as 2026-01-31T08:00:00Z",
}
BOUNDS = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}
_NAME = "small letters, digits, '-', '.' and '_', such as checkout-eu"
_OBJECT = "a name as Kubernetes has them: small letters, digits, '-' and '.'"
_ENV_OR_FILE = "where the secret is, never the secret: env:NAME or file:/PATH"
_ABSOLUTE = "an absolute path, such as /etc/rollback/key"
FORMS = {
    r"^[a-z0-9][a-z0-9._-]{0,62}$": _NAME,
    r"^[a-z0-9][a-z0-9-]{0,30}$": "small letters, digits and '-', such as on-call",
    r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$": _OBJECT,
    r"^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$": (
        "a label as Kubernetes has them, such as app.kubernetes.io/version"
    ),
    r"^[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,127}$": "a name without spaces, such as anna@example.org",
    r"^[A-Z0-9]+/[A-Z0-9]+$": "Slack's team and member, such as T0123ABCD/U0123ABCD",
    r"^[CGD][A-Z0-9]{2,20}$": "Slack's id of a channel, such as C0123ABCD, not its name",
    r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+)$": _ENV_OR_FILE,
    r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+|aws:secretsmanager:[!-~]+"
    r"|kubernetes:[a-z0-9.-]+/[a-z0-9.-]+/[A-Za-z0-9._-]+)$": (
        f"{_ENV_OR_FILE}, aws:secretsmanager:NAME or kubernetes:NAMESPACE/NAME/KEY"
    ),
    r"^arn:aws:sns:[a-z]{2}-[a-z-]{2,20}-[0-9]:[0-9]{12}:[A-Za-z0-9_.-]{1,256}$": (
        "a topic's ARN, such as arn:aws:sns:eu-west-1:123456789012:alarms"
    ),
    r"^(/([^~/]|~[01])*)*$": "a JSON pointer, such as /orders/per_minute",
    r"^(/\S.*)?$": _ABSOLUTE,
    r"^/\S+$": _ABSOLUTE,
    r"^/": _ABSOLUTE,
    r"^/\S*$": "a path that begins with '/', such as /ready",
    r"^([0-9a-f-]{36})?$": "a UID: kubectl get namespace kube-system -o jsonpath={.metadata.uid}",
    r"^[A-Za-z0-9.:-]+$": "a host, such as mail.example.org",
    r"^[^@\s,;<>\"]+@[^@\s,;<>\"]+$": "one address, such as on-call@example.org",
    r"^([a-zA-Z]|_[a-zA-Z0-9])[a-zA-Z0-9_]*$": (
        "a label as Prometheus has them: letters, digits and '_', and not two '_' first"
    ),
    r"^[a-zA-Z_:][a-zA-Z0-9_:]*$": "a metric's bare name, such as http_requests_total",
    r"^[A-Za-z0-9_.-]+(\|[A-Za-z0-9_.-]+)*$": "values of a label, such as 5.. or 5..|error",
    r"^([0-9a-f]{40})?$": "a commit's whole hash: 40 digits and letters a to f",
    r"^[0-9]{1,20}$": "an id in digits",
    r"^[A-Za-z0-9._-]{1,63}$": "an id of letters, digits, '.', '_' and '-'",
    r"^[A-Za-z0-9_-]{43}$": "a public key of 43 characters, as the gateway prints it",
}
"""What each pattern of the catalogue means; a test finds one that is not here."""


def in_words(mistakes: Sequence[ErrorDetails], schema: Schema) -> str:
    """What is said of one place in the file. Several are of a value that may be of several kinds,
    and fits none of them."""
    wanted = [_wanted(one) for one in mistakes]
    if all(wanted):
        words = " or ".join(dict.fromkeys(one for one in wanted if one))
        return f"expected {words}, not {_said(mistakes[0]['input'])}{_quotes(mistakes)}"
    return "; ".join(dict.fromkeys(_sentence(one, schema) for one in mistakes))


def _wanted(mistake: ErrorDetails) -> str:
    """Where the value is of the wrong type or none of a few words: what is wanted."""
    if mistake["type"] in ("literal_error", "enum"):
        return re.sub(r"<[^<:>]+: ([^<>]+)>", r"\1", str(mistake["ctx"]["expected"]))
    return WANTED.get(mistake["type"], "")


def _sentence(mistake: ErrorDetails, schema: Schema) -> str:
    ctx = mistake.get("ctx", {})
    match mistake["type"]:
        case "missing":
            return f"is missing: write {_type_of(schema, mistake['loc'])}"
        case "extra_forbidden":
            return _unknown(str(mistake["loc"][-1]), _fields(schema, mistake["loc"][:-1]))
        case "union_tag_invalid":
            return f"expected {ctx['expected_tags']}, not {_said(ctx['tag'])}"
        case "union_tag_not_found":
            return f"is missing: write {_or(_tags(schema, mistake))}"
        case "string_pattern_mismatch":
            return f"expected {FORMS.get(ctx['pattern'], 'the form ' + ctx['pattern'])}"
        case "string_too_short" | "string_too_long" | "too_short" | "too_long":
            return _length(mistake)
        case "value_error":
            return str(ctx["error"])
    bounds = [(word, ctx[key]) for key, word in BOUNDS.items() if key in ctx]
    if bounds and isinstance(mistake["input"], int | float):
        (word, bound), *_ = bounds
        return f"must be {word} {bound:g}, not {_figure(mistake['input'])}{_as_share(mistake)}"
    return mistake["msg"].replace("Input should", "should", 1)


def _as_share(mistake: ErrorDetails) -> str:
    """What was meant, where a percentage was written for a share."""
    said = mistake["input"]
    if mistake.get("ctx", {}).get("le") != 1 or not 1 < said <= 100:
        return ""
    return f"; a share: {said:g} % is {said / 100:g}"


def _length(mistake: ErrorDetails) -> str:
    ctx = mistake["ctx"]
    of_text = mistake["type"].startswith("string")
    if ctx.get("min_length") == 1:
        return "must not be empty" if of_text else "needs at least one entry"
    what = "characters" if of_text else "entries"
    if "min_length" in ctx:
        return f"needs at least {ctx['min_length']} {what}"
    return f"may have {ctx['max_length']} {what} at most"


def _said(value: Any) -> str:
    """What stands there, in a word; a text may be a password, and only a short word is repeated."""
    if isinstance(value, str):
        short = value.replace("_", "").replace("-", "").isalnum() and len(value) <= 20
        return repr(value) if short else "that text"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _figure(value)
    return "a list" if isinstance(value, list) else "a mapping"


def _figure(value: float) -> str:
    try:
        return f"{value:g}"
    except OverflowError:  # a whole number may have any number of digits
        return "a number of hundreds of digits"


def _quotes(mistakes: Sequence[ErrorDetails]) -> str:
    """YAML reads 1.10 as a number, and no as false."""
    one = mistakes[0]
    bare = isinstance(one["input"], bool | int | float)
    return ": write it in quotes" if one["type"] == "string_type" and bare else ""


def _unknown(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=1)
    if near:
        return f"there is no such field: did you mean {near[0]}?"
    return f"there is no such field; known: {', '.join(known) or 'none'}"


def _or(words: Sequence[str]) -> str:
    *others, last = words or ("one of its kinds",)
    return f"{', '.join(others)} or {last}" if others else last


def _type_of(schema: Schema, loc: Where) -> str:
    words: list[str] = []
    for node in _at(schema, loc):
        if "const" in node or "enum" in node:
            words += map(str, node.get("enum", [node.get("const")]))
        else:
            words.append(TYPES.get(node.get("type", ""), ""))
    return _or([*dict.fromkeys(one for one in words if one)] or ["it"])


def _fields(schema: Schema, loc: Where) -> list[str]:
    return [*dict.fromkeys(chain.from_iterable(n.get("properties", ()) for n in _at(schema, loc)))]


def _tags(schema: Schema, mistake: ErrorDetails) -> list[str]:
    tag = str(mistake["ctx"]["discriminator"]).strip("'")
    kinds = (node.get("properties", {}).get(tag, {}) for node in _at(schema, mistake["loc"]))
    return [str(kind["const"]) for kind in kinds if "const" in kind]


def _at(schema: Schema, loc: Where) -> list[Schema]:
    """What may stand there, by the schema; what pydantic alone knows of a path is passed over."""
    nodes = [*_options(schema, schema)]
    for part in loc:
        deeper = [child for node in nodes for child in _children(schema, node, part)]
        kinds = [node for node in nodes if _is_kind(node, part)]
        nodes = deeper or kinds or nodes
    return nodes


def _children(schema: Schema, node: Schema, part: int | str) -> Iterator[Schema]:
    if isinstance(part, int):
        below = [node["items"]] if isinstance(node.get("items"), dict) else []
    elif part in node.get("properties", {}):
        below = [node["properties"][part]]
    else:
        others = [node.get("additionalProperties"), *node.get("patternProperties", {}).values()]
        below = [one for one in others if isinstance(one, dict)]
    for one in below:
        yield from _options(schema, one)


def _is_kind(node: Schema, part: int | str) -> bool:
    return any(one.get("const") == part for one in node.get("properties", {}).values())


def _options(schema: Schema, node: Schema) -> Iterator[Schema]:
    """The node itself, or each of those that it may be."""
    if "$ref" in node:
        yield from _options(schema, schema["$defs"][node["$ref"].rsplit("/", 1)[-1]])
    elif several := node.get("anyOf") or node.get("oneOf"):
        for one in several:
            yield from _options(schema, one)
    else:
        yield node
