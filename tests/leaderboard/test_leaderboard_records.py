"""Every number in benchmarks/leaderboard follows from the record that it stands in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.leaderboard.reported import PATH, rows
from benchmarks.paper.tables import read_tables
from mgld.leaderboard.entry import Entry, count, read_entries, read_facts
from mgld.leaderboard.reported import MARK, read_reported
from mgld.leaderboard.validate import differences

BOARD = Path(__file__).parents[2] / "benchmarks" / "leaderboard"
ENTRIES = read_entries(BOARD)


def test_there_are_entries_and_no_other_files() -> None:
    assert ENTRIES
    asked = {entry.submission.dataset.questions_sha256[:16] for entry in ENTRIES}
    assert {path.stem for path in (BOARD / "questions").iterdir()} == asked
    names = {path.name for path in (BOARD / "entries").iterdir()}
    assert names == {f"{entry.slug}.json" for entry in ENTRIES}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.slug)
def test_every_number_is_counted_again(entry: Entry) -> None:
    facts = read_facts(BOARD, entry)
    assert len(facts) == entry.submission.dataset.questions == len(entry.prints())
    numbers = count(facts, entry.outcomes, entry.identified, entry.statuses)
    assert differences({"of": entry.numbers.model_dump()}, {"of": numbers.model_dump()}) == []
    share = entry.numbers.levels.unscored_share
    assert share is not None
    assert share <= 0.005


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.slug)
def test_it_was_judged_again_by_its_own_judge(entry: Entry) -> None:
    again = entry.rejudged
    assert (again.judge, again.prompt_hash) == (
        entry.submission.judge,
        entry.submission.judge_prompt_hash,
    )
    assert again.same + again.unscored + len(again.differences) == again.questions > 0


def test_a_number_that_was_changed_is_found() -> None:
    entry = ENTRIES[0]
    text = json.loads(entry.model_dump_json())
    text["numbers"]["levels"]["accuracy"] = 0.99
    changed = Entry.model_validate(text)
    numbers = count(read_facts(BOARD, entry), entry.outcomes, entry.identified, entry.statuses)
    (found,) = differences({"of": changed.numbers.model_dump()}, {"of": numbers.model_dump()})
    assert "levels.accuracy is 0.99" in found


def test_the_stand_in_is_marked_as_what_it_is() -> None:
    for entry in ENTRIES:
        if entry.submission.model.startswith("standin:"):
            assert "No vision-language model" in entry.submission.notes


def test_the_papers_rows_are_those_of_its_tables() -> None:
    assert read_reported(PATH) == rows()
    counts = {
        (row.strongly_known, row.known, row.weakly_unknown, row.unknown)
        for row in read_tables().counts
    }
    assert {tuple(row.levels.counts.values()) for row in rows()} == counts
    assert len(rows()) == 17
    assert {row.mark for row in rows()} == {MARK} == {"reported by the paper, not re-run"}
    best = next(row for row in rows() if row.name == "HSS-50k: + L_h")
    assert best.levels.accuracy == 0.1552
    assert best.source.endswith("Table 6")
