"""The real photographs: everything that is there is read, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from mgld.gldv2 import decode_image, find_archives, iter_images, read_catalog, read_image
from mgld.gldv2.download import file_md5

ROOT = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "gldv2-wa"

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not ROOT.is_dir(), reason="no real photographs beside the checkout"),
]


def test_the_washington_slice_is_read_whole() -> None:
    catalog = read_catalog(ROOT)
    assert catalog.counts() == {
        "train.csv": {"rows": 3783, "accepted": 3783, "rejected": 0},
        "train_label_to_category.csv": {"rows": 239, "accepted": 239, "rejected": 0},
    }
    assert (len(catalog.images), len(catalog.landmarks)) == (3783, 239)
    assert len(catalog.names) == 239
    assert sum(catalog.landmarks["image_count"].to_pylist()) == 3783
    assert catalog.images["author"].null_count == 3783
    names = catalog.names["name"].to_pylist()
    assert "Sun Lakes — Dry Falls State Park" in names

    shards = find_archives(ROOT)
    assert [shard.id for shard in shards] == [f"images_{i:03d}.tar" for i in range(8)]
    seen = []
    for shard in shards:
        for entry in iter_images(ROOT, shard.id):
            assert entry.status == "ok", entry
            seen.append(entry.image_id)
            if len(seen) % 100 == 0:
                again = read_image(ROOT, entry.source, entry.offset, entry.size)
                assert again == entry.data
                assert decode_image(again).note == ""
    assert sorted(seen) == catalog.images["image_id"].to_pylist()


def test_the_archives_have_their_published_md5() -> None:
    for number in range(8):
        text = (ROOT / f"md5sum/train/md5.images_{number:03d}.txt").read_text()
        assert text.split()[0] == file_md5(ROOT / f"train/images_{number:03d}.tar")
