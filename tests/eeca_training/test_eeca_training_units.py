"""Schedule, held-out rows, recipes that may go on, and what DeepSpeed is told, without a run."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_tiny import recipe as tiny_recipe

from eeca_ref.data.sampler import Cursor
from eeca_ref.recipe import Recipe
from eeca_ref.training import distributed
from eeca_ref.training.checkpoints import State, found_checkpoints
from eeca_ref.training.distributed import World
from eeca_ref.training.engine import deepspeed_config, parameter_groups, start_engine
from eeca_ref.training.resume import alone_in, differences, find_beginning
from eeca_ref.training.schedule import lr_factor, warmup_steps
from eeca_ref.training.validation import held_out

ALONE = World(rank=0, size=1, local_rank=0, device=torch.device("cpu"))


def recipe(**changes: Any) -> Recipe:
    return Recipe.model_validate(tiny_recipe(Path("parts"), **changes))


def test_the_schedule_warms_up_and_ends_near_zero() -> None:
    total, warmup = 200, warmup_steps(200, 0.03)
    assert warmup == 6 and warmup_steps(201, 0.03) == 7 and warmup_steps(10, 0.0) == 0
    factors = [lr_factor(step, total=total, warmup=warmup) for step in range(total)]
    assert factors[:6] == [pytest.approx(k / 6) for k in (1, 2, 3, 4, 5, 6)]
    assert factors[6] == 1 and factors[6 + 97] == pytest.approx(0.5)
    assert factors[6:] == sorted(factors[6:], reverse=True)
    last = 0.5 * (1 + math.cos(math.pi * 193 / 194))
    assert factors[-1] == pytest.approx(last) and 0 < last < 1e-3
    assert lr_factor(0, total=1, warmup=1) == 1
    with pytest.raises(ValueError, match="step 200 of 200"):
        lr_factor(200, total=200, warmup=6)


def test_the_schedule_is_that_of_transformers() -> None:
    """But for the warm-up's first step, which has a learning rate of 0 there."""
    from transformers import get_cosine_schedule_with_warmup

    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = get_cosine_schedule_with_warmup(optimizer, 6, 200)
    theirs = []
    for _ in range(200):
        theirs.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    ours = [lr_factor(step, total=200, warmup=6) for step in range(200)]
    assert ours[6:] == pytest.approx(theirs[6:]) and ours[:6] == pytest.approx(theirs[1:7])


def test_held_out_rows_depend_on_their_numbers_alone() -> None:
    rows = np.arange(0, 1000, 2)
    train, validation = held_out(rows, 50)
    assert len(train) == 450 and len(validation) == 50
    assert sorted([*train, *validation]) == list(rows)
    assert list(train) == sorted(train) and list(validation) == sorted(validation)
    assert 300 < validation.mean() < 700
    # of other rows, as many as there are again, about half of the same are held out
    _, more = held_out(np.arange(1000), 100)
    assert 30 < len(set(validation) & set(more)) <= 50
    assert held_out(rows, 0)[0] is not None and len(held_out(rows, 0)[1]) == 0
    with pytest.raises(ValueError, match=r"validation is 500, but there are only 500 rows"):
        held_out(rows, 500)


def test_what_may_change_when_a_run_goes_on() -> None:
    before = recipe()
    same = recipe(
        name="other",
        about="x",
        keep__every=7,
        log__every=3,
        data__workers=3,
        optim__micro_batch=2,
        engine__checkpointing=True,
        data__source__source="elsewhere",
    )
    assert differences(before, same) == {}
    train = [part for part in before.train if part != "log_tau"]
    assert differences(before, recipe(optim__lr=0.5, seed=3, train=train)) == {
        "optim.lr": (1e-3, 0.5),
        "seed": (0, 3),
        "train": (list(before.train), train),
    }
    for change in ({"optim__epochs": 2}, {"engine__zero_stage": 1}, {"data__validation": 4}):
        assert len(differences(before, recipe(**change))) == 1
    batch = {"model__settings__negatives": "batch"}  # the negatives are those of a micro-batch
    changed = differences(recipe(**batch), recipe(**batch, optim__micro_batch=2))
    assert changed == {"optim.micro_batch": (8, 2)}
    settings = {**before.model.settings, "theta": 0.25}
    assert differences(before, recipe(model__settings=settings)) == {
        "model.settings.theta": (None, 0.25)
    }


def fake_checkpoint(out: Path, step: int, *, world_size: int) -> None:
    folder = out / "checkpoints" / f"step-{step:08d}" / "resume"
    folder.mkdir(parents=True)
    cursor = Cursor(step=step, seed=0, global_batch=8, rows=40, rows_hash="x")
    state = State(step=step, cursor=cursor, world_size=world_size, binding="b")
    (folder / "state.json").write_text(state.model_dump_json())


def test_the_newest_whole_checkpoint_is_taken(tmp_path: Path) -> None:
    out = tmp_path
    assert find_beginning(recipe(), out, world_size=1, resume=True).step == 0
    for step in (2, 10, 4):
        fake_checkpoint(out, step, world_size=1)
    torn = out / "checkpoints" / ".step-00000012.tmp"
    torn.mkdir()
    assert [path.name[-2:] for path in found_checkpoints(out)] == ["02", "04", "10"]
    beginning = find_beginning(recipe(), out, world_size=1, resume=True)
    assert beginning.step == 10 and beginning.cursor is not None and beginning.cursor.step == 10
    assert not torn.exists()


def test_other_runs_are_refused(tmp_path: Path) -> None:
    find_beginning(recipe(), tmp_path, world_size=2, resume=True)
    fake_checkpoint(tmp_path, 4, world_size=2)
    with pytest.raises(
        ValueError, match=r"written by 2 processes.*as many, not with 1.*model.start"
    ):
        find_beginning(recipe(), tmp_path, world_size=1, resume=True)
    with pytest.raises(ValueError, match=r"another recipe.*optim.lr: 0.001 -> 0.5.*of its own"):
        find_beginning(recipe(optim__lr=0.5), tmp_path, world_size=2, resume=True)
    with pytest.raises(ValueError, match="holds a run: resume it, or remove the folder"):
        find_beginning(recipe(), tmp_path, world_size=2, resume=False)
    (tmp_path / "recipe.yaml").write_text("name: [")
    with pytest.raises(ValueError, match=r"recipe.yaml cannot be read"):
        find_beginning(recipe(), tmp_path, world_size=2, resume=True)


def test_one_run_at_a_time(tmp_path: Path) -> None:
    out = tmp_path / "a/run"
    taken = pytest.raises(ValueError, match="another process trains in")
    with alone_in(out, ALONE), taken, alone_in(out, ALONE):
        pass
    with alone_in(out, ALONE):
        pass


def test_launchers_say_who_is_who() -> None:
    who = distributed._who_am_i
    assert who({}) == (0, 1, 0)
    assert who({"RANK": "9", "WORLD_SIZE": "16", "LOCAL_RANK": "1"}) == (9, 16, 1)
    with pytest.raises(RuntimeError, match="RANK set, but not WORLD_SIZE, LOCAL_RANK"):
        who({"RANK": "9"})


def test_groups_have_their_learning_rates_and_vectors_do_not_decay() -> None:
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lr_adapter = torch.nn.Linear(2, 3)
            self.log_tau = torch.nn.Parameter(torch.zeros(1))

    made = recipe(optim__part_lr={"log_tau": 0.1})
    made = made.model_copy(update={"train": ("lr_adapter", "log_tau")})
    groups = parameter_groups(Model(), made)
    assert [(g["part"], len(g["params"]), g["lr"]) for g in groups] == [
        ("lr_adapter", 2, 1e-3),
        ("log_tau", 1, 0.1),
    ]
    optim = made.optim.model_copy(update={"weight_decay": 0.1})
    groups = parameter_groups(Model(), made.model_copy(update={"optim": optim}))
    assert [(g["part"], len(g["params"]), g["weight_decay"]) for g in groups] == [
        ("lr_adapter", 1, 0.1),
        ("lr_adapter", 1, 0.0),
        ("log_tau", 1, 0.0),
    ]


def test_what_deepspeed_is_told() -> None:
    made = recipe(optim__clip=1.0, engine__precision="bf16", engine__offload=True)
    groups = [{"params": [torch.zeros(3)]}]
    told = deepspeed_config(made, ALONE, accumulation=4, groups=groups)
    assert told["gradient_accumulation_steps"] == 4 and told["gradient_clipping"] == 1.0
    assert told["data_types"] == {"grad_accum_dtype": "fp32"} and told["bf16"]["enabled"]
    assert told["optimizer"]["params"]["torch_adam"]
    assert told["zero_optimization"]["offload_optimizer"]["device"] == "cpu"
    assert told["zero_optimization"]["reduce_bucket_size"] % 2 == 0
    gpu = World(0, 1, 0, torch.device("cuda", 0))
    offloaded = deepspeed_config(made, gpu, accumulation=1, groups=groups)
    assert "torch_adam" not in offloaded["optimizer"]["params"]


def test_parts_that_the_model_lacks_are_named() -> None:
    class Model:
        lr_adapter = resampler = language_model = log_tau = 0
        classifier = None

    with pytest.raises(ValueError, match="does not have: classifier"):
        start_engine(Model(), recipe(), ALONE, accumulation=1)  # type: ignore[arg-type]
