"""The misalignment probe: what counts as told, as seen, and how they are put together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from answer_data import settings
from click.testing import CliRunner

from mgld.cli import main
from mgld.evaluate.describing import RuleDescriptionJudge, load_description_judge
from mgld.evaluate.judges import Case, load_judge
from mgld.evaluate.probe import probe, probe_table
from mgld.evaluate.records import (
    Answer,
    Decoding,
    Described,
    ProbeTable,
    Question,
    State,
    Truth,
)

PLUGIN = """
class Teller:
    id = "teller:x"
    def identity(self):
        return {}
    def answer(self, asked, on_answer):
        for each in asked:
            number, name = each.question.landmark_id, each.question.truth.name
            for draw in each.draws:
                if each.read_image is None:
                    assert " ".join(name.split()) in each.text, each.text
                    told = number % 4 != 0 and draw == 3
                    text = "It stands in Solmere." if told else "I am not familiar with it."
                else:
                    assert each.text == "What is the location shown in the image?"
                    text = f"This is {name}." if number % 3 == 0 else "A building."
                on_answer(each.answer(draw, text, model=self.id))

def load(rest, options):
    return Teller()
"""


def question(name: str = "Old Mill (Nordvik)", **truth: object) -> Question:
    fields = {"place_hints": ["Nordvik", "Lower Vesmark"], "label": "watermill", **truth}
    return Question(
        id="q", landmark_id=1, text="?", image_sha256="", truth=Truth(name=name, **fields)
    )


def told(asked: Question, *texts: str, status: str = "ok") -> Described:
    answers = tuple(
        Answer(
            question_id="q",
            draw=draw,
            text=text,
            status=status,
            model="m",
            prompt_version="p",
            decoding=Decoding(),
        )
        for draw, text in enumerate(texts)
    )
    found: list[Described] = []
    RuleDescriptionJudge().judge([Case(asked, answers)], lambda _, each: found.append(each))
    return found[0]


@pytest.mark.parametrize(
    ("text", "state", "place"),
    [
        ("The Old Mill stands in lower vesmark.", "described", True),
        ("It is one of the watermills of the coast.", "described", False),
        # What the name says itself proves nothing.
        ("The Old Mill in Nordvik is an old mill in Nordvik.", "not_described", False),
        ("It is a famous castle in France.", "not_described", False),
        (
            "I am not familiar with it. It may be a watermill in Lower Vesmark.",
            "not_described",
            False,
        ),
        ("I don’t know this landmark; perhaps a watermill?", "not_described", False),
        ("", "not_described", False),
        ("VESMARK, the lower part", "not_described", False),
    ],
)
def test_what_is_described(text: str, state: str, place: bool) -> None:
    found = told(question(), "I do not know it.", text)
    assert (found.state, found.place) == (state, place)
    assert found.draws == ([1] if state == "described" else [])


def test_a_kind_that_the_name_says_is_given_away() -> None:
    castle = question("Milgarzen Castle", label="castle / fort", place_hints=[])
    found = told(castle, "A castle.", "A fort.")
    assert found.state == "unscored" and "no place or kind" in found.reason
    assert told(question("Milgarzen", label="castle / fort"), "Its forts").state == "described"
    assert told(question("Milgarzen", label="buddhist temple"), "A temple").state == "described"
    assert told(question("Milgarzen", label=None, place_hints=[]), "A").state == "unscored"


def test_errors_leave_a_question_unscored() -> None:
    assert told(question(), "", "", status="error").state == "unscored"
    assert told(question(), "In Lower Vesmark", status="refused").state == "not_described"


def test_a_judge_of_descriptions_that_is_none() -> None:
    for spec in ("", "openai", "openai:", "majority:rule,openai:x", "RULE"):
        with pytest.raises(ValueError, match=r"there are: rule, openai:MODEL|which model judges"):
            load_description_judge(spec)


def described(number: int, state: str, *, place: bool = False) -> Described:
    return Described.model_validate(
        {
            "question_id": str(number),
            "state": state,
            "place": place,
            "explanation": "",
            "judge": "j",
            "prompt_hash": "h",
        }
    )


def test_the_table_counts_what_both_sides_say() -> None:
    rows: list[tuple[str, State]] = [
        *[("described", "strongly_known")] * 2,
        *[("described", "known")] * 1,
        *[("described", "weakly_unknown")] * 4,
        *[("described", "unknown")] * 5,
        *[("not_described", "known")] * 2,
        *[("not_described", "unknown")] * 7,
        *[("unscored", "known")] * 3,
        *[("described", "unscored")] * 2,
    ]
    told_of = [described(n, state, place=n < 5) for n, (state, _) in enumerate(rows)]
    table = probe_table("test", told_of, {str(n): level for n, (_, level) in enumerate(rows)})
    assert table.questions == len(rows) == 26
    assert (table.described_recognised, table.described_not_recognised) == (3, 9)
    assert (table.not_described_recognised, table.not_described_not_recognised) == (2, 7)
    assert table.unscored == 5
    assert table.misalignment == 0.75
    # Wilson's limits are where the share is just 1.96 standard errors of the limit away.
    assert table.interval is not None
    for limit in table.interval:
        assert (limit - 0.75) ** 2 == pytest.approx(
            1.959964**2 * limit * (1 - limit) / 12, rel=1e-5
        )
    assert table.interval[0] < 0.75 < table.interval[1]
    assert (table.by_place, table.by_place_not_recognised) == (5, 2)
    assert (table.unscored_described, table.unscored_recognised) == (3, 2)


@pytest.mark.parametrize(
    "rows",
    [
        [("described", "known"), ("unscored", "known"), ("unscored", "unknown")],
        [("described", "unknown"), ("described", "unscored"), ("not_described", "unscored")],
        [("described", "known"), ("described", "unknown"), *[("unscored", "unscored")] * 2],
        [("unscored", "unscored")],
        [("not_described", "unscored"), ("unscored", "known")],
        [("unscored", "unknown")],
    ],
)
def test_unscored_ones_bound_the_rate(rows: list[tuple[str, State]]) -> None:
    """The bounds are those of all ways to score what is unscored."""
    told_ways = [("described", "not_described") if s == "unscored" else (s,) for s, _ in rows]
    seen_ways = [("known", "unknown") if lv == "unscored" else (lv,) for _, lv in rows]

    def table(states: Sequence[str], levels: Sequence[Any]) -> ProbeTable:
        found = [described(n, state) for n, state in enumerate(states)]
        return probe_table("test", found, {str(n): level for n, level in enumerate(levels)})

    rates = [
        rate
        for states in product(*told_ways)
        for levels in product(*seen_ways)
        if (rate := table(states, levels).misalignment) is not None
    ]
    found = table([state for state, _ in rows], [level for _, level in rows])
    assert (found.lowest, found.highest) == (min(rates), max(rates))


def test_where_nothing_is_described_there_is_no_rate() -> None:
    table = probe_table("test", [described(0, "not_described")], {"0": "unknown"})
    assert table.misalignment is None and table.interval is None
    with pytest.raises(ValueError, match="different questions"):
        probe_table("test", [described(0, "described")], {"1": "unknown"})


@pytest.fixture
def teller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    info = site / "mgld_teller-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mgld-teller\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mgld.models]\nteller = mgld_teller:load\n")
    (site / "mgld_teller.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(site))


def test_the_whole_probe_per_subset(answer_build: Path, teller: None, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["probe", "--model", "teller:x", "--data", str(answer_build), "--out", str(out)]
    arguments += ["--judge", "rule", "--subset", "test", "--subset", "hds10", "--json"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result == json.loads((out / "probe.json").read_text())
    test, hds = result["tables"]
    assert result["recognised"]["judge"] == "rule"
    assert result["recognised"]["prompt_hash"] == load_judge("rule").prompt_hash
    assert result["described"]["judge"] == "rule-description"
    assert result["described"]["prompt_hash"] == RuleDescriptionJudge().prompt_hash
    # Landmarks 0, 6, ..., 54: told unless divisible by 4, all seen.
    assert (test["subset"], test["described_recognised"], test["described_not_recognised"]) == (
        "test",
        5,
        0,
    )
    assert (test["not_described_recognised"], test["misalignment"]) == (5, 0.0)
    assert hds["subset"] == "hds10" and hds["questions"] == 10
    assert hds["described_not_recognised"] > 0
    assert hds["by_place"] == hds["described_recognised"] + hds["described_not_recognised"]
    cases = [json.loads(line) for line in (out / "hds10" / "misaligned.jsonl").open()]
    assert len(cases) == hds["described_not_recognised"]
    assert {(each["level"], each["told"], each["seen"]) for each in cases} == {
        ("unknown", "It stands in Solmere.", "A building.")
    }
    assert (out / "test" / "misaligned.jsonl").read_text() == ""
    assert "knows by name" in (out / "report.html").read_text(encoding="utf-8")
    # Again: nothing is asked, the same comes out.
    before = (out / "hds10" / "image" / "answers.jsonl").read_bytes()
    again = CliRunner().invoke(main, [each for each in arguments if each != "--json"])
    assert again.exit_code == 0 and "misaligned" in again.stdout
    assert f"report: {out / 'report.html'}" in again.stdout
    assert again.stdout.count("  told: It stands in Solmere.\n  seen: A building.\n") == min(
        3, len(cases)
    )
    assert (out / "hds10" / "image" / "answers.jsonl").read_bytes() == before
    assert json.loads((out / "probe.json").read_text()) == result


def test_a_subset_that_is_not_there_is_said_before_anything_is_asked(
    answer_build: Path, teller: None, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="no config 'hds99'"):
        probe(
            settings(answer_build, "teller:x"),
            tmp_path / "out",
            judge=load_judge("rule"),
            description_judge=RuleDescriptionJudge(),
            subsets=["test", "hds99"],
        )
    assert not (tmp_path / "out").exists()


def test_a_file_cannot_be_probed(answer_build: Path, tmp_path: Path) -> None:
    arguments = ["probe", "--model", "file:x", "--data", str(answer_build), "--judge", "rule"]
    done = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path / "out")])
    assert done.exit_code == 2 and "cannot be asked" in done.output
