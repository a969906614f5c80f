"""The dataset as Hugging Face users know it: Parquet with a card, loaded by name or folder.

`list_outputs` plans the files of a build's dataset, `write_output` makes one of them, `write_card`
describes them; `export_dataset` does all three. `load` reads a folder or a Hub repository.
"""

from __future__ import annotations

from mgld.hub.card import write_card
from mgld.hub.export import export_dataset, write_output
from mgld.hub.load import DEFAULT_REPO, load
from mgld.hub.outputs import OutputFile, config_files, list_outputs

__all__ = [
    "DEFAULT_REPO",
    "OutputFile",
    "config_files",
    "export_dataset",
    "list_outputs",
    "load",
    "write_card",
    "write_output",
]
