"""The items of a JSON file that is one long array, one at a time: memory of one chunk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

CHUNK_CHARACTERS = 1 << 20
BLANK = " \t\r\n"
AFTER = frozenset(",]" + BLANK)


def iter_json_array(path: Path) -> Iterator[Any]:
    """Yield the items of the array in `path` (UTF-8, a BOM is passed over).

    `json.load` of LLaVA's 665k mix needs several gigabytes; this needs a few megabytes, more only
    for an item that is larger itself.

    ValueError: not an array, or broken JSON, with the number of the item. OSError: no such file.
    """
    with path.open(encoding="utf-8-sig") as file:
        window = _Window(file, path)
        if window.take() != "[":
            raise ValueError(f"{path} is not a JSON array")
        if window.peek() == "]":
            return
        number = 0
        while True:
            yield window.item(number)
            mark = window.take()
            if mark == "]":
                return
            if mark != ",":
                raise ValueError(f"{path}: no comma and no end after item {number}")
            number += 1


class _Window:
    """The part of the file that is looked at: `text` from `at` on."""

    def __init__(self, file: TextIO, path: Path) -> None:
        self.file = file
        self.path = path
        self.text = ""
        self.at = 0
        self.decoder = json.JSONDecoder()

    def more(self) -> bool:
        """Read on; False at the end of the file."""
        rest = self.text[self.at :]
        # As much again as is there: an item of n characters is tried log n times, not n.
        chunk = self.file.read(max(CHUNK_CHARACTERS, len(rest)))
        self.text, self.at = rest + chunk, 0
        return bool(chunk)

    def peek(self) -> str:
        """The next character that is not blank, "" at the end of the file."""
        while True:
            while self.at < len(self.text):
                if self.text[self.at] not in BLANK:
                    return self.text[self.at]
                self.at += 1
            if not self.more():
                return ""

    def take(self) -> str:
        """The same, and step over it."""
        mark = self.peek()
        self.at += 1
        return mark

    def item(self, number: int) -> Any:
        """The next item, which the caller calls number `number`."""
        self.peek()
        while True:
            try:
                item, end = self.decoder.raw_decode(self.text, self.at)
            except (json.JSONDecodeError, RecursionError) as error:
                if not self.more():
                    raise ValueError(f"{self.path}: item {number} is broken JSON") from error
                continue
            # A number may go on in the next chunk: 5 and 5. are the fronts of 5.5.
            whole = isinstance(item, dict | list | str) or self.text[end : end + 1] in AFTER
            if whole or not self.more():
                break
        self.at = end
        return item
