"""The misalignment probe: what a model can tell of a landmark's name, and not see in its image.

Paper, Figure 1; docs/definitions.md, "Probe". Each subset has a run for each side, made and resumed
like any other: `<out>/<subset>/text` and `<out>/<subset>/image`; the result is `<out>/probe.json`.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal

import mgld
from mgld.evaluate.answering import RUN_FILE, AnswerSettings, Progress, answer_questions, load_run
from mgld.evaluate.describing import DescriptionJudge
from mgld.evaluate.grading import grade_run, read_cases
from mgld.evaluate.intervals import wilson
from mgld.evaluate.judges.base import Judge
from mgld.evaluate.judges.drift import judged_by
from mgld.evaluate.judges.shown import answers_sha256
from mgld.evaluate.questions import open_questions
from mgld.evaluate.records import (
    DRAWS,
    Described,
    Misaligned,
    ProbeResult,
    ProbeTable,
    State,
    Verdict,
)
from mgld.evaluate.verdict_file import VerdictFile
from mgld.files import write_text_atomically

RESULT_FILE: Final = "probe.json"
DESCRIBED_FILE: Final = "described.jsonl"
MISALIGNED_FILE: Final = "misaligned.jsonl"
LEDGER_FILE: Final = "ledger.sqlite"
"""An endpoint's replies to both sides of all subsets: the budget holds for all of them, and nested
subsets are asked once."""
Side = Literal["text", "image"]
SIDES: Final[tuple[Side, ...]] = ("text", "image")
RECOGNISED: Final = ("strongly_known", "known")


def probe(
    settings: AnswerSettings,
    folder: str | Path,
    *,
    judge: Judge,
    description_judge: DescriptionJudge,
    subsets: Sequence[str] = ("test",),
    retry_errors: bool = False,
    progress: Callable[[str], Progress] = lambda what: lambda done, total: None,
) -> ProbeResult:
    """Ask both sides of every landmark of the subsets, judge them, and count.

    Beside the sides of a subset, `misaligned.jsonl` has what was told and seen of those that are.

    settings: model, data, decoding; its config, split and prompt are set here, its draws must be
    five. subsets: splits of config `eval` ("test", "test_paper") or configs of training records
    ("hds25k"). judge: of the image side. retry_errors: ask again for draws that ended in an error,
    and judge again what a judge left unscored. progress: called with the name of a run, gives its
    callback.

    Raises as `answer_questions` and `grade_run`; ValueError also where draws are missing.
    """
    if settings.draws != DRAWS:
        raise ValueError(f"the probe has {DRAWS} draws of each side, not {settings.draws}")
    if len(set(subsets)) != len(subsets) or not subsets:
        raise ValueError("the probe needs subsets, each of them once")
    folder = Path(folder)
    for subset in subsets:
        if not (folder / subset / "text" / RUN_FILE).is_file():
            # A subset that is not there is said before the others are paid for.
            where = _side(settings, subset, "text")
            open_questions(
                where.data,
                config=where.config,
                split=where.split,
                revision=where.revision,
                limit=1,
            )
    tables: list[ProbeTable] = []
    seen: list[Verdict] = []
    told: list[Described] = []
    for subset in subsets:
        for side in SIDES:
            counts = answer_questions(
                _side(settings, subset, side),
                folder / subset / side,
                retry_errors=retry_errors,
                ledger=folder / LEDGER_FILE,
                progress=progress(f"{subset}/{side}"),
            )
            if counts.missing:
                raise ValueError(
                    f"{counts.missing:,} draws of {subset}/{side} are missing "
                    f"({'; '.join(counts.missing_draws)}); the same call goes on there"
                )
        verdicts = _verdicts(folder / subset / "image", judge, retry_errors)
        described = _described(folder / subset / "text", description_judge)
        levels: dict[str, State] = {each: found.level for each, found in verdicts.items()}
        tables.append(probe_table(subset, described, levels))
        _save_misaligned(folder / subset, described, levels)
        seen += verdicts.values()
        told += described
    runs = [load_run(folder / subsets[-1] / side) for side in SIDES]
    result = ProbeResult(
        model=runs[0].model_id,
        recognised=judged_by(seen, runs[0].model_id),
        described=judged_by(told, runs[0].model_id),
        prompt_versions=[run.prompt_version for run in runs],
        decoding=settings.decoding,
        draws=settings.draws,
        made=datetime.datetime.now(datetime.UTC).date().isoformat(),
        version=mgld.__version__,
        tables=tables,
    )
    write_text_atomically(folder / RESULT_FILE, result.model_dump_json(indent=1) + "\n")
    return result


def probe_table(
    subset: str, described: Sequence[Described], levels: dict[str, State]
) -> ProbeTable:
    """Count one subset. levels: of the image side by question id; the same questions as described.

    A question that either side leaves unscored is in no cell.
    """
    if {each.question_id for each in described} != levels.keys():
        raise ValueError("text and image side are about different questions")
    cells = {(told, seen): 0 for told in (True, False) for seen in (True, False)}
    unscored = could_be_seen = could_be_unseen = by_place = by_place_unseen = 0
    for each in described:
        level = levels[each.question_id]
        seen = level in RECOGNISED
        if "unscored" in (each.state, level):
            unscored += 1
            could_be_told = each.state != "not_described"
            could_be_seen += could_be_told and (seen or level == "unscored")
            could_be_unseen += could_be_told and not seen
            continue
        cells[each.state == "described", seen] += 1
        by_place += each.place
        by_place_unseen += each.place and not seen
    told = cells[True, True] + cells[True, False]
    unseen = cells[True, False]
    rate = unseen / told if told else None
    lowest, highest = _bounds(unseen, told, could_be_seen, could_be_unseen)
    return ProbeTable(
        subset=subset,
        questions=len(described),
        described_recognised=cells[True, True],
        described_not_recognised=unseen,
        not_described_recognised=cells[False, True],
        not_described_not_recognised=cells[False, False],
        unscored=unscored,
        unscored_described=sum(each.state == "unscored" for each in described),
        unscored_recognised=sum(level == "unscored" for level in levels.values()),
        misalignment=rate,
        interval=wilson(rate, told) if rate is not None else None,
        lowest=lowest,
        highest=highest,
        by_place=by_place,
        by_place_not_recognised=by_place_unseen,
    )


def _bounds(
    unseen: int, told: int, could_be_seen: int, could_be_unseen: int
) -> tuple[float | None, float | None]:
    """The rate if all unscored questions that would lower it count, or all that would raise it."""
    if not told + could_be_seen + could_be_unseen:
        return None, None
    most, least = told + could_be_seen, told + could_be_unseen
    # Where one of the two has no question, any that is described goes the other way.
    return (
        unseen / most if most else 1.0,
        (unseen + could_be_unseen) / least if least else 0.0,
    )


def _side(settings: AnswerSettings, subset: str, side: Side) -> AnswerSettings:
    """The run of one side of one subset."""
    of_test = subset in ("test", "test_paper")
    where = {
        "config": "eval" if of_test else subset,
        "split": subset if of_test else "train",
        "prompt": f"probe-{side}",
    }
    return AnswerSettings.model_validate({**settings.model_dump(), **where})


def _verdicts(folder: Path, judge: Judge, retry: bool) -> dict[str, Verdict]:
    """The verdict on every question of the image side, by its id."""
    grade_run(folder, judge, retry_unscored=retry)
    verdicts: dict[str, Verdict] = {}
    with VerdictFile(folder, judge.id, judge.prompt_hash) as file:
        for case in read_cases(folder):
            last = file.last(case.question.id)
            # grade_run has just judged these very answers, or raised.
            assert last is not None
            assert last.answers_sha256 == answers_sha256(case.question, case.answers)
            verdicts[case.question.id] = last.verdict
    return verdicts


def _described(folder: Path, judge: DescriptionJudge) -> list[Described]:
    """What the judge finds of every question of the text side, in their order; kept as a file."""
    cases = read_cases(folder)
    found: dict[int, Described] = {}
    judge.judge(cases, found.__setitem__)
    described = [found[number] for number in range(len(cases))]
    lines = "".join(each.model_dump_json() + "\n" for each in described)
    write_text_atomically(folder / DESCRIBED_FILE, lines)
    return described


def _save_misaligned(
    folder: Path, described: Sequence[Described], levels: dict[str, State]
) -> None:
    """Write what was told and seen of those described and not recognised, in their order."""
    seen = {case.question.id: case for case in read_cases(folder / "image")}
    lines = []
    for case, found in zip(read_cases(folder / "text"), described, strict=True):
        level = levels[found.question_id]
        if found.state != "described" or level in (*RECOGNISED, "unscored"):
            continue
        row = Misaligned.model_validate(
            {
                "question_id": found.question_id,
                "landmark": case.question.truth.name,
                "level": level,
                "told": case.answers[found.draws[0]].text,
                "seen": seen[found.question_id].answers[0].text,
            }
        )
        lines.append(row.model_dump_json() + "\n")
    write_text_atomically(folder / MISALIGNED_FILE, "".join(lines))
