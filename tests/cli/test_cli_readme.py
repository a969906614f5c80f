"""Every `mgld` command that the README prints can be typed as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from mgld.cli import main

README = Path(__file__).parents[2] / "README.md"
_BLOCK = re.compile(r"^```bash\n(.*?)^```", re.DOTALL | re.MULTILINE)


def commands() -> list[list[str]]:
    blocks = "\n".join(_BLOCK.findall(README.read_text(encoding="utf-8")))
    lines = blocks.replace("\\\n", " ").split("\n")
    words = [shlex.split(line, comments=True) for line in lines]
    return [each for each in words if each[:1] == ["mgld"]]


def test_all_are_found() -> None:
    names = {each[1] for each in commands()}
    assert {"build", "answer", "grade", "judge", "compare", "probe"} <= names


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_it_is_no_wrong_usage(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for word in words:  # so that what must exist does
        if word.startswith(("out/", "data/")):
            Path(word).mkdir(parents=True, exist_ok=True)
    command, left = main, words[1:]
    context = click.Context(main)
    while isinstance(command, click.Group):
        name, found, left = command.resolve_command(context, left)
        assert found is not None
        command, context = found, click.Context(found, context, info_name=name)
    # Parses, and raises where an option is missing or unknown; calls nothing.
    command.make_context(context.info_name, left)
