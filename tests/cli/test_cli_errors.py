"""Exit codes: 0 done, 1 failed with one line that says what to do, 2 wrong usage."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mgld.cli import COMMANDS, main
from mgld.cli._errors import user_errors


def test_every_listed_command_exists() -> None:
    for command in COMMANDS:
        result = CliRunner().invoke(main, [command, "--help"])
        assert result.exit_code == 0, (command, result.output)


def test_unknown_command_is_wrong_usage() -> None:
    assert CliRunner().invoke(main, ["nonsense"]).exit_code == 2


@pytest.mark.parametrize("command", [["status"], ["verify"], ["report"]])
def test_a_folder_that_is_no_build_fails_in_one_line(command: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(main, [*command, str(tmp_path)])
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert "Traceback" not in result.output
    assert str(tmp_path) in result.output


def test_a_broken_pipe_that_is_not_our_output_is_an_error() -> None:
    @click.command()
    @user_errors
    def command() -> None:
        raise BrokenPipeError("a worker went away")

    result = CliRunner().invoke(command)
    assert (result.exit_code, result.output) == (1, "Error: a worker went away\n")
