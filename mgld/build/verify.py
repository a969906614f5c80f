"""Checking a build: every output against the manifest, and a rebuild against the build."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal

from mgld.build.config import BuildConfig
from mgld.build.driver import build_dataset
from mgld.build.manifest import FileEntry
from mgld.build.progress import Progress, SilentProgress
from mgld.build.read import BuildView
from mgld.files import sha256_file
from mgld.schema import Record

Problem = Literal["missing", "changed", "not in the manifest", "differs in the rebuild"]


class BadFile(Record):
    """A file that is not what it should be."""

    file: str
    problem: Problem


class Verification(Record):
    """`files` were checked; `ok` if none is `bad`. `rebuilt`: whether a rebuild was compared."""

    ok: bool
    files: int
    rebuilt: bool
    bad: list[BadFile]
    notes: list[str]


def verify_build(
    root: str | Path,
    *,
    rebuild: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
) -> Verification:
    """Hash every output of a build and compare; with `rebuild`, build it anew and compare too.

    The rebuild goes into a temporary folder beside the build and needs as much space. A model's
    replies come from the build's ledger; none is asked for anew.

    FileNotFoundError where `root` is no build, ValueError where nothing is built in it yet.
    """
    view = BuildView(root)
    progress = progress or SilentProgress()
    expected = view.manifest.files()
    if not expected:
        raise ValueError(f"{view.root}: nothing built yet; `mgld build --out {view.root}` goes on")
    bad = _check(view.root, expected, progress)
    notes = []
    if rebuild:
        parent = view.root.absolute().parent
        with tempfile.TemporaryDirectory(prefix=".mgld-rebuild-", dir=parent) as folder:
            again = build_dataset(
                _from_the_same_replies(view),
                Path(folder) / "build",
                workers=workers,
                progress=progress,
                send=False,
            )
        found = again.files()
        bad += [
            BadFile(file=path, problem="differs in the rebuild")
            for path in sorted(expected.keys() | found.keys())
            if expected.get(path) != found.get(path)
        ]
        if again.environments.keys() != view.manifest.environments.keys():
            notes.append(
                "the build was made with other versions or on another machine type than the "
                "rebuild; vectors are only reproducible on the same ones"
            )
    return Verification(ok=not bad, files=len(expected), rebuilt=rebuild, bad=bad, notes=notes)


def _from_the_same_replies(view: BuildView) -> BuildConfig:
    """The build's configuration, with its ledger named for a build in another folder."""
    if view.config.model is None:
        return view.config
    ledger = view.config.ledger_path(view.root.absolute())
    return view.config.model_copy(update={"ledger": str(ledger)})


def _check(root: Path, expected: dict[str, FileEntry], progress: Progress) -> list[BadFile]:
    bad = []
    stages = {path.partition("/")[0] for path in expected}
    progress.start("verify", len(expected), len(expected))
    for path, entry in sorted(expected.items()):
        file = root / path
        if not file.is_file():
            bad.append(BadFile(file=path, problem="missing"))
        elif file.stat().st_size != entry.bytes or sha256_file(file) != entry.sha256:
            bad.append(BadFile(file=path, problem="changed"))
        progress.shard()
    for stage in sorted(stages):
        for file in sorted((root / stage).rglob("*.parquet")):
            path = file.relative_to(root).as_posix()
            if path not in expected:
                bad.append(BadFile(file=path, problem="not in the manifest"))
    progress.end()
    return bad
