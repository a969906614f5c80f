"""Which engine serves the "cuda" backend on the GPU that is there."""

from __future__ import annotations

import importlib.util
import os
import warnings

import torch

from mgld.scoring.distinct import DistinctNames
from mgld.scoring.engine import Engine

# Settings outside torch that make cuBLAS compute "float32" products in less than float32.
_REDUCED_PRECISION_SWITCHES = ("NVIDIA_TF32_OVERRIDE", "CUBLAS_EMULATE_SINGLE_PRECISION")
_OLDEST_FOR_TRITON = (8, 0)  # Ampere


def cuda_engine(names: DistinctNames) -> Engine:
    """Triton's float16 engine where it runs, else float32 products by cuBLAS.

    A torch that comes without Triton, as on Windows, is no fault; a Triton that is there and cannot
    be imported is warned of, as everything then takes longer than it need.

    ValueError without a CUDA device, or where the environment
    takes away the precision that the float32 products need.
    """
    if not torch.cuda.is_available():
        raise ValueError(
            "backend 'cuda': this torch finds no CUDA device; use backend 'cpu' or 'auto'"
        )
    for switch in _REDUCED_PRECISION_SWITCHES:
        if os.environ.get(switch, "0") != "0":
            raise ValueError(
                f"backend 'cuda': {switch} is set, which takes away the float32 precision that "
                "exact ranks rely on; unset it, or use backend 'cpu'"
            )
    new_enough = torch.cuda.get_device_capability() >= _OLDEST_FOR_TRITON
    if new_enough and importlib.util.find_spec("triton") is not None:
        try:
            from mgld.scoring.triton_engine import TritonEngine
        except ImportError as error:
            warnings.warn(
                f"Triton is installed but cannot be used ({error}): ranks are computed with "
                "float32 products, exactly the same but slower",
                RuntimeWarning,
                stacklevel=2,
            )
        else:
            return TritonEngine(names)
    from mgld.scoring.dense_engine import DenseEngine

    return DenseEngine(names, "cuda")
