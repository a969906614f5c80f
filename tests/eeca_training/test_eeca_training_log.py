"""The log of a run: nothing lost, nothing twice, whenever the run was killed."""

from __future__ import annotations

import io
import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import eeca_ref.model  # noqa: F401  (a recipe looks at it: not in the time of the first test)
from eeca_ref.recipe import Recipe
from eeca_ref.training import progress
from eeca_ref.training.log import RunLog, StepRecord, merged, read_log


def recipe(**log: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "nano/test",
            "model": {
                "vision": "v",
                "language_model": "l",
                "settings": {"hr": False, "mu_e": 0, "mu_h": 0},
            },
            "data": {"source": {"kind": "llava", "json_file": "a.json", "images": {"": "i"}}},
            "train": ["lr_adapter"],
            "optim": {"lr": 1e-3, "global_batch": 2, "micro_batch": 2},
            "log": log,
        }
    )


def record(step: int, **changes: Any) -> StepRecord:
    values = {
        "step": step,
        "epoch": step / 10,
        "loss": 1 / step,
        "lm_loss": 0.5 / step,
        "entity_loss": 0.25,
        "hierarchical_loss": 0.125,
        "lr": {"all": 1e-3},
        "grad_norm": float(step % 3),
        "tau": 1.0,
        "counters": {"entities": step, "classes": step % 4},
        "samples": 2,
        "supervised_tokens": 5,
        "tokens": 100,
        "seconds": 0.5 + step,
        "loader_seconds": 0.001 * step,
        "skipped": {"unreadable_image": 1} if step == 3 else {},
        "peak_memory_bytes": 1000 + step,
        "model_flops": 10,
        "hardware_flops": 20,
    }
    return StepRecord(**(values | changes))


def run(out: Path, settings: Recipe, *, start: int, stop: int, every: int = 4) -> None:
    """Steps after `start` to `stop`, a checkpoint after each `every`: as the trainer calls it."""
    log = RunLog(out, settings, resume_step=start, main=True, total_steps=12)
    log.event("resume" if start else "start")
    for step in range(start + 1, stop + 1):
        log.step(record(step, seconds=0.1 * (step + start)))
        if step % every == 0:
            log.event("validation", loss=1 / step)
            log.event("checkpoint", path=f"step-{step}")
    # killed: never closed


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("killed", range(13))
def test_a_killed_and_resumed_log_is_that_of_a_whole_run(
    tmp_path: Path, killed: int, every: int
) -> None:
    settings = recipe(every=every)
    run(tmp_path / "whole", settings, start=0, stop=12)
    run(tmp_path / "killed", settings, start=0, stop=killed)
    run(tmp_path / "killed", settings, start=killed // 4 * 4, stop=12)
    whole, resumed = (
        read_log(tmp_path / name / "log.jsonl", times=False) for name in ("whole", "killed")
    )
    assert whole == resumed
    steps = [entry for entry in whole if entry["kind"] == "step"]
    assert sum(entry["steps"] for entry in steps) == 12
    assert sum(entry["counters"]["entities"] for entry in steps) == sum(range(1, 13))
    assert [entry["step"] for entry in whole if entry["kind"] == "checkpoint"] == [4, 8, 12]


@pytest.mark.parametrize("cut", [1, 7, 60])
def test_a_torn_last_line_is_dropped(tmp_path: Path, cut: int) -> None:
    settings = recipe()
    run(tmp_path, settings, start=0, stop=6)
    path = tmp_path / "log.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    assert read_log(path)[-1]["step"] == 5
    run(tmp_path, settings, start=4, stop=6)
    entries = read_log(path)
    assert [entry["step"] for entry in entries if entry["kind"] == "step"] == [1, 2, 3, 4, 5, 6]
    assert path.read_bytes().endswith(b"\n")


def test_a_line_that_is_no_json_in_the_middle_is_said_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"kind": "start", "step": 0}\nnonsense\n{"kind": "finish", "step": 9}\n')
    with pytest.raises(ValueError, match=r"log\.jsonl, line 2: no JSON"):
        RunLog(tmp_path, recipe(), resume_step=4, main=True)
    assert "nonsense" in path.read_text()  # left as it was


def test_a_new_run_begins_the_log_anew(tmp_path: Path) -> None:
    run(tmp_path, recipe(), start=0, stop=3)
    run(tmp_path, recipe(), start=0, stop=1)
    assert [entry["kind"] for entry in read_log(tmp_path / "log.jsonl")] == ["start", "step"]


def test_lines_are_on_disk_at_once_and_valid_json_also_for_nan(tmp_path: Path) -> None:
    log = RunLog(tmp_path, recipe(), resume_step=0, main=True)
    log.step(record(1, loss=float("nan"), grad_norm=float("inf")))
    log.event("nan", ids=["a", "b"], loss=float("nan"))
    text = (tmp_path / "log.jsonl").read_text()

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    step, nan = (json.loads(line, parse_constant=refuse) for line in text.splitlines())
    assert (step["loss"], step["grad_norm"]) == ("nan", "inf")
    assert (nan["kind"], nan["step"], nan["ids"]) == ("nan", 1, ["a", "b"])
    log.close()
    log.close()


def test_several_steps_on_a_line_lose_nothing() -> None:
    line = merged([record(2), record(3, gradient_norms={"lm": 4.0}), record(4)])
    assert line.counters == {"entities": 9, "classes": 3}
    assert line.skipped == {"unreadable_image": 1}
    assert (line.samples, line.tokens, line.supervised_tokens) == (6, 300, 15)
    assert line.seconds == pytest.approx(10.5)
    assert line.loss == pytest.approx((1 / 2 + 1 / 3 + 1 / 4) / 3)
    assert (line.step, line.grad_norm, line.peak_memory_bytes) == (4, 2.0, 1004)
    assert line.gradient_norms == {"lm": 4.0}
    assert (line.model_flops, line.hardware_flops) == (30, 60)
    assert merged([record(1), record(2, model_flops=None)]).model_flops is None


def test_other_processes_write_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = recipe(tensorboard=True, wandb="project")  # not looked for either
    with RunLog(tmp_path / "run", settings, resume_step=0, main=False) as log:
        log.event("start")
        log.step(record(1))
    assert not (tmp_path / "run").exists()
    assert capsys.readouterr() == ("", "")


def scalars(folder: Path, name: str) -> dict[int, float]:
    events = EventAccumulator(str(folder))
    events.Reload()
    return {event.step: event.value for event in events.Scalars(name)}


def test_tensorboard_shows_each_step_once_after_a_resume(tmp_path: Path) -> None:
    settings = recipe(tensorboard=True)
    for start, stop in ((0, 6), (4, 8)):
        with RunLog(tmp_path, settings, resume_step=start, main=True) as log:
            for step in range(start + 1, stop + 1):
                log.step(record(step, loss=float(step + 100 * start)))
            log.event("validation", loss=0.5)
    folder = tmp_path / "tensorboard"
    losses = scalars(folder, "train/loss")
    assert losses == {1: 1, 2: 2, 3: 3, 4: 4, 5: 405, 6: 406, 7: 407, 8: 408}
    assert scalars(folder, "train/tokens")[8] == 100
    assert scalars(folder, "counters/entities")[3] == 3
    assert scalars(folder, "lr/all")[3] == pytest.approx(1e-3)
    assert scalars(folder, "validation/loss")[8] == 0.5


def test_tensorboard_forgets_what_came_after_the_step_that_is_resumed(tmp_path: Path) -> None:
    settings = recipe(tensorboard=True)
    with RunLog(tmp_path, settings, resume_step=0, main=True) as log:
        for step in range(1, 7):
            log.step(record(step))
    RunLog(tmp_path, settings, resume_step=4, main=True).close()  # not a step further
    assert list(scalars(tmp_path / "tensorboard", "train/loss")) == [1, 2, 3, 4]


def test_wandb_that_is_not_installed_is_named_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(RuntimeError, match="pip install wandb"):
        RunLog(tmp_path, recipe(wandb="project"), resume_step=0, main=True)
    assert not (tmp_path / "log.jsonl").exists()


def test_wandb_goes_on_with_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in with wandb's documented calls: `init`, `Run.log`, `Run.finish`."""
    begun: list[dict[str, Any]] = []
    logged: list[tuple[int, dict[str, float]]] = []

    class Run:
        id = "abc123"

        def log(self, values: dict[str, float], step: int) -> None:
            logged.append((step, values))

        def finish(self) -> None:
            logged.append((-1, {}))

    def init(**settings: Any) -> Run:
        begun.append(settings)
        return Run()

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=init))
    settings = recipe(wandb="project")
    for start in (0, 2):
        with RunLog(tmp_path, settings, resume_step=start, main=True) as log:
            log.step(record(start + 1))
    assert [(each["project"], each["id"], each["resume"]) for each in begun] == [
        ("project", None, None),
        ("project", "abc123", "allow"),
    ]
    assert [step for step, _ in logged] == [1, -1, 3, -1]
    assert logged[0][1]["train/loss"] == 1.0


def test_plain_lines_say_the_first_step_and_then_one_every_ten_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, now = io.StringIO(), [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    shown = progress.shown_progress(done=0, total=3600, out=out)
    for step in range(1, 26):
        shown.step(record(step, seconds=1.0, loss=2.0))
        now[0] += 1.0
    shown.event({"kind": "checkpoint", "step": 25, "path": "x"})
    shown.close()
    lines = out.getvalue().splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "step 1/3,600",
        "step 11/3,600",
        "step 21/3,600",
        "step 25",
    ]
    assert lines[0] == "step 1/3,600: loss 2.0000, lr 1.00e-03, 100 tokens/s, 0:59:59 left"
    assert lines[-1] == "step 25: checkpoint (path x)"


def test_a_terminal_gets_a_bar() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    shown = progress.shown_progress(done=4, total=10, out=out)
    shown.step(record(5, seconds=1.0))
    shown.event({"kind": "nan", "step": 5, "ids": ["[bold]a"]})
    shown.close()
    text = out.getvalue()
    assert "5/10" in text
    assert "step 5: nan" in text
    assert "0:00:05 left" in text or "tokens/s" in text
