"""From a build to the leaderboard by the documented script, on a small world with one entrant."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.leaderboard.publish_and_rank import DEMO, ENTRANTS, OUT, publish_and_rank
from mgld.leaderboard.entry import read_entries


def test_a_build_is_published_loaded_answered_handed_in_verified_and_shown(tmp_path: Path) -> None:
    entrant = ENTRANTS[0]
    publish_and_rank(tmp_path, landmarks=60, entrants=[entrant])
    out = tmp_path / OUT
    metrics = json.loads((out / entrant.folder / "metrics-rule.json").read_text(encoding="utf-8"))
    (entry,) = read_entries(out / "records")
    assert entry.submission.name == entrant.name
    assert entry.submission.dataset.source == "me/mgld-demo"  # as the Hub gave it
    assert entry.submission.dataset.revision
    assert entry.numbers.levels.model_dump(mode="json") == metrics["levels"]
    assert entry.rejudged.same == entry.rejudged.total == metrics["levels"]["total"] > 0
    assert (tmp_path / DEMO / "report.html").is_file()
    page = (out / "site" / "index.html").read_text(encoding="utf-8")
    assert entrant.name in page
