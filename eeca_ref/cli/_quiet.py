"""What libraries say at every start, and nobody can do anything about."""

from __future__ import annotations

import os


def quiet_transformers() -> None:
    """No reports of loading and no bars. What is missing from a checkpoint is refused elsewhere."""
    import logging as standard
    import warnings

    import torch
    from transformers.utils import logging

    if not torch.cuda.is_available():
        # transformers imports DeepSpeed where it is installed, which looks for an accelerator and
        # warns that there is none.
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
        standard.getLogger("torch.utils.cpp_extension").setLevel(standard.ERROR)
    # DeepSpeed calls what this torch would rather have called otherwise.
    warnings.filterwarnings("ignore", category=FutureWarning, module="torch.distributed")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
