"""Instances run by supervisord: one program group per version, reached over its Unix socket.

`Supervisord` is the role; `rpc` asks, `processes` reads the answers.
"""

from activities.integrations.supervisord.workloads import Supervisord

__all__ = ["Supervisord"]
