"""`mgld annotate submit, poll, collect, run` on a small real build, beside a loopback endpoint."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from batch_case import KEY
from click.testing import CliRunner, Result
from openai_server import LoopbackServer, start_server

from mgld.build import BuildView, build_dataset, build_status, load_config
from mgld.build.batching import next_stage
from mgld.build.config import save_config
from mgld.cli import main
from mgld.llm import Ledger, limits

LANDMARKS = 8


@pytest.fixture(scope="module")
def running() -> Iterator[LoopbackServer]:
    with start_server({"batch_polls": 0}) as server:
        yield server


@pytest.fixture(scope="module")
def chosen(running: LoopbackServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build whose images are chosen."""
    root = tmp_path_factory.mktemp("chosen") / "build"
    flags = {
        "source": f"world:{LANDMARKS}",
        "encoder": "nano",
        "annotator": "openai:gpt-4o-mini",
        "llm": {"base_url": running.url},
        "sizes": [2],
        "test_size": 2,
    }
    stages = ["catalog", "embeddings", "selection"]
    build_dataset(load_config(None, flags), root, stages=stages)
    return root


@pytest.fixture
def root(
    chosen: Path, running: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(limits, "FIRST_BACKOFF", 0.01)
    running.set_faults({"batch_polls": 0})
    running.reset()
    return Path(shutil.copytree(chosen, tmp_path / "build"))


def command(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["annotate", *map(str, arguments)])


def good(*arguments: object) -> str:
    result = command(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def wait(root: Path) -> None:
    until = time.monotonic() + 10
    while True:
        states: list[dict[str, Any]] = json.loads(good("poll", root, "--json"))
        if all(state["status"] == "completed" for state in states):
            return
        assert time.monotonic() < until
        time.sleep(0.02)


def test_both_stages_by_hand(root: Path, running: LoopbackServer) -> None:
    assert next_stage(root) == "qa"
    said = good("submit", root)
    assert f"qa: 1 batch submitted with {LANDMARKS} requests" in said
    assert f"mgld annotate collect {root}" in said
    assert f"{LANDMARKS} are on their way already" in good("submit", root)
    wait(root)
    said = good("poll", root)
    assert "completed" in said and f"{LANDMARKS}/{LANDMARKS} done" in said
    assert f"next: `mgld annotate collect {root}`" in said
    said = good("collect", root)
    assert f"{LANDMARKS} replies stored" in said and "stage qa is made" in said
    assert f"next: `mgld annotate submit {root}` for stage entities" in said
    assert next_stage(root) == "entities"
    assert "entities: 1 batch submitted" in good("submit", root)
    wait(root)
    assert "stages qa and entities are complete" in good("collect", root)
    assert next_stage(root) is None
    assert f"mgld build --out {root}" in good("submit", root)
    assert f"mgld build --out {root}" in good("collect", root)
    build_dataset(BuildView(root).config, root)
    assert build_status(root).complete
    stats = running.stats()
    assert stats["billed_online"] == 0
    assert set(stats["custom_ids"].values()) == {1}
    assert set(BuildView(root).table("qa", "part").column("status").to_pylist()) <= {"ok", "error"}


def test_run_waits_for_both_stages(root: Path, running: LoopbackServer) -> None:
    running.set_faults(
        {
            "batch_polls": 0,
            "batch_seconds": 0.2,
            "rules": [{"fault": "expired", "done": 0.5, "ordinals": [0]}],
        }
    )
    said = good("run", root, "--poll-seconds", 0.05, "--workers", 1)
    assert f"next: `mgld build --out {root}` makes the stages after them" in said
    stats = running.stats()
    assert stats["batches_created"] == 3
    assert set(stats["custom_ids"].values()) == {1}
    assert "stages qa and entities are complete" in good("run", root)
    assert running.stats()["batches_created"] == 3


def test_what_is_missing_is_said(root: Path, running: LoopbackServer) -> None:
    assert command("poll", root).exit_code == 1  # no ledger yet
    running.set_faults(
        {"batch_polls": 0, "rules": [{"fault": "line_missing", "ordinals": [0], "on": "batch"}]}
    )
    good("submit", root)
    wait(root)
    said = good("collect", root)
    assert "1 requests got no reply and will be submitted again" in said
    assert f"1 of {LANDMARKS} replies of qa are missing" in said
    assert f"next: `mgld annotate submit {root}`" in said
    assert next_stage(root) == "qa"
    assert f"{LANDMARKS - 1} have a reply already" in good("submit", root)
    assert "not collected, " in good("poll", root)


def test_a_refused_batch_is_an_error(root: Path, running: LoopbackServer) -> None:
    running.set_faults({"batch_polls": 0, "rules": [{"fault": "failed_validation"}]})
    good("submit", root)
    time.sleep(0.2)
    result = command("collect", root)
    assert result.exit_code == 1
    assert "not parseable as valid JSON" in result.output
    running.set_faults({"unsupported": ["files"]})
    result = command("run", root)
    assert result.exit_code == 1 and "without --batch" in result.output


def test_a_budget_that_is_too_small_is_an_error(root: Path) -> None:
    config = BuildView(root).config
    tight = config.llm.model_copy(update={"max_usd": 1e-6})
    save_config(config.model_copy(update={"llm": tight}), root)
    result = command("submit", root)
    assert result.exit_code == 1 and "mgld plan" in result.output
    with Ledger(root / "ledger.sqlite") as ledger:
        assert ledger.money().charged == 0


def test_a_build_that_asks_no_model_is_told(root: Path) -> None:
    config = BuildView(root).config
    save_config(config.model_copy(update={"annotator": "template"}), root)
    result = command("submit", root)
    assert result.exit_code == 1 and "asks no model" in result.output
    assert command("submit", root / "elsewhere").exit_code == 1
