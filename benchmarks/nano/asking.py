"""Having a trained model answer questions, graded by `rule`; what comes of each landmark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.nano.data import SPLIT, WORLD_SEED
from benchmarks.nano.place import Place, alone, claim, hash_of
from benchmarks.nano.plan import Row
from benchmarks.nano.record import LETTERS

if TYPE_CHECKING:
    from mgld.evaluate.records import Decoding

MAX_NEW_TOKENS: Final = 48
"""The landmark and its kind are said in an answer's first sentence, which is no longer than that.
Whole answers (112 tokens) took five times as long, and say no more but the place, which parts the
two lower levels from each other."""
ANSWER_BATCH: Final = 50


def ask(
    place: Place,
    row: Row,
    seed: int,
    model: Path,
    out: Path,
    *,
    binding: str,
    device: str | None,
    split: str = SPLIT,
) -> None:
    """Have a trained model answer questions in `out`, and grade it by `rule`.

    Answers of other weights that are there are removed.
    """
    from eeca_ref.training.origins import fingerprint
    from mgld.evaluate.answering import AnswerSettings, answer_questions
    from mgld.evaluate.grading import grade_run
    from mgld.evaluate.judges import load_judge

    settings = AnswerSettings(
        model=f"eeca:{model}",
        data=str(place.build),
        split=split,
        seed=seed,
        prompt=row.prompt,
        decoding=decoding(),
        batch_size=ANSWER_BATCH,
        device=device,
    )
    with alone(out):
        claim(out, hash_of([binding, fingerprint(model / "model")]))
        counts = answer_questions(settings, out)
        if counts.missing:
            raise RuntimeError(
                f"{counts.missing} draws of {out} are missing: {counts.missing_draws}"
            )
        grade_run(out, load_judge("rule"))


def decoding() -> Decoding:
    """How answers are drawn, and how long they may be."""
    from mgld.evaluate.records import Decoding

    return Decoding(max_new_tokens=MAX_NEW_TOKENS)


def levels_of(answers: Path) -> tuple[str, str, str]:
    """By landmark, in the order of the questions: its level's letter, the number of draws that
    identify it, and of those the number that also say its kind."""
    from mgld.evaluate.answer_file import read_answers
    from mgld.evaluate.answering import ANSWERS_FILE
    from mgld.evaluate.graded import read_graded
    from mgld.world.landmark import make_landmark

    (graded,) = read_graded([answers], "rule")
    said_by = {(a.question_id, a.draw): a.text for a in read_answers(answers / ANSWERS_FILE)}
    letter = {level: each for each, level in LETTERS.items()}
    levels, said, exact = [], [], []
    for id, question in graded.questions.items():
        verdict, mark = graded.verdicts[id], make_landmark(WORLD_SEED, question.landmark_id)
        right = verdict.identified or []
        rest = [(said_by[id, draw] or "").replace(mark.name, "") for draw in right]
        levels.append(letter[verdict.level])
        said.append(str(len(right)))
        exact.append(str(sum(mark.category.noun in each for each in rest)))
    return "".join(levels), "".join(said), "".join(exact)
