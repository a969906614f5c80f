"""The site in Chromium, from its files: a visit on which nothing may go wrong, sites to visit."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from board_data import entry, facts, letters, save, several, submission
from bundle_data import TESTS

sys.path.append(str(TESTS / "report"))

from graded_run import ATTACKS
from test_report_browser import CONTRAST, browser, pytestmark

from mgld.evaluate.records import LEVELS
from mgld.leaderboard import manifest
from mgld.leaderboard.site import build_site

__all__ = ["CONTRAST", "browser", "hostile", "pytestmark", "records", "site", "visit"]
WIDE = {"width": 1280, "height": 900}
# Without NUL, which HTML has no way to say, and not as long.
HOSTILE = [text.replace("\x00", "").replace("\x1b", "")[:300] for text in ATTACKS] + [
    "javascript:alert(1)//", "' onfocus=alert(1) autofocus '", "]]>--><script>alert(1)</script>"
]  # fmt: skip


@dataclass
class Opened:
    """A page, and what went wrong on it: messages, errors, dialogs, requests out of the site."""

    page: object
    problems: list[str]


@pytest.fixture
def visit(browser):
    """visit(site, "index.html#...", **settings) -> the page; at the end nothing went wrong."""
    opened: list[Opened] = []

    def go(site: Path, address: str, **settings):
        page = browser.new_page(**{"viewport": WIDE, **settings})
        problems: list[str] = []
        page.on("console", lambda message: problems.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))

        def outside(route):
            url = route.request.url
            if url.startswith(site.as_uri() + "/"):
                route.continue_()
            else:
                problems.append(f"asked for {url}")
                route.abort()

        page.route("**/*", outside)
        name, _, view = address.partition("#")
        page.goto((site / name).as_uri() + (f"#{view}" if view else ""))
        opened.append(Opened(page, problems))
        return page

    yield go
    for each in opened:
        each.page.close()
        assert each.problems == []


@pytest.fixture(scope="session")
def records(tmp_path_factory):
    return several(tmp_path_factory.mktemp("records"))


@pytest.fixture(scope="session")
def site(records, tmp_path_factory):
    out = tmp_path_factory.mktemp("several") / "si te #1"  # an address that must be encoded
    build_site(records, out, bundles_url="https://example.org/tree/main/submissions")
    return out


@pytest.fixture(scope="session")
def hostile(tmp_path_factory):
    """A site in which every text attacks, past the checks that keep such a record out."""
    root = tmp_path_factory.mktemp("hostile")
    patch = pytest.MonkeyPatch()
    patch.setattr(manifest, "_is_plain", lambda letter: True)
    patch.setattr(manifest, "_MAX_NAME", 10_000)
    attack = lambda number: HOSTILE[number % len(HOSTILE)]  # noqa: E731
    asked = [
        each.model_copy(
            update={"name": attack(row), "label": attack(row % 7), "id": f"{row}{attack(row + 1)}"}
        )
        for row, each in enumerate(facts(60))
    ]
    entries = []
    for row, text in enumerate(HOSTILE):
        about = submission(
            text,
            60,
            submitter=attack(row + 1),
            model=attack(row + 2),
            model_revision=attack(row + 3),
            model_identity={attack(row): attack(row + 1)},
            notes=attack(row + 4),
            url=f"https://example.org/{attack(row)}",
            prompt_version=attack(row + 5),
            versions={attack(row): attack(row + 2)},
            hardware={attack(row + 1): attack(row)},
            judge=attack(row % 2),
            dataset={"source": attack(row + 6), "revision": attack(row), "content": attack(row)},
        )
        made = entry(
            asked, about, *letters(60, 0.5, row),
            answered_by={attack(row % 2): 60}, first_reply=attack(row), last_reply=attack(row + 1),
            graded=attack(row + 2), accepted=attack(row + 3),
        )  # fmt: skip
        change = {"question_id": attack(row), "stated": LEVELS[0], "found": LEVELS[1]}
        again = made.rejudged.model_copy(update={"judge": attack(row)})
        entries.append(made.model_copy(update={"rejudged": again.model_validate(
            again.model_dump() | {"differences": [change]})}))  # fmt: skip
    records = save(root / "records", asked, entries)
    build_site(
        records, root / "site", bundles_url='https://example.org/"><script>alert(1)</script>'
    )
    yield root / "site", records
    patch.undo()
