"""This process and the machine that it runs on."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from typing import Final

from benchmarks.nano.record import Machine

PACKAGES: Final = ("torch", "transformers", "deepspeed", "tokenizers", "numpy", "mgld")
"""Those whose versions can change a number."""


def settle(device: str | None) -> None:
    """One thread for this process and those it starts, so that two rows side by side take a core
    each and numbers do not depend on how many cores there are; and no GPU where none is asked for,
    as the trainer takes one that it finds."""
    os.environ["OMP_NUM_THREADS"] = "1"
    if device in (None, "cpu"):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import torch

    torch.set_num_threads(1)


def this_machine(device: str | None) -> Machine:
    """This machine, without its name."""
    import torch

    name = "cpu" if device in (None, "cpu") else torch.cuda.get_device_name(device)
    return Machine(
        architecture=platform.machine(),
        device=name,
        threads=torch.get_num_threads(),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        versions={"python": platform.python_version(), **versions()},
    )


def versions() -> dict[str, str]:
    """The installed versions of `PACKAGES`."""
    return {each: importlib.metadata.version(each) for each in PACKAGES}
