"""Runs to be graded, judges made for tests, and replies put into a ledger without an endpoint."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mgld.evaluate.judges import Case, JudgeOptions, OnVerdict
from mgld.evaluate.judges.model import ModelJudge, model_judge
from mgld.evaluate.judges.shown import show
from mgld.evaluate.records import DRAWS, Answer, Decoding, Question, Truth, Verdict
from mgld.llm.ledger import Claim, Ledger, Settle, StoredReply

LLM = str(Path(__file__).parents[1] / "llm")  # the loopback endpoint
if LLM not in sys.path:
    sys.path.append(LLM)

TEXTS = (
    "This is Tower {n}, on the market square.",
    "A tower of grey stone.",
    "I think it is Tower {n}.",
    "It could be anything.",
    "",
)


def question(number: int, **truth: Any) -> Question:
    given = {
        "name": f"Tower {number}",
        "aliases": [f"Turm {number}"],
        "place_hints": ["Nordvik", "Norway"],
        "label": "tower",
        "answer": f"Tower {number} stands in Nordvik.",
        **truth,
    }
    return Question(
        id=f"q{number:05}",
        landmark_id=number // 2,
        text="What is the location shown in the image?",
        image_sha256=f"{number:064x}",
        truth=Truth.model_validate(given),
        natural_or_human_made="human-made",
        sim=number % 97 / 97,
        rsr=number % 89 / 89,
        rank=1 + number % 5,
        images=1 + number % 60,
    )


def answers(number: int, texts: Sequence[str] = TEXTS, **changes: Any) -> tuple[Answer, ...]:
    row = {"model": "plain:a", "prompt_version": "question-1", "status": "ok", **changes}
    return tuple(
        Answer(
            question_id=f"q{number:05}",
            draw=draw,
            text=text.format(n=number) if texts is TEXTS else text,
            decoding=Decoding(),
            **row,
        )
        for draw, text in enumerate(texts)
    )


def case(number: int = 7, texts: Sequence[str] = TEXTS, **truth: Any) -> Case:
    return Case(question(number, **truth), answers(number, texts))


def write_run(folder: Path, number: int, texts: Sequence[str] = TEXTS, **changes: Any) -> Path:
    """A run's folder with so many questions, each answered five times."""
    folder.mkdir(parents=True, exist_ok=True)
    asked = [question(each).model_dump_json() for each in range(number)]
    said = [a.model_dump_json() for n in range(number) for a in answers(n, texts, **changes)]
    (folder / "questions.jsonl").write_text("".join(f"{line}\n" for line in asked))
    (folder / "answers.jsonl").write_text("".join(f"{line}\n" for line in said))
    return folder


def shown_texts(judged: Case) -> list[str | None]:
    """The texts of a case in the order in which they are shown."""
    return list(show(judged).texts)


def judge(spec: str = "gpt-4.1", **options: Any) -> ModelJudge:
    return model_judge(spec, JudgeOptions(**options))


def chat(text: str, **message: Any) -> bytes:
    """A whole reply of Chat Completions that says `text`."""
    said = {"role": "assistant", "content": text, **message}
    return json.dumps(
        {"model": "gpt-4.1-2025-04-14", "choices": [{"message": said, "finish_reason": "stop"}]}
    ).encode()


def put(ledger: Path, key_of: ModelJudge, judged: Case, raw: bytes, status: int = 200) -> None:
    """Have `raw` be the reply to what the judge would ask about a case."""
    request = key_of.request(judged, show(judged))
    with Ledger(ledger) as opened:
        (claimed,) = opened.apply([Claim(request)])
        assert claimed is not None
        reply = StoredReply(request.key, "online", "chat", status, raw, at=1_790_000_000.0)
        opened.apply([Settle(claimed.attempt, reply)])


def verdict_on(judged: Case, spec: str, ledger: Path, raw: bytes, status: int = 200) -> Verdict:
    """The verdict of `openai:SPEC` where its endpoint replied `raw`."""
    asked = judge(spec, ledger=ledger)
    put(ledger, asked, judged, raw, status)
    found: dict[int, Verdict] = {}
    asked.judge([judged], found.__setitem__)
    return found[0]


class MadeUp:
    """A judge that says what a function does."""

    def __init__(
        self, says: Callable[[Case], Any], id: str = "made-up", prompt_hash: str = "p1"
    ) -> None:
        self.says, self.id, self.prompt_hash = says, id, prompt_hash
        self.asked: list[str] = []

    def judge(self, cases: Sequence[Case], on_verdict: OnVerdict) -> None:
        for row, each in enumerate(cases):
            self.asked.append(each.question.id)
            said = self.says(each)
            on_verdict(row, said if isinstance(said, Verdict) else self.verdict(said))

    def verdict(self, level: Any, **fields: Any) -> Verdict:
        reason = "broken: it said nothing" if level == "unscored" else ""
        known = {"explanation": "so it is", "reason": reason, **fields}
        return Verdict(level=level, judge=self.id, prompt_hash=self.prompt_hash, **known)


def by_words(judged: Case) -> Any:
    """The level by how many answers have the name in them."""
    number = sum(judged.question.truth.name in answer.text for answer in judged.answers)
    return ("unknown", "known")[number] if number < 2 else "strongly_known"


assert len(TEXTS) == DRAWS
