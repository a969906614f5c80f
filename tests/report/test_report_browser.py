"""The page in a real browser, as a file: wide and narrow, light and dark."""

from __future__ import annotations

import shutil

import pytest

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no `chromium` on PATH: apt-get install chromium"),
]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Contrast ratio (WCAG 2.2, 1.4.3) of every visible text against what lies behind it.
CONTRAST = """
() => {
  const rgb = (text) => (text.match(/[\\d.]+/g) || []).map(Number)
    .map((v, k) => text.startsWith("color(srgb") && k < 3 ? 255 * v : v);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const color = rgb(getComputedStyle(e).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    const box = element.getBoundingClientRect();
    if (!text || !box.width || !box.height || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const color = rgb(element.closest("svg") ? style.fill : style.color);
    const [a, b] = [light(color), light(behind(element))].sort((x, y) => y - x);
    found.push({ text: text.slice(0, 40), ratio: (a + 0.05) / (b + 0.05) });
  }
  return found;
}
"""


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium, closed after this module."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(params=["world", "hostile"])
def page_path(request):
    return request.getfixturevalue(f"{request.param}_page")


def opened(browser, path, **settings):
    """The page, opened from its file, with what went wrong while loading it."""
    page = browser.new_page(**settings)
    problems = []
    page.on("console", lambda message: problems.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("requestfailed", lambda request: problems.append(f"failed: {request.url[:80]}"))
    page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    outside = [url for url in requests if not url.startswith("data:") and url != path.as_uri()]
    return page, problems + [f"asked for {url}" for url in outside]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_opens_cleanly(browser, page_path, width, scheme):
    page, problems = opened(
        browser, page_path, viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    assert problems == []
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
    sizes = page.evaluate("[...document.images].map((image) => image.naturalWidth)")
    assert len(sizes) >= 10
    assert min(sizes) > 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(
        "[...document.querySelectorAll('pre')].every((pre) => pre.scrollWidth <= pre.clientWidth)"
    )
    # Each figure shows exactly one of its two drawings.
    shown = page.evaluate(
        "[...document.querySelectorAll('.plot')].map((plot) =>"
        " [...plot.querySelectorAll('svg')].filter((svg) => svg.checkVisibility()).length)"
    )
    assert shown
    assert set(shown) == {1}
    texts = page.evaluate(CONTRAST)
    assert len(texts) > 200
    faint = [text for text in texts if text["ratio"] < 4.5]
    assert faint == []
    page.close()


def test_the_page_follows_the_theme(browser, world_page):
    colours = {}
    for scheme in ("light", "dark"):
        page, _ = opened(browser, world_page, color_scheme=scheme)
        colours[scheme] = page.evaluate(
            "[getComputedStyle(document.body).backgroundColor,"
            " getComputedStyle(document.querySelector('.plot svg text')).fill]"
        )
        page.close()
    assert colours["light"][0] != colours["dark"][0]
    assert colours["light"][1] != colours["dark"][1]


def test_keyboard_reaches_the_content_first(browser, world_page):
    page, _ = opened(browser, world_page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#main"
    page.close()


def test_folds_open_without_a_script(browser, world_page):
    page, _ = opened(browser, world_page)
    fold = page.locator("details", has_text="The numbers").first
    assert not fold.locator("table").is_visible()
    fold.locator("summary").click()
    assert fold.locator("table").is_visible()
    page.close()
