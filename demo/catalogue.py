"""The demo's catalogue: the commented example, with the addresses of the moment put in."""

from pathlib import Path

from demo.world import World

EXAMPLE = Path(__file__).with_name("catalogue.example.yaml")


def catalogue_text(world: World) -> str:
    """The example for this world. ValueError if the example no longer names what is replaced."""
    text = EXAMPLE.read_text(encoding="utf-8")
    for example, real in (
        ("/run/shop/supervisor.sock", str(world.socket)),
        ("http://127.0.0.1:9901", world.admin_url),
        ("/run/shop/xds/rds.json", str(world.routes_file)),
        ("http://127.0.0.1:8080", world.front_url),
    ):
        if example not in text:
            raise ValueError(f"{EXAMPLE.name} does not name {example}")
        text = text.replace(example, real)
    return text
