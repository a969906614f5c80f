"""Reading what DeepSpeed writes with pickle, without running what such a file may hold.

DeepSpeed itself loads checkpoints with `weights_only=False`: a folder of a run that comes from
elsewhere could then run any code when it is resumed.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch


def safe_load(path: str | Path, map_location: Any = "cpu") -> Any:
    """`torch.load` of tensors, plain values and the classes that DeepSpeed adds to them.

    ValueError: the file holds something else, or is damaged.
    """
    from deepspeed.runtime.fp16.loss_scaler import LossScaler
    from deepspeed.runtime.zero.config import ZeroStageEnum
    from deepspeed.utils.tensor_fragment import fragment_address

    known = [LossScaler, ZeroStageEnum, fragment_address]
    try:
        with torch.serialization.safe_globals(known):
            return torch.load(path, map_location=map_location, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        said = str(error).splitlines()[0]
        raise ValueError(f"{path} cannot be resumed from: {said}") from error
