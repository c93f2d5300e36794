"""An edit that would break the replay of rollbacks that run fails here, and says what to do."""

import ast
from pathlib import Path

import pytest

from tests.workflows import fingerprints
from tests.workflows.fingerprints import WHAT_TO_DO, difference, of, read, sources
from workers.plugin import WORKFLOWS

SAMPLE = """
class Sample:
    async def run(self, request):
        await self._claim(request)
        if request.asks:
            await workflow.wait_condition(lambda: self._go, timeout=A_DAY)
        for step in request.steps:
            await self._carry_out(step)
        workflow.logger.info("over")
        return self._told()

    async def _claim(self, request):
        await short(Records.claim, request, summary="claim")

    async def _carry_out(self, step):
        seen = await self._claim(step) if step.unseen else None
        try:
            await workflow.execute_activity_method(Traffic.shift, step, summary="shift")
        except ActivityError:
            await self._parent.signal("trouble", step)

    def _told(self):
        return "done"

async def short(work, argument, summary):
    return await workflow.execute_local_activity_method(work, argument, summary=summary)
"""

BREAKS = {
    "a command that comes earlier": (
        "        await self._claim(request)\n        if request.asks:\n",
        "        if request.asks:\n            await self._claim(request)\n",
    ),
    "another condition": ("if request.asks", "if request.asks and request.steps"),
    "another condition within a line": ("if step.unseen", "if step.late"),
    "a timer that is gone": (", timeout=A_DAY", ""),
    "another activity": ("Records.claim", "Records.open"),
    "another signal": ('"trouble"', '"news"'),
    "a command where none was": ("        return self._told()", "        await self._claim(1)"),
    "a way out before a command": (
        "        for step",
        "        if self._go:\n            return\n        for step",
    ),
    "an activity that became a local one": (
        "workflow.execute_activity_method",
        "workflow.execute_local_activity_method",
    ),
    "a command further down": (
        'return "done"',
        "return workflow.upsert_search_attributes([])",
    ),
}

HARMLESS = {
    "a comment": ("        return self._told()", "        # over\n        return self._told()"),
    "another summary": ('summary="claim"', 'summary="claim, epoch"'),
    "another log line": ('"over"', '"it is over"'),
    "another answer": ('"done"', '"carried out"'),
    "another name for a step": ("step in request.steps", "one in request.steps"),
}


def changed(edit: tuple[str, str]) -> str:
    assert SAMPLE.count(edit[0]) == 1, "the edit is one of this sample"
    return difference(of({"sample.py": SAMPLE}), of({"sample.py": SAMPLE.replace(*edit)}))


def test_the_order_of_commands_is_the_one_that_is_kept() -> None:
    found = difference(read(), of(sources()))
    assert not found, f"{WHAT_TO_DO}\n\n{found}"


@pytest.mark.parametrize("one", WORKFLOWS, ids=lambda one: str(one.__name__))
def test_every_workflow_has_its_fingerprint(one: type) -> None:
    file = one.__module__.rpartition(".")[2] + ".py"
    assert read()[file][f"{one.__name__}.run"]


@pytest.mark.parametrize("edit", BREAKS.values(), ids=BREAKS)
def test_an_edit_that_breaks_replay_is_noticed(edit: tuple[str, str]) -> None:
    assert changed(edit)


@pytest.mark.parametrize("edit", HARMLESS.values(), ids=HARMLESS)
def test_an_edit_that_replay_does_not_see_is_let_through(edit: tuple[str, str]) -> None:
    assert not changed(edit)


def test_steps_before_the_claim_of_a_service_are_noticed() -> None:
    """As in the sample, but in the real file, whatever it looks like by now."""
    now = sources()
    tree = ast.parse(now["service_rollback.py"])
    (run,) = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncFunctionDef) and node.name == "run"
    )
    run.body.reverse()
    assert difference(of(now), of({**now, "service_rollback.py": ast.unparse(tree)}))


def test_refreshing_says_what_changed_and_then_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprints, "KEPT", tmp_path / "kept.json")
    assert "ServiceRollbackWorkflow.run" in fingerprints.refresh()
    assert fingerprints.refresh() == ""
    assert "python -m tests.workflows.fingerprints" in WHAT_TO_DO
