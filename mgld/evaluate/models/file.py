"""`file:ANSWERS.jsonl`: answers that were made elsewhere.

One JSON object a line: `{"question_id": "...", "draw": 0, "text": "..."}`; draws count from 0. A
draw that failed there is a line with `"status": "error"` or `"refused"` and a `"reason"`.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from mgld.evaluate.models.base import Asked, OnAnswer
from mgld.files import sha256_file
from mgld.schema import Record


class FileAnswer(Record):
    """One line of the file."""

    question_id: str
    draw: int = Field(ge=0, strict=True)
    text: str = ""
    status: Literal["ok", "error", "refused"] = "ok"
    reason: str = ""


class FileModel:
    """A file of answers as a model; see `Model`. FileNotFoundError: there is no such file."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        if not self._path.is_file():
            raise FileNotFoundError(f"there is no file {path}")

    @property
    def id(self) -> str:
        """`file:` and the file's name."""
        return f"file:{self._path.name}"

    def identity(self) -> dict[str, Any]:
        """The file's hash."""
        return {"sha256": sha256_file(self._path)}

    def answer(self, asked: Sequence[Asked], on_answer: OnAnswer) -> None:
        """Take the wanted draws from the file; those that it does not have are left out.

        ValueError: a line is no answer, is about no question of the run, or there twice. Nothing is
        taken then.
        """
        found = self._read({each.question.id: each.of for each in asked})
        for each in asked:
            for draw in each.draws:
                line = found.get((each.question.id, draw))
                if line is not None:
                    on_answer(
                        each.answer(
                            draw,
                            line.text,
                            model=self.id,
                            status=line.status,
                            reason=line.reason,
                        )
                    )

    def _read(self, of: dict[str, int]) -> dict[tuple[str, int], FileAnswer]:
        lines: dict[tuple[str, int], FileAnswer] = {}
        wrong: Counter[str] = Counter()
        first: dict[str, str] = {}

        def count(kind: str, number: int, what: str) -> None:
            wrong[kind] += 1
            first.setdefault(kind, f"line {number}: {what}")

        # Windows programs begin UTF-8 with a mark, which is no part of the first line.
        data = self._path.read_bytes().removeprefix(BOM_UTF8).removesuffix(b"\n")
        for number, text in enumerate(data.split(b"\n") if data else (), 1):
            try:
                line = FileAnswer.model_validate_json(text)
            except ValidationError as error:
                problem = error.errors()[0]
                where = ".".join(map(str, problem["loc"]))
                count("no answer", number, f"{where} {problem['msg']}".strip())
                continue
            key = (line.question_id, line.draw)
            if line.question_id not in of:
                count("about no question of this split", number, line.question_id)
            elif line.draw >= of[line.question_id]:
                count(f"beyond the {of[line.question_id]} draws asked for", number, str(line.draw))
            elif key in lines:
                count("a second time", number, f"{line.question_id}, draw {line.draw}")
            lines[key] = line
        if wrong:
            parts = [f"{many:,} are {kind} ({first[kind]})" for kind, many in wrong.items()]
            raise ValueError(f"{self._path}, of its lines " + "; ".join(parts))
        return lines
