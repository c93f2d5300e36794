"""Traffic split by Envoy: a route file that it watches, and what it says on its admin port.

`Envoy` is the role; `admin` asks, `routes` reads and edits the file, `counters` reads the answers,
and `shared` asks once for all services behind one Envoy.
"""

from activities.integrations.envoy.admin import Admin
from activities.integrations.envoy.shared import SharedStats
from activities.integrations.envoy.traffic import Envoy

__all__ = ["Admin", "Envoy", "SharedStats"]
