"""The command line answers at once: `mgld --help` imports no heavy library."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "faiss", "datasets", "openai", "open_clip", "transformers", "pyarrow", "numpy")
HEAVY += (
    "pandas",
    "matplotlib",
    "sklearn",
    "scipy",
    "PIL",
    "ray",
    "deepspeed",
    "pydantic",
    "huggingface_hub",
)

SCRIPT = """
import sys
from click.testing import CliRunner
from mgld.cli import main
result = CliRunner().invoke(main, sys.argv[1:])
assert result.exit_code == 0, result.output
print("\\n".join(sorted(sys.modules)))
"""


def _modules(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_help_imports_nothing_heavy() -> None:
    modules = _modules("--help")
    assert not modules & set(HEAVY)
    assert sum(m.startswith("mgld") for m in modules) <= 3


@pytest.mark.parametrize(
    "command",
    [
        "demo",
        "fetch",
        "world",
        "build",
        "plan",
        "annotate",
        "status",
        "verify",
        "subset",
        "score",
        "encoder",
        "report",
        "figures",
        "answer",
        "probe",
        "push",
        "grade",
        "compare",
        "judge",
        "submit",
        "leaderboard",
        "export",
    ],
)
def test_a_commands_help_imports_nothing_heavy(command: str) -> None:
    assert not _modules(command, "--help") & set(HEAVY)


def test_importing_mgld_imports_nothing_heavy() -> None:
    script = "import mgld, sys; mgld.__version__; print('\\n'.join(sys.modules))"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & set(HEAVY)
