"""The page as text: whole, honest, self-contained, and safe whatever the metadata says."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hostile_source import HOSTILE_LABEL, HOSTILE_NAMES

from mgld.build.read import BuildView
from mgld.cli import main
from mgld.figures import funnel_table
from mgld.report import write_report

VOID = {"meta", "img", "br", "link", "hr", "input"}
LIMIT = 6_000_000


class Page(HTMLParser):
    """Collects elements with their attributes and text, and checks that tags are balanced."""

    def __init__(self, path):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.text = [], [], []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def words(self):
        return " ".join("".join(self.text).split())


@pytest.fixture(params=["world", "hostile"])
def page_path(request):
    return request.getfixturevalue(f"{request.param}_page")


def test_the_page_is_whole_and_small(page_path):
    page = Page(page_path)
    assert page_path.stat().st_size < LIMIT
    assert len(page.all("h1")) == 1
    assert len(page.all("img")) >= 10
    assert len(page.all("svg")) >= 6
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for link in page.all("a"):
        if link["href"].startswith("#"):
            assert link["href"][1:] in ids


def test_headings_do_not_skip_a_level(page_path):
    levels = [int(tag[1]) for tag, _ in Page(page_path).elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_nothing_is_loaded_from_elsewhere(page_path):
    page = Page(page_path)
    assert not {"script", "iframe", "link", "object", "embed", "base", "form"} & {
        tag for tag, _ in page.elements
    }
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            if name in ("src", "srcset", "xlink:href", "poster", "background", "action") or (
                name == "href" and tag != "a"
            ):
                assert value.startswith(("data:image/", "#")), (tag, name, value[:60])
            assert not name.startswith("on"), (tag, name)
    text = page_path.read_text(encoding="utf-8")
    assert not re.search(r"url\((?!#)", text)
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_every_picture_has_a_text(page_path):
    page = Page(page_path)
    assert all(image["alt"].strip() for image in page.all("img"))
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in page.all("svg"))


def test_hostile_metadata_is_only_text(hostile_page):
    page = Page(hostile_page)
    raw = hostile_page.read_text(encoding="utf-8")
    for text in ("<script", "onerror=alert(1)>", "<svg onload", "<i>Mallory", "<b onclick"):
        assert text not in raw
    for link in page.all("a"):
        assert link["href"].startswith(("#", "https://", "http://")), link
    # The attacks are shown, as what they are.
    shown = [name for name in HOSTILE_NAMES if " ".join(name.split()) in page.words]
    assert '"><img src=x onerror=alert(1)>' in shown or "<script>alert(1)</script>" in shown
    assert len(shown) >= 8
    assert "<i>Mallory</i>" in page.words
    assert HOSTILE_LABEL in page.words
    assert "988027" not in page.words


def test_the_funnel_reconciles_and_stands_on_the_page(hostile_build, hostile_page):
    rows = funnel_table(BuildView(hostile_build)).to_pylist()
    for unit in ("images", "landmarks"):
        steps = [row for row in rows if row["unit"] == unit]
        for before, after in pairwise(steps):
            assert before["count"] == after["count"] + after["lost"]
    landmarks = [row for row in rows if row["unit"] == "landmarks"]
    records = sum(row["count"] for row in rows if row["unit"] == "records")
    assert landmarks[0]["count"] == len(HOSTILE_NAMES)
    assert landmarks[-1]["count"] == records == len(HOSTILE_NAMES) - 1
    words = Page(hostile_page).words
    assert "1 no image" in words
    assert "1 missing" in words
    assert "1 not an image" in words


def test_counts_that_do_not_add_up_are_an_error(hostile_build, tmp_path):
    copy = shutil.copytree(hostile_build, tmp_path / "build")
    text = (copy / "manifest.json").read_text(encoding="utf-8")
    changed = text.replace('"missing": 1', '"missing": 2')
    assert changed != text
    (copy / "manifest.json").write_text(changed, encoding="utf-8")
    with pytest.raises(ValueError, match="mgld verify"):
        write_report(copy, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_a_world_says_that_it_is_drawn_and_photographs_do_not(world_page, hostile_page):
    assert "Not photographs." in Page(world_page).words
    assert "Known against unknown landmarks" in Page(world_page).words
    assert "Not photographs." not in Page(hostile_page).words
    assert "Known against unknown" not in Page(hostile_page).words
    for path in (world_page, hostile_page):
        assert "Not a model's annotations." in Page(path).words


def test_nano_on_photographs_is_said_to_know_none_at_the_head(world_page, hostile_page):
    said = "nano was trained on drawn landmarks only and knows no real photograph"
    head = Page(hostile_page).words.partition("candidate names")[0]
    assert said in head
    assert said not in Page(world_page).words


def test_pictures_without_any_credit_are_said_so_once(hostile_build, hostile_page, tmp_path):
    assert "train_attribution.csv" not in Page(hostile_page).words
    copy = shutil.copytree(hostile_build, tmp_path / "build")
    path = copy / "catalog" / "images.parquet"
    images = pq.read_table(path)
    for name in ("author", "license"):
        at = images.column_names.index(name)
        images = images.set_column(at, name, pa.nulls(len(images), pa.string()))
    at = images.column_names.index("url")
    urls = pa.array([f"https://example.org/{k}" for k in range(len(images))], pa.string())
    pq.write_table(images.set_column(at, "url", urls), path)
    write_report(copy, tmp_path / "page.html")
    words = Page(tmp_path / "page.html").words
    assert words.count("train_attribution.csv") == 1
    assert "not stated" not in words
    assert "Whose pictures these are" not in words
    # Where each picture came from is known all the same.
    links = [link["href"] for link in Page(tmp_path / "page.html").all("a")]
    assert sum(link.startswith("https://example.org/") for link in links) >= 10


def test_the_code_that_loads_names_the_folder_as_given(world_build, tmp_path, monkeypatch):
    monkeypatch.chdir(world_build.parent)
    for given in (world_build.name, str(world_build)):
        out = tmp_path / "page.html"
        result = CliRunner().invoke(main, ["report", given, "--out", str(out)])
        assert result.exit_code == 0, result.output
        words = Page(out).words
        assert f'mgld.load( "{given}", "hds' in words
        assert f'datasets.load_dataset( "{given}/dataset", "full", )' in words
        if given == world_build.name:
            assert str(world_build.parent) not in out.read_text(encoding="utf-8")


def test_same_build_same_page(world_build, world_page, tmp_path):
    write_report(world_build, tmp_path / "again.html")
    first, again = (
        re.sub(r"Written [\d-]+\.", "", path.read_text(encoding="utf-8"))
        for path in (world_page, tmp_path / "again.html")
    )
    assert first == again


def test_a_source_that_moved_leaves_gaps_not_an_error(hostile_build, tmp_path):
    copy = shutil.copytree(hostile_build, tmp_path / "build")
    config = (copy / "config.yaml").read_text(encoding="utf-8")
    config = re.sub(r"^source: .*$", f"source: {tmp_path / 'gone'}", config, flags=re.MULTILINE)
    (copy / "config.yaml").write_text(config, encoding="utf-8")
    write_report(copy, tmp_path / "page.html")
    page = Page(tmp_path / "page.html")
    assert page.all("img") == []
    assert "No picture:" in page.words


def test_command_line(world_build, tmp_path):
    out, figures = tmp_path / "deep" / "page.html", tmp_path / "figures"
    result = CliRunner().invoke(
        main, ["report", str(world_build), "--out", str(out), "--figures", str(figures)]
    )
    assert result.exit_code == 0, result.output
    assert Page(out).all("h1")
    suffixes = sorted(path.suffix for path in figures.iterdir())
    assert suffixes == [".csv"] * 6 + [".png"] * 6 + [".svg"] * 6


def test_a_folder_that_is_no_build_is_one_line_and_exit_1(tmp_path):
    result = CliRunner().invoke(main, ["report", str(tmp_path)])
    assert result.exit_code == 1
    assert "is not a build folder" in result.output
    assert not (tmp_path / "report.html").exists()


def test_an_unfinished_build_names_the_stage(world_build, tmp_path):
    copy = shutil.copytree(world_build, tmp_path / "build")
    shutil.rmtree(copy / "scores")
    result = CliRunner().invoke(main, ["report", str(copy)])
    assert result.exit_code == 1
    assert "is not complete (stage scores" in result.output


def test_where_the_encoder_lay_is_not_on_the_page(world_build, tmp_path):
    root = shutil.copytree(world_build, tmp_path / "build")
    config = (root / "config.yaml").read_text(encoding="utf-8")
    assert "encoder: nano" in config
    (root / "config.yaml").write_text(
        config.replace("encoder: nano", "encoder: ViT-B-32:/home/me/secret/w.pt"), encoding="utf-8"
    )
    write_report(root, tmp_path / "page.html")
    page = Page(tmp_path / "page.html")
    assert "What ViT-B-32:w.pt knows of" in page.words
    assert "secret" not in (tmp_path / "page.html").read_text(encoding="utf-8")
