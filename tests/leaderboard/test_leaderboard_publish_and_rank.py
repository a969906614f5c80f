"""From a build to the leaderboard by the documented script, small and whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from read_site import Page, broken_links, read_page

from benchmarks.leaderboard.publish_and_rank import (
    DEMO,
    ENTRANTS,
    OUT,
    Entrant,
    publish_and_rank,
)
from mgld.evaluate.run_metrics import RunMetrics
from mgld.leaderboard.entry import Entry, read_entries, read_facts
from mgld.leaderboard.ranking import rank_intervals
from mgld.leaderboard.validate import validate_bundle
from mgld.report.words import percent


def test_a_build_is_published_loaded_answered_handed_in_verified_and_shown(tmp_path: Path) -> None:
    entrant = ENTRANTS[0]
    publish_and_rank(tmp_path, landmarks=60, entrants=[entrant])
    (entry,) = require_all_are_shown(tmp_path, [entrant])
    assert entry.submission.dataset.source == "me/mgld-demo"  # as the Hub gave it
    assert entry.submission.dataset.revision
    assert (tmp_path / DEMO / "report.html").is_file()
    page = read_page(tmp_path / OUT / "site" / "submissions" / f"{entry.slug}.html")
    assert f"Bundle {entry.bundle[:16]} (not linked: built without --bundles-url)" in page.text
    assert entry.submission.model_revision == ""  # a branch names no weights
    assert entry.submission.model_identity["encoder_fingerprint"]
    checked = validate_bundle(tmp_path / OUT / f"{entrant.folder}-bundle")
    assert [each for each in checked.findings.all if each.check == "manifest"] == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_models_are_told_apart_and_ranked(tmp_path: Path) -> None:
    """`make ranked` as it is."""
    seconds = publish_and_rank(tmp_path)
    entries = require_all_are_shown(tmp_path, ENTRANTS)
    out = tmp_path / OUT
    # The second pull request's branch has the first one's bundle, too; each entry is its own.
    assert [len(list((out / f"pull-{n}" / "submissions").iterdir())) for n in (1, 2)] == [1, 2]
    assert len({entry.bundle for entry in entries}) == len({e.outcomes for e in entries}) == 2
    page = read_page(out / "site" / "index.html")
    shown = {entry.submission.name: row_of(page, entry)[:5] for entry in entries}
    print(f"{sum(seconds.values()):.0f} s", *shown.items(), sep="\n")


def require_all_are_shown(folder: Path, entrants: Sequence[Entrant]) -> list[Entry]:
    """The entries, by entrant: what was handed in, and its numbers and ranks on the page."""
    out = folder / OUT
    found = {entry.submission.name: entry for entry in read_entries(out / "records")}
    assert found.keys() == {entrant.name for entrant in entrants}
    entries = [found[entrant.name] for entrant in entrants]
    page = read_page(out / "site" / "index.html")
    assert broken_links(out / "site") == []
    assert sum(len(row) > 4 and row[0] != "Rank" for row in page.rows) == len(entrants)
    landmarks = [each.landmark_id for each in read_facts(out / "records", entries[0])]
    places = rank_intervals([entry.outcomes for entry in entries], landmarks)
    for entrant, entry, place in zip(entrants, entries, places, strict=True):
        bundle = out / f"{entrant.folder}-bundle" / "submission.yaml"
        assert entry.bundle == hashlib.sha256(bundle.read_bytes()).hexdigest()
        metrics = RunMetrics.model_validate(
            json.loads((out / entrant.folder / "metrics-rule.json").read_text(encoding="utf-8"))
        )
        levels = metrics.levels
        assert entry.numbers.levels == levels
        assert entry.rejudged.same == entry.rejudged.total == levels.total > 0
        row = row_of(page, entry)
        assert levels.accuracy is not None
        assert row[3].startswith(f"{percent(levels.accuracy, 1)} ")
        assert row[4] == f"{levels.unscored} of {levels.total}"
        assert place is not None
        several = f"{place.low} to {place.high}" if len(entrants) > 1 else "of 1"
        assert row[0] == f"{place.rank} {several}"
    return entries


def row_of(page: Page, entry: Entry) -> list[str]:
    """The cells of a submission's row."""
    (row,) = (row for row in page.rows if len(row) > 4 and row[1].startswith(entry.submission.name))
    return row
