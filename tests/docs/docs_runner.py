"""`python docs_runner.py RESULTS [small]`: run every block that is to be run, in one process.

The working directory is where they write; the environment says which Hub there is. RESULTS gets a
JSON line per block: its name, whether it did what it should, and what it printed or raised. The
pages are read in the order in which they need one another; the README, whose names of folders the
guides use for other things, in a folder of its own that has the demo. `small`: with worlds that two
cores make in seconds, and the sizes of subsets that go with them; without it, as the pages have it.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docs_blocks import DOCS, README, Block, all_pages, blocks

FIRST = ("index", "guides/rebuild", "guides/load", "guides/score", "guides/evaluate")
SMALL = {
    "hds220": "hds6",
    "lcs220": "lcs6",
    "--landmarks 500": "--landmarks 12",
    "size=25": "size=5",
}
MORE = dict.fromkeys(("mgld demo", "mgld world", "mgld build"), "--workers 1")
"""Options that change nothing but the speed."""
DEMO = "--landmarks 12"


def in_order() -> list[Path]:
    first = [DOCS / f"{name}.md" for name in FIRST]
    return [*first, *(page for page in all_pages() if page not in first)]


@contextlib.contextmanager
def working_in(page: Path) -> Iterator[None]:
    """The folder in which a page's blocks run."""
    if page != README:
        yield
        return
    shutil.copytree("out/demo", "readme/out/demo")
    with contextlib.chdir("readme"):
        yield


def fitted(code: str, small: bool) -> str:
    """The code as it is run."""
    for command, options in MORE.items():
        code = code.replace(command, f"{command} {options}")
    if small:
        code = code.replace("mgld demo", f"mgld demo {DEMO}")
        for large, instead in SMALL.items():
            code = code.replace(large, instead)
    return code


def run(block: Block, small: bool, names: dict[str, Any]) -> str:
    """Run one block; returns what it printed. Raises where it fails."""
    code = fitted(block.code, small)
    if block.why.startswith("saved as "):
        Path(block.why.removeprefix("saved as ")).write_text(code, encoding="utf-8")
        return ""
    if block.language == "python":
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, block.name, "exec"), names)
        return printed.getvalue()
    if block.language != "bash":
        raise ValueError(f"a block of {block.language or 'no language'} cannot be run")
    shell = Block(block.page, block.line, block.language, code, block.how, block.why)
    return "".join(_command(words) for words in shell.commands())


def _command(words: list[str]) -> str:
    from click.testing import CliRunner

    import eeca_ref.cli
    import mgld.cli

    program = {"mgld": mgld.cli.main, "eeca": eeca_ref.cli.main}[words[0]]
    done = CliRunner().invoke(program, words[1:])
    if done.exit_code:
        error = "".join(traceback.format_exception(done.exception)) if done.exc_info else ""
        raise RuntimeError(f"{' '.join(words)}: exit code {done.exit_code}\n{done.output}\n{error}")
    return done.output


def main() -> None:
    results, small = Path(sys.argv[1]), sys.argv[2:] == ["small"]
    with results.open("w", encoding="utf-8") as file:
        for page in in_order():
            names: dict[str, Any] = {"__name__": page.stem}
            with working_in(page):
                for block in blocks(page):
                    if block.how != "run":
                        continue
                    try:
                        said, ok = run(block, small, names), True
                    except Exception:
                        said, ok = traceback.format_exc(), False
                    file.write(json.dumps({"name": block.name, "ok": ok, "said": said}) + "\n")
                    file.flush()


if __name__ == "__main__":
    main()
