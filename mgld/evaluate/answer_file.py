"""`answers.jsonl`: append-only, one answer a line, each written whole as it comes.

A process that is killed leaves at most one cut line at the end; it is dropped when the file is
opened again, and its draw is made again. One process writes at a time.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from mgld.evaluate.records import Answer, Decoding
from mgld.files import atomic_path
from mgld.schema import Record


class Setting(Record):
    """What all answers of a file have in common."""

    model: str
    prompt_version: str
    decoding: Decoding
    draws: int


class AnswerFile:
    """The answers of one run, open for appending; a context manager.

    Attributes: `path`; `dropped`, bytes of a cut last line that were dropped on opening.

    ValueError on opening: another process has it open, a line is no answer, or is one of another
    setting, question or draw, or is there twice. Nothing is changed then.
    """

    def __init__(self, path: Path, setting: Setting, question_ids: Collection[str]) -> None:
        from filelock import FileLock, Timeout

        self.path, self._setting = path, setting
        self._ids = frozenset(question_ids)
        self._draws: dict[str, set[int]] = {}
        self._counts: Counter[str] = Counter()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path.with_name(f"{path.name}.lock"), timeout=0)
        try:
            self._lock.acquire()
        except Timeout:
            raise ValueError(f"another process is writing {path}") from None
        try:
            self.dropped = self._take_in()
            self._file = path.open("ab", buffering=0)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Flush to disk, close and let others write."""
        # A pipe or a full disk cannot be flushed; what could be written is written.
        with suppress(OSError):
            os.fsync(self._file.fileno())
        self._file.close()
        self._lock.release()

    def done(self, question_id: str) -> frozenset[int]:
        """The draws of a question that are in the file, whatever their status."""
        return frozenset(self._draws.get(question_id, ()))

    def counts(self) -> dict[str, int]:
        """How many answers have each status."""
        return dict(self._counts)

    def __len__(self) -> int:
        return sum(self._counts.values())

    def add(self, answer: Answer) -> None:
        """Append one answer. ValueError: it is not of this run, or its draw is there already."""
        self._note(answer, f"an answer to {answer.question_id}, draw {answer.draw},")
        line = memoryview(_line(answer))
        while line:  # a write may take only part of it, e.g. on a disk that becomes full
            line = line[self._file.write(line) :]

    def drop_errors(self) -> int:
        """Take the answers of status "error" out, so that they are asked again; how many."""
        kept = [answer for answer in read_answers(self.path) if answer.status != "error"]
        removed = len(self) - len(kept)
        if removed:
            self._file.close()
            with atomic_path(self.path) as temporary:
                temporary.write_bytes(b"".join(map(_line, kept)))
            self._draws, self._counts = {}, Counter()
            for answer in kept:
                self._note(answer, "")
            self._file = self.path.open("ab", buffering=0)
        return removed

    def _take_in(self) -> int:
        """Read what is there; bytes of a cut last line that were taken off."""
        if not self.path.exists():
            return 0
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        for number, answer in _parse(self.path, data[:whole]):
            self._note(answer, f"line {number}")
        if whole < len(data):
            os.truncate(self.path, whole)
        return len(data) - whole

    def _note(self, answer: Answer, what: str) -> None:
        """Count an answer in; ValueError where it does not belong here."""
        setting = self._setting
        for name in ("model", "prompt_version", "decoding"):
            there, here = getattr(answer, name), getattr(setting, name)
            if there != here:
                raise ValueError(
                    f"{self.path}: {what} has {name} {_said(there)}, this run has {_said(here)}; "
                    "give another --out"
                )
        if answer.question_id not in self._ids:
            raise ValueError(f"{self.path}: {what} is about {answer.question_id!r}, not asked here")
        if not 0 <= answer.draw < setting.draws:
            raise ValueError(
                f"{self.path}: {what} is draw {answer.draw} of 0 to {setting.draws - 1}"
            )
        draws = self._draws.setdefault(answer.question_id, set())
        if answer.draw in draws:
            raise ValueError(
                f"{self.path}: {what} is a second draw {answer.draw} of {answer.question_id}"
            )
        draws.add(answer.draw)
        self._counts[answer.status] += 1


def read_answers(path: Path) -> list[Answer]:
    """All whole answers of a file in the order they came. ValueError names a line that is none."""
    data = path.read_bytes()
    return [answer for _, answer in _parse(path, data[: data.rfind(b"\n") + 1])]


def _parse(path: Path, data: bytes) -> Iterator[tuple[int, Answer]]:
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        try:
            yield number, Answer.model_validate_json(line)
        except ValidationError as error:
            raise ValueError(f"{path}: line {number} is no answer: {error}") from error


def _line(answer: Answer) -> bytes:
    return json.dumps(answer.model_dump(mode="json")).encode() + b"\n"


def _said(value: object) -> str:
    return value.model_dump_json() if isinstance(value, Record) else repr(value)
