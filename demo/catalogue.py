"""The demo's catalogue: the commented example, with the addresses of the moment put in."""

from pathlib import Path

from demo.world import World

EXAMPLE = Path(__file__).with_name("catalogue.example.yaml")


STILL_WELL = 0.7
"""Of the orders that a calm minute brings: a small machine with much else to do serves fewer, and
that is no fault of a release."""


def catalogue_text(world: World, rate: float = 250.0) -> str:
    """The example for this world. ValueError if it no longer names what is replaced.

    rate: checkouts per second in calm times.
    """
    text = EXAMPLE.read_text(encoding="utf-8")
    for example, real in (
        ("/run/shop/supervisor.sock", str(world.socket)),
        ("http://127.0.0.1:9901", world.admin_url),
        ("/run/shop/xds/rds.json", str(world.routes_file)),
        ("http://127.0.0.1:8080", world.front_url),
        ("http://127.0.0.1:8090/numbers", world.till_url),
        ("floor: 10500", f"floor: {STILL_WELL * 60 * rate:.0f}"),
    ):
        if example not in text:
            raise ValueError(f"{EXAMPLE.name} does not name {example}")
        text = text.replace(example, real)
    return text
