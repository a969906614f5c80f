"""The comparison in a real browser: the numbers of `mgld compare`, and one board at a time."""

from __future__ import annotations

import pytest
from board_data import entry, facts, letters, save, submission
from site_browser import pytestmark  # noqa: F401

from mgld.evaluate.compare import compare_runs
from mgld.evaluate.graded import GradedRun
from mgld.evaluate.records import Question, Truth, Verdict
from mgld.leaderboard.entry import read_entries
from mgld.leaderboard.site import build_site


def graded(each, asked) -> GradedRun:
    """An entry as `mgld compare` reads a run."""
    questions = {
        fact.id: Question(id=fact.id, landmark_id=fact.landmark_id, text="", image_sha256="",
                          truth=Truth(name=fact.name))
        for fact in asked
    }  # fmt: skip
    verdicts = {
        fact.id: Verdict(level=level, explanation="", judge="rule", prompt_hash="a" * 64)
        for fact, level in zip(asked, each.states(), strict=True)
    }
    return GradedRun(each.slug, "rule", "a" * 64, questions, verdicts)


@pytest.mark.parametrize(
    ("number", "a_landmark", "accuracies", "unscored"),
    [
        (60, 1, (0.3, 0.5), 0.0),
        (240, 3, (0.3, 0.5), 0.05),
        (1_200, 1, (0.3, 0.34), 0.004),
        (600, 2, (0.5, 0.5), 0.0),
        (40, 4, (0.0, 0.9), 0.0),
    ],
)
def test_the_comparison_is_that_of_mgld_compare(
    visit, tmp_path, number, a_landmark, accuracies, unscored
):
    asked = facts(number, a_landmark)
    entries = [
        entry(asked, submission(f"Model {row}", number), *letters(number, accuracy, row, unscored))
        for row, accuracy in enumerate(accuracies)
    ]
    build_site(save(tmp_path / "records", asked, entries), tmp_path / "site")
    one, other = entries
    expected = compare_runs([graded(one, asked), graded(other, asked)]).pairs[0]
    page = visit(tmp_path / "site", f"compare.html#a={one.slug}&b={other.slug}")
    page.locator("#result").wait_for()
    values = lambda path: [  # noqa: E731
        float(value)
        for value in page.locator(f"{path} data").evaluate_all("all => all.map((e) => e.value)")
    ]
    numbers = values("#numbers")
    assert numbers[:5] == [expected.questions, expected.landmarks, expected.unscored,
                           expected.only_first, expected.only_second]  # fmt: skip
    effect, level = expected.recognised, expected.level
    assert values("#effects") == pytest.approx(
        [effect.difference, effect.interval.low, effect.interval.high, effect.p,
         level.difference, level.p], rel=1e-9, abs=1e-12,
    )  # fmt: skip
    assert numbers[6] - numbers[5] == pytest.approx(effect.difference, abs=1e-12)
    both = [pair for pair in zip(one.outcomes, other.outcomes, strict=True) if "-" not in pair]
    assert values("#levels") == [both.count((a, b)) for a in "SKWU" for b in "SKWU"]
    changed = page.locator("#changed tbody th").all_text_contents()
    assert changed == [each.landmark for each in expected.changed[:50]]
    assert f": {len(expected.changed):,}" in page.locator("#h-changed").inner_text()
    said = "more than chance explains" if effect.p < 0.05 else "it could be chance"
    assert said in page.locator("#said").inner_text() or effect.difference == 0


def test_only_one_board_is_compared(visit, records, site):
    slugs = {each.submission.name: each.slug for each in read_entries(records)}
    page = visit(site, f"compare.html#a={slugs['Alpha']}&b={slugs['Strict Alpha']}")
    assert "on different boards" in page.locator("#where").inner_text()
    assert page.locator("#result").is_hidden()
    options = page.locator("#f-b option").all_text_contents()
    assert len(options) == 8 and not any("Strict" in text or "Told" in text for text in options)
    page.select_option("#f-b", slugs["Beta"])
    page.locator("#result").wait_for()
    assert page.evaluate("location.hash") == f"#a={slugs['Alpha']}&b={slugs['Beta']}"
    before = page.locator("#effects data").first.get_attribute("value")
    page.click("#swap")
    page.locator("#h-result", has_text="A: Beta, B: Alpha").wait_for()
    assert float(page.locator("#effects data").first.get_attribute("value")) == -float(before)
    for wrong in ("a=../../x&b=y", "a=__proto__&b=constructor"):
        page = visit(site, f"compare.html#{wrong}")
        assert "No submission has this address" in page.locator("#where").inner_text()
    page = visit(site, f"compare.html#a={slugs['Told Alpha']}")
    assert "Nothing else is on this board" in page.locator("#where").inner_text()
