"""The page of annotations as text: whole, self-contained, and safe whatever a model says."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hostile_model import HOSTILE_MODEL
from hostile_source import HOSTILE_LABEL, HOSTILE_NAMES
from test_report_page import Page

from mgld.annotate.quality import Annotated
from mgld.build.read import BuildView
from mgld.cli import main
from mgld.report.annotations import write_annotations
from mgld.report.annotations_cards import _shares, choose_cards, short
from mgld.report.annotations_read import Annotations, read_annotations
from mgld.schema import EntityRecord, QaRecord

ATTACK = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\x07"


class ScriptPage(Page):
    """A page whose scripts are not text."""

    def handle_data(self, data):
        if "script" not in self.open:
            super().handle_data(data)


@pytest.fixture(scope="module")
def template_page(world_build, tmp_path_factory):
    path = tmp_path_factory.mktemp("template") / "page.html"
    write_annotations(world_build, path)
    return path


@pytest.fixture(params=["template_page", "asked_page"])
def page_path(request):
    return request.getfixturevalue(request.param)


def test_the_page_is_whole(page_path):
    page = ScriptPage(page_path)
    assert len(page.all("h1")) == 1
    assert len(page.all("img")) >= 10
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for link in page.all("a"):
        assert link["href"].startswith(("#", "https://", "http://")), link
        if link["href"].startswith("#"):
            assert link["href"][1:] in ids
    assert {label["for"] for label in page.all("label")} <= set(ids)
    assert all(image["alt"].strip() for image in page.all("img"))
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in page.all("svg"))


def test_its_only_script_is_its_own(page_path):
    page = ScriptPage(page_path)
    text = page_path.read_text(encoding="utf-8")
    assert len(page.all("script")) == 1
    (script,) = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    policy = next(m["content"] for m in page.all("meta") if "http-equiv" in m)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy and "'unsafe-inline'" not in policy.split("script-src")[1]
    assert not {"iframe", "link", "object", "embed", "base"} & {tag for tag, _ in page.elements}
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "srcset", "xlink:href", "action"):
                assert value.startswith(("data:image/", "#")), (tag, name)
    assert not re.search(r"url\((?!#)|@import", text)


def test_hostile_words_are_only_text(asked_page):
    page = ScriptPage(asked_page)
    raw = asked_page.read_text(encoding="utf-8")
    for text in ("<script>alert", "onerror=alert(1)>", "<svg onload", "<i>Mallory", "<b onclick",
                 "<b>evil"):  # fmt: skip
        assert text not in raw
    assert HOSTILE_MODEL in page.words and HOSTILE_LABEL in page.words
    assert sum(" ".join(name.split()) in page.words for name in HOSTILE_NAMES) >= 8
    assert "988027" not in page.words


def test_hostile_replies_are_only_text(world_build, tmp_path):
    root = shutil.copytree(world_build, tmp_path / "build")
    change(root, "entities", lambda row: row | {
        "entities_raw": [ATTACK, *row["entities"]], "hierarchical_label": ATTACK,
        "aliases": [ATTACK], "place_hints": [ATTACK], "entities": [ATTACK, *row["entities"]],
    })  # fmt: skip
    change(root, "qa", lambda row: row | {
        "status": "refused" if row["landmark_id"] % 2 else "ok", "reason": ATTACK,
        "conversation": [{"role": "user", "content": ATTACK},
                         {"role": "assistant", "content": ATTACK}],
    })  # fmt: skip
    out = tmp_path / "page.html"
    result = CliRunner().invoke(main, ["annotate", "report", str(root), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "\x07" not in result.output and "onerror" in result.output
    page = ScriptPage(out)
    assert len(page.all("script")) == 1
    assert all(image["src"].startswith("data:image/jpeg") for image in page.all("img"))
    assert "<script>alert(1)</script>" in page.words


def change(root, stage, edit):
    path = next((root / stage).glob("part-*.parquet"))
    rows = [edit(row) for row in pq.read_table(path).to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows), path)


def test_numbers_of_a_model_with_its_ledger(asked_build):
    found = read_annotations(BuildView(asked_build)).report
    quality = found.quality
    qa = quality.qa
    assert (qa.landmarks, qa.asked, qa.refused, qa.error, qa.skipped) == (12, 11, 1, 1, 1)
    assert (qa.repaired, qa.valid) == (2, 7)
    assert (quality.entities.asked, quality.entities.skipped) == (9, 3)
    assert qa.annotators == {HOSTILE_MODEL: 11}
    first, second = found.spent
    assert (first.requests, first.answered, first.tries) == (11, 11, 11)
    assert (second.requests, second.answered) == (9, 9)
    assert first.models == {HOSTILE_MODEL: 11}
    assert first.input_tokens > 1000 and first.usd == 0
    assert found.notes == [f"no price of {HOSTILE_MODEL} was known: its dollars were not counted"]
    assert found.came_outside is not None and found.came_outside.replies == 0


def test_replies_that_were_not_valid_are_shown_as_they_came(asked_page):
    words = ScriptPage(asked_page).words
    assert words.count("The reply of stage qa as it came") == 4
    assert "I'm sorry, but I can't help with that image." in words
    assert "Here is what the picture shows. ```json" in words


def test_templates_say_that_they_are_none_of_a_model(template_page, asked_page):
    assert "These are not a model's words" in ScriptPage(template_page).words
    assert "These are not a model's words" not in ScriptPage(asked_page).words
    assert "Tokens and dollars" not in ScriptPage(template_page).words


def test_without_its_ledger_the_records_are_counted_all_the_same(asked_build, tmp_path):
    root = shutil.copytree(asked_build, tmp_path / "build")
    before = read_annotations(BuildView(root)).report
    for path in root.glob("ledger.sqlite*"):
        path.unlink()
    after = read_annotations(BuildView(root)).report
    assert after.quality == before.quality and after.spent == [] and after.came_outside is None
    assert after.notes == ["there is no ledger.sqlite any more: what was spent is not known"]
    assert not (root / "ledger.sqlite").exists()


def test_before_stage_entities_the_answers_are_shown(asked_build, tmp_path):
    root = shutil.copytree(asked_build, tmp_path / "build")
    shutil.rmtree(root / "entities")
    report = write_annotations(root, tmp_path / "page.html")
    assert report.quality.entities.waiting == 12 and report.quality.answers.answers == 9
    assert "not made yet" in ScriptPage(tmp_path / "page.html").words


def test_command_line(asked_build, tmp_path):
    root = shutil.copytree(asked_build, tmp_path / "build")
    result = CliRunner().invoke(main, ["annotate", "report", str(root)])
    assert result.exit_code == 0, result.output
    page = root / "annotations.html"
    assert result.output.splitlines()[-1] == f"page: {page}"
    assert "qa        11 asked: 7 valid as they came (63.6 %)" in result.output
    assert page.is_file()
    result = CliRunner().invoke(main, ["annotate", "report", str(root), "--json"])
    assert json.loads(result.output)["quality"]["qa"]["refused"] == 1


def test_a_build_without_annotations_names_the_stage(asked_build, tmp_path):
    root = shutil.copytree(asked_build, tmp_path / "build")
    shutil.rmtree(root / "qa")
    result = CliRunner().invoke(main, ["annotate", "report", str(root)])
    assert result.exit_code == 1 and "stage qa has no part table yet" in result.output
    assert not (root / "annotations.html").exists()


def test_records_that_the_catalog_lacks_are_damage(world_build, tmp_path):
    root = shutil.copytree(world_build, tmp_path / "build")
    change(root, "qa", lambda row: row | {"landmark_id": row["landmark_id"] + 10**6})
    with pytest.raises(ValueError, match="mgld verify"):
        write_annotations(root, tmp_path / "page.html")


@pytest.mark.parametrize(
    ("sizes", "shares"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4]),
        ([50, 0, 0, 0], [12, 0, 0, 0]),
        ([50, 1, 0, 50], [7, 1, 0, 4]),
        ([50, 50, 50, 50], [4, 4, 4, 0]),
        ([2, 2, 0, 90], [2, 2, 0, 8]),
    ],
)
def test_what_is_shown_of_each_sort(sizes, shares):
    assert _shares(sizes, 12) == shares


def test_problems_come_first_and_are_drawn_by_key():
    def made(landmark_id, status):
        qa = QaRecord(landmark_id=landmark_id, status=status, annotator="m", prompt_version="")
        entities = EntityRecord(
            landmark_id=landmark_id, status="ok", entities=["a"], entities_raw=["a"],
            annotator="m", prompt_version="",
        )  # fmt: skip
        return Annotated(landmark_id, f"L{landmark_id}", None, qa, entities)

    records = [made(k, "refused" if k >= 90 else "skipped" if k < 5 else "ok") for k in range(100)]
    found = Annotations(records, None, {}, None)
    cards, parts = choose_cards(found, {}, seed=0, most=30)
    assert [card.status for card in cards] == ["refused"] * 10 + ["valid"] * 20
    assert [(part.records, part.shown) for part in parts] == [(10, 10), (85, 20)]
    again, _ = choose_cards(Annotations(records[::-1], None, {}, None), {}, seed=0, most=30)
    assert [card.landmark_id for card in again] == [card.landmark_id for card in cards]
    other, _ = choose_cards(found, {}, seed=1, most=30)
    assert [card.landmark_id for card in other] != [card.landmark_id for card in cards]


def test_a_text_without_end_is_cut_and_half_a_character_is_none():
    assert short("a\ud800b") == "a?b"
    assert short("a" * 4000) == "a" * 4000
    assert short("a" * 5000).endswith("a… (1,000 more characters)")
