"""The ``eeca`` command. Commands live one a file and hold no logic of their own.

A command's module is imported when the command is asked for, so `eeca --help` stays instant.
"""

from __future__ import annotations

import click

import mgld
from mgld.cli._lazy import LazyGroup

# command name -> ("module:attribute", one-line help)
COMMANDS: dict[str, tuple[str, str]] = {
    "recipes": ("eeca_ref.cli.recipes:recipes", "List the built-in recipes, or show one."),
    "check": ("eeca_ref.cli.check:check", "Look at all that a recipe needs, before training."),
    "audit": (
        "eeca_ref.cli.audit:audit",
        "A page of samples: what is supervised, where entities lie.",
    ),
    "train": ("eeca_ref.cli.train:train", "Train by a recipe, or go on where a run was."),
    "generate": ("eeca_ref.cli.generate:generate", "Ask a trained model about an image."),
    "export": ("eeca_ref.cli.export:export", "Write a model's adapters alone."),
    "nano": ("eeca_ref.cli.nano:nano", "Prepare what the preset `nano` trains on."),
}


@click.group(
    cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option("--local_rank", "--local-rank", type=int, hidden=True, expose_value=False)
@click.version_option(mgld.__version__, prog_name="eeca")
def main() -> None:
    """EECA: a vision-language model that learns landmarks by their entities.

    \b
    eeca train nano/stage1_pretrain --out runs/stage1
    torchrun --nproc_per_node 8 -m eeca_ref train paper/stage3_eeca --out runs/eeca
    deepspeed --module eeca_ref train paper/stage3_eeca --out runs/eeca

    A trained model answers the benchmark with `mgld answer --model eeca:FOLDER`. Exit codes: 0
    done, 1 failed, 2 wrong usage.
    """
    # Launchers that hand the local rank over as an option set LOCAL_RANK too: it is read there.
