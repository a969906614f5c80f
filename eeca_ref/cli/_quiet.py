"""transformers tells of each weight that it leaves out: what matters of that is an error here."""

from __future__ import annotations


def quiet_transformers() -> None:
    """No reports of loading and no bars. What is missing from a checkpoint is refused elsewhere."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
