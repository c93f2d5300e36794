"""Commands as a person types them, in a process of their own beside the rig's worker."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from tests import encrypted
from tests.rig import Rig

ROOT = Path(__file__).parents[1]


async def typed(made: Rig, *words: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, document and talk of a command."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    settings = {
        "TEMPORAL_ADDRESS": made.client.service_client.config.target_host,
        "ROLLBACK_TASK_QUEUE": made.settings.task_queue,
        "ROLLBACK_ENV": "test",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rollback_manager", *words, "--json"),
        cwd=ROOT,
        env={**kept, **settings, **encrypted.setting()},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, json.loads(out.splitlines()[-1]), err.decode()
