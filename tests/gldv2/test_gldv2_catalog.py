"""Every row of every table ends in the catalog or in the rejects, with its line and its reason."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mgld.gldv2 import Catalog, csv_rows, read_catalog

BASE = "http://commons.wikimedia.org/wiki/Category:"
CATEGORIES = f"landmark_id,category\n1,{BASE}One\n2,{BASE}Two\n"
A, B, C = "a" * 16, "b" * 16, "c" * 16


def write_source(root: Path, **tables: str | bytes) -> Path:
    """A source folder with the given tables; train.csv and the categories have defaults."""
    content: dict[str, str | bytes] = {
        "train": f"id,url,landmark_id\n{A},http://x/a.jpg,1\n",
        "train_label_to_category": CATEGORIES,
    }
    (root / "metadata").mkdir(parents=True, exist_ok=True)
    for name, text in (content | tables).items():
        data = text.encode() if isinstance(text, str) else text
        (root / "metadata" / f"{name}.csv").write_bytes(data)
    return root


def rejects(catalog: Catalog) -> list[tuple[str, int, str]]:
    rows = catalog.rejects.to_pylist()
    return [(row["table"].removesuffix(".csv"), row["line"], row["reason"]) for row in rows]


def assert_adds_up(catalog: Catalog) -> None:
    for name, count in catalog.counts().items():
        assert count["rows"] == count["accepted"] + count["rejected"], name
    assert sum(c["rejected"] for c in catalog.counts().values()) == len(catalog.rejects)
    assert catalog.counts()["train.csv"]["accepted"] == len(catalog.images)
    assert catalog.counts()["train_label_to_category.csv"]["accepted"] == len(catalog.landmarks)
    assert sum(catalog.landmarks["image_count"].to_pylist()) == len(catalog.images)


def test_a_clean_source_with_all_tables(tmp_path: Path) -> None:
    write_source(
        tmp_path,
        train=f"id,url,landmark_id\n{B},http://x/b.jpg,2\n{A},http://x/a.jpg,1\n",
        train_label_to_hierarchical=(
            "landmark_id,category,supercategory,hierarchical_label,natural_or_human_made\n"
            f"1,{BASE}One,beach,ocean area ,natural\n2,{BASE}Two,,,\n"
        ),
        train_attribution=(
            "id,url,author,license,title\n"
            f'{A},http://x,"Doe, Jane",CC BY-SA 3.0,"File: a ""b""\nc.jpg"\n'
        ),
    )
    catalog = read_catalog(tmp_path)
    assert catalog.landmarks.to_pylist() == [
        {
            "landmark_id": 1,
            "category_url": f"{BASE}One",
            "name": "One",
            "hierarchical_label": "ocean area",
            "supercategory": "beach",
            "natural_or_human_made": "natural",
            "image_count": 1,
        },
        {
            "landmark_id": 2,
            "category_url": f"{BASE}Two",
            "name": "Two",
            "hierarchical_label": None,
            "supercategory": None,
            "natural_or_human_made": None,
            "image_count": 1,
        },
    ]
    first, second = catalog.images.to_pylist()
    assert first == {
        "image_id": A,
        "landmark_id": 1,
        "url": "http://x/a.jpg",
        "author": "Doe, Jane",
        "license": "CC BY-SA 3.0",
        "title": 'File: a "b"\nc.jpg',
    }
    assert (second["image_id"], second["author"]) == (B, None)
    assert_adds_up(catalog)
    assert len(catalog.rejects) == 0


def test_each_bad_image_row_is_rejected_with_its_line(tmp_path: Path) -> None:
    rows = [
        f"{A},http://x,1",  # 2 good
        f"{A},http://x/again,2",  # 3 duplicate
        "ABCDEFABCDEFABCD,http://x,1",  # 4 upper case
        "None,http://x,1",  # 5 no id
        f"{B},http://x,9",  # 6 unknown landmark
        f"{B},http://x,-1",  # 7
        f"{B},http://x,1.0",  # 8
        f"{B},http://x,{10**18}",  # 9 no int64 for sure
        f"{B},http://x",  # 10 two columns
        f"{B},http://x/A,_B.jpg,1",  # 11 unquoted comma
        "",  # 12 a blank line is no row
        f' {B} ,"http://x/A,_B.jpg", 1 ',  # 13 good: quoted comma, blanks around
        f'{C},"http://open,1',  # 14 an unclosed quote costs one row
        f"{C},http://x,2",  # 15 good
        "    ",  # 16 no row
    ]
    catalog = read_catalog(
        write_source(tmp_path, train="id,url,landmark_id\n" + "\n".join(rows) + "\n")
    )
    assert [(line, reason[:20]) for _, line, reason in rejects(catalog)] == [
        (3, "duplicate id: an ear"),
        (4, "image id is not 16 l"),
        (5, "image id is not 16 l"),
        (6, "unknown landmark: it"),
        (7, "landmark_id is not a"),
        (8, "landmark_id is not a"),
        (9, "landmark_id is not a"),
        (10, "2 columns where the "),
        (11, "4 columns where the "),
        (14, "a quote is not close"),
    ]
    assert catalog.images["image_id"].to_pylist() == [A, B, C]
    assert catalog.images["landmark_id"].to_pylist() == [1, 1, 2]
    assert catalog.rejects["raw"].to_pylist()[0] == f"{A},http://x/again,2"
    assert catalog.rejects["key"].to_pylist()[4] == B
    assert catalog.counts()["train.csv"] == {"rows": 13, "accepted": 3, "rejected": 10}
    assert_adds_up(catalog)


def test_two_stray_quotes_do_not_give_an_image_to_another_landmark(tmp_path: Path) -> None:
    # As one CSV row this reads: id A, an address over two lines, landmark 2.
    text = f'id,url,landmark_id\n{A},"http://x,1\n{B},http://y",2\n'
    catalog = read_catalog(write_source(tmp_path, train=text))
    assert catalog.images["image_id"].to_pylist() == [B]
    assert [line for _, line, _ in rejects(catalog)] == [2]
    assert_adds_up(catalog)


def test_bad_landmark_rows_and_what_hangs_on_them(tmp_path: Path) -> None:
    write_source(
        tmp_path,
        train_label_to_category=(
            f"landmark_id,category\n2,{BASE}Two\n2,{BASE}Other\nx,{BASE}X\n3,\n4,{BASE}_\n"
            f"5,http://commons.wikimedia.org/wiki/Five\n07,{BASE}Two\n1,{BASE}One\n"
        ),
        train=f"id,url,landmark_id\n{A},,1\n{B},,3\n{C},,2\n",
        train_label_to_hierarchical=(
            "landmark_id,category,supercategory,hierarchical_label,natural_or_human_made\n"
            "1,,,lake,natural\n1,,,river,natural\n3,,,lake,natural\nx,,,lake,natural\n"
        ),
        train_attribution=(
            f"id,url,author,license,title\n{A},,Ann,CC0,\n{A},,Bob,CC0,\n{B},,Ann,CC0,\nZ,,,,\n"
        ),
    )
    catalog = read_catalog(tmp_path)
    assert catalog.landmarks["landmark_id"].to_pylist() == [1, 2, 7]
    assert catalog.landmarks["image_count"].to_pylist() == [1, 1, 0]
    assert catalog.landmarks["hierarchical_label"].to_pylist() == ["lake", None, None]
    assert catalog.names.to_pylist() == [
        {"name": "One", "landmark_ids": [1]},
        {"name": "Two", "landmark_ids": [2, 7]},
    ]
    assert catalog.images["author"].to_pylist() == ["Ann", None]
    found = [(table, line) for table, line, _ in rejects(catalog)]
    assert found == [
        ("train", 3),
        *[("train_label_to_category", line) for line in (3, 4, 5, 6, 7)],
        *[("train_label_to_hierarchical", line) for line in (3, 4, 5)],
        *[("train_attribution", line) for line in (3, 4, 5)],
    ]
    assert_adds_up(catalog)


def test_bom_crlf_other_column_order_and_extra_columns(tmp_path: Path) -> None:
    text = f"﻿landmark_id,extra, id ,url\r\n1,?,{A},http://x\r\n2,?,{B},http://y"
    catalog = read_catalog(
        write_source(tmp_path, train=text, train_label_to_category="﻿" + CATEGORIES)
    )
    assert catalog.images["image_id"].to_pylist() == [A, B]
    assert catalog.images["url"].to_pylist() == ["http://x", "http://y"]


def test_bytes_that_are_no_utf8_cost_their_row_only(tmp_path: Path) -> None:
    train = f"id,url,landmark_id\n{A},http://x/".encode() + b"\xff" + f",1\n{B},é,1\n".encode()
    catalog = read_catalog(write_source(tmp_path, train=train))
    assert rejects(catalog) == [("train", 2, "not UTF-8")]
    assert catalog.images["url"].to_pylist() == ["é"]
    assert "udcff" in catalog.rejects["raw"].to_pylist()[0]
    assert_adds_up(catalog)


def test_attribution_may_span_lines_but_not_swallow_rows(tmp_path: Path) -> None:
    write_source(
        tmp_path,
        train=f"id,url,landmark_id\n{A},,1\n{B},,1\n{C},,1\n",
        train_attribution=(
            f'id,url,author,license,title\n{A},,"two\r\nlines",CC0,t\n'
            f'{B},,"open,CC0,t\n{C},,Cy",CC0,t\n'
        ),
    )
    catalog = read_catalog(tmp_path)
    assert catalog.images["author"].to_pylist() == ["two\r\nlines", None, 'Cy"']
    assert [line for _, line, _ in rejects(catalog)] == [4]
    assert_adds_up(catalog)


def test_a_field_beyond_the_csv_limit_costs_its_row_only(tmp_path: Path) -> None:
    text = f"id,url,landmark_id\n{A},{'x' * 200_000},1\n{B},,1\n"
    catalog = read_catalog(write_source(tmp_path, train=text))
    assert [(line, reason[:20]) for _, line, reason in rejects(catalog)] == [
        (2, "not readable as CSV:")
    ]
    assert len(catalog.rejects["raw"].to_pylist()[0]) == 500
    assert catalog.images["image_id"].to_pylist() == [B]


def test_an_open_quote_is_given_up_soon_even_without_a_csv_limit(tmp_path: Path) -> None:
    good = "".join(f"{i:016x},http://x,1\n" for i in range(5000))
    write_source(tmp_path, train=f'id,url,landmark_id\n{A},"http://x,1\n{good}')
    limit = csv.field_size_limit(2**40)  # as other libraries set it
    try:
        catalog = read_catalog(tmp_path)
    finally:
        csv.field_size_limit(limit)
    assert [line for _, line, _ in rejects(catalog)] == [2]
    assert len(catalog.images) == 5000
    assert catalog.rejects["raw"].to_pylist() == [f'{A},"http://x,1']


def test_tables_may_lie_in_the_root_and_be_empty(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("id,url,landmark_id\n")
    (tmp_path / "train_label_to_category.csv").write_text("landmark_id,category\n")
    catalog = read_catalog(tmp_path)
    assert (len(catalog.landmarks), len(catalog.images), len(catalog.names)) == (0, 0, 0)
    assert catalog.counts()["train.csv"] == {"rows": 0, "accepted": 0, "rejected": 0}


def test_wrong_folders_and_malformed_tables_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        read_catalog(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"train_label_to_category\.csv.*mgld fetch"):
        read_catalog(tmp_path)
    write_source(tmp_path, train="")
    with pytest.raises(ValueError, match=r"train\.csv is empty: .*id, url, landmark_id"):
        read_catalog(tmp_path)
    write_source(tmp_path, train="id,address,landmark_id\n")
    with pytest.raises(ValueError, match=r"train\.csv.*but url is missing.*id,? address"):
        read_catalog(tmp_path)
    write_source(tmp_path, train="id,url,url,landmark_id\n")
    with pytest.raises(ValueError, match="url is missing or repeated"):
        read_catalog(tmp_path)
    write_source(tmp_path, train="<html>\n<body>404</body>\n")
    with pytest.raises(ValueError, match="its first line reads: <html>"):
        read_catalog(tmp_path)
    write_source(tmp_path, train="id,url,landmark_id\n".encode("utf-16"))
    with pytest.raises(ValueError, match="missing"):
        read_catalog(tmp_path)


FIELD = st.one_of(
    st.sampled_from(
        [A, B, C, "1", "2", "9", "", BASE + "One", BASE, '"', 'x"y', "a\nb", "\r", "é"]
    ),
    st.text(max_size=6),
)
LINE = st.lists(FIELD, max_size=6).map(",".join)
JUNK = st.lists(LINE, max_size=12).map("\n".join)


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(train=JUNK, categories=JUNK, hierarchy=JUNK, attribution=JUNK, cut=st.integers(0, 400))
def test_counts_add_up_whatever_the_tables_hold(
    tmp_path: Path, train: str, categories: str, hierarchy: str, attribution: str, cut: int
) -> None:
    good = f"\n{A},http://x,1\n{B},http://y,2\n"
    # Bytes cut anywhere: in a quote, in a character.
    text = as_bytes(f"id,url,landmark_id\n{train}{good}")[: 19 + cut]
    labels = "landmark_id,supercategory,hierarchical_label,natural_or_human_made\n"
    write_source(
        tmp_path,
        train=text,
        train_label_to_category=as_bytes(CATEGORIES + categories),
        train_label_to_hierarchical=as_bytes(labels + hierarchy),
        train_attribution=as_bytes("id,author,license,title\n" + attribution),
    )
    catalog = read_catalog(tmp_path)
    assert_adds_up(catalog)
    ids = catalog.images["image_id"].to_pylist()
    assert ids == sorted(set(ids))
    assert set(catalog.images["landmark_id"].to_pylist()) <= set(
        catalog.landmarks["landmark_id"].to_pylist()
    )
    assert {1, 2} <= set(catalog.landmarks["landmark_id"].to_pylist())


def test_blocks_do_not_change_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"{i % 40:016x},http://x/{i},{i % 3}" for i in range(100)]
    write_source(tmp_path, train="id,url,landmark_id\n" + "\n".join(rows) + "\n")
    whole = read_catalog(tmp_path)
    monkeypatch.setattr(csv_rows, "BLOCK_ROWS", 7)
    in_blocks = read_catalog(tmp_path)
    assert whole.images.equals(in_blocks.images)
    assert whole.rejects.equals(in_blocks.rejects)
    assert_adds_up(whole)
