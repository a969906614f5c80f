"""Records of made-up submissions, for the site: random letters, numbers counted from them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from bundle_data import TESTS

from mgld.leaderboard.entry import Entry, QuestionFacts, count
from mgld.leaderboard.manifest import Submission
from mgld.leaderboard.rejudge import Rejudged

BOARD = TESTS.parent / "benchmarks" / "leaderboard"
SHA = "5" * 64


def facts(
    number: int = 60, a_landmark: int = 1, name: Callable[[int], str] = "Tower {}".format
) -> list[QuestionFacts]:
    """Questions of `number` / `a_landmark` landmarks."""
    return [
        QuestionFacts(
            id=f"q{each}",
            landmark_id=each // a_landmark,
            name=name(each),
            label=("church", "bridge", "lake")[each % 3],
            natural_or_human_made="natural" if each % 3 == 2 else "human-made",
            sim=each / number,
            rsr=1 - each / number,
            images=1 + each % 70,
        )
        for each in range(number)
    ]


def letters(number: int, accuracy: float, seed: int, unscored: float = 0.0) -> tuple[str, str]:
    """Outcomes, and the number of identifying draws that they are of."""
    draw = np.random.default_rng(seed)
    hits = draw.binomial(5, np.clip(draw.normal(accuracy, 0.3, number), 0, 1))
    weak = draw.random(number) < 0.3
    outcomes = [
        "S" if hit > 1 else "K" if hit else "W" if hint else "U"
        for hit, hint in zip(hits, weak, strict=True)
    ]
    lost = draw.random(number) < unscored
    return (
        "".join("-" if gone else letter for letter, gone in zip(outcomes, lost, strict=True)),
        "".join("0" if gone else str(hit) for hit, gone in zip(hits, lost, strict=True)),
    )


def submission(name: str, questions: int, **changes: Any) -> Submission:
    """A manifest; `dataset` among the changes only changes what it names."""
    stated: dict[str, Any] = {
        "name": name,
        "submitter": f"Group of {name}",
        "model": f"hf:made-up/{name.lower().replace(' ', '-')}",
        "model_repo": "made-up/model",
        "model_revision": "v1",
        "prompt": "question",
        "prompt_version": "question-1",
        "decoding": {},
        "seed": 0,
        "judge": "rule",
        "judge_prompt_hash": "a" * 64,
        "began": "2026-01-02T03:04:05Z",
        "versions": {"mgld": "0.1.0"},
        "hardware": {"cpus": 2},
        "files": {},
    }
    dataset = {
        "source": "owner/mgld",
        "config": "eval",
        "split": "test",
        "revision": "v1.0.0",
        "questions": questions,
        "questions_sha256": SHA,
    } | changes.pop("dataset", {})
    return Submission.model_validate(stated | {"dataset": dataset} | changes)


def entry(
    of: Sequence[QuestionFacts], about: Submission, outcomes: str, identified: str, **changes: Any
) -> Entry:
    """An entry whose numbers are counted from its letters."""
    bundle = hashlib.sha256(about.model_dump_json().encode()).hexdigest()
    again = Rejudged(
        judge=about.judge, prompt_hash=about.judge_prompt_hash, questions=len(of), total=len(of),
        seed=1, same=len(of), unscored=0, stated=0.5, found=0.5, differences=[],
    )  # fmt: skip
    statuses = "o" * 5 * len(of)
    stated: dict[str, Any] = {
        "bundle": bundle,
        "submission": about,
        "outcomes": outcomes,
        "identified": identified,
        "statuses": statuses,
        "answer_prints": "0" * 8 * len(of),
        "answered_by": {},
        "first_reply": "",
        "last_reply": "",
        "graded": "2026-01-03",
        "rejudged": again,
        "accepted": "2026-01-04",
        "numbers": count(of, outcomes, identified, statuses),
    }
    return Entry.model_validate(stated | changes)


def save(records: Path, of: Sequence[QuestionFacts], entries: Sequence[Entry]) -> Path:
    """Write them as the board's folder."""
    for each in entries:
        name = each.submission.dataset.questions_sha256[:16]
        for path, text in (
            (records / "questions" / f"{name}.jsonl",
             "".join(json.dumps(fact.model_dump()) + "\n" for fact in of)),
            (records / "entries" / f"{each.slug}.json", each.model_dump_json(indent=1) + "\n"),
        ):  # fmt: skip
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return records


def several(records: Path) -> Path:
    """Three boards: eight submissions, two by another judge, one that was asked otherwise."""
    asked = facts()
    names = ["Alpha", "Beta", "Gamma", "Delta", "Epsilon", "Zeta", "Eta", "Théta"]
    entries = [
        entry(asked, submission(name, 60), *letters(60, 0.12 * place, place, 0.03 * (place == 3)),
              accepted=f"2026-01-{10 + place}")
        for place, name in enumerate(names)
    ]  # fmt: skip
    entries += [
        entry(asked, submission(f"Strict {name}", 60, judge="openai:judge-1:paper",
                                judge_prompt_hash="b" * 64), *letters(60, 0.4, 20 + place),
              answered_by={"judge-1": 60})
        for place, name in enumerate(names[:2])
    ]  # fmt: skip
    entries.append(
        entry(asked, submission("Told Alpha", 60, prompt="entities-given"), *letters(60, 0.6, 30))
    )
    save(records, asked, entries)
    (records / "reported.json").write_bytes((BOARD / "reported.json").read_bytes())
    return records
