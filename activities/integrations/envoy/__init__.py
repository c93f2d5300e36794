"""Traffic split by Envoy: a route file that it watches, and what it says on its admin port.

`Envoy` is the role; `admin` asks, `routes` reads and edits the file, `counters` reads the answers.
"""

from activities.integrations.envoy.traffic import Envoy

__all__ = ["Envoy"]
