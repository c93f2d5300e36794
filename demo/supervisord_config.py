"""What supervisord reads: its own file, and one file for each version in conf.d."""

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SHOP = Path(__file__).with_name("shop.py")
SHOP_OPTIONS = frozenset(
    {
        *("error_ratio", "latency_ms", "slow_ratio", "slow_ms", "warm_up_s", "drain_s"),
        *("faults_from", "hang_ratio", "lost_ratio", "till", "unready_ratio"),
    }
)
VERSION = re.compile(r"[a-z0-9][a-z0-9.-]*")
SOCKET_ROOM = 107 - len(".4194304")
"""Bytes for the socket's path: sun_path holds 108 with its end, and supervisord first binds the
path with a dot and its process id (at most 4194304 on Linux) behind it."""

SERVER = """\
[supervisord]
nodaemon=true
silent=true
logfile={folder}/logs/supervisord.log
logfile_maxbytes=0
loglevel=info
pidfile={folder}/supervisord.pid
childlogdir={folder}/logs

[unix_http_server]
file={folder}/supervisor.sock
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[include]
files={folder}/conf.d/*.conf
"""

PROGRAM = """\
[program:{program}]
command={command}
process_name=%(program_name)s_%(process_num)d
numprocs={maximum}
numprocs_start={first_port}
autostart=false
autorestart=true
startsecs=1
stopsignal=TERM
stopwaitsecs=10
redirect_stderr=true
stdout_logfile={folder}/logs/%(program_name)s_%(process_num)d.log
stdout_logfile_maxbytes=0
"""


@dataclass(frozen=True)
class Program:
    """One version of the service: a group at supervisord, its processes named after ports."""

    name: str
    version: str
    first_port: int
    maximum: int
    options: Mapping[str, float]
    """Of shop.py, with underscores."""

    @property
    def ports(self) -> range:
        """Of all instances that there can be, running or not."""
        return range(self.first_port, self.first_port + self.maximum)

    def process(self, port: int) -> str:
        """The name of an instance, `shop-v1_19101`; to supervisord it is `<name>:<process>`."""
        return f"{self.name}_{port}"


def server_config(folder: Path) -> str:
    """supervisord.conf: a socket in the folder and no network port."""
    return SERVER.format(folder=_escaped(str(folder)))


def program_config(program: Program, folder: Path, prefix: Sequence[str]) -> str:
    """conf.d/<program>.conf; `prefix` are the words before the command.

    The interpreter runs isolated (-I) and without site-packages (-S), which halves its start.
    """
    words = [*prefix, sys.executable, "-I", "-S", str(SHOP), "--version", program.version]
    for option, value in program.options.items():
        words += [f"--{option.replace('_', '-')}", repr(float(value))]
    return PROGRAM.format(
        program=program.name,
        command=f"{_escaped(shlex.join(words))} --port %(process_num)d",
        maximum=program.maximum,
        first_port=program.first_port,
        folder=_escaped(str(folder)),
    )


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
