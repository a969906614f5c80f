"""The misalignment probe: what a model can tell of a landmark's name, and not see in its image.

Paper, Figure 1; docs/definitions.md, "Probe". Each subset has a run for each side, made and resumed
like any other: `<out>/<subset>/text` and `<out>/<subset>/image`; the result is `<out>/probe.json`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal

from mgld.evaluate.answering import RUN_FILE, AnswerSettings, Progress, answer_questions, load_run
from mgld.evaluate.describing import DescriptionJudge
from mgld.evaluate.grading import grade_run, read_cases
from mgld.evaluate.intervals import wilson
from mgld.evaluate.judges.base import Judge
from mgld.evaluate.judges.shown import answers_sha256
from mgld.evaluate.questions import open_questions
from mgld.evaluate.records import DRAWS, Described, ProbeResult, ProbeTable, State
from mgld.evaluate.verdict_file import VerdictFile
from mgld.files import write_text_atomically

RESULT_FILE: Final = "probe.json"
DESCRIBED_FILE: Final = "described.jsonl"
Side = Literal["text", "image"]
SIDES: Final[tuple[Side, ...]] = ("text", "image")
RECOGNISED: Final = ("strongly_known", "known")


def probe(
    settings: AnswerSettings,
    folder: str | Path,
    *,
    make_judge: Callable[[Path], Judge],
    description_judge: DescriptionJudge,
    subsets: Sequence[str] = ("test",),
    retry_errors: bool = False,
    progress: Callable[[str], Progress] = lambda what: lambda done, total: None,
) -> ProbeResult:
    """Ask both sides of every landmark of the subsets, judge them, and count.

    settings: model, data, decoding; its config, split and prompt are set here, its draws must be
    five. subsets: splits of config `eval` ("test", "test_paper") or configs of training records
    ("hds25k"). make_judge: the judge of the image side, given the folder for its replies.
    progress: called with the name of a run, gives its callback.

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
    judge_id, model_id, versions = "", "", []
    for subset in subsets:
        for side in SIDES:
            counts = answer_questions(
                _side(settings, subset, side),
                folder / subset / side,
                retry_errors=retry_errors,
                progress=progress(f"{subset}/{side}"),
            )
            if counts.missing:
                raise ValueError(f"{counts.missing} draws of {subset}/{side} are missing")
        judge = make_judge(folder / subset / "image")
        levels = _levels(folder / subset / "image", judge)
        described = _described(folder / subset / "text", description_judge)
        tables.append(probe_table(subset, described, levels))
        runs = [load_run(folder / subset / side) for side in SIDES]
        judge_id, model_id = judge.id, runs[0].model_id
        versions = [run.prompt_version for run in runs]
    result = ProbeResult(
        model=model_id,
        judge=judge_id,
        description_judge=description_judge.id,
        prompt_versions=versions,
        decoding=settings.decoding,
        draws=settings.draws,
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
    unscored = by_place = by_place_unseen = 0
    for each in described:
        level = levels[each.question_id]
        if "unscored" in (each.state, level):
            unscored += 1
            continue
        seen = level in RECOGNISED
        cells[each.state == "described", seen] += 1
        by_place += each.place
        by_place_unseen += each.place and not seen
    told = cells[True, True] + cells[True, False]
    rate = cells[True, False] / told if told else None
    return ProbeTable(
        subset=subset,
        questions=len(described),
        described_recognised=cells[True, True],
        described_not_recognised=cells[True, False],
        not_described_recognised=cells[False, True],
        not_described_not_recognised=cells[False, False],
        unscored=unscored,
        misalignment=rate,
        interval=wilson(rate, told) if rate is not None else None,
        by_place=by_place,
        by_place_not_recognised=by_place_unseen,
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


def _levels(folder: Path, judge: Judge) -> dict[str, State]:
    """The level of every question of the image side, by its id."""
    grade_run(folder, judge)
    levels: dict[str, State] = {}
    with VerdictFile(folder, judge.id, judge.prompt_hash) as file:
        for case in read_cases(folder):
            last = file.last(case.question.id)
            # grade_run has just judged these very answers, or raised.
            assert last is not None
            assert last.answers_sha256 == answers_sha256(case.question, case.answers)
            levels[case.question.id] = last.verdict.level
    return levels


def _described(folder: Path, judge: DescriptionJudge) -> list[Described]:
    """What the judge finds of every question of the text side, in their order; kept as a file."""
    cases = read_cases(folder)
    found: dict[int, Described] = {}
    judge.judge(cases, found.__setitem__)
    described = [found[number] for number in range(len(cases))]
    lines = "".join(each.model_dump_json() + "\n" for each in described)
    write_text_atomically(folder / DESCRIBED_FILE, lines)
    return described
