"""The page of annotations in a real browser: leafing, filters, keys; attacks stay words."""

from __future__ import annotations

import pytest
from test_report_browser import CONTRAST, browser, opened, pytestmark  # noqa: F401


@pytest.fixture
def view(browser, asked_page):  # noqa: F811
    page, problems = opened(browser, asked_page, viewport={"width": 1280, "height": 900})
    assert problems == []
    yield page
    page.close()


def shown(page):
    """Ids of the records that can be seen."""
    return page.evaluate(
        "[...document.querySelectorAll('#viewer article')].filter((a) => a.checkVisibility())"
        ".map((a) => a.id)"
    )


def settled(page, words):
    """Wait for the words beside the buttons; the page's policy forbids polling by a script."""
    from playwright.sync_api import expect

    expect(page.locator("#where")).to_have_text(words)


def where(page):
    return page.locator("#where").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_opens_cleanly(browser, asked_page, width, scheme):  # noqa: F811
    page, problems = opened(
        browser, asked_page, viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    assert problems == []
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
    page.evaluate(
        "document.querySelectorAll('#viewer article').forEach((a) => { a.hidden = false })"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    sizes = page.evaluate("[...document.images].map((image) => image.naturalWidth)")
    assert len(sizes) >= 10 and min(sizes) > 0
    texts = page.evaluate(CONTRAST)
    assert len(texts) > 200
    assert [text for text in texts if text["ratio"] < 4.5] == []
    page.close()


def test_one_record_at_a_time_and_the_keys_leaf(view):
    page = view
    assert len(shown(page)) == 1 and where(page) == "1 of 11"
    first = shown(page)
    page.locator("#viewer").scroll_into_view_if_needed()
    page.keyboard.press("ArrowRight")
    assert where(page) == "2 of 11" and shown(page) != first
    assert page.evaluate("location.hash") == f"#{shown(page)[0]}"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert where(page) == "1 of 11" and shown(page) == first
    for _ in range(12):
        page.get_by_role("button", name="Next").click(force=True)
    assert where(page) == "11 of 11"
    assert page.get_by_role("button", name="Next").get_attribute("aria-disabled") == "true"


def test_keys_do_not_leaf_while_somebody_reads_the_top_or_types(view):
    page = view
    page.keyboard.press("ArrowRight")
    assert where(page) == "1 of 11"
    page.locator("#f-search").click()
    page.keyboard.press("ArrowRight")
    assert where(page) == "1 of 11"


def test_filters(view):
    page = view
    page.select_option("#f-status", "problem")
    assert where(page) == "1 of 2"
    page.select_option("#f-status", "refused")
    assert where(page) == "1 of 1"
    assert page.locator("#viewer article:visible").get_by_text("No answer").is_visible()
    page.select_option("#f-agrees", "same")
    assert where(page) == "0 of 0" and shown(page) == []
    assert page.get_by_text("No record on this page fits").is_visible()
    page.get_by_role("button", name="Clear").click()
    settled(page, "1 of 11")
    page.fill("#f-search", "<SCRIPT>alert(1)")
    assert where(page) == "1 of 1"
    assert "<script>alert(1)</script>" in page.locator("#viewer article:visible h3").inner_text()
    page.fill("#f-search", "قلعة")
    assert where(page) == "1 of 1"
    page.fill("#f-search", "")
    page.select_option("#f-gldv2", index=2)
    assert where(page).endswith("of 11")
    page.select_option("#f-gldv2", "-")
    assert where(page) == "0 of 0"


def test_a_pair_of_labels_leads_to_its_records(view):
    page = view
    link = page.locator("a[data-filter]").first
    link.click()
    count = link.inner_text()
    settled(page, f"1 of {count}")
    assert page.locator("#f-gldv2").input_value() == "<b onclick=alert(1)>castle</b>"


def test_an_address_leads_to_its_record(browser, asked_page, tmp_path):  # noqa: F811
    page, _ = opened(browser, asked_page)
    wanted = page.locator("#viewer article").nth(4).get_attribute("id")
    page.close()
    page = browser.new_page()
    page.goto(f"{asked_page.as_uri()}#{wanted}")
    assert shown(page) == [wanted] and where(page) == "5 of 11"
    page.close()


def test_without_a_script_every_record_is_there(browser, asked_page):  # noqa: F811
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(asked_page.as_uri())
    assert page.locator("#viewer article:visible").count() == 11
    assert not page.locator("#filters").is_visible()
    context.close()


def test_tab_reaches_filters_and_buttons(view):
    page = view
    page.locator("#f-status").focus()
    names = []
    for _ in range(9):
        names.append(
            page.evaluate(
                "document.activeElement.name || document.activeElement.textContent.trim()"
            )
        )
        page.keyboard.press("Tab")
    assert names == ["status", "agrees", "label", "gldv2", "entities", "search", "Clear",
                     "← Previous", "Next →"]  # fmt: skip
