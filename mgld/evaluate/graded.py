"""A graded run as it lies on disk: its questions and one judge's verdicts on its answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
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

    judge: as in `verdicts_of`; None: the one that judged something in all folders, by the prompts
    it has now. ValueError where there is none or more than one such, for a damaged file, and where
    verdicts are about other answers (or another truth) than the run has: it must be graded again.
    """
    judge = judge or shared_judge(folders)
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    return [_read(folder, name, judge) for folder, name in zip(folders, names, strict=True)]


def verdicts_of(folder: Path, judge: str) -> Path:
    """A run's file with the verdicts of `judge`: its id, as it may be written, or its file's name.

    ValueError: there is no such file, or no such run.
    """
    from mgld.evaluate.judges import load_judge
    from mgld.evaluate.verdict_file import judge_slug  # which reads its rows by this module

    there = _judges(folder)
    slugs = [judge, judge_slug(judge)]
    with suppress(ValueError):  # no judge that can be asked now, but maybe one that judged
        slugs.append(judge_slug(load_judge(judge).id))  # openai:MODEL -> openai:MODEL:paper
    for slug in slugs:
        if slug in there:
            return folder / f"{_PREFIX}{slug}.jsonl"
    raise ValueError(
        f"{folder} has no verdicts of {judge} (`mgld grade {folder} --judge {judge}` makes them); "
        f"it has: {', '.join(there) or 'none'}"
    )


def _judges(folder: Path) -> list[str]:
    for name in ("questions.jsonl", "answers.jsonl"):
        if not (folder / name).is_file():
            raise ValueError(f"{folder} is no folder of a run: it has no {name}")
    return sorted(path.stem.removeprefix(_PREFIX) for path in folder.glob(f"{_PREFIX}*.jsonl"))


def shared_judge(folders: Sequence[Path]) -> str:
    """The one judge whose verdicts by its last prompts all these runs have; ValueError for none."""
    found = [[each for each in _judges(folder) if _in_use(folder, each)] for folder in folders]
    shared = set(found[0]).intersection(*found[1:])
    if len(shared) == 1:
        return shared.pop()
    if shared:
        raise ValueError(
            f"several judges judged these runs: choose with --judge {' or '.join(sorted(shared))}"
        )
    each = "; ".join(
        f"{folder}: {', '.join(judges) or 'none'}"
        for folder, judges in zip(folders, found, strict=True)
    )
    raise ValueError(f"no judge judged all of these runs ({each}); `mgld grade` has one judge them")


def _in_use(folder: Path, slug: str) -> bool:
    """Whether a file has verdicts (a judge may have been stopped before its first) by the judge's
    last prompts: those by others are kept under a name that is not the judge's.
    """
    from mgld.evaluate.verdict_file import judge_slug

    first = next(read_rows(folder / f"{_PREFIX}{slug}.jsonl", Judged), None)
    return first is not None and judge_slug(first.verdict.judge) == slug


def _read(folder: Path, name: str, judge: str) -> GradedRun:
    path = verdicts_of(folder, judge)
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
        raise ValueError(
            f"{path}: verdicts of one judge and prompt expected, found {kinds or 'none'}; "
            f"`mgld grade {folder}` makes them"
        )
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
