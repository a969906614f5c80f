"""Whole runs with DeepSpeed's real engine: one process and two, ZeRO stages, kill and resume.

All runs are made once, in one start of processes; tests look at what came out.
"""

from __future__ import annotations

import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from training_tiny import free_port, launch, llava_data, recipe

Results = dict[str, Any]
LR_ONLY = {"max_sequence_length": 100, "hr": False, "mu_e": 0.0, "mu_h": 0.0}
VALIDATED = {"optim__epochs": 2, "data__validation": 8, "keep__every": 2, "keep__last": 1}
CLIP = 15.0
FP32 = 1e-5
"""Relative difference of losses that another order of sums may make in five steps."""


def runs(base: Path) -> Results:
    """By number of processes and name."""
    parts = base / "parts"

    def job(name: str, kind: str = "train", **changes: Any) -> tuple[str, dict[str, Any]]:
        own = ("kill_at", "port", "batches", "resume", "killed", "file", "limits")
        keywords = {key: changes.pop(key) for key in own if key in changes}
        made = recipe(changes.pop("parts", parts), data_folder=parts, **changes)
        return kind, {"out": str(base / name), "recipe": made} | keywords

    text = {"data__source": llava_data(parts), "model__settings": LR_ONLY}
    bf16 = {"engine__precision": "bf16", "model__settings__log_tau": -0.7, "optim__lr": 1e-4}
    clip = {"optim__clip": CLIP}
    alone = {
        "killed": job("resumed", "killed", **VALIDATED, kill_at=6, port=0),
        "evil_engine": job(
            "evil_engine",
            "tampered",
            **VALIDATED,
            killed=str(base / "resumed"),
            file="*optim_states.pt",
        ),
        "evil_random": job(
            "evil_random",
            "tampered",
            **VALIDATED,
            killed=str(base / "resumed"),
            file="random-*.pt",
        ),
        "resumed": job("resumed", **VALIDATED),
        "whole": job("whole", **VALIDATED),
        "full": job("full", "full_disk", **VALIDATED, limits=[100_000, 250_000]),
        "again": job("whole", **VALIDATED),
        "another": job("whole", **VALIDATED, optim__lr=0.5),
        "anew": job("whole", **VALIDATED, resume=False),
        "unclipped": job("unclipped"),
        "micro8": job("micro8", **clip),
        "micro2": job("micro2", **clip, optim__micro_batch=2, log__gradient_norms_every=2),
        "zero0": job("zero0", **clip, optim__micro_batch=2, engine__zero_stage=0),
        "zero3": job(
            "zero3",
            **clip,
            optim__micro_batch=2,
            engine__zero_stage=3,
            engine__checkpointing=True,
            log__gradient_norms_every=2,
        ),
        "bf16": job("bf16", **bf16),
        "stage1": job(
            "stage1",
            **text,
            train=["lr_adapter"],
            data__fit="crop",
            optim__global_batch=4,
            optim__micro_batch=2,
            optim__epochs=2,
        ),
        "validated_text": job(
            "validated_text",
            **text,
            train=["lr_adapter"],
            data__validation=18,
            optim__global_batch=4,
            optim__micro_batch=4,
        ),
        "nan": job("nan", optim__lr=1e25),
        "nan_validation": job("nan_validation", optim__lr=1e25, data__validation=8, keep__every=1),
        "saved": job("saved", "saved", parts=parts / "tied", engine__zero_stage=2),
    }
    shared = {**VALIDATED, "optim__micro_batch": 4, "engine__zero_stage": 1, **bf16}
    pair = {
        "killed": job("pair_resumed", "killed", **shared, kill_at=5, port=free_port()),
        "lost_manifest": job(
            "lost_manifest",
            "tampered",
            **shared,
            killed=str(base / "pair_resumed"),
            file="manifest.json",
        ),
        "resumed": job("pair_resumed", **shared),
        "whole": job("pair_whole", **shared),
        "micro4": job("pair_micro4", **clip, optim__micro_batch=4),
        "zero1": job("pair_zero1", **clip, optim__micro_batch=4, engine__zero_stage=1),
        "zero3": job("pair_zero3", **clip, optim__micro_batch=4, engine__zero_stage=3),
        "bf16": job("pair_bf16", optim__micro_batch=4, engine__zero_stage=1, **bf16),
        "untouched": job(
            "untouched",
            "untouched",
            **text,
            train=["lr_adapter", "language_model"],
            optim__global_batch=4,
            optim__micro_batch=2,
            batches=[["image", "text"], ["text", "nothing"], ["nothing", "nothing"]],
        ),
        "bad2": job("bad2", "bad_gradient", optim__micro_batch=4),
        "bad3": job("bad3", "bad_gradient", optim__micro_batch=4, engine__zero_stage=3),
        "saved3": job(
            "saved3",
            "saved",
            parts=parts / "tied",
            optim__micro_batch=4,
            engine__zero_stage=3,
            **bf16,
        ),
    }
    return launch(base / "jobs", prepare=str(parts), alone=alone, pair=pair)


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # pytest's workers share them
        base = base.parent
    base = base / "eeca_training_runs"
    base.mkdir(exist_ok=True)
    with FileLock(base / ".lock"):
        made = base / "all.json"
        if not made.exists():
            made.write_text(json.dumps(runs(base)))
    loaded: Results = json.loads(made.read_text())
    return loaded


def series(run: Results, name: str) -> list[Any]:
    return [step[name] for step in run["steps"]]


def test_micro_batches_and_processes_change_rounding_alone(results: Results) -> None:
    whole = results["alone"]["micro8"]
    assert len(whole["losses"]) == 5
    for other in (results["alone"]["micro2"], results["pair"]["micro4"]):
        for name in ("loss", "lm_loss", "entity_loss", "hierarchical_loss", "grad_norm", "tau"):
            assert series(other, name) == pytest.approx(series(whole, name), rel=FP32), name
        for name in ("counters", "samples", "supervised_tokens", "tokens", "lr", "model_flops"):
            assert series(other, name) == series(whole, name), name
    assert all(loss > 1 for loss in whole["losses"])
    assert series(whole, "samples") == [8] * 5


def test_zero_stages_give_the_same_losses(results: Results) -> None:
    """The same bits up to stage 2; the head's loss is added up in another order in stage 3."""
    alone, pair = results["alone"], results["pair"]
    assert alone["zero0"]["losses"] == alone["micro2"]["losses"]
    assert alone["zero0"]["weights"] == alone["micro2"]["weights"]
    assert pair["zero1"]["losses"] == pair["micro4"]["losses"]
    assert pair["zero1"]["weights"] == pair["micro4"]["weights"]
    assert alone["zero3"]["losses"] == pytest.approx(alone["micro2"]["losses"], rel=FP32)
    assert pair["zero3"]["losses"] == pytest.approx(pair["micro4"]["losses"], rel=FP32)
    norms = [
        [step["gradient_norms"] for step in alone[stage]["steps"] if "gradient_norms" in step]
        for stage in ("micro2", "zero3")
    ]
    assert len(norms[0]) == 3
    for two, three in zip(*norms, strict=True):
        assert min(two.values()) > 0 and three == pytest.approx(two, rel=FP32)


def test_gradients_are_clipped_and_their_norm_is_that_before(results: Results) -> None:
    """By the norm over all processes: the runs above, which are equal, were clipped."""
    clipped, free = results["alone"]["micro8"], results["alone"]["unclipped"]
    norms = series(clipped, "grad_norm")
    assert min(norms) < CLIP < max(norms) and norms[0] == series(free, "grad_norm")[0]
    apart = [abs(a - b) / b for a, b in zip(clipped["losses"], free["losses"], strict=True)]
    assert apart[0] == 0 and max(apart) > 10 * FP32, apart


@pytest.mark.parametrize("group", ["alone", "pair"])
def test_killed_and_resumed_is_never_killed(results: Results, group: str) -> None:
    whole, resumed = results[group]["whole"], results[group]["resumed"]
    assert results[group]["killed"] == "signal 9, best.json, step-00000004"
    assert (whole["steps_done"], resumed["steps_done"]) == (8, 4)
    assert resumed["log"] == whole["log"]
    assert resumed["weights"] == whole["weights"]
    assert resumed["validation"] == whole["validation"]
    kinds = [line["kind"] for line in whole["log"]]
    assert kinds.count("validation") == 4 and kinds.count("checkpoint") == 3
    assert len(resumed["manifest"]["sessions"]) == 2
    assert resumed["manifest"]["totals"]["steps"] == 8
    assert resumed["manifest"]["order_hashes"] == whole["manifest"]["order_hashes"]


def test_a_full_disk_is_said_and_the_run_goes_on_once_there_is_room(results: Results) -> None:
    whole, full = results["alone"]["whole"], results["alone"]["full"]
    for said, left in full["said"]:  # the model's weights do not fit, then the optimizer's
        assert said.startswith("OSError") and "cannot be written, is the disk full?" in said
        assert left == [".step-00000002.tmp"]
    assert full["log"] == whole["log"] and full["weights"] == whole["weights"]
    assert full["kept"] == whole["kept"]


def test_a_finished_run_is_left_alone(results: Results) -> None:
    alone = results["alone"]
    assert alone["again"]["done_before"] and not alone["whole"]["done_before"]
    assert alone["again"]["log"] == alone["whole"]["log"]
    assert "optim.lr: 0.001 -> 0.5" in alone["another"]["error"]
    assert "holds a run" in alone["anew"]["error"]


def test_the_last_and_the_best_are_kept(results: Results) -> None:
    whole = results["alone"]["whole"]
    losses = [line["loss"] for line in whole["log"] if line["kind"] == "validation"]
    best = 2 * (1 + losses[:3].index(min(losses[:3])))
    assert whole["kept"] == sorted({f"step-{best:08d}", "step-00000006", "best.json"})
    assert whole["validation"]["loss"] == losses[-1]


def test_rows_held_out_are_all_accounted_for(results: Results) -> None:
    statuses = results["alone"]["whole"]["manifest"]["data"]["statuses"]
    assert statuses == {"train": 32, "validation": 8, "image_not_there": 0}
    seen = {"whole": (8, 0), "validated_text": (16, 2)}
    for name, expected in seen.items():
        log = results["alone"][name]["log"]
        (last,) = [line for line in log if line["kind"] == "validation"][-1:]
        assert (last["samples"], last["skipped"]) == expected


def test_nothing_in_a_checkpoint_is_run(results: Results) -> None:
    for name, file in (("evil_engine", "optim_states.pt"), ("evil_random", "random-00000.pt")):
        ((said, was_run),) = results["alone"][name]
        assert not was_run
        assert said.startswith("ValueError") and f"{file} cannot be resumed from" in said


def test_what_the_main_process_refuses_stops_all(results: Results) -> None:
    said = results["pair"]["lost_manifest"]
    assert len(said) == 2
    assert all("manifest.json is damaged or of another version" in each for each, _ in said)


def test_the_temperature_moves_in_float32(results: Results) -> None:
    """bfloat16 numbers near log tau = -0.7 are 0.004 apart, 40 steps of this learning rate."""
    for run in (results["alone"]["bf16"], results["pair"]["bf16"]):
        tau = series(run, "tau")
        moves = [abs(b - a) / a for a, b in pairwise(tau)]
        assert all(1e-6 < move < 1.1e-4 for move in moves), tau
    whole, halves = (series(results[n]["bf16"], "loss") for n in ("alone", "pair"))
    assert halves == pytest.approx(whole, rel=5e-3)


def test_stage_one_trains_the_adapter_alone(results: Results) -> None:
    run = results["alone"]["stage1"]
    assert run["changed"] == ["lr_adapter"]
    assert list(series(run, "lr")[0]) == ["lr_adapter"]
    whole = results["alone"]["whole"]["changed"]
    assert whole == ["classifier", "language_model", "log_tau", "lr_adapter", "resampler"]


def test_images_that_are_missing_or_broken_are_counted(results: Results) -> None:
    run = results["alone"]["stage1"]
    statuses = run["manifest"]["data"]["statuses"]
    assert statuses["image_not_there"] == 1 and statuses["train"] == 23
    skipped = [sum(step["skipped"].values()) for step in run["steps"]]
    assert 3 <= sum(skipped) <= 6  # an epoch leaves out three rows
    assert all(set(step["skipped"]) <= {"unreadable_image"} for step in run["steps"])
    assert series(run, "samples") == [4 - number for number in skipped]


def test_a_loss_that_is_no_number_stops_the_run(results: Results) -> None:
    stopped = results["alone"]["nan"]
    assert "NonFiniteError: the loss is not finite; samples: record0" in stopped["error"]
    steps = [line for line in stopped["log"] if line["kind"] == "step"]
    (event,) = [line for line in stopped["log"] if line["kind"] == "nan"]
    assert len(steps) == 1 and event["step"] == 2
    assert len(event["ids"]) == 8 and event["ids"][0] in stopped["error"]


def test_a_validation_loss_that_is_no_number_stops_the_run(results: Results) -> None:
    """Before there is a checkpoint of such weights."""
    stopped = results["alone"]["nan_validation"]
    assert "NonFiniteError: the validation loss is not finite; samples: record0" in stopped["error"]
    kinds = [line["kind"] for line in stopped["log"]]
    assert kinds == ["start", "step", "nan"]
    assert stopped["log"][-1]["step"] == 1 and len(stopped["log"][-1]["ids"]) == 8


@pytest.mark.parametrize("name", ["bad2", "bad3"])
def test_a_gradient_that_is_no_number_changes_nothing(results: Results, name: str) -> None:
    stopped = results["pair"][name]
    assert "the gradient is not finite" in stopped["said"] and "record0" in stopped["said"]
    assert stopped["same"]


def test_every_process_touches_the_same_parameters(results: Results) -> None:
    """Also where it has text alone, or no image of its batch could be read."""
    assert results["pair"]["untouched"] == [[[[], 0], [[], 2], [[], 4]]] * 2


@pytest.mark.parametrize(("group", "name"), [("alone", "saved"), ("pair", "saved3")])
def test_saved_and_loaded_gives_the_same_logits(results: Results, group: str, name: str) -> None:
    saved = results[group][name]
    assert saved["size"] > 0.1 and saved["tied"] and saved["image_size"] == 32
    kinds = saved["dtypes"]
    assert kinds.pop("log_tau") == "torch.float32"
    assert saved["left"] == ["model"] and saved["other_weights"] == []
    if name == "saved":
        assert saved["difference"] == 0 == saved["entity_difference"]
        return
    assert set(kinds.values()) == {"torch.bfloat16"}
    assert saved["difference"] <= saved["size"] / 128  # a rounding of bfloat16
    assert saved["log_tau"] != pytest.approx(-0.69921875, abs=1e-6)  # the nearest in bfloat16
