"""Slow proofs: kills from outside at any moment, several machines, the deepspeed launcher."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from training_tiny import environment, free_port, launch, prepare, recipe, started, weights_hash

from eeca_ref.training.log import read_log

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
KILLS = 6
LONG = {
    "optim__epochs": 6,
    "data__validation": 8,
    "data__workers": 2,
    "keep__every": 1,
    "optim__micro_batch": 4,
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kills")
    prepare(folder / "parts")
    return folder


def lines(out: Path) -> int:
    log = out / "log.jsonl"
    return log.read_text().count("\n") if log.exists() else 0


def test_killed_at_any_moment(base: Path) -> None:
    """With a checkpoint at every step, so that most kills come while one is written."""
    made = recipe(base / "parts", **LONG)
    jobs = {"run": ("train", {"out": str(base / "whole"), "recipe": made})}
    whole = launch(base / "a", alone=jobs)["alone"]["run"]
    out, drawn = base / "killed", random.Random(5)
    jobs = {"run": ("train", {"out": str(out), "recipe": made})}
    kills = 0
    for _ in range(KILLS):
        process = started(base / "b", alone=jobs)
        goal = lines(out) + drawn.randrange(1, 14)
        while process.poll() is None and lines(out) < goal:
            time.sleep(0.02)
        time.sleep(drawn.random() * 0.3)
        if process.poll() is None:
            process.kill()
            kills += 1
        process.communicate()
    assert kills >= KILLS - 2
    resumed = launch(base / "b", alone=jobs)["alone"]["run"]
    assert resumed["log"] == whole["log"]
    assert resumed["weights"] == whole["weights"]


def test_other_launchers_start_the_same_run(base: Path) -> None:
    """The deepspeed launcher, and torchrun once on each of two machines: the same bits."""
    made = recipe(base / "parts", optim__micro_batch=4)
    (base / "recipe.yaml").write_text(yaml.safe_dump(made))
    port = str(free_port())
    launchers = {
        "torchrun": [["torch.distributed.run", "--nproc_per_node=2", f"--master_port={port}"]],
        "deepspeed": [
            ["deepspeed.launcher.runner", "--num_gpus=2", f"--master_port={port}", "--module"]
        ],
        "machines": [
            [
                "torch.distributed.run",
                "--nnodes=2",
                f"--node_rank={rank}",
                "--nproc_per_node=1",
                "--master_addr=127.0.0.1",
                f"--master_port={port}",
            ]
            for rank in range(2)
        ],
    }
    seen = {}
    for name, programs in launchers.items():
        out = base / name
        processes = []
        for program in programs:
            call = ["-m", "eeca_ref"] if "torch" in program[0] else ["eeca_ref"]
            call += ["train", str(base / "recipe.yaml"), "--out", str(out)]
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", *program, *call],
                    env=environment(base / "c"),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
        printed = [process.communicate()[0] for process in processes]
        assert all(process.returncode == 0 for process in processes), printed
        log = read_log(out / "log.jsonl", times=False)
        seen[name] = (json.dumps(log), weights_hash(out / "model"))
    assert seen["torchrun"] == seen["deepspeed"] == seen["machines"]


def test_compiled_layers_give_the_same_losses(base: Path) -> None:
    jobs = {
        name: (
            "train",
            {"out": str(base / name), "recipe": recipe(base / "parts", engine__compile=compiled)},
        )
        for name, compiled in (("eager", False), ("compiled", True))
    }
    made = launch(base / "d", alone=jobs)["alone"]
    assert made["compiled"]["losses"] == pytest.approx(made["eager"]["losses"], rel=1e-5)
