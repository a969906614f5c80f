"""`verdicts-<judge>.jsonl`: append-only, one verdict a line, of one judge with one prompt hash.

A process that is killed leaves at most one cut line at the end, which is dropped when the file is
opened again. A question that is judged again has a later line, and the last one counts. Verdicts of
the same judge by other prompts are kept aside, under `verdicts-<judge>-<prompt hash>.jsonl`.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from mgld.evaluate.graded import read_rows
from mgld.evaluate.records import Judged

MAX_SLUG: Final = 100


def judge_slug(judge_id: str) -> str:
    """A judge's id as a part of a file's name: `openai:gpt-4.1:strict` -> `openai-gpt-4.1-strict`.

    Long ones are cut and end in a hash of the id.
    """
    slug = re.sub(r"[^\w.+-]+", "-", judge_id.replace(",", "+"), flags=re.ASCII).strip("-.")
    if len(slug) <= MAX_SLUG:
        return slug
    return f"{slug[: MAX_SLUG - 9]}-{hashlib.sha256(judge_id.encode()).hexdigest()[:8]}"


class VerdictFile:
    """The verdicts of one judge on one run, open for appending; a context manager.

    ValueError on opening: another process has it open, a line is no verdict, or is another judge's.
    """

    def __init__(self, folder: Path, judge_id: str, prompt_hash: str) -> None:
        from filelock import FileLock, Timeout

        self.slug = judge_slug(judge_id)
        self.path = folder / f"verdicts-{self.slug}.jsonl"
        self.metrics_path = folder / f"metrics-{self.slug}.json"
        self._judge_id, self._prompt_hash = judge_id, prompt_hash
        self._last: dict[str, Judged] = {}
        self._lock = FileLock(f"{self.path}.lock", timeout=0)
        try:
            self._lock.acquire()
        except Timeout:
            raise ValueError(f"another process is writing {self.path}") from None
        try:
            self._put_others_aside()
            self._take_in()
            self._file = self.path.open("ab", buffering=0)
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
        with suppress(OSError):  # a full disk cannot be flushed; what could be written is written
            os.fsync(self._file.fileno())
        self._file.close()
        self._lock.release()

    def last(self, question_id: str) -> Judged | None:
        """The verdict on a question that counts, whichever answers it is about."""
        return self._last.get(question_id)

    def add(self, judged: Judged) -> None:
        """Append one verdict. ValueError: it is not this judge's."""
        self._require_own(judged)
        line = memoryview(judged.model_dump_json().encode() + b"\n")
        while line:  # a write may take only part of it, e.g. on a disk that becomes full
            line = line[self._file.write(line) :]
        self._last[judged.question_id] = judged

    def _put_others_aside(self) -> None:
        """Move verdicts by other prompts away, and those by ours to their place."""
        first = next(read_rows(self.path, Judged), None) if self.path.exists() else None
        if first is not None and first.verdict.prompt_hash != self._prompt_hash:
            self._require_judge(first)
            self._rename(self.slug, self._aside(first.verdict.prompt_hash))
        if not self.path.exists() and self._of(self._aside(self._prompt_hash))[0].exists():
            self._rename(self._aside(self._prompt_hash), self.slug)

    def _aside(self, prompt_hash: str) -> str:
        return f"{self.slug}-{re.sub(r'[^0-9A-Za-z]', '', prompt_hash)[:16]}"

    def _of(self, slug: str) -> tuple[Path, Path]:
        folder = self.path.parent
        return folder / f"verdicts-{slug}.jsonl", folder / f"metrics-{slug}.json"

    def _rename(self, slug: str, to: str) -> None:
        (verdicts, metrics), (new_verdicts, new_metrics) = self._of(slug), self._of(to)
        if new_verdicts.exists():
            raise ValueError(f"{new_verdicts} is there already; move it away")
        if metrics.exists():  # first: without verdicts it would say something of nothing
            metrics.replace(new_metrics)
        verdicts.rename(new_verdicts)

    def _take_in(self) -> None:
        if not self.path.exists():
            return
        for judged in read_rows(self.path, Judged):
            self._require_own(judged)
            self._last[judged.question_id] = judged
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(self.path, whole)

    def _require_judge(self, judged: Judged) -> None:
        if judged.verdict.judge != self._judge_id:
            raise ValueError(
                f"{self.path} has a verdict of {judged.verdict.judge!r}, not of {self._judge_id!r}"
            )

    def _require_own(self, judged: Judged) -> None:
        self._require_judge(judged)
        if judged.verdict.prompt_hash != self._prompt_hash:
            raise ValueError(
                f"{self.path} has a verdict by prompt {judged.verdict.prompt_hash}, among those by "
                f"{self._prompt_hash}"
            )
