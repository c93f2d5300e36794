"""What the command `git` finds around it: our settings alone, and the login where there is one."""

import os
import shlex
from pathlib import Path

from rollback_manager.git_source import GitSource


def environment(source: GitSource, folder: Path, login: str) -> dict[str, str]:
    """Nothing inherited but the PATH: no configuration, alias, hook, proxy or agent of a user."""
    settings = {
        "core.hooksPath": os.devnull,
        "core.fsmonitor": "false",
        "core.askPass": "",
        "credential.helper": "",
        "gc.auto": "0",
        "maintenance.auto": "false",
        "http.followRedirects": "false",  # the token is for this host alone
        "http.lowSpeedLimit": "1000",
        "http.lowSpeedTime": "15",
        "protocol.allow": "never",
        f"protocol.{source.scheme}.allow": "always",
        "user.name": "rollback-manager",
        "user.email": "rollback-manager@localhost",
    }
    if login and source.scheme in ("http", "https"):  # in the environment: arguments are public
        settings[f"http.{source.url}.extraHeader"] = f"Authorization: Basic {login}"
    if source.signing_key:
        settings |= {"gpg.format": "ssh", "user.signingKey": source.signing_key}
    numbered = enumerate(settings.items())
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "LC_ALL": "C",
        "GIT_CEILING_DIRECTORIES": str(folder.parent),  # whoever put a .git above it
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_SSH_COMMAND": _ssh(source.ssh_key),
        "GIT_SSH_VARIANT": "ssh",
        "GIT_CONFIG_COUNT": str(len(settings)),
        **{
            f"GIT_CONFIG_{kind}_{number}": text
            for number, pair in numbered
            for kind, text in zip(("KEY", "VALUE"), pair, strict=True)
        },
    }


def _ssh(key: str | None) -> str:
    """Asks nobody anything; a host's key must be known already."""
    own = f" -i {shlex.quote(key)} -o IdentitiesOnly=yes" if key else ""
    return (
        f"ssh -F {os.devnull} -o BatchMode=yes -o ConnectTimeout=10 -o StrictHostKeyChecking=yes"
        f" -o ForwardAgent=no -o ClearAllForwardings=yes{own}"
    )
