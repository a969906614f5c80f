"""The classes of the hierarchical loss (paper, Eq. 5): the labels that the data has, in order."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from eeca_ref.data.tokens import IGNORED
from mgld.files import write_text_atomically

LABELS_FILE = "hierarchical_labels.json"


class LabelVocabulary:
    """Labels and their class numbers, the position in `labels`.

    It belongs to the model, as its classifier's rows are in this order: saved with it, and read
    from there when training goes on.
    """

    def __init__(self, labels: Iterable[str]) -> None:
        self.labels = tuple(labels)
        self._number = {label: number for number, label in enumerate(self.labels)}
        if len(self._number) != len(self.labels):
            raise ValueError("a hierarchical label is listed twice")

    @classmethod
    def of(cls, labels: Iterable[str | None]) -> LabelVocabulary:
        """The vocabulary of data: its labels once each, sorted; None is no label."""
        return cls(sorted({label for label in labels if label is not None}))

    def __len__(self) -> int:
        return len(self.labels)

    def number(self, label: str | None) -> int:
        """The class of a label; IGNORED for None and for a label that is not in the vocabulary."""
        return IGNORED if label is None else self._number.get(label, IGNORED)

    def save(self, folder: Path) -> None:
        """Write `hierarchical_labels.json` into a model's folder."""
        text = json.dumps(self.labels, ensure_ascii=False, indent=0)
        write_text_atomically(folder / LABELS_FILE, text + "\n")

    @classmethod
    def load(cls, folder: Path) -> LabelVocabulary:
        """Read it from a model's folder. OSError: none there. ValueError: no list of texts"""
        labels = json.loads((folder / LABELS_FILE).read_text(encoding="utf-8"))
        if not isinstance(labels, list) or not all(isinstance(each, str) for each in labels):
            raise ValueError(f"{folder / LABELS_FILE} is no list of labels")
        return cls(labels)
