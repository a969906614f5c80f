"""The dataset as Hugging Face users know it: Parquet with a card, loaded by name or folder.

`list_outputs` plans the files of a build's dataset, `write_output` makes one of them, `write_card`
describes them; `export_dataset` does all three. `load` reads a folder or a Hub repository;
`push_dataset` publishes a build there and `verify_repo` checks what is published.
"""

from __future__ import annotations

from mgld.hub.card import write_card
from mgld.hub.export import export_dataset, write_output
from mgld.hub.load import DEFAULT_REPO, load
from mgld.hub.outputs import OutputFile, config_files, list_outputs
from mgld.hub.push import Pushed, push_dataset
from mgld.hub.verify_repo import BadRepoFile, RepoVerification, verify_repo

__all__ = [
    "DEFAULT_REPO",
    "BadRepoFile",
    "OutputFile",
    "Pushed",
    "RepoVerification",
    "config_files",
    "export_dataset",
    "list_outputs",
    "load",
    "push_dataset",
    "verify_repo",
    "write_card",
    "write_output",
]
