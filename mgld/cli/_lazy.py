"""A group of commands of which only the one that is asked for is imported."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """A click group that imports a command's module only when that command runs.

    Args:
        table: command name -> ("module:attribute", one-line help), in the order a newcomer meets
            them. The help stands here so that listing the commands imports none of them.
        more: click's.
    """

    def __init__(self, *, table: Mapping[str, tuple[str, str]], **more: Any) -> None:
        super().__init__(**more)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the table's order."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in self.table:
            return None
        module, attribute = self.table[cmd_name][0].split(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in self.table.items()])
