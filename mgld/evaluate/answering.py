"""Having a model answer every question of a split five times: `mgld answer`.

A run's folder holds `questions.jsonl`, `run.yaml` (what was asked of whom, and how) and
`answers.jsonl`. Killed at any moment, the same call goes on from there; a call that would mix other
settings, another dataset or another model in is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from pydantic import Field

from mgld.evaluate.answer_file import AnswerFile, Setting
from mgld.evaluate.answer_prompts import answer_prompt, render, shows_image
from mgld.evaluate.models.base import Asked, Model, ModelOptions, load_model
from mgld.evaluate.questions import (
    ImageReader,
    QuestionSet,
    open_questions,
    read_questions,
    save_questions,
)
from mgld.evaluate.records import Answer, Question
from mgld.evaluate.run_file import (
    RUN_FILE,
    AnswerRun,
    AnswerSettings,
    hardware,
    load_run,
    package_versions,
    save_run,
    utc_now,
)
from mgld.schema import Record

__all__ = [
    "RUN_FILE",
    "AnswerCounts",
    "AnswerRun",
    "AnswerSettings",
    "Progress",
    "answer_questions",
    "load_run",
]

ANSWERS_FILE: Final = "answers.jsonl"
QUESTIONS_FILE: Final = "questions.jsonl"
_ELSEWHERE = "elsewhere"
"""Prompt version of answers from a file: what was asked there is not known here."""
_BOUND = (
    "model",
    "config",
    "split",
    "revision",
    "limit",
    "draws",
    "seed",
    "prompt",
    "decoding",
    "batch_size",
    "send_seed",
)
"""Settings that all answers of a folder have in common."""


class AnswerCounts(Record):
    """What a run has. Draws: `draws` wanted = ok + refused + errors + missing.

    before: were there when this call began. dropped_bytes: of a line that a killed run had cut.
    missing_draws: up to ten, "question id: draws".
    """

    questions: int
    draws: int
    ok: int
    refused: int
    errors: int
    missing: int
    before: int
    dropped_bytes: int = 0
    missing_draws: list[str] = Field(default_factory=list)


Progress = Callable[[int, int], None]
"""Called with (draws that are there, draws wanted)."""


def answer_questions(
    settings: AnswerSettings,
    folder: str | Path,
    *,
    retry_errors: bool = False,
    ledger: Path | None = None,
    progress: Progress = lambda done, total: None,
) -> AnswerCounts:
    """Have all draws of all questions in `folder`; what is there is not made again.

    retry_errors: draws that ended in an error are made again. ledger: the file of an endpoint's
    replies, where several runs have one budget; None for the run's own.

    ValueError: the folder holds another run or is being written, settings are wrong, or the model
    has changed. FileNotFoundError: no such dataset or model. GatherStoppedError: an endpoint, a
    budget or a deadline; what was answered is kept.
    """
    folder = Path(folder)
    options = ModelOptions(
        folder=folder,
        source=settings.data,
        device=settings.device,
        batch_size=settings.batch_size,
        llm=settings.llm,
        send_seed=settings.send_seed,
        retry_errors=retry_errors,
        ledger=ledger,
    )
    model = load_model(settings.model, options)
    made_elsewhere = settings.model.startswith("file:")
    prompt_version = _ELSEWHERE if made_elsewhere else answer_prompt(settings.prompt).version
    before = load_run(folder) if (folder / RUN_FILE).is_file() else None
    if before is not None:
        _require_same(folder, before, settings, prompt_version)
    elif (folder / ANSWERS_FILE).exists():
        raise ValueError(f"{folder} has a {ANSWERS_FILE} but no {RUN_FILE}; give another --out")
    asked_about = _questions(folder, before, settings)
    setting = Setting(
        model=model.id,
        prompt_version=prompt_version,
        decoding=settings.decoding,
        draws=settings.draws,
    )
    ids = [question.id for question in asked_about.questions]
    with AnswerFile(folder / ANSWERS_FILE, setting, ids) as file:
        run = before or AnswerRun(
            settings=settings,
            prompt_version=prompt_version,
            dataset=asked_about.identity,
            model_id=model.id,
            versions=package_versions(),
            began=utc_now(),
        )
        if before is None:
            save_questions(asked_about.questions, folder / QUESTIONS_FILE)
            save_run(folder, run)
        if retry_errors:
            file.drop_errors()
        began, total = len(file), len(ids) * settings.draws
        progress(began, total)
        if began < total:
            identity = model.identity()
            if identity != run.model_identity and (run.model_identity or began):
                raise ValueError(
                    f"{folder}: answers were made by {model.id} with {run.model_identity}; it "
                    f"has {identity} now; give another --out"
                )
            if identity != run.model_identity or not run.hardware:
                # Its GPUs are known once the model is loaded, which its identity needs.
                known = {"model_identity": identity, "hardware": run.hardware or hardware()}
                save_run(folder, run.model_copy(update=known))
            _ask(model, settings, prompt_version, asked_about, file, progress)
        return _count(file, ids, settings.draws, began)


def _require_same(
    folder: Path, run: AnswerRun, settings: AnswerSettings, prompt_version: str
) -> None:
    for name in _BOUND:
        there, here = getattr(run.settings, name), getattr(settings, name)
        if there != here:
            raise ValueError(
                f"{folder} holds a run with {name} {there!r}, not {here!r}; give another --out"
            )
    if run.prompt_version != prompt_version:
        raise ValueError(
            f"{folder} was asked with prompt {run.prompt_version}, this mgld has {prompt_version}; "
            "give another --out"
        )


def _questions(folder: Path, run: AnswerRun | None, settings: AnswerSettings) -> QuestionSet:
    """The questions to ask: of the dataset, or of the run where that is sure to be the same."""
    from mgld.hub.load import folder_content

    where = {name: getattr(settings, name) for name in ("config", "split", "revision")}
    if run is not None and (folder / QUESTIONS_FILE).is_file():
        stated = run.dataset.content
        if stated is not None and folder_content(settings.data, settings.config) == stated:
            questions = read_questions(folder / QUESTIONS_FILE, sha256=run.dataset.questions_sha256)
            return QuestionSet(questions, run.dataset, ImageReader(settings.data, **where))
    found = open_questions(settings.data, limit=settings.limit, **where)
    if settings.prompt in ("probe-text", "probe-image"):
        # What these ask is not the record's question; judges are to see what was asked.
        found = found.ask(lambda question: render(settings.prompt, question).text)
    if run is not None and found.identity.questions_sha256 != run.dataset.questions_sha256:
        raise ValueError(
            f"{folder} was asked the questions of {run.dataset.source} as it was; those of "
            f"{settings.data} are others now; give another --out"
        )
    return found


def _ask(
    model: Model,
    settings: AnswerSettings,
    prompt_version: str,
    asked_about: QuestionSet,
    file: AnswerFile,
    progress: Progress,
) -> None:
    every = range(settings.draws)
    total = len(asked_about.questions) * settings.draws
    asked = [
        _asked(
            question,
            settings,
            prompt_version,
            asked_about.read_image,
            tuple(draw for draw in every if draw not in file.done(question.id)),
        )
        for question in asked_about.questions
    ]
    wanted = {(each.question.id, draw) for each in asked for draw in each.draws}

    def on_answer(answer: Answer) -> None:
        # A model of another package is held to what it was asked, too.
        if (answer.question_id, answer.draw) not in wanted:
            raise ValueError(
                f"{model.id} answered {answer.question_id}, draw {answer.draw}: not asked, or "
                "for the second time"
            )
        file.add(answer)
        wanted.discard((answer.question_id, answer.draw))
        progress(total - len(wanted), total)

    model.answer(asked, on_answer)


def _asked(
    question: Question,
    settings: AnswerSettings,
    prompt_version: str,
    read_image: ImageReader,
    draws: tuple[int, ...],
) -> Asked:
    rendered = render(settings.prompt, question)
    with_image = shows_image(settings.prompt)
    return Asked(
        question=question,
        instructions=rendered.instructions,
        text=rendered.text,
        prompt_version=prompt_version,
        decoding=settings.decoding,
        draws=draws,
        of=settings.draws,
        seed=settings.seed,
        read_image=(lambda: read_image(question.id)) if with_image else None,
    )


def _count(file: AnswerFile, ids: list[str], draws: int, began: int) -> AnswerCounts:
    counts = file.counts()
    missing = {each: sorted(set(range(draws)) - file.done(each)) for each in ids}
    lacking = [(each, some) for each, some in missing.items() if some]
    return AnswerCounts(
        questions=len(ids),
        draws=len(ids) * draws,
        ok=counts.get("ok", 0),
        refused=counts.get("refused", 0),
        errors=counts.get("error", 0),
        missing=sum(len(some) for _, some in lacking),
        before=began,
        dropped_bytes=file.dropped,
        missing_draws=[f"{each}: {', '.join(map(str, some))}" for each, some in lacking[:10]],
    )
