"""Whether a command that a page prints is right usage, without running it."""

from __future__ import annotations

import re
from pathlib import Path

import click
from docs_blocks import ROOT

NOT_OURS = {
    "cd",
    "ray",
    "export",
    "pip",
    "hf",
    "source",
    "python",
    "inspect",
    "lmms-eval",
    "accelerate",
}
"""Programs whose usage is not ours to check."""


def wrong_usage(words: list[str], folder: Path) -> str:
    """What is wrong with a command, "" if nothing: `folder` is where paths it names would lie."""
    words = words[next(n for n, word in enumerate(words) if "=" not in word) :]  # NAME=VALUE before
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        return "" if set(words[1:]) <= set(targets) else f"no target {words[1:]}"
    if words[0] == "python" and words[1] == "-m" and words[2].startswith("benchmarks."):
        there = (ROOT / f"{words[2].replace('.', '/')}.py").is_file()
        return "" if there else f"no module {words[2]}"
    if words[0] in ("torchrun", "deepspeed"):
        at = next((n for n, word in enumerate(words) if word == "eeca_ref"), 0)
        if words[at - 1] not in ("-m", "--module"):
            return "starts nothing of ours"
        words = ["eeca", *words[at + 1 :]]
    if words[0] in ("mgld", "eeca"):
        return _of_ours(words, folder)
    return "" if words[0] in NOT_OURS else f"unknown program {words[0]}"


def _of_ours(words: list[str], folder: Path) -> str:
    import eeca_ref.cli
    import mgld.cli

    command: click.Command = {"mgld": mgld.cli.main, "eeca": eeca_ref.cli.main}[words[0]]
    for word in words[1:]:  # what must exist does
        if word.startswith(("out/", "data/", "runs/")):
            (folder / word).mkdir(parents=True, exist_ok=True)
        elif re.fullmatch(r"\w+\.(jpg|yaml|jsonl)", word):
            (folder / word).touch()
    context, left = click.Context(command), words[1:]
    try:
        while isinstance(command, click.Group) and left and not left[0].startswith("-"):
            name, found, left = command.resolve_command(context, left)
            assert found is not None
            command, context = found, click.Context(found, context, info_name=name)
        command.make_context(context.info_name, left)  # parses, and calls nothing
    except click.exceptions.Exit:  # --help
        return ""
    except click.ClickException as error:
        return error.format_message()
    return ""
