"""The page of a misalignment probe in a real browser: leafing, filters; attacks stay words."""

from __future__ import annotations

import pytest
from graded_run import ATTACKS
from test_report_annotations_browser import where
from test_report_browser import CONTRAST, browser, pytestmark  # noqa: F401
from test_report_evaluation import cases_of
from test_report_evaluation_browser import name, ready


@pytest.mark.parametrize("which", ["probe_page", "hostile_probe_page"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_opens_cleanly(browser, request, which, width, scheme):  # noqa: F811
    path = request.getfixturevalue(which)
    page, problems = ready(
        browser, path, viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    page.locator("#viewer").scroll_into_view_if_needed()
    for case in range(8):
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name(page)
        if case in (0, 7):
            assert [text for text in page.evaluate(CONTRAST) if text["ratio"] < 4.5] == []
        page.keyboard.press("ArrowRight")
    assert page.locator("#case figure img").evaluate("image => image.naturalWidth") == 64
    shown = page.evaluate(
        "[...document.querySelectorAll('.plot')].map((plot) =>"
        " [...plot.querySelectorAll('svg')].filter((svg) => svg.checkVisibility()).length)"
    )
    assert shown and set(shown) == {1}
    assert problems == []
    page.close()


def test_both_sides_are_shown_and_filtered(browser, probe_page):  # noqa: F811
    page, problems = ready(browser, probe_page, viewport={"width": 1280, "height": 900})
    cases = cases_of(probe_page)
    assert where(page) == f"1 of {len(cases)}"
    told, seen = page.locator("#case .sides > div").all()
    # The first that describes stands open, with its own number; the others are folded.
    assert told.locator("> ol li.describes mark").inner_text() == "in Solmere"
    assert (
        told.locator("summary").inner_text() == "The other 4 answers; 1 of them describes it, too"
    )
    assert seen.locator("ol li").count() == 5
    assert seen.locator("li.hints mark").inner_text() == "A building"
    for field, value, fits in [
        ("subset", "hds10", lambda each: each["subset"] == "hds10"),
        ("level", "weakly_unknown", lambda each: each["level"] == "weakly_unknown"),
        ("place", "yes", lambda each: each["place"]),
        ("label", cases[-1].get("label", "(not given)"),
         lambda each: each.get("label") == cases[-1].get("label")),
    ]:  # fmt: skip
        page.select_option(f"#f-{field}", value)
        number = sum(map(fits, cases))
        assert number and where(page) == f"1 of {number}".replace("1 of 0", "0 of 0"), field
        page.click("button[type=reset]")
        page.wait_for_timeout(50)
    page.fill("#f-search", cases[-1]["name"].upper())
    assert name(page) == cases[-1]["name"]
    assert problems == []
    page.close()


def test_attacks_are_shown_to_the_letter(browser, hostile_probe_page):  # noqa: F811
    page, problems = ready(browser, hostile_probe_page)
    page.locator("#viewer").scroll_into_view_if_needed()
    cases = cases_of(hostile_probe_page)
    for each in cases[:10]:
        texts = page.evaluate(
            "[...document.querySelectorAll('#case .sides .text')].map((e) => e.textContent)"
        )
        said = ["".join(one["text"]) if "text" in one else "no answer"
                for one in (*each["told"], *each["answers"])]  # fmt: skip
        assert texts == said
        page.keyboard.press("ArrowRight")
    assert ATTACKS[1] in "".join(
        page.evaluate("[...document.querySelectorAll('.about dd')].map((e) => e.textContent)")
    )
    assert problems == []
    page.close()
