"""The labelling page in a real browser: labelled by keyboard, saved, loaded, hostile answers."""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

import pytest
from grading_data import case

sys.path.append(str(Path(__file__).parents[1] / "report"))
from test_report_browser import CHROMIUM, CONTRAST, FLAGS

from mgld.evaluate.human_labels import read_labels
from mgld.evaluate.judges.shown import answers_sha256
from mgld.evaluate.labelling import builtin_cases, choose_cases, write_labelling_page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no `chromium` on PATH: apt-get install chromium"),
]
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)><a href=javascript:alert(1)>x</a>",
    "\u202eevil\u202c \x00\x07 " + "w" * 3000,
    "line\n" * 400,
    '{"level": "strongly_known"} 1 2 3 4',
]


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def cases():
    return [*choose_cases(builtin_cases(), 5), case(3, HOSTILE, name="<b>Tower</b> " + "x" * 200)]


@pytest.fixture(scope="module")
def page_path(tmp_path_factory, cases):
    from PIL import Image

    def read_image(question_id):
        if question_id == cases[0].question.id:
            raise OSError("gone")
        out = BytesIO()
        Image.new("RGB", (900, 600), (90, 120, 160)).save(out, "JPEG")
        return out.getvalue()

    path = tmp_path_factory.mktemp("label") / "page.html"
    write_labelling_page(cases, path, title="six questions", read_image=read_image)
    return path


@pytest.fixture
def opened(browser, page_path):
    """A page at its first question, with a list of all that went wrong."""
    pages = []

    def open_page(path=page_path, start=True, **settings):
        page = browser.new_context(**settings).new_page()
        problems = []
        page.on("console", lambda message: problems.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: problems.append(request.url) if not request.url.startswith(("data:", "blob:", path.as_uri())) else None)  # fmt: skip  # noqa: E501
        page.goto(path.as_uri())
        if start:
            page.keyboard.press("Enter")  # the help's button
        pages.append((page, problems))
        return page

    yield open_page
    for page, problems in pages:
        page.context.close()
        assert problems == []


def saved(page, path):
    with page.expect_download() as download:
        page.keyboard.press("s")
    download.value.save_as(path)
    return download.value.suggested_filename


def position(page):
    return page.text_content("#position")


def test_labelled_by_keyboard_and_saved(opened, cases, tmp_path) -> None:
    page = opened()
    page.fill("#labeller", "Ada, née Byron")
    page.keyboard.press("Escape")
    for key in "1234":
        page.keyboard.press(key)
    assert position(page) == "5 of 6"
    page.keyboard.press("n")
    page.keyboard.type('3 or "4", hard to say')
    page.keyboard.press("Enter")
    page.keyboard.press("2")
    assert saved(page, tmp_path / "labels.csv") == "labels-Ada-née-Byron.csv"
    labels = read_labels(tmp_path / "labels.csv")
    assert [each.question_id for each in labels] == [each.question.id for each in cases[:5]]
    assert [each.level for each in labels] == [
        "strongly_known", "known", "weakly_unknown", "unknown", "known"
    ]  # fmt: skip
    assert {each.labeller for each in labels} == {"Ada, née Byron"}
    assert labels[4].note == '3 or "4", hard to say'
    assert [each.answers_sha256 for each in labels] == [
        answers_sha256(each.question, each.answers) for each in cases[:5]
    ]


def test_undo_steps_and_jumps(opened, tmp_path) -> None:
    page = opened()
    page.keyboard.press("1")
    page.keyboard.press("2")
    page.keyboard.press("u")
    assert position(page) == "2 of 6"
    assert page.text_content("#done") == "1 of 6 labelled"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("4")  # relabelled
    page.keyboard.press("u")
    assert position(page) == "1 of 6"
    assert page.get_attribute(".level.l0", "aria-pressed") == "true"
    page.keyboard.press("j")
    assert position(page) == "2 of 6"
    page.keyboard.press("u")  # of the first
    assert page.text_content("#done") == "0 of 6 labelled"
    page.keyboard.press("u")
    assert page.is_disabled("#undo")
    for _ in range(9):
        page.keyboard.press("ArrowRight")
    assert position(page) == "6 of 6"


def test_the_last_one_leads_to_what_was_skipped_and_then_to_the_end(opened) -> None:
    page = opened()
    page.keyboard.press("ArrowRight")
    for _ in range(5):
        page.keyboard.press("3")
    assert position(page) == "1 of 6"
    page.keyboard.press("3")
    assert "All are labelled" in page.text_content("#said")


def test_typing_and_help_label_nothing(opened) -> None:
    page = opened(start=False)
    assert page.is_visible("#help")
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.keyboard.type("1234us?")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+1")
    assert page.text_content("#done") == "0 of 6 labelled"
    page.keyboard.press("?")
    assert page.is_visible("#help")
    page.keyboard.press("Escape")
    page.keyboard.down("1")
    for _ in range(4):
        page.keyboard.down("1")  # held: the browser repeats it
    assert page.text_content("#done") == "1 of 6 labelled"


def test_labels_stay_in_the_browser(opened) -> None:
    page = opened()
    page.keyboard.press("1")
    page.keyboard.press("4")
    page.fill("#note", "odd")
    page.reload()
    assert not page.is_visible("#help")
    assert position(page) == "3 of 6"
    assert page.text_content("#done") == "2 of 6 labelled"
    assert page.input_value("#note") == "odd"


def test_what_was_saved_is_taken_in_again(opened, cases, tmp_path) -> None:
    from playwright.sync_api import expect

    page = opened()
    page.fill("#labeller", "Bo")
    page.fill("#note", "with, comma")
    page.keyboard.press("Escape")
    for key in "123":
        page.keyboard.press(key)
    saved(page, tmp_path / "labels.csv")
    other = opened()
    other.set_input_files("#file", tmp_path / "labels.csv")
    expect(other.locator("#said")).to_have_text("Imported 3 labels.")  # a file is read in a while
    assert other.input_value("#labeller") == "Bo"
    assert other.input_value("#note") == "with, comma"
    saved(other, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "labels.csv").read_bytes()
    ids = [each.question.id for each in cases]
    (tmp_path / "hand.csv").write_text(
        f"\ufeffquestion_id;level\r\n{ids[3]};Partially Known\r\n{ids[4]};great\r\nnone;known\r\n"
        f"{ids[5]};\r\n",
        encoding="utf-8",
    )
    other.set_input_files("#file", tmp_path / "hand.csv")
    expect(other.locator("#said")).to_contain_text("Imported 1 labels.")
    assert "2 rows" in other.text_content("#said")
    assert other.text_content("#done") == "4 of 6 labelled"
    stale = f"question_id,level,answers_sha256\n{ids[4]},known,{'0' * 64}\n"
    (tmp_path / "stale.csv").write_text(stale)
    other.set_input_files("#file", tmp_path / "stale.csv")
    expect(other.locator("#said")).to_contain_text("Imported 0 labels.")


def test_buttons_do_what_keys_do(opened, tmp_path) -> None:
    page = opened()
    page.click(".level.l2")
    assert position(page) == "2 of 6"
    page.click("#undo")
    page.click("#next")
    page.click("#previous")
    page.click("#help-open")
    page.click("#help button")
    page.click("#map", position={"x": 5, "y": 8})
    assert position(page) == "1 of 6"
    page.click(".level.l0")
    with page.expect_download() as download:
        page.click("#export")
    assert download.value.suggested_filename == "labels.csv"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_question_is_legible_everywhere(opened, cases, width, scheme) -> None:
    page = opened(start=False, viewport={"width": width, "height": 844}, color_scheme=scheme)
    assert page.evaluate("document.getElementById('help').scrollTop") == 0
    assert [each for each in page.evaluate(CONTRAST) if each["ratio"] < 4.5] == []
    page.keyboard.press("Enter")
    for number in range(len(cases)):
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        faint = [each for each in page.evaluate(CONTRAST) if each["ratio"] < 4.5]
        assert [each for each in faint if each["text"] not in ("Undo", "←", "→")] == []  # disabled
        sizes = page.evaluate("[...document.images].map((image) => image.naturalWidth)")
        assert sizes == ([] if number == 0 else [720])
        # The levels are within reach whatever the answers' length.
        box = page.locator(".level.l3").bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 844
        page.keyboard.press("1")


def test_answers_are_text(opened, cases) -> None:
    page = opened()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert page.text_content("#name").startswith("<b>Tower</b>")
    texts = page.locator("#answers p").all_text_contents()
    assert texts == HOSTILE
    assert page.evaluate("document.querySelectorAll('#answers *:not(li):not(p)').length") == 0
    assert page.title() == "0/6 Label answers"
