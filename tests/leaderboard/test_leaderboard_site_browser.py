"""The site in a real browser, from its files: views, keys, what readers hear, hostile texts."""

from __future__ import annotations

import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from board_data import BOARD
from site_browser import CONTRAST, pytestmark  # noqa: F401

from benchmarks.speed.leaderboard_site import KEY, SORT, write_records
from mgld.leaderboard.entry import read_entries, read_facts
from mgld.leaderboard.site import build_site


def names(page) -> list[str]:
    """The submissions that are shown, in order."""
    return page.evaluate(
        "[...document.querySelectorAll('tbody tr[data-slug]')]"
        ".filter((row) => row.checkVisibility())"
        ".map((row) => row.querySelector('.who bdi').textContent)"
    )


def shown(page) -> str:
    return page.locator("#where").inner_text()


def columns(page, key: str) -> list[float]:
    return page.evaluate(
        "(key) => [...document.querySelectorAll('section.board tbody')].slice(0, 1)"
        ".flatMap((body) => [...body.rows])"
        ".map((row) => Number(row.querySelector(`.${key} data`).value))",
        key,
    )


PAGES = ["index.html", "compare.html", "submission", "comparison"]


def address(site: Path, which: str) -> str:
    slugs = sorted(each.stem for each in (site / "submissions").iterdir())
    if which == "submission":
        return f"submissions/{slugs[-1]}.html"
    return f"compare.html#a={slugs[0]}&b={slugs[2]}" if which == "comparison" else which


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("which", PAGES)
def test_pages_fit_and_are_legible(visit, site, hostile, which, width):
    for root in (site, hostile[0]):
        page = visit(root, address(root, which), viewport={"width": width, "height": 4_000})
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
        if which == "comparison":
            page.locator("#where", has_text=re.compile("Compared|different")).wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            texts = page.evaluate(CONTRAST)
            assert len(texts) >= 10
            assert [text for text in texts if text["ratio"] < 4.5] == []


@pytest.mark.parametrize("which", PAGES)
def test_axe_finds_nothing(visit, site, which):
    from axe_playwright_python.sync_playwright import Axe

    page = visit(site, address(site, which), viewport={"width": 1280, "height": 4_000})
    if which == "comparison":
        page.locator("#result").wait_for()
    # preload: it would fetch the style sheet, which the page's policy does not allow anyone.
    results = Axe().run(page, options={"resultTypes": ["violations"], "preload": False})
    assert results.violations_count == 0, results.generate_report()
    assert results.response["testEngine"]["version"]


def test_search_filters_and_the_view_in_the_address(visit, site):
    page = visit(site, "index.html")
    assert shown(page) == "11 of 11 submissions, and 17 of the paper's rows"
    page.fill("#f-q", "THETA")  # é is found by e
    assert names(page) == ["Théta"]
    assert shown(page) == "1 of 11 submissions"
    assert page.locator("section.board .none:visible").count() == 3
    page.fill("#f-q", "group alpha")
    assert names(page) == ["Alpha", "Strict Alpha", "Told Alpha"]
    page.fill("#f-q", "")
    judge = page.locator("#f-judge option").all_inner_texts()[1]
    assert judge.startswith("openai:judge-1:paper bbbbbbbb, replied as judge-1")
    page.select_option("#f-judge", judge)
    assert sorted(names(page)) == ["Strict Alpha", "Strict Beta"]
    assert page.locator("#reported").is_hidden()
    page.click("#filters button")
    page.wait_for_timeout(50)
    assert len(names(page)) == 11
    page.select_option("#f-prompt", "entities-given")
    page.fill("#f-q", "told")
    page.locator("th[data-key=accuracy] button").nth(2).click()
    page.wait_for_timeout(400)
    view = page.evaluate("location.hash")
    assert view == "#" + urlencode({"prompt": "entities-given", "q": "told", "sort": "-accuracy"})
    again = visit(site, f"index.html{view}")
    assert names(again) == ["Told Alpha"] and again.input_value("#f-q") == "told"
    again.evaluate("location.hash = 'q=beta&sort=name'")
    again.locator("#where", has_text="2 of 11").wait_for()
    assert names(again) == ["Beta", "Strict Beta"]


def test_every_column_sorts_and_says_so(visit, site):
    page = visit(site, "index.html")
    table = page.locator("section.board table").first
    assert table.locator("[aria-sort=ascending]").get_attribute("data-key") == "rank"
    first = names(page)[:8]
    assert first == ["Théta", "Eta", "Zeta", "Epsilon", "Delta", "Gamma", "Beta", "Alpha"]
    for key, down in [("levels", True), ("accuracy", True), ("unscored", True), ("rank", False)]:
        for turned in (False, True):
            table.locator(f"th[data-key={key}] button").click()
            way = "descending" if down != turned else "ascending"
            assert table.locator("[aria-sort]").count() == 1
            assert table.locator(f"[data-key={key}]").get_attribute("aria-sort") == way
            values = columns(page, key)
            assert values == sorted(values, reverse=way == "descending") and len(set(values)) > 1
    table.locator("th[data-key=name] button").click()
    assert names(page)[:8] == sorted(first)
    table.locator("th[data-key=date] button").click()
    assert names(page)[:8] == ["Théta", "Eta", "Zeta", "Epsilon", "Delta", "Gamma", "Beta", "Alpha"]
    # The paper's rows are sorted with the others, but never by a rank, which they do not have.
    assert page.locator("#reported [aria-sort=descending]").count() == 1
    table.locator("th[data-key=rank] button").click()
    assert page.locator("#reported [aria-sort]").count() == 0
    assert page.locator("#reported tbody .who .of").first.text_content() == "Baseline"


def test_the_keyboard_reaches_everything_and_is_never_caught(visit, site):
    page = visit(site, "index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#main"
    seen: list[str] = []
    for _ in range(200):
        page.keyboard.press("Tab")
        where = page.evaluate("""() => {
            const e = document.activeElement;
            if (e === document.body) return null;
            const s = getComputedStyle(e);
            return [e.id || e.getAttribute('aria-label') || e.textContent.trim(),
                    s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2];
        }""")
        if where is None:
            break
        assert where[1], f"no visible focus on {where[0]}"
        seen.append(where[0])
    assert where is None, "the keyboard does not leave the page"
    assert {"f-judge", "f-data", "f-prompt", "f-q", "Clear", "Rank", "Compare Alpha"} <= set(seen)
    assert seen.index("f-q") < seen.index("Théta") < seen.index("Compare Théta")
    # Sorting and picking by keys alone.
    page.locator("th[data-key=name] button").first.focus()
    page.keyboard.press("Enter")
    assert names(page)[0] == "Alpha"
    assert page.evaluate("document.activeElement.textContent") == "Submission"
    for number in (0, 1):
        page.locator("tbody input").nth(number).focus()
        page.keyboard.press("Space")
    assert page.locator("#picked").inner_text() == "Alpha and Beta"
    page.locator("#go").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/compare.html**")
    page.locator("#result").wait_for()
    assert page.locator("#h-result").inner_text() == "A: Alpha, B: Beta"


def test_two_rows_of_one_board_are_picked(visit, site):
    page = visit(site, "index.html")
    pick = lambda name: page.get_by_label(f"Compare {name}", exact=True)  # noqa: E731
    tray = page.locator("#tray")
    assert tray.is_hidden()
    pick("Alpha").check()
    assert "choose a second one" in tray.inner_text() and page.locator("#go").is_hidden()
    pick("Beta").check()
    pick("Gamma").check()  # a third takes the first one's place
    assert not pick("Alpha").is_checked()
    assert page.locator("#picked").inner_text() == "Beta and Gamma"
    pick("Strict Alpha").check()  # of another board
    assert page.locator("tbody input:checked").count() == 1
    page.click("#drop")
    assert tray.is_hidden() and page.locator("tbody input:checked").count() == 0


def test_the_table_is_a_table_to_those_who_do_not_see_it(visit, site):
    for width in (390, 1280):  # rows are laid out as grids: roles must not be lost
        page = visit(site, "index.html", viewport={"width": width, "height": 900})
        table = page.get_by_role("table", name=re.compile("submissions by rank")).first
        assert table.get_by_role("row").count() == 9
        row = table.get_by_role("row").nth(1)
        assert row.get_by_role("rowheader").count() == 1
        assert row.get_by_role("cell").count() == 7
        image = row.get_by_role("img")
        assert re.fullmatch(
            r"strongly known .* %; known .* %; weakly unknown .* %; unknown .* %; 0 unscored",
            image.get_attribute("aria-label"),
        )
        assert page.locator("#where").get_attribute("aria-live") == "polite"
    assert table.get_by_role("columnheader").count() == 8


def test_a_bar_ends_where_the_accuracy_does(visit, records, site):
    page = visit(site, "index.html")
    for each in read_entries(records):
        levels = each.numbers.levels
        style = page.locator(f"tr[data-slug={each.slug}] .bar").get_attribute("style")
        stops = {name: float(value) for name, value in re.findall(r"--(\w+):([\d.]+)%", style)}
        assert stops["b"] == pytest.approx(100 * levels.recognised / levels.total, abs=0.006)
        assert stops["d"] == pytest.approx(100 * levels.scored / levels.total, abs=0.006)
        assert stops["lo"] <= stops["b"] <= stops["hi"]


def test_without_a_script_everything_can_be_read(visit, site):
    page = visit(site, "index.html", java_script_enabled=False)
    assert page.locator("tbody tr[data-slug]").count() == 11
    assert page.locator("#filters").is_hidden() and page.locator("tbody input:visible").count() == 0
    page = visit(site, "compare.html", java_script_enabled=False)
    assert page.locator("#unscripted").is_visible() and page.locator("#choose").is_hidden()


def test_hostile_texts_stay_texts(visit, hostile):
    site, records = hostile
    entries = read_entries(records)
    plain = lambda text: " ".join(text.split())  # noqa: E731
    page = visit(site, "index.html")
    found = page.evaluate(
        "[...document.querySelectorAll('tbody tr[data-slug] .who bdi')].map((e) => e.textContent)"
    )
    stated = {each.submission.name for each in entries} | {
        each.submission.submitter for each in entries
    }
    assert {plain(each) for each in stated} <= {plain(each) for each in found}
    page.fill("#f-q", "onerror=alert")
    assert len(names(page)) >= 1
    assert page.locator("img, svg, iframe, object, embed").count() == 0
    for each in entries[:4]:
        page = visit(site, f"submissions/{each.slug}.html")
        assert plain(page.locator("h1").text_content()) == plain(each.submission.name)
        assert page.locator("img, svg, iframe, script").count() == 0
        links = page.evaluate("[...document.querySelectorAll('a')].map((a) => a.href)")
        assert all(link.startswith(("https://", "file://")) for link in links)
        values = page.evaluate("[...document.querySelectorAll('dd')].map((e) => e.textContent)")
        assert plain(each.submission.model) in {plain(value) for value in values}
    one, other = entries[0:3:2]  # of one judge, which changes with every row
    page = visit(site, f"compare.html#a={one.slug}&b={other.slug}")
    page.locator("#result").wait_for()
    options = page.locator("#f-a option").all_text_contents()
    assert any("<script>alert(1)</script>" in text for text in options)
    asked = {plain(each.name) for each in read_facts(records, one)}
    changed = page.locator("#changed tbody th").all_text_contents()
    assert changed and {plain(text) for text in changed} <= asked


def test_it_works_under_any_prefix_of_a_server(browser, records, site):
    served = partial(SimpleHTTPRequestHandler, directory=str(site.parents[1]))
    server = ThreadingHTTPServer(("127.0.0.1", 0), served)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = f"http://127.0.0.1:{server.server_port}"
    page = browser.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("requestfailed", lambda request: problems.append(request.url))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    try:
        page.goto(f"{host}{quote(f'/{site.parent.name}/{site.name}')}/index.html")
        for name in ("Alpha", "Zeta"):
            page.get_by_label(f"Compare {name}", exact=True).check()
        page.click("#go")
        page.locator("#result").wait_for()
        page.click(".project a")
        page.wait_for_url("**/index.html")
    finally:
        server.shutdown()
        page.close()
    assert problems == []
    assert asked and all(url.startswith(host) for url in asked)


def test_many_submissions_are_searched_and_sorted(visit, tmp_path):
    """A smaller one of benchmarks.speed.leaderboard_site, whose bounds are for any machine."""
    records, site = tmp_path / "records", tmp_path / "site"
    write_records(records, 120, 100, 1)
    assert build_site(records, site) == 120
    page = visit(site, "index.html")
    assert shown(page) == "120 of 120 submissions"
    assert (site / "index.html").stat().st_size < 2_000 * 120
    assert page.evaluate(KEY, "model 19") < 1_000
    number = sum("19" in f"{each} {each % 90}" for each in range(120))  # a name or a group
    assert shown(page) == f"{number} of 120 submissions"
    page.evaluate(KEY, "")
    assert page.evaluate(SORT, "accuracy") < 2_000
    values = columns(page, "accuracy")
    assert len(values) == 120 and values == sorted(values, reverse=True)


def test_the_projects_own_board_opens(visit, tmp_path):
    build_site(BOARD, tmp_path / "site")
    page = visit(tmp_path / "site", "index.html")
    assert shown(page) == "1 of 1 submissions, and 17 of the paper's rows"
    page.click("tbody tr[data-slug] a")
    page.wait_for_url("**/submissions/**")
    assert page.locator("h1").inner_text() == "Stand-in (nano encoder)"
    page.click(".project a")
    page.wait_for_url("**/index.html**")
