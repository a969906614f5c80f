"""Which dataset the task is of: `PATH` and `KWARGS`, made anew each time that they are read.

The harness takes a dataset's path as a fixed text of `mgld.yaml`; its `!function` reads any
attribute of a module, so the environment can say it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from mgld.evaluate.records import DRAWS
from mgld.hub.load import dataset_folder, load

REPO, REVISION = "MGLD_REPO", "MGLD_REVISION"
"""Environment variables: a Hub id or a folder; a tag or commit of the Hub id."""


def __getattr__(name: str) -> Any:
    if name == "PATH":
        return dataset_path()
    if name == "KWARGS":
        return dataset_kwargs()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def dataset_path() -> str:
    """The dataset's folder or Hub id, after a look into it: the harness would try five times.

    FileNotFoundError, ConnectionError: as `mgld.load`. ValueError: no dataset is named, it has no
    config `eval`, or the harness was asked for another number of draws than five.
    """
    _require_five_draws()
    source = os.environ.get(REPO, "").strip()
    if not source:
        raise ValueError(f"which dataset? set {REPO} to a Hub id, or to a build or dataset folder")
    load(source, "eval", **dataset_kwargs())
    folder = Path(source).expanduser()
    return str(dataset_folder(folder)) if folder.is_dir() else source


def dataset_kwargs() -> dict[str, str]:
    """What `datasets.load_dataset` is told besides."""
    revision = os.environ.get(REVISION, "").strip()
    return {"revision": revision} if revision else {}


def _require_five_draws() -> None:
    """ValueError where the harness was called with `--repeats`, and not with five.

    It tells a task so only when all draws are made (`FiveDraws`), which may be days later; until
    then it stands nowhere but in the call that is loading the task. 1, the default, means five.
    """
    frame = sys._getframe()
    while frame.f_code.co_name != "simple_evaluate":
        if frame.f_back is None:
            return
        frame = frame.f_back
    repeats = frame.f_locals.get("repeats", 1)
    if repeats not in (1, DRAWS):
        raise ValueError(
            f"a level is said of {DRAWS} draws, not of {repeats}: leave --repeats out, the task "
            f"asks for {DRAWS}"
        )
