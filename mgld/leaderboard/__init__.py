"""Leaderboard submissions: made, checked, verified, recorded and handed in; and the site of them.

A bundle is a folder or a zip: `prepare_bundle` makes it of a graded run, `validate_bundle` checks
it by itself, `push_bundle` hands it in, `verify_bundle` judges it again, `accept` records it. Of a
folder of records, `read_entries` gives the entries, `read_boards` the ranked tables, and
`build_site` writes the pages.
"""

from __future__ import annotations

from mgld.leaderboard.boards import Board, BoardKey, Row, read_boards
from mgld.leaderboard.entry import Entry, read_entries
from mgld.leaderboard.findings import Finding, Findings
from mgld.leaderboard.manifest import Submission
from mgld.leaderboard.prepare import About, prepare_bundle
from mgld.leaderboard.push import Pushed, push_bundle
from mgld.leaderboard.site import build_site
from mgld.leaderboard.validate import Validated, validate_bundle
from mgld.leaderboard.verify import Verified, accept, verify_bundle

__all__ = [
    "About",
    "Board",
    "BoardKey",
    "Entry",
    "Finding",
    "Findings",
    "Pushed",
    "Row",
    "Submission",
    "Validated",
    "Verified",
    "accept",
    "build_site",
    "prepare_bundle",
    "push_bundle",
    "read_boards",
    "read_entries",
    "validate_bundle",
    "verify_bundle",
]
