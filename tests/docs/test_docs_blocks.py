"""Every code block of README.md and docs/ is run, or at least right usage; each says which."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from docs_blocks import Block, all_pages, blocks
from docs_commands import wrong_usage
from docs_runner import run
from hub_server import HubServer

ALL = [block for page in all_pages() for block in blocks(page)]
READ = [block for block in ALL if block.how == "parse"]
TAKES_SUBMISSIONS = "OWNER/SUBMISSIONS"


def test_every_block_says_how_it_is_tested() -> None:
    """See docs_blocks.py for what to write in the line before a block."""
    silent = [block.name for block in ALL if not block.how]
    assert silent == [], "write <!-- test: ... --> in the line before: see docs_blocks.py"
    assert [block.name for block in ALL if block.how in ("parse", "none") and not block.why] == []
    code = ("bash", "python", "yaml", "json", "toml")
    assert [block.name for block in ALL if block.how == "none" and block.language in code] == []


def test_the_guides_have_blocks_of_both_kinds() -> None:
    run = {block.page for block in ALL if block.how == "run"}
    assert {f"guides/{name}.md" for name in ("load", "score", "evaluate", "submit")} <= run
    assert {"guides/rebuild.md", "guides/train.md"} <= run
    assert "README.md" in run
    assert len(READ) >= 8


def test_the_readme_shows_the_programs() -> None:
    of_readme = [block for block in ALL if block.page == "README.md" and block.language == "bash"]
    words = [words for block in of_readme for words in block.commands()]
    names = {each[1] for each in words if each[0] == "mgld"}
    assert {"build", "answer", "grade", "judge", "compare", "probe", "push", "submit"} <= names


@pytest.mark.parametrize("block", READ, ids=lambda block: block.name)
def test_what_is_not_run_is_right_usage(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if block.language == "bash":
        wrong = [(words, wrong_usage(words, tmp_path)) for words in block.commands()]
        assert [each for each in wrong if each[1]] == []
        assert wrong
    elif block.language == "python":
        ast.parse(block.code)
    elif block.language in ("yaml", "json"):  # JSON is YAML
        assert yaml.safe_load(block.code)
    else:
        pytest.fail(f"a block of {block.language!r} can neither be run nor read: say none")


def test_wrong_usage_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert wrong_usage(["mgld", "build", "--sourc", "out/world", "--out", "out/b"], tmp_path)
    assert wrong_usage(["mgld", "buidl"], tmp_path)
    assert wrong_usage(["eeca", "train"], tmp_path)
    assert wrong_usage(["torchrun", "-m", "eeca_ref", "trian", "a"], tmp_path)
    assert wrong_usage(["make", "everything"], tmp_path)
    assert wrong_usage(["rm", "-r", "out"], tmp_path)
    assert not wrong_usage(["mgld", "verify", "out/demo"], tmp_path)


def ran(folder: Path, *size: str) -> list[dict[str, str | bool]]:
    """What became of each block that is to be run; the Hub is one on loopback."""
    results = folder / "results.jsonl"
    runner = Path(__file__).with_name("docs_runner.py")
    with HubServer() as hub:
        hub.create(TAKES_SUBMISSIONS, "dataset")
        command = [sys.executable, str(runner), str(results), *size]
        done = subprocess.run(
            command,
            cwd=folder,
            env=hub.env(folder / "hf"),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in results.read_text("utf-8").splitlines()]


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("python", "import mgld\nassert mgld.load is None"),
        ("bash", "mgld status out/nothing"),
        ("bash", "ls"),
        ("text", "nothing to run"),
    ],
)
def test_a_block_that_fails_is_found(language: str, code: str, tmp_path: Path) -> None:
    block = Block("guides/x.md", 1, language, code, "run", "")
    with pytest.raises((AssertionError, RuntimeError, KeyError, ValueError)):
        run(block, small=True, names={})


def _check(results: list[dict[str, str | bool]]) -> None:
    failed = [each for each in results if not each["ok"]]
    assert not failed, "\n\n".join(f"{each['name']}:\n{each['said']}" for each in failed)
    wanted = {block.name for block in ALL if block.how == "run"}
    assert {each["name"] for each in results} == wanted


def test_what_is_to_be_run_runs(tmp_path: Path) -> None:
    _check(ran(tmp_path, "small"))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_what_is_to_be_run_runs_in_full_size(tmp_path: Path) -> None:
    _check(ran(tmp_path))
