"""`make bench`: every benchmark that there is."""

import typer

from benchmarks import rollback

if __name__ == "__main__":
    typer.run(rollback.main)
