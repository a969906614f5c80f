"""A finished misalignment probe as its page needs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from mgld.evaluate.answering import RUN_FILE, AnswerRun, load_run
from mgld.evaluate.graded import read_graded, read_rows
from mgld.evaluate.grading import read_cases
from mgld.evaluate.judges import Case
from mgld.evaluate.probe import DESCRIBED_FILE, RECOGNISED, RESULT_FILE, probe_table
from mgld.evaluate.records import Described, ProbeResult, Verdict


@dataclass(frozen=True)
class MisalignedCase:
    """A landmark that is described from its name and not recognised in its image.

    told, seen: both sides with their answers; described, verdict: what the judges say of them.
    """

    subset: str
    told: Case
    described: Described
    seen: Case
    verdict: Verdict


@dataclass(frozen=True)
class Probed:
    """A probe. cases: the misaligned landmarks, subset by subset; runs: of the two sides of each
    subset by its name, text first.
    """

    result: ProbeResult
    cases: list[MisalignedCase]
    runs: dict[str, tuple[AnswerRun, AnswerRun]]


def is_probe(folder: Path) -> bool:
    """Whether `folder` is one that `mgld probe` finished."""
    return (folder / RESULT_FILE).is_file()


def read_probe(folder: Path) -> Probed:
    """Read a finished probe.

    ValueError: none is there, a file is damaged, or answers and verdicts are no longer those that
    the result counts.
    """
    path = folder / RESULT_FILE
    if not path.is_file():
        raise ValueError(f"{folder} is no folder of a finished probe: it has no {RESULT_FILE}")
    try:
        result = ProbeResult.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(f"{path} is no result of a probe: {error.errors()[0]['msg']}") from error
    cases: list[MisalignedCase] = []
    for table in result.tables:
        at = folder / table.subset
        told, seen = read_cases(at / "text"), read_cases(at / "image")
        described = list(read_rows(at / "text" / DESCRIBED_FILE, Described))
        (graded,) = read_graded([at / "image"], result.recognised.judge)
        _require_counted(at, result, described, told, graded.prompt_hash)
        levels = {each: verdict.level for each, verdict in graded.verdicts.items()}
        if probe_table(table.subset, described, levels) != table:
            raise ValueError(_outdated(at))
        of_image = {case.question.id: case for case in seen}
        for case, found in zip(told, described, strict=True):
            level = levels[found.question_id]
            if found.state == "described" and level not in (*RECOGNISED, "unscored"):
                id = found.question_id
                cases.append(
                    MisalignedCase(table.subset, case, found, of_image[id], graded.verdicts[id])
                )
    return Probed(result, cases, {t.subset: _runs(folder / t.subset) for t in result.tables})


def _require_counted(
    folder: Path,
    result: ProbeResult,
    described: Sequence[Described],
    told: Sequence[Case],
    prompt_hash: str,
) -> None:
    """ValueError where the verdicts are not of the result's judges, or not of these questions."""
    judges = {(each.judge, each.prompt_hash) for each in described}
    same = [each.question_id for each in described] == [case.question.id for case in told]
    if (
        not same
        or judges != {(result.described.judge, result.described.prompt_hash)}
        or prompt_hash != result.recognised.prompt_hash
    ):
        raise ValueError(_outdated(folder))


def _outdated(folder: Path) -> str:
    return (
        f"{folder}: {RESULT_FILE} counts other verdicts than lie there now; the same `mgld probe` "
        "as before makes it anew"
    )


def _runs(folder: Path) -> tuple[AnswerRun, AnswerRun]:
    for side in ("text", "image"):
        if not (folder / side / RUN_FILE).is_file():
            raise ValueError(f"{folder / side} has no {RUN_FILE}")
    return load_run(folder / "text"), load_run(folder / "image")
