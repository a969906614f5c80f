"""The wheel with its base dependencies alone: what works, and what says which extra it needs."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
from package_alone import run

import mgld

EXTRAS = ("deepspeed", "mkdocs", "mypy", "playwright", "pytest", "ray", "tensorboard")


def test_it_is_the_wheel_and_nothing_more(alone: Path, tmp_path: Path) -> None:
    script = (
        "import importlib.util, mgld;"
        f"print([n for n in {EXTRAS!r} if importlib.util.find_spec(n)]);"
        "print(mgld.__file__); print(mgld.__version__)"
    )
    done = run(alone / "python", "-W", "error", "-c", script, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    visible, file, found = done.stdout.splitlines()
    assert visible == "[]"
    assert Path(file).is_relative_to(alone.parent)
    assert found == mgld.__version__


def test_importing_warns_of_nothing(alone: Path, tmp_path: Path) -> None:
    done = run(alone / "python", "-W", "error", "-c", "import mgld, eeca_ref", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("program", ["mgld", "eeca"])
def test_help_and_version(alone: Path, tmp_path: Path, program: str) -> None:
    shown = run(alone / program, "--help", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "Usage:" in shown.stdout
    assert version("mgld") in run(alone / program, "--version", cwd=tmp_path).stdout


def test_the_demo_runs(alone: Path, tmp_path: Path) -> None:
    done = run(alone / "mgld", "demo", "--landmarks", "16", "--workers", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "out/demo/report.html" in done.stdout
    for page in ("report.html", "evaluation/report.html", "probe/report.html"):
        assert (tmp_path / "out" / "demo" / page).stat().st_size > 10_000


def test_training_says_which_extra_it_needs(alone: Path, tmp_path: Path) -> None:
    done = run(alone / "eeca", "train", "nano/stage1_pretrain", cwd=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "deepspeed is not installed: install mgld with its extra `train`" in done.stderr
    assert "Traceback" not in done.stderr
