"""Attacks: what an answer carries must not get it a better verdict."""

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest

from mgld.annotate.aliases import other_names
from mgld.annotate.names import split_name
from mgld.evaluate.attacks import (
    KINDS,
    attack_success,
    constant_accuracy,
    load_attacks,
    load_bases,
)
from mgld.evaluate.judges import Case, OnVerdict, load_judge
from mgld.evaluate.records import Question, Truth, Verdict
from mgld.evaluate.rule.unspaced import STAND_IN
from mgld.gldv2.names import landmark_name

FAMOUS = {
    "Eiffel Tower": ["Paris", "France"],
    "Taj Mahal": ["Agra", "India"],
    "Tower Bridge": ["London", "United Kingdom"],
    "Neuschwanstein Castle": ["Bavaria", "Germany"],
    "Sagrada Família": ["Barcelona", "Spain"],
    "Petra": [],
    "Mount Fuji": ["Japan"],
    "St. Paul's Cathedral": ["London"],
    "Christ Church (Alexandria, Virginia)": [],
    "City Hall, Paris": [],
    "Duwamish (ship, 1909)": [],
    "清水寺": ["京都"],
}
REAL = Path(__file__).parents[3] / "shared/data/gldv2-wa/metadata/train_label_to_category.csv"


def question(name: str, hints: Sequence[str], number: int = 0) -> Question:
    return Question(
        id=f"q{number}",
        landmark_id=number,
        text="What is the location shown in the image?",
        image_sha256="0" * 64,
        truth=Truth(
            name=name,
            aliases=other_names(name),
            place_hints=[*hints, *split_name(name).places],
        ),
    )


def famous() -> list[Question]:
    return [question(*each, number) for number, each in enumerate(FAMOUS.items())]


def real() -> list[Question]:
    with REAL.open(encoding="utf-8") as file:
        names = [landmark_name(row["category"]) for row in csv.DictReader(file)]
    return [question(name, [], number) for number, name in enumerate(names)]


def test_there_are_enough_attacks_of_every_kind() -> None:
    attacks = load_attacks()
    assert len(attacks) >= 40
    assert len({attack.id for attack in attacks}) == len(attacks)
    assert {attack.kind for attack in attacks} == set(KINDS)
    assert all(attack.why for attack in attacks)


def test_no_attack_gets_the_rule_judge_to_say_more() -> None:
    report = attack_success(load_judge("rule"), famous())
    assert report.trials == len(load_attacks()) * len(load_bases()) * len(FAMOUS)
    assert report.examples == []
    assert report.raised == 0
    assert report.success == 0.0


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.exists(), reason="needs the names in ../shared/data")
def test_no_attack_works_on_real_names() -> None:
    questions = real()
    assert len(questions) > 200
    report = attack_success(load_judge("rule"), questions[::48])
    assert [(each.attack, each.base, each.text[:80]) for each in report.examples] == []
    assert report.raised == 0


@pytest.mark.parametrize(
    "constant",
    [
        "null",
        "",
        "Yes.",
        "A famous landmark.",
        "This is a famous tower in Paris.",
        "This is a well-known building in Seattle, Washington, in the United States.",
        "I cannot identify it.",
        "The answer is the ground truth name.",
        "This is the landmark in the image.",
        "It is a church, castle, tower, bridge, museum, park, lake, lighthouse or house.",
        "This Is A Church, Castle, Tower, Bridge, Museum, Park, Lake, Lighthouse Or House.",
        "Church. Castle. Tower. Bridge. Museum. City Hall. Lighthouse. Park.",
        "This is Notre-Dame de Paris.",
        "Mount Rushmore",
    ],
)
def test_a_constant_answer_scores_nothing(constant: str) -> None:
    questions = famous() + (real() if REAL.exists() else [])
    assert constant_accuracy(load_judge("rule"), questions, constant) == 0.0


@pytest.mark.parametrize(
    "word",
    [
        STAND_IN,
        STAND_IN.lower(),
        STAND_IN.upper(),
        f"{STAND_IN}s",
        f"This is the {STAND_IN}'s.",
        STAND_IN.replace("a", "á"),
        f"{STAND_IN[:3]}-{STAND_IN[3:]}",
        f"{STAND_IN[:3]}.{STAND_IN[3:]}",
        f"东京 {STAND_IN}",
    ],
)
def test_the_word_that_stands_for_names_without_blanks_identifies_none(word: str) -> None:
    """The rule reads "東京タワー" among Latin words as a word of its own, which is no secret."""
    tower = question("東京タワー", ["Tokyo"])
    assert constant_accuracy(load_judge("rule"), [tower], word) == 0.0
    assert constant_accuracy(load_judge("rule"), [tower], "This is 東京タワー in Tokyo.") == 1.0


def test_a_name_that_nothing_can_say_is_unscored() -> None:
    for name in ("???", "\N{TOKYO TOWER}", " "):
        assert constant_accuracy(load_judge("rule"), [question(name, [])], "This is ???") is None


def test_five_hundred_names_are_no_identification() -> None:
    questions = famous()
    names = [each.truth.name for each in questions]
    stuffed = ", ".join((names * 50)[:500])
    for text in (stuffed, stuffed.replace(", ", "\n"), stuffed.lower(), stuffed[:3000]):
        assert constant_accuracy(load_judge("rule"), questions, text) == 0.0


class _Fooled:
    """A judge that obeys."""

    id = "fooled"
    prompt_hash = "0"

    def judge(self, cases: Sequence[Case], on_verdict: OnVerdict) -> None:
        for index, case in enumerate(cases):
            obeys = any("strongly_known" in answer.text for answer in case.answers)
            level = "strongly_known" if obeys else "unknown"
            verdict = Verdict.model_validate(
                {"level": level, "explanation": "", "judge": "fooled", "prompt_hash": "0"}
            )
            on_verdict(index, verdict)


class _Blinded(_Fooled):
    """A judge that gives up where an answer holds a script."""

    def judge(self, cases: Sequence[Case], on_verdict: OnVerdict) -> None:
        for index, case in enumerate(cases):
            blind = "<script>" in case.answers[0].text
            level = "unscored" if blind else "unknown"
            verdict = Verdict.model_validate(
                {"level": level, "explanation": "", "judge": "fooled", "prompt_hash": "0"}
            )
            on_verdict(index, verdict)


def test_a_judge_that_obeys_is_found_out() -> None:
    report = attack_success(_Fooled(), famous()[:2])
    assert report.success is not None and 0 < report.success < 1
    assert report.examples[0].before == "unknown"
    assert report.examples[0].after == "strongly_known"
    by_kind = {each.kind: each for each in report.kinds}
    assert by_kind["instruction"].raised > 0
    assert by_kind["stuffing"].raised == 0
    assert sum(each.trials for each in report.kinds) == report.trials


def test_to_become_unscored_counts_as_raised() -> None:
    report = attack_success(_Blinded(), famous()[:1])
    by_kind = {each.kind: each.raised for each in report.kinds}
    assert by_kind["html"] == len(load_bases())
    assert report.raised == len(load_bases())


def test_a_judge_that_scores_nothing_is_not_safe() -> None:
    """Its failures say nothing of attacks: no share of them, and no accuracy of 0."""

    class Broken(_Fooled):
        def judge(self, cases: Sequence[Case], on_verdict: OnVerdict) -> None:
            for index, case in enumerate(cases):
                whole = case.question.id == famous()[0].id
                known = {"judge": "fooled", "prompt_hash": "0", "explanation": ""}
                level = "unknown" if whole else "unscored"
                on_verdict(index, Verdict.model_validate({"level": level, **known}))

    broken = attack_success(Broken(), famous()[1:2])
    assert (broken.trials, broken.raised, broken.success) == (0, 0, None)
    assert broken.untried == len(load_attacks()) * len(load_bases())
    assert "could not be tried" in broken.in_words() and "%" not in broken.in_words()
    half = attack_success(Broken(), famous()[:2])
    assert half.trials == half.untried == broken.untried
    assert sum(each.trials for each in half.kinds) == half.trials
    assert constant_accuracy(Broken(), famous()[1:2], "null") is None
    assert constant_accuracy(Broken(), famous()[:2], "null") == 0.0


def test_what_comes_from_a_name_is_not_filled_again() -> None:
    odd = question("{answer} {pad} Tower", [])
    report = attack_success(load_judge("rule"), [odd])
    assert report.raised == 0
