"""`eeca audit`: what the page says is what training does, and no text of the data acts on it."""

from __future__ import annotations

import base64
import io
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from eeca_cli_recipe import write_llava, write_parts, write_recipe
from listed_source import ListedSource
from PIL import Image

import eeca_ref.audit
from eeca_ref.audit import Audit, audit
from eeca_ref.audit_page import write_audit
from eeca_ref.cli import main
from eeca_ref.data.samples import Sample, Skipped, Turn, place_image
from eeca_ref.recipes import load_recipe
from eeca_ref.tiling import merge_tiles

EVIL = '<script>alert("x")</script>'
CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return write_parts(tmp_path_factory.mktemp("parts"))


@pytest.fixture(scope="module")
def recipe_file(parts: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    return write_recipe(folder / "tiny.yaml", parts, write_llava(folder / "data"))


def row(name: str, *entities: str, image: str | None = "1", answer: str = "A lake.") -> Sample:
    turns = [Turn("user", f"What is {name}?\nSay."), Turn("assistant", answer)]
    placed = place_image(turns, has_image=image is not None)
    return Sample(name, placed, image, entities, "lake" if entities else None)


ROWS: list[Sample | Skipped] = [
    row("two", "blue walls", "lime roof"),
    row("evil" + EVIL, EVIL, "a & b", "", answer=f"It is {EVIL}."),
    Skipped("none", "bad_row", f"no answer {EVIL}"),
    row("text", image=None),
    row("special", "lake", answer="It ends <|eot_id|> here."),
    row("broken", "lake", image="7"),
    row("missing", "lake", image="8"),
    row("long", answer="A lake. " * 200),
]


@pytest.fixture(scope="module")
def audited(recipe_file: Path) -> Audit:
    source = ListedSource(ROWS, broken=frozenset({7}), missing=frozenset({8}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(eeca_ref.audit, "open_source", lambda recipe: source)
        return audit(load_recipe(str(recipe_file)), samples=20)


@pytest.fixture(scope="module")
def page(audited: Audit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "audit.html"
    write_audit(audited, path)
    return path


def test_rows_are_counted(audited: Audit) -> None:
    counts = audited.counts
    assert (counts.rows, counts.samples, counts.text_only, counts.with_image) == (8, 7, 1, 6)
    assert counts.entities == {0: 1, 1: 3, 2: 1, 3: 1} and counts.contrasted == 2
    assert counts.skipped == {"bad_row": 1}
    assert counts.without_label == 1 and counts.labels == {"lake"}


def test_every_sample_says_what_becomes_of_it(audited: Audit) -> None:
    samples = {each.id: each for each in audited.samples}
    assert [each.row for each in audited.samples] == [0, 1, 3, 4, 5, 6, 7]
    assert samples["special"].problem.startswith("special_token")
    assert samples["broken"].problem.startswith("unreadable_image")
    assert samples["missing"].problem.startswith("missing_image")
    assert not samples["special"].tokens and samples["broken"].tokens
    good = [each for each in audited.samples if not each.problem]
    assert [each.id for each in good if each.truncated] == ["long"]
    assert samples["long"].positions == 256
    assert all((each.pixels_CHW is None) == (each.id == "text") for each in good)


def test_supervised_tokens_are_those_of_the_batches(audited: Audit, recipe_file: Path) -> None:
    from eeca_ref.assembling import load_tokenizer
    from eeca_ref.data.chat import ChatFormat

    shown = audited.samples[0]
    expected = ChatFormat(load_tokenizer(audited.recipe)).encode(ROWS[0].turns)  # type: ignore[union-attr]
    assert [view.id for view in shown.tokens] == expected.ids.tolist()
    assert [view.supervised for view in shown.tokens] == expected.supervised.tolist()
    said = "".join(view.text for view in shown.tokens if view.supervised)
    assert said == "A lake.<|eot_id|>"


def test_entities_and_their_maps(audited: Audit) -> None:
    two, evil = audited.samples[:2]
    assert [(each.text, each.number) for each in two.entities] == [
        ("blue walls", 0),
        ("lime roof", 1),
    ]
    assert "".join(two.entities[0].tokens) == " blue walls"
    # An entity without tokens has no map, and shifts no other's.
    assert [each.number for each in evil.entities] == [0, 1, None]
    assert evil.maps is not None and evil.maps.map_EHW.shape == (2, 4, 4)


def pictures(text: str, pattern: str) -> list[Any]:
    found = re.findall(pattern + r"data:image/\w+;base64,([\w+/=]+)", text)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(each)))) for each in found]


def test_the_tiles_are_the_image_in_four(audited: Audit, page: Path) -> None:
    import torch

    text = page.read_text()
    first = text[text.index('id="s0"') : text.index('id="s1"')]
    overview, *tiles = (each for each in pictures(first, 'src="') if each.shape[-1] == 3)
    (image,) = pictures(text, r'\.g0\{background-image:url\("')
    merged = merge_tiles(torch.from_numpy(np.stack(tiles)).permute(0, 3, 1, 2)[None])[0]
    difference = merged.permute(1, 2, 0).numpy().astype(int) - image.astype(int)
    assert image.shape == (32, 32, 3) and overview.shape == (16, 16, 3)
    assert np.abs(difference).mean() < 12  # two JPEGs of noise


def test_nothing_of_the_data_acts_on_the_page(page: Path) -> None:
    text = page.read_text()
    assert "<script" not in text and "default-src 'none'" in text
    assert "&lt;script&gt;" in text
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    assert "http" not in re.sub(r"http-equiv", "", text)


def test_the_command(recipe_file: Path, tmp_path: Path) -> None:
    command = ["audit", str(recipe_file), "--samples", "2", "--out", str(tmp_path / "a.html")]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    text = (tmp_path / "a.html").read_text()
    assert text.count("<article") == 2
    assert "Tiny &amp; random" in text and "The resampler is new." in text
    again = CliRunner().invoke(main, [*command[:-1], str(tmp_path / "b.html")])
    assert again.exit_code == 0 and (tmp_path / "b.html").read_text() == text
    plain = [*command, "--set", "model.settings.hr=false"]
    plain += ["--set", "train=[lr_adapter]", "--set", "data.format=plain"]
    done = CliRunner().invoke(main, plain)
    assert done.exit_code == 0, done.output
    text = (tmp_path / "a.html").read_text()
    assert "r-caption s" in text and "four tiles" not in text and 'class="over"' not in text


def test_data_without_a_sample_is_refused(recipe_file: Path, tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text('[{"id": "a", "conversations": []}]')
    command = ["audit", str(recipe_file), "--out", str(tmp_path / "a.html")]
    done = CliRunner().invoke(
        main, [*command, "--set", f"data.source.json_file={tmp_path}/none.json"]
    )
    assert done.exit_code == 1 and "none of 1 rows gives a sample (no_answer" in done.output
    assert not (tmp_path / "a.html").exists()


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no `chromium` on PATH: apt-get install chromium")
def test_the_page_in_a_browser(page: Path) -> None:
    from playwright.sync_api import sync_playwright
    from test_report_browser import CONTRAST, FLAGS, opened

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for width, scheme in ((390, "dark"), (1280, "light"), (390, "light"), (1280, "dark")):
            size: Any = {"width": width, "height": 900}
            shown, problems = opened(browser, page, viewport=size, color_scheme=scheme)
            shown.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
            assert problems == []
            assert shown.evaluate("document.documentElement.scrollWidth") <= width
            sizes = shown.evaluate("[...document.images].map((image) => image.naturalWidth)")
            assert len(sizes) > 10 and min(sizes) > 0
            texts = shown.evaluate(CONTRAST)
            assert len(texts) > 100
            assert [text for text in texts if text["ratio"] < 4.5] == []
            shown.close()
        browser.close()
