"""A graded run as it lies on disk: its questions and one judge's verdicts on its answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from pydantic import ValidationError

from mgld.evaluate.judges.shown import answers_sha256
from mgld.evaluate.records import Answer, Judged, Question, Verdict
from mgld.schema import Record

_PREFIX: Final = "verdicts-"
R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class GradedRun:
    """One model's run with the verdicts of one judge, both by question id.

    A question without a verdict was not judged yet, which is not the same as unscored.
    """

    name: str
    judge: str
    prompt_hash: str
    questions: dict[str, Question]
    verdicts: dict[str, Verdict]


def read_graded(folders: Sequence[Path], judge: str | None = None) -> list[GradedRun]:
    """Read run folders as one judge judged them, named by their folders (or paths, if those tie).

    judge: the part of `verdicts-<judge>.jsonl` that names it; None: the one that all folders have.
    ValueError where there is none or more than one such, for a damaged file, and where verdicts
    are about other answers (or another truth) than the run has: it must be graded again.
    """
    if judge is None:
        judge = _shared_judge(folders)
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    return [_read(folder, name, judge) for folder, name in zip(folders, names, strict=True)]


def _judges(folder: Path) -> list[str]:
    for name in ("questions.jsonl", "answers.jsonl"):
        if not (folder / name).is_file():
            raise ValueError(f"{folder} is no folder of a run: it has no {name}")
    return sorted(path.stem.removeprefix(_PREFIX) for path in folder.glob(f"{_PREFIX}*.jsonl"))


def _shared_judge(folders: Sequence[Path]) -> str:
    found = [_judges(folder) for folder in folders]
    shared = set(found[0]).intersection(*found[1:])
    if len(shared) == 1:
        return shared.pop()
    if shared:
        raise ValueError(f"several judges judged these runs: choose {' or '.join(sorted(shared))}")
    each = "; ".join(
        f"{folder}: {', '.join(judges) or 'none'}"
        for folder, judges in zip(folders, found, strict=True)
    )
    raise ValueError(f"no judge judged all of these runs ({each})")


def _read(folder: Path, name: str, judge: str) -> GradedRun:
    path = folder / f"{_PREFIX}{judge}.jsonl"
    judges = _judges(folder)
    if judge not in judges:
        raise ValueError(f"{folder} has no {path.name}; it has: {', '.join(judges) or 'none'}")
    questions: dict[str, Question] = {}
    for question in read_rows(folder / "questions.jsonl", Question):
        if question.id in questions:
            raise ValueError(f"{folder}: question {question.id} is there twice")
        questions[question.id] = question
    judged_last: dict[str, Judged] = {}
    made_by: set[tuple[str, str]] = set()
    for judged in read_rows(path, Judged):
        if judged.question_id not in questions:
            raise ValueError(f"{path}: question {judged.question_id} was not asked")
        # A later row is a later judgement: the file is only ever appended to.
        judged_last[judged.question_id] = judged
        made_by.add((judged.verdict.judge, judged.verdict.prompt_hash))
    if len(made_by) != 1:
        kinds = ", ".join(f"{judge} (prompt {prompt})" for judge, prompt in sorted(made_by))
        raise ValueError(f"{path}: verdicts of one judge and prompt expected, found {kinds or '0'}")
    ((judge_id, prompt_hash),) = made_by
    _require_current(folder, questions, judged_last)
    verdicts = {each: judged.verdict for each, judged in judged_last.items()}
    return GradedRun(name, judge_id, prompt_hash, questions, verdicts)


def _require_current(
    folder: Path, questions: dict[str, Question], judged: dict[str, Judged]
) -> None:
    """ValueError where a verdict is not about the answers and the truth that the run has now."""
    answers: dict[str, list[Answer]] = {each: [] for each in questions}
    for answer in read_rows(folder / "answers.jsonl", Answer):
        answers.setdefault(answer.question_id, []).append(answer)
    stale = [
        each
        for each, last in judged.items()
        if last.answers_sha256 != answers_sha256(questions[each], answers[each])
    ]
    if stale:
        raise ValueError(
            f"{folder}: {len(stale):,} verdicts are about other answers or another truth than the "
            f"run has ({stale[0]}, ...): `mgld grade` makes them anew"
        )


def read_rows(path: Path, kind: type[R]) -> Iterator[R]:
    """The rows of a JSON-lines file; what a killed writer left of a last line is not one.

    ValueError naming the line of any other that is no such row.
    """
    with path.open("rb") as handle:
        for number, line in enumerate(handle, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                yield kind.model_validate_json(line)
            except ValidationError as error:
                what = error.errors()[0]
                where = ".".join(map(str, what["loc"]))
                raise ValueError(f"{path}, line {number}: {where}: {what['msg']}") from error
