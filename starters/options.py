"""Options that several verbs share: one spelling, one line of help each."""

from pathlib import Path
from typing import Annotated

import typer

Service = Annotated[str, typer.Argument(metavar="SERVICE", help="Its name in the catalogue.")]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="As it is deployed.")]
Services = Annotated[
    list[str], typer.Argument(metavar="SERVICE...", help="Names in the catalogue, in any order.")
]
Rollback = Annotated[
    str, typer.Argument(metavar="ROLLBACK", help="rollback/ENV/KEY, as start and list print it.")
]
Env = Annotated[
    str | None, typer.Option("--env", metavar="E", help="Environment; default: ROLLBACK_ENV.")
]
OnlyEnv = Annotated[
    str | None, typer.Option("--env", metavar="E", help="Only this one; default: all.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")]
To = Annotated[
    str | None,
    typer.Option("--to", metavar="VERSION", help="Go to this one, not the newest known good."),
]
Reason = Annotated[str, typer.Option("--reason", help="Why; people will read it in the report.")]
Confirm = Annotated[
    str | None,
    typer.Option(
        "--confirm",
        metavar="SERVICE",
        help="The service, typed out: asked for from tier T2 on, where one person decides alone.",
    ),
]
Incident = Annotated[str, typer.Option("--incident", metavar="ID", help="Id of the incident.")]
By = Annotated[
    str | None, typer.Option("--by", help="Who says so; default: local:<your user name>.")
]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", metavar="S", min=0, help="Seconds to follow it; then exit 8."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object as the last line of stdout.")]
Folder = Annotated[
    Path | None,
    typer.Option("--out", metavar="FOLDER", file_okay=False, help="Write a file there instead."),
]
