"""transformers tells of each weight that it leaves out: what matters of that is an error here."""

from __future__ import annotations

import os


def quiet_transformers() -> None:
    """No reports of loading and no bars. What is missing from a checkpoint is refused elsewhere."""
    import torch
    from transformers.utils import logging

    if not torch.cuda.is_available():
        # transformers imports DeepSpeed where it is installed, which looks for an accelerator and
        # warns that there is none.
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
