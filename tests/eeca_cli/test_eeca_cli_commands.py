"""The program `eeca`: what it imports, what it prints, how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from eeca_cli_recipe import write_llava, write_parts, write_recipe

from eeca_ref.cli import COMMANDS, main
from eeca_ref.recipes import load_recipe, recipe_names

HEAVY = {"torch", "transformers", "deepspeed", "numpy", "pyarrow", "PIL", "datasets", "pydantic"}
HEAVY |= {"jinja2", "yaml", "openai", "faiss", "huggingface_hub", "tokenizers", "safetensors"}
SCRIPT = """
import sys
from click.testing import CliRunner
from eeca_ref.cli import main
result = CliRunner().invoke(main, sys.argv[1:])
assert result.exit_code == 0, result.output
print("\\n".join(sorted(sys.modules)))
"""


def eeca(*arguments: Any, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(main, [str(each) for each in arguments])


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    return write_recipe(
        folder / "tiny.yaml", write_parts(folder), write_llava(folder / "data"), format="plain"
    )


@pytest.mark.parametrize("command", [(), *((each,) for each in COMMANDS)])
def test_help_imports_nothing_heavy(command: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    modules = set(done.stdout.split())
    assert not modules & HEAVY
    if not command:
        assert {each for each in modules if each.startswith("eeca_ref")} == {
            "eeca_ref",
            "eeca_ref.cli",
        }


def test_wrong_usage() -> None:
    assert eeca("nonsense").exit_code == 2
    assert eeca("train").exit_code == 2
    assert eeca("generate", "x").exit_code == 2


def test_a_launchers_local_rank_is_taken() -> None:
    for option in ("--local_rank=1", "--local-rank=1"):
        assert eeca(option, "recipes", "list", "nano").exit_code == 0


def test_all_recipes_are_listed() -> None:
    every = eeca("recipes")
    assert [line.split()[0] for line in every.stdout.splitlines()] == recipe_names()
    assert eeca("recipes", "list").stdout == every.stdout
    nano = json.loads(eeca("recipes", "list", "nano", "--json").stdout)
    assert list(nano) == recipe_names("nano") and all(nano.values())
    wrong = eeca("recipes", "list", "huge")
    assert wrong.exit_code == 1 and wrong.output.startswith("Error: there is no preset 'huge'")


@pytest.mark.parametrize("name", ["paper/stage1_pretrain", "nano/stage3_eeca"])
def test_a_recipe_that_is_shown_is_one_that_is_taken(name: str, tmp_path: Path) -> None:
    shown = eeca("recipes", "show", name, "--set", "optim.lr=3e-4")
    assert shown.exit_code == 0, shown.output
    (tmp_path / "mine.yaml").write_text(shown.stdout)
    again = load_recipe(str(tmp_path / "mine.yaml"))
    assert again == load_recipe(name, ["optim.lr=3e-4"]) and again.optim.lr == 3e-4
    as_json = eeca("recipes", "show", name, "--set", "optim.lr=3e-4", "--json")
    assert json.loads(as_json.stdout) == yaml.safe_load(shown.stdout)


@pytest.mark.parametrize("command", ["train", "check", "audit"])
def test_no_such_recipe_is_one_line(command: str) -> None:
    done = eeca(command, "nano/stage9")
    assert done.exit_code == 1
    assert done.output.startswith("Error: there is no recipe 'nano/stage9'")
    assert "Traceback" not in done.output
    other = eeca(command, "nano/stage9", RANK="3")
    assert other.exit_code == 1 and other.output.startswith("Error: [rank 3] there is no recipe")
    wrong = eeca(command, "nano/stage3_eeca", "--set", "optim.speed=3")
    assert wrong.exit_code == 1 and "speed" in wrong.output


def test_check(recipe_file: Path) -> None:
    done = eeca("check", recipe_file)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == "ready to train"
    facts = json.loads(eeca("check", recipe_file, "--json").stdout)
    assert facts["ok"] and facts["recipe"] == "tiny" and facts["counts"]["rows"] == 7
    bad = eeca("check", recipe_file, "--set", "model.vision=nowhere/at/all", "--json")
    assert bad.exit_code == 1
    assert not json.loads(bad.stdout)["ok"] and "nowhere" in json.loads(bad.stdout)["problems"][0]
    divides = eeca("check", recipe_file, "--processes", "3")
    assert divides.exit_code == 1 and "does not divide among 3 processes" in divides.output


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """`train` is only asked, not done: (recipe, out, resume) of each call."""
    from eeca_ref.training import run

    calls: list[Any] = []

    def train(recipe: Any, out: Path, *, resume: bool) -> Any:
        calls.append((recipe, out, resume))
        print("step 1")
        return run.TrainResult(out / "model", 3, validation={"loss": 1.5})

    monkeypatch.setattr(run, "train", train)
    return calls


def test_train_says_where_the_model_is(recipe_file: Path, trained: list[Any]) -> None:
    done = eeca("train", recipe_file, "--set", "optim.max_steps=3")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        "step 1",
        "model: out/tiny/model",
        "validation loss: 1.5000",
        "next: `mgld answer --model eeca:out/tiny --data DATA --out RUN`",
    ]
    eeca("train", recipe_file, "--out", "runs/a", "--fresh")
    (first, out, resume), second = trained
    assert (first.optim.max_steps, out, resume) == (3, Path("out/tiny"), True)
    assert second[1:] == (Path("runs/a"), False)


def test_other_processes_are_silent(recipe_file: Path, trained: list[Any]) -> None:
    done = eeca("train", recipe_file, RANK="1", WORLD_SIZE="2", LOCAL_RANK="1")
    assert (done.exit_code, done.output, len(trained)) == (0, "", 1)


def test_a_loss_that_is_no_number_is_one_line(
    recipe_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eeca_ref.training import run
    from eeca_ref.training.step import NonFiniteError

    def train(*_: Any, **__: Any) -> None:
        raise NonFiniteError("the loss", ["r1", "r2"])

    monkeypatch.setattr(run, "train", train)
    done = eeca("train", recipe_file)
    assert done.exit_code == 1
    assert done.output == "Error: the loss is not finite; samples: r1, r2\n"
    monkeypatch.setattr(run, "train", lambda *_, **__: 1 / 0)
    assert isinstance(eeca("train", recipe_file).exception, ZeroDivisionError)


def test_nano_wants_a_build(tmp_path: Path) -> None:
    done = eeca("nano", tmp_path, "--out", tmp_path / "parts")
    assert done.exit_code == 1 and done.output.startswith("Error: ")
    assert str(tmp_path) in done.output


LAUNCHERS = {
    "alone": ["-m", "eeca_ref"],
    "torchrun": ["-m", "torch.distributed.run", "--nproc_per_node", "2", "-m", "eeca_ref"],
    "deepspeed": ["-m", "deepspeed.launcher.runner", "--num_gpus", "2", "--module", "eeca_ref"],
}


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_every_launcher_trains(
    launcher: str, recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real engine, and what is trained answers."""
    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    settings = ["--set", "optim.micro_batch=1", "--out", str(tmp_path / "run")]
    command = [sys.executable, *LAUNCHERS[launcher], "train", str(recipe_file), *settings]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"model: {tmp_path}/run/model") == 1
    photo = next(iter((recipe_file.parent / "data" / "images").iterdir()))
    asked = eeca("generate", tmp_path / "run", "--image", photo, "--draws", "2", "--json")
    assert asked.exit_code == 0, asked.output
    assert json.loads(asked.stdout.splitlines()[0])["model"] == "eeca:run"
