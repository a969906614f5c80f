"""The page of a graded run in a real browser: leafing, filters, keys; attacks stay words."""

from __future__ import annotations

import re

import pytest
from graded_run import ATTACKS
from test_report_annotations_browser import where
from test_report_browser import CONTRAST, browser, opened, pytestmark  # noqa: F401


def settled(page, pattern):
    """Wait for the words beside the buttons; the page's policy forbids polling by a script."""
    from playwright.sync_api import expect

    expect(page.locator("#where")).to_have_text(re.compile(pattern))


def ready(browser, path, **settings):  # noqa: F811
    page, problems = opened(browser, path, **settings)
    settled(page, "of")
    return page, problems


@pytest.fixture
def view(browser, run_page):  # noqa: F811
    page, problems = ready(browser, run_page, viewport={"width": 1280, "height": 900})
    assert problems == [] and page.locator("#unscripted").is_hidden()
    yield page
    assert problems == []
    page.close()


def name(page):
    """The name of the case that is shown."""
    return page.locator("#case h3 bdi").inner_text()


@pytest.mark.parametrize("which", ["run_page", "hostile_run_page"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_opens_cleanly(browser, request, which, width, scheme):  # noqa: F811
    path = request.getfixturevalue(which)
    page, problems = ready(
        browser, path, viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    cases = int(where(page).split()[-1])
    page.locator("#viewer").scroll_into_view_if_needed()
    for case in range(10):
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name(page)
        if case in (0, 9):
            faint = [text for text in page.evaluate(CONTRAST) if text["ratio"] < 4.5]
            assert faint == []
        page.keyboard.press("ArrowRight")
    assert where(page) == f"{min(11, cases)} of {cases}"
    shown = page.evaluate(
        "[...document.querySelectorAll('.plot')].map((plot) =>"
        " [...plot.querySelectorAll('svg')].filter((svg) => svg.checkVisibility()).length)"
    )
    assert shown and set(shown) == {1}
    assert problems == []
    page.close()


def test_attacks_are_shown_to_the_letter(browser, hostile_run_page):  # noqa: F811
    page, problems = ready(browser, hostile_run_page)
    assert name(page) == ATTACKS[0]
    texts = page.evaluate("[...document.querySelectorAll('#case .text')].map((e) => e.textContent)")
    assert texts == [*ATTACKS[:4], "no answer"]
    assert page.locator("#case mark").evaluate_all("all => all.map((e) => e.textContent)") == [
        ATTACKS[0]
    ]
    page.locator("#viewer").scroll_into_view_if_needed()
    page.keyboard.press("ArrowRight")
    # NUL, which HTML cannot hold, is in the data, and the script shows it as it is.
    page.keyboard.press("ArrowRight")
    texts = page.evaluate("[...document.querySelectorAll('#case .text')].map((e) => e.textContent)")
    assert texts[3] == ATTACKS[5]
    assert (
        page.evaluate("document.querySelectorAll('#case img, #case script, #case svg').length") == 0
    )
    assert problems == []
    page.close()


def test_keys_and_buttons_leaf_and_the_address_follows(browser, view, run_page):  # noqa: F811
    page = view
    assert where(page) == "1 of 40" and name(page) == "Tower 0"
    page.keyboard.press("ArrowRight")  # far above the viewer: the page scrolls, nothing leafs
    assert where(page) == "1 of 40"
    page.locator("#viewer").scroll_into_view_if_needed()
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Next").click()
    assert where(page) == "3 of 40" and name(page) == "Tower 2"
    assert page.evaluate("location.hash") == "#case-q00002"
    page.keyboard.press("ArrowLeft")
    assert name(page) == "Tower 1"
    again, _ = ready(browser, run_page.with_name(run_page.name))
    again.goto("about:blank")
    again.goto(f"{run_page.as_uri()}#case-q00031")
    settled(again, "of")
    assert where(again) == "32 of 40" and name(again) == "Tower 31"
    again.close()


def test_filters(view):
    page = view
    page.select_option("#f-level", "recognised")
    assert where(page) == "1 of 18"
    page.select_option("#f-level", "not")
    assert where(page) == "1 of 18"
    page.select_option("#f-level", "unscored")
    assert where(page) == "1 of 4"
    assert "no reply: the endpoint was gone" in page.locator("#case .caution").inner_text()
    page.select_option("#f-level", "strongly_known")
    page.select_option("#f-label", "church")
    assert where(page) == "1 of 3" and name(page) == "Tower 4"
    page.select_option("#f-draws", "0")
    assert where(page) == "0 of 0" and page.locator("#case").is_hidden()
    assert page.get_by_text("No case fits all of the filters").is_visible()
    page.get_by_role("button", name="Clear").click()
    settled(page, "of 40$")
    page.select_option("#f-label", "(not given)")
    assert where(page).endswith("of 13")
    page.select_option("#f-answers", "empty")
    assert where(page).endswith("of 13")
    page.select_option("#f-answers", "refused")
    assert where(page) == "0 of 0"


def test_search_reads_answers_names_and_explanations(view):
    page = view
    page.fill("#f-search", "TURM 17")
    assert where(page) == "1 of 1" and name(page) == "Tower 17"
    page.fill("#f-search", "turm")
    page.locator("#f-search").scroll_into_view_if_needed()
    at = where(page)
    page.keyboard.press("ArrowLeft")  # in the field: it moves the cursor
    assert where(page) == at and at.endswith("of 40")
    page.fill("#f-search", "of 5 name it")
    assert where(page).endswith("of 36")
    page.fill("#f-search", "endpoint gone")
    assert where(page).endswith("of 4")


def test_a_table_leads_to_its_cases(view):
    page = view
    page.locator("#groups a[data-filter]", has_text="natural").last.click()
    settled(page, "of 20$")
    assert where(page) == "1 of 20" and page.locator("#f-made").input_value() == "natural"
    page.locator(".legend a").first.click()
    settled(page, "of 10$")
    assert page.locator("#f-made").input_value() == ""


def test_a_verdict_shows_its_words(view):
    page = view
    marks = page.locator("#case mark").all_inner_texts()
    assert marks == ["Tower 0"] * 3
    assert page.locator("#case li.identifies").count() == 3
    page.select_option("#f-level", "weakly_unknown")
    assert page.locator("#case li.hints mark").inner_text() == "A tower"
    assert "hints at it" in page.locator("#case li.hints").inner_text()


def test_without_a_script_the_page_says_where_the_cases_are(browser, run_page):  # noqa: F811
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(run_page.as_uri())
    assert page.get_by_text("shown by this page's script, which does not run").is_visible()
    assert not page.locator("#filters").is_visible() and not page.locator("#case").is_visible()
    assert page.locator("#figure-levels svg").first.is_visible()
    context.close()


def test_pictures_stand_beside_their_cases(browser, pictured_page):  # noqa: F811
    from playwright.sync_api import expect

    page, problems = ready(browser, pictured_page, viewport={"width": 390, "height": 900})
    page.locator("#viewer").scroll_into_view_if_needed()
    for _ in range(10):
        picture = page.locator("#case figure img")
        expect(picture).to_have_js_property("naturalWidth", 64)
        assert picture.get_attribute("alt") == f"Picture of {name(page)}"
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.keyboard.press("ArrowRight")
    assert problems == []
    page.close()
