"""The manifest of a run: adding up, of all sessions, and without what is nobody's business."""

from __future__ import annotations

import getpass
import json
import re
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch  # noqa: F401  (not in the time of the first test)
from pydantic import ValidationError

import eeca_ref.model  # noqa: F401  (a recipe looks at it: not in the time of the first test)
import mgld
from eeca_ref.recipe import Recipe
from eeca_ref.training import manifest as subject
from eeca_ref.training.log import RunLog, StepRecord
from eeca_ref.training.manifest import (
    DataEntry,
    Manifest,
    ModelEntry,
    PeakMemory,
    code_version,
    data_entry,
    finish_manifest,
    peak_memory,
    read_manifest,
    write_manifest,
)

GPU = "NVIDIA H200"
DATA = DataEntry(
    binding="b" * 64,
    source="s" * 64,
    rows=10,
    statuses={"train": 6, "validation": 2, "image_not_there": 1, "no_answer": 1},
    left_out=2,
    counts={"tokens": 100},
)
MODELS = {"vision": ModelEntry(name="openai/clip", revision="abc", fingerprint="f" * 64)}


def recipe(**changes: Any) -> Recipe:
    settings: dict[str, Any] = {
        "name": "nano/test",
        "model": {
            "vision": "v",
            "language_model": "l",
            "settings": {"hr": False, "mu_e": 0, "mu_h": 0},
        },
        "data": {"source": {"kind": "llava", "json_file": "a.json", "images": {"": "i"}}},
        "train": ["lr_adapter"],
        "optim": {"lr": 1e-3, "global_batch": 2, "micro_batch": 2},
        "seed": 7,
    }
    return Recipe.model_validate(settings | changes)


def write(path: Path, **changes: Any) -> Manifest:
    arguments: dict[str, Any] = {
        "recipe": recipe(),
        "data": DATA,
        "models": MODELS,
        "order_hashes": ["o" * 64],
        "resume_step": 0,
        "devices": [GPU, GPU],
    }
    return write_manifest(path, **(arguments | changes))


def train(out: Path, start: int, stop: int, **changes: Any) -> None:
    with RunLog(out, recipe(), resume_step=start, main=True) as log:
        for step in range(start + 1, stop + 1):
            values: dict[str, Any] = {
                "step": step,
                "epoch": 0.1,
                "loss": 1.0,
                "lm_loss": 1.0,
                "entity_loss": 0.0,
                "hierarchical_loss": 0.0,
                "lr": {"all": 0.1},
                "samples": 2,
                "supervised_tokens": 5,
                "tokens": 100,
                "seconds": 2.0,
                "loader_seconds": 0.5,
                "model_flops": 10**15,
                "hardware_flops": 2 * 10**15,
            }
            log.step(StepRecord(**(values | changes)))


def test_a_manifest_of_a_run_that_was_resumed(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    first = write(path)
    assert first.totals is None
    assert first.sessions[0].ended is None
    train(tmp_path, 0, 7)  # killed; the last checkpoint is that of step 4
    write(path, resume_step=4)
    train(tmp_path, 4, 10)
    memory = PeakMemory(rss_bytes=5, device_bytes=6)
    finish_manifest(path, log=tmp_path / "log.jsonl", peak_memory=memory)

    found = read_manifest(path)
    assert [(session.from_step, session.world_size) for session in found.sessions] == [
        (0, 2),
        (4, 2),
    ]
    assert found.sessions[0].ended is None
    assert found.sessions[1].ended is not None
    totals = found.totals
    assert totals is not None
    # each step once, also those that a killed session had done already
    assert (totals.steps, totals.samples, totals.tokens) == (10, 20, 1000)
    assert (totals.supervised_tokens, totals.seconds) == (50, 20.0)
    assert (totals.tokens_per_second, totals.loader_share) == (50.0, 0.25)
    assert totals.peak_memory == memory
    assert totals.mfu == pytest.approx(1e16 / (20 * 2 * 989.5e12))
    assert totals.hfu == pytest.approx(2e16 / (20 * 2 * 989.5e12))
    assert (found.recipe, found.data, found.models) == (recipe(), DATA, MODELS)
    assert found.seeds == {"weights": 7, "order": 7}
    assert not list(tmp_path.glob(".*.tmp"))


@pytest.mark.parametrize(
    ("devices", "resumed"), [(["CPU: any"], ["CPU: any"]), ([GPU], [GPU, GPU])]
)
def test_there_is_no_mfu_where_the_peak_is_not_known(
    tmp_path: Path, devices: list[str], resumed: list[str]
) -> None:
    path = tmp_path / "manifest.json"
    write(path, devices=devices)
    write(path, devices=resumed, resume_step=1)
    train(tmp_path, 0, 2)
    found = finish_manifest(path, log=tmp_path / "log.jsonl", peak_memory=peak_memory())
    assert found.totals is not None
    assert (found.totals.mfu, found.totals.hfu) == (None, None)


def test_counts_by_status_add_up_to_the_rows() -> None:
    with pytest.raises(ValidationError, match="do not add up to 11 rows"):
        DataEntry(binding="b", source="s", rows=11, statuses=DATA.statuses)


def test_the_entry_of_a_store_accounts_for_every_row() -> None:
    class Store:
        binding = "b"

        def counts(self) -> dict[str, int]:
            return {
                "rows": 10,
                "samples": 8,
                "skipped: no_answer": 1,
                "skipped: template_mismatch": 1,
                "tokens": 100,
                "truncated": 3,
            }

    store: Any = Store()
    entry = data_entry(store, source="s", train=5, validation=2, missing=1, left_out=1)
    assert entry.statuses == {
        "train": 5,
        "validation": 2,
        "image_not_there": 1,
        "no_answer": 1,
        "template_mismatch": 1,
    }
    assert entry.counts == {"samples": 8, "tokens": 100, "truncated": 3}
    with pytest.raises(ValidationError, match="do not add up"):
        data_entry(store, source="s", train=5, validation=2, missing=0, left_out=1)


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("data", DATA.model_copy(update={"binding": "c" * 64})),
        ("models", {"vision": ModelEntry(name="openai/clip", revision="abd")}),
        ("order_hashes", ["p" * 64]),
    ],
)
def test_a_run_does_not_go_on_with_something_else(tmp_path: Path, field: str, other: Any) -> None:
    path = tmp_path / "manifest.json"
    write(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"cannot resume: .*other {field}"):
        write(path, resume_step=4, **{field: other})
    assert path.read_bytes() == before
    write(path, **{field: other})  # a new run does


def test_a_damaged_manifest_is_named(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text('{"format": 1}')
    with pytest.raises(ValueError, match=re.escape(str(path))):
        read_manifest(path)


def test_neither_host_nor_user_nor_folders_are_in_it(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    write(path, devices=[subject.device_name()])
    train(tmp_path, 0, 1)
    finish_manifest(path, log=tmp_path / "log.jsonl", peak_memory=peak_memory())
    text = path.read_text()
    assert str(tmp_path) not in text
    assert str(Path(mgld.__file__).parents[1]) not in text
    assert str(Path.home()) not in text or Path.home() == Path("/")
    sessions = json.dumps(json.loads(text)["sessions"])
    words = set(re.findall(r"[\w.-]+", sessions))
    assert socket.gethostname() not in words
    assert getpass.getuser() not in words
    assert "/" not in sessions


def test_versions_of_what_it_ran_with(tmp_path: Path) -> None:
    session = write(tmp_path / "manifest.json").sessions[0]
    assert {"python", "torch", "deepspeed", "transformers"} <= set(session.libraries)
    assert session.code.version == mgld.__version__


def test_the_commit_and_whether_it_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mgld").mkdir()
    (tmp_path / "mgld" / "__init__.py").write_text("")
    monkeypatch.setattr(mgld, "__file__", str(tmp_path / "mgld" / "__init__.py"))
    assert code_version().commit is None  # installed, not a checkout

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    git("add", "mgld")
    git("commit", "-q", "-m", "first")
    (tmp_path / "note.txt").write_text("a file of nobody's")
    assert code_version().model_dump() == {
        "version": mgld.__version__,
        "commit": git("rev-parse", "HEAD"),
        "dirty": False,
    }
    (tmp_path / "mgld" / "__init__.py").write_text("changed = True\n")
    assert code_version().dirty is True


def test_peak_memory_of_this_process() -> None:
    assert peak_memory().rss_bytes > 50 * 2**20
