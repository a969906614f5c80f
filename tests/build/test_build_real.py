"""A build and a report of the real photographs in ../shared, where they are present."""

from __future__ import annotations

from pathlib import Path

import datasets
import pytest

import mgld
from mgld.build import build_dataset, build_status, load_config
from mgld.report import write_report
from mgld.vision.resolve import nano_folder

CHECKOUT = Path(__file__).resolve().parents[2]
PHOTOGRAPHS = CHECKOUT.parent / "shared" / "data" / "gldv2-wa"


@pytest.mark.real_data
@pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason="../shared/data/gldv2-wa is not here")
@pytest.mark.skipif(
    not (nano_folder() / "open_clip_config.json").is_file(), reason="nano has no weights yet"
)
def test_every_photograph_and_landmark_is_accounted_for(tmp_path: Path) -> None:
    config = load_config(None, {"source": str(PHOTOGRAPHS), "encoder": "nano"})
    build_dataset(config, tmp_path / "build")
    status = build_status(tmp_path / "build")
    assert status.complete
    assert all(balance.balanced for balance in status.balances)
    balances = {balance.what: balance for balance in status.balances}
    assert balances["images of the catalog"].total == 3783
    assert balances["landmarks to records"].total == 239
    assert balances["landmarks to records"].parts["records"] == 239
    full = mgld.load(tmp_path / "build")
    assert isinstance(full, datasets.DatasetDict)
    assert len(full["train"]) + len(full["test"]) == 239
    assert full["train"][0]["image"].size[0] > 0
    page = tmp_path / "report.html"
    write_report(tmp_path / "build", page)
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/jpeg") > 20
    assert "No picture" not in text
    assert page.stat().st_size < 6_000_000
