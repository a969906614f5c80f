"""Quality of annotations against numbers counted by hand."""

from __future__ import annotations

from typing import Any

import pytest

from mgld.annotate.quality import Annotated, measure, naming, phrases, reason_kind, spread
from mgld.gldv2.labels import LABELS
from mgld.schema import EntityRecord, QaRecord, Turn


def qa(landmark_id: int, answer: str = "", **more: Any) -> QaRecord:
    turns = [Turn(role="user", content="Which?"), Turn(role="assistant", content=answer)]
    fields = {"status": "ok", "question_id": "q01", "conversation": turns if answer else []}
    return QaRecord(
        landmark_id=landmark_id, annotator="m", prompt_version="qa-1", **(fields | more)
    )


def entities(landmark_id: int, raw: list[str], kept: list[str], **more: Any) -> EntityRecord:
    fields = {"status": "ok", "entities": kept, "entities_raw": raw}
    return EntityRecord(
        landmark_id=landmark_id, annotator="m", prompt_version="entities-1", **(fields | more)
    )


def dataset() -> list[Annotated]:
    """Eight landmarks, one of each fate."""
    return [
        Annotated(
            1, "Eiffel Tower", "tower",
            qa(1, "This is the Eiffel Tower in Paris."),
            entities(
                1,
                ["Iron lattice.", "iron-lattice", "Eiffel ironwork", "historic building", "x" * 61,
                 "four legs", "wide base"],
                ["Iron lattice", "four legs", "wide base"],
                hierarchical_label="tower", aliases=["La Dame de Fer"], place_hints=["Paris"],
            ),
        ),
        Annotated(
            2, "Château de Meudon (Meudon)", "castle / fort ",
            qa(2, "chateau de meudon is here", repaired=True, question_id="q02"),
            entities(2, ["stone terrace", "iron lattice", "domes"],
                     ["stone terrace", "iron lattice", "domes"],
                     hierarchical_label="palace", repaired=True),
        ),
        Annotated(
            3, "Fram", None,
            qa(3, "One sees the polar ship in its house."),
            entities(3, ["wooden hull", "Domes", "IRON LATTICE"],
                     ["wooden hull", "Domes", "IRON LATTICE"],
                     hierarchical_label="boat", aliases=["Polar ship"]),
        ),
        Annotated(
            4, "Old Mill", "windmill",
            qa(4, "A thing."),
            entities(4, ["four sails"] * 2, ["four sails"], hierarchical_label=None),
        ),
        Annotated(
            5, "Grey Wall", None,
            qa(5, "It is not the wall."),
            entities(5, ["building", "Grey Wall"], [], status="error",
                     reason="none of its 2 entities is fit"),
        ),
        Annotated(
            6, "No Answer", "church",
            qa(6, status="refused", reason="refusal: no"),
            entities(6, [], [], status="skipped", reason="refusal: no"),
        ),
        Annotated(
            7, "Cut", "church",
            qa(7, status="error", reason="no valid reply: not JSON: EOF while parsing a string at "
               "line 1 column 60"),
            entities(7, [], [], status="skipped", reason="no valid reply"),
        ),
        Annotated(8, "No Image", "lake", qa(8, status="skipped", question_id=""), None),
    ]  # fmt: skip


def test_every_landmark_has_one_fate_in_each_stage() -> None:
    found = measure(dataset(), LABELS)
    fates = ("valid", "repaired", "refused", "error", "skipped", "waiting")
    counts = {stage.stage: [getattr(stage, fate) for fate in fates]
              for stage in (found.qa, found.entities)}  # fmt: skip
    assert counts == {"qa": [4, 1, 1, 1, 1, 0], "entities": [3, 1, 0, 1, 2, 1]}
    assert all(sum(each) == found.landmarks == 8 for each in counts.values())
    assert (found.qa.asked, found.entities.asked) == (7, 5)
    assert found.complete == 4
    assert found.qa.prompt_versions == {"qa-1": 7}


def test_reasons_are_counted_by_kind() -> None:
    records = [
        Annotated(k, "x", None, qa(k, status="error", reason=reason), None)
        for k, reason in enumerate(
            [
                "not JSON: EOF while parsing a string at line 1 column 6",
                "not JSON: EOF while parsing a list at line 2 column 99",
                "hierarchical_label: 'fortress' is not in the list",
                "hierarchical_label: 'ship' is not in the list",
                "HTTP 400: it can't be",
            ]
        )
    ]
    assert [(each.reason, each.count) for each in measure(records, LABELS).qa.reasons] == [
        ("hierarchical_label: “…” is not in the list", 2),
        ("not JSON: EOF", 2),
        ("HTTP 400: it can't be", 1),
    ]
    assert reason_kind("refusal: I'm sorry, I can't") == "refusal: I'm sorry, I can't"


def test_answers() -> None:
    found = measure(dataset(), LABELS).answers
    # Words: 7, 5, 8, 2, 5.
    assert found.answers == 5
    assert found.words is not None
    assert (found.words.least, found.words.median, found.words.most) == (2, 5, 8)
    assert found.words.mean == pytest.approx(27 / 5)
    assert (found.named, found.other_name, found.unnamed) == (2, 1, 2)
    used = {each.id: (each.drawn, each.answered) for each in found.questions if each.drawn}
    assert used == {"q01": (6, 4), "q02": (1, 1)}
    assert len(found.questions) == 24 and all(each.text for each in found.questions)


def test_entities() -> None:
    found = measure(dataset(), LABELS).entity
    assert found.records == 4
    assert found.raw == {2: 1, 3: 2, 7: 1}
    assert found.kept == {1: 1, 3: 3}
    # Left out: of 1 a repetition, the name, a generic one, a long one; of 4 a repetition;
    # of 5, in error, a generic one and the name.
    assert found.dropped == {"generic": 2, "name": 2, "repeated": 2, "too long": 1}
    assert (found.raw_total, found.kept_total) == (17, 10)
    assert found.raw_total == found.kept_total + sum(found.dropped.values())
    assert (found.distinct, found.repeated, found.repeated_uses) == (7, 2, 5)
    assert [(each.text.lower(), each.records) for each in found.frequent] == [
        ("iron lattice", 3),
        ("domes", 2),
    ]
    assert (found.aliases, found.without_aliases) == (2 / 4, 2)
    assert (found.place_hints, found.without_place_hints) == (1 / 4, 3)


def test_labels() -> None:
    found = measure(dataset(), LABELS).labels
    parts = (found.same, found.differ, found.only_gldv2, found.only_refined, found.neither)
    assert parts == (1, 1, 1, 1, 0)
    assert sum(parts) == found.records == 4
    assert found.agreement == 0.5
    assert [(each.gldv2, each.refined, each.count) for each in found.disagreements] == [
        ("castle / fort", "palace", 1),
        ("windmill", None, 1),
    ]
    assert found.outside == 0
    assert {each.label: (each.gldv2, each.refined) for each in found.counts} == {
        "tower": (1, 1), "castle / fort": (1, 0), "palace": (0, 1), "boat": (0, 1),
        "windmill": (1, 0),
    }  # fmt: skip
    outside = measure(dataset(), set(LABELS) - {"boat"}).labels
    assert (outside.outside, outside.outside_labels[0].text) == (1, "boat")


def test_nothing_is_counted_of_nothing() -> None:
    found = measure([], LABELS)
    assert found.answers.words is None and found.labels.agreement is None
    assert found.entity.aliases == 0.0
    waiting = measure([Annotated(1, "x", None, None, None)], LABELS)
    assert waiting.qa.waiting == waiting.entities.waiting == 1
    assert spread([]) is None


def test_why_each_phrase_was_left_out() -> None:
    first = dataset()[0]
    assert first.entities is not None
    found = phrases(first.name, first.entities)
    assert [each.raw for each in found] == first.entities.entities_raw
    assert [each.kept for each in found if not each.dropped] == first.entities.entities
    assert [each.dropped for each in found] == [
        "", "repeated", "name", "generic", "too long", "", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "name", "aliases", "found"),
    [
        ("The EIFFEL tower.", "Eiffel Tower", [], "name"),
        ("Eiffel's tower", "Eiffel Tower", [], ""),
        ("the Eiffel Towers", "Eiffel Tower", [], ""),
        ("Chateau de Meudon", "Château de Meudon (Meudon)", [], "name"),
        ("the iron lady", "Eiffel Tower", ["Iron Lady"], "alias"),
        ("这是故宫的照片", "故宫", [], "name"),
        ("anything", "!?", ["..."], ""),
    ],
)
def test_naming(text: str, name: str, aliases: list[str], found: str) -> None:
    assert naming(text, name, aliases) == found
