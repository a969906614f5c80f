"""No link leads nowhere, and no page asks anything of another site."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from docs_blocks import ROOT, pages
from docs_links import markdown_problems, site_problems

MARKDOWN = [ROOT / "README.md", ROOT / "CHANGELOG.md", *pages()]
MARKDOWN += [*(ROOT / "benchmarks").rglob("*.md"), ROOT / "cards" / "README.md"]


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_in_markdown(path: Path) -> None:
    assert markdown_problems(path) == []


def test_links_in_the_site(site: Path) -> None:
    assert site_problems(site) == []


def test_every_page_is_in_the_navigation(site: Path) -> None:
    home = (site / "index.html").read_text(encoding="utf-8")
    for page in pages():
        name = page.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
        assert f'href="{name}"' in home, name


PUBLIC = (
    "mgld:load",
    "mgld.gldv2:landmark_name",
    "mgld.gldv2:read_catalog",
    "mgld.vision:load_encoder",
    "mgld.scoring:sim_rsr",
    "mgld.scoring:select",
    "mgld.hub:load",
    "mgld.hub:export_dataset",
    "mgld.hub:list_outputs",
    "mgld.hub:write_output",
    "mgld.hub:write_card",
    "mgld.hub:push_dataset",
    "mgld.hub:verify_repo",
    "mgld.evaluate:rule_judge",
    "mgld.evaluate:level_metrics",
    "mgld.leaderboard:prepare_bundle",
    "mgld.leaderboard:validate_bundle",
    "mgld.leaderboard:push_bundle",
    "mgld.leaderboard:verify_bundle",
    "mgld.leaderboard:accept",
    "mgld.leaderboard:read_entries",
    "mgld.leaderboard:read_boards",
    "mgld.leaderboard:build_site",
    "eeca_ref.losses:entity_contrastive_loss",
    "eeca_ref.losses:entity_weights",
    "eeca_ref.tiling:split_tiles",
    "eeca_ref.model:EecaForConditionalGeneration",
)
"""Names that others rely on."""
RETURN_NOTHING = ("write_output", "write_card", "EecaForConditionalGeneration")


def test_public_names_are_in_the_reference(site: Path) -> None:
    shown = "".join(path.read_text("utf-8") for path in (site / "reference").glob("*.html"))
    for name in PUBLIC:
        module, attribute = name.split(":")
        found = getattr(import_module(module), attribute)
        assert f'id="{found.__module__}.{found.__qualname__}"' in shown, name


def test_their_docstrings_say_what_comes_in_and_out() -> None:
    for name in PUBLIC:
        module, attribute = name.split(":")
        text = getattr(import_module(module), attribute).__doc__ or ""
        assert "Args:" in text, name
        assert "Returns:" in text or attribute in RETURN_NOTHING, name


def test_what_is_broken_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<a href="b.html">1</a> <a href="#no">2</a> <a href="#yes" id="yes">3</a>'
        '<script src="https://example.org/x.js"></script>'
    )
    (tmp_path / "a.css").write_text("body { background: url(https://example.org/x.png) }")
    assert len(site_problems(tmp_path)) == 4
    (tmp_path / "a.md").write_text("# One two\n[1](#one-two) [2](#two) [3](b.md) [4](a.md#one-two)")
    assert len(markdown_problems(tmp_path / "a.md")) == 2
