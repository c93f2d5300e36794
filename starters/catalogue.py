"""`catalogue`: check the file of services, each mistake with its line; schema, imports, rights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from starters import catalogue_import, catalogue_rbac, console
from starters.catalogue_file import read
from starters.console import Answer
from starters.options import Json

app = console.group()
app.add_typer(catalogue_import.app, name="import", help="Bring along another tool's configuration.")


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The catalogue, in YAML.")],
    as_json: Json = False,
) -> None:
    """Check FILE; each mistake is named with its line.

    Exit 7 where it has mistakes, 2 where it cannot be read.
    """

    async def verb() -> Answer:
        read_one = read(file)
        services, environments = sorted(read_one.services), sorted(read_one.environments)
        text = f"{file}: no mistakes. Services: {', '.join(services) or 'none'};"
        text += f" environments: {', '.join(environments) or 'none'}"
        document = {"file": str(file), "services": services, "environments": environments}
        from rollback_manager.rendering.layout import page

        return Answer(page([text]), document)

    console.run(verb, as_json=as_json, talks=False)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the file.

    For editors that complete and check while you type.
    """

    async def verb() -> Answer:
        from rollback_manager.catalogue import json_schema

        return Answer(json_schema().rstrip())

    console.run(verb, as_json=False, talks=False)


def main() -> None:
    """Run `rollback-manager catalogue`."""
    console.main(app)


app.command("rbac")(catalogue_rbac.rbac)
