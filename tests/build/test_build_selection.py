"""The draw of one image from the best three (weighted by Sim), and reading its row back."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mgld.build import BuildView
from mgld.build.stages.image_index import fetch_rows, image_index
from mgld.build.stages.selection import draw, top_candidates


def test_ties_go_by_image_id_and_failures_are_no_candidates() -> None:
    sims = np.array([0.2, np.nan, 0.9, 0.9, 0.9, -0.1])
    ids = np.array([b"a", b"b", b"e", b"c", b"d", b"f"])
    assert top_candidates(sims, ids).tolist() == [3, 4, 2]
    assert top_candidates(np.array([np.nan]), np.array([b"a"])).tolist() == []


@pytest.mark.parametrize(
    ("sims", "shares"),
    [
        ([0.6, 0.3, 0.1], [0.6, 0.3, 0.1]),
        ([0.5, 0.0, -0.4], [1.0, 0.0, 0.0]),
        ([0.2, 0.2, -0.1], [0.5, 0.5, 0.0]),
        ([0.0, -0.1, -0.4], [1.0, 0.0, 0.0]),
        ([-0.3], [1.0]),
    ],
)
def test_drawn_in_proportion_to_similarity_clipped_at_zero(
    sims: list[float], shares: list[float]
) -> None:
    n = 4000
    drawn = Counter(draw(np.array(sims), seed=0, landmark_id=i) for i in range(n))
    for position, share in enumerate(shares):
        assert drawn[position] / n == pytest.approx(share, abs=4 * (share * (1 - share) / n) ** 0.5)


def test_a_draw_depends_on_seed_and_landmark_alone() -> None:
    sims = np.array([0.3, 0.29, 0.28])
    draws = [draw(sims, seed=5, landmark_id=i) for i in range(50)]
    assert draws == [draw(sims, seed=5, landmark_id=i) for i in range(50)]
    assert draws != [draw(sims, seed=6, landmark_id=i) for i in range(50)]


def test_rows_come_back_in_the_order_asked_for(finished: BuildView) -> None:
    index = image_index(finished.root, "links", "embeddings")
    there = np.flatnonzero(index.files >= 0)
    chosen = np.random.default_rng(0).permutation(there)
    rows = fetch_rows(index, chosen, ["image_id", "status"]).to_pylist()
    assert [row["image_id"].encode() for row in rows] == index.ids[chosen].tolist()
    statuses = [index.status_names[code] for code in index.statuses[chosen].tolist()]
    assert [row["status"] for row in rows] == statuses


def test_rows_come_back_across_row_groups(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from mgld.build.stages.image_index import ImageIndex

    table = pa.table({"n": np.arange(1000)})
    pq.write_table(table, tmp_path / "images-a.parquet", row_group_size=64)
    none = np.zeros(1000)
    index = ImageIndex(
        [tmp_path / "images-a.parquet"],
        ["ok"],
        none.astype(int),
        none.astype("S1"),
        none.astype(int),
        none,
        none.astype(int),
        np.arange(1000),
        none.astype(int),
    )
    chosen = np.array([999, 0, 63, 64, 65, 500, 0])
    assert fetch_rows(index, chosen, ["n"])["n"].to_pylist() == chosen.tolist()
    assert fetch_rows(index, chosen[:0], ["n"]).num_rows == 0
