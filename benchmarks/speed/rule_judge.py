"""How many answer sets a second the rule judge judges, on one core.

    python -m benchmarks.speed.rule_judge [--sets 2500]

Sets are 2,500 different landmarks with five answers of 60 to 120 words each, of the sorts that
models give: right, right but hedged, wrong, the place only, a description, a refusal. Prints
sets/s of the first pass over them (nothing cached) as one JSON line.
"""

from __future__ import annotations

import argparse
import json
import random
import time

from mgld.evaluate.judges import Case, load_judge
from mgld.evaluate.records import Answer, Decoding, Question, Truth, Verdict

_OPENINGS = {
    "right": "The image shows the {name}, a {kind} in {town}, {country}.",
    "hedged": "While I cannot be entirely certain, this is most likely the {name} in {town}.",
    "wrong": "This is the {other}, one of the best known sights of {elsewhere}.",
    "place": "The picture seems to have been taken in {town}, {country}, in an old street.",
    "described": "The image shows a large {kind} of pale stone, with a clock above its door.",
    "refusal": "I'm sorry, but I cannot identify the exact landmark that this photograph shows.",
}
_SENTENCES = [
    "It was built between 1883 and 1897 in the Romanesque Revival style and restored after a fire.",
    "The facade has three rows of arched windows, carved columns and a slate roof with dormers.",
    "Visitors come for its architecture, the gardens around it and the views over the water.",
    "It isn't the largest building of its kind, but it is among the most often photographed ones.",
    "In the foreground there are several people, parked cars and a row of bare trees.",
    "The sky is overcast, and the light suggests an early morning in autumn or winter.",
    "Its architect, William Marsh, also designed the Grand Hotel and the Union Station nearby.",
    "Today it houses a museum, a café and offices of the city, and it is open all year round.",
    "The stone was quarried nearby and brought here by barge, as was usual at the time.",
]
_FIRST = [
    "Alder",
    "Birch",
    "Cedar",
    "Delmar",
    "Elmwood",
    "Fairhaven",
    "Grant",
    "Hartwell",
    "Iver",
    "Juniper",
    "Keller",
    "Lorne",
]
_SECOND = [
    "Ridge",
    "Hill",
    "Point",
    "Grove",
    "Creek",
    "Stone",
    "Harbor",
    "Meadow",
    "Valley",
    "Cross",
]
_KINDS = [
    "Church",
    "Bridge",
    "Tower",
    "Museum",
    "Library",
    "Castle",
    "Lighthouse",
    "Park",
    "Theatre",
    "Station",
]
_TOWNS = [("Seattle", "United States"), ("Lyon", "France"), ("Utrecht", "Netherlands")]


def build_cases(count: int, seed: int) -> list[Case]:
    """`count` cases with five answers each, the same for the same seed."""
    rng = random.Random(seed)
    cases = []
    for index in range(count):
        town, country = rng.choice(_TOWNS)
        kind = rng.choice(_KINDS)
        name = f"{rng.choice(_FIRST)} {rng.choice(_SECOND)} {kind}"
        truth = Truth(
            name=f"{name} ({town})",
            aliases=[name, f"Old {name}"],
            place_hints=[town, country],
            label=kind.lower(),
        )
        words = {
            "name": name,
            "kind": kind.lower(),
            "town": town,
            "country": country,
            "other": f"{rng.choice(_FIRST)} {rng.choice(_SECOND)} {rng.choice(_KINDS)}",
            "elsewhere": "Vienna",
        }
        answers = tuple(_answer(str(index), draw, _text(rng, words)) for draw in range(5))
        question = Question(
            id=str(index),
            landmark_id=index,
            text="What is the location shown in the image?",
            image_sha256="0",
            truth=truth,
        )
        cases.append(Case(question, answers))
    return cases


def _text(rng: random.Random, words: dict[str, str]) -> str:
    said = [_OPENINGS[rng.choice(list(_OPENINGS))].format(**words)]
    wanted = rng.randint(60, 120)
    sentences = rng.sample(_SENTENCES, len(_SENTENCES))
    while sum(len(each.split()) for each in said) < wanted and sentences:
        said.append(sentences.pop())
    return " ".join(said)


def _answer(question: str, draw: int, text: str) -> Answer:
    return Answer(
        question_id=question,
        draw=draw,
        text=text,
        status="ok",
        model="benchmark",
        prompt_version="benchmark",
        decoding=Decoding(),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=2500)
    count = parser.parse_args().sets
    cases = build_cases(count, seed=0)
    lengths = [len(answer.text.split()) for case in cases for answer in case.answers]
    judge = load_judge("rule")
    verdicts: list[Verdict] = []
    judge.judge(build_cases(20, seed=1), lambda _, verdict: None)
    started = time.process_time()
    judge.judge(cases, lambda _, verdict: verdicts.append(verdict))
    seconds = time.process_time() - started
    levels = {
        level: sum(each.level == level for each in verdicts)
        for level in sorted({each.level for each in verdicts})
    }
    print(
        json.dumps(
            {
                "sets": count,
                "words_per_answer": round(sum(lengths) / len(lengths), 1),
                "cpu_seconds": round(seconds, 3),
                "sets_per_second": round(count / seconds),
                "levels": levels,
            }
        )
    )


if __name__ == "__main__":
    main()
