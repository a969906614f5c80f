"""The catalog: GLDv2's metadata tables as Arrow tables, every row accounted for.

Paper, section 2 (stage 1 reads it) and Figure 8 (the structure of the tables). What cannot be used
is in `rejects` with its file, line and reason; nothing is dropped silently.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mgld.gldv2.csv_rows import RAW_CHARACTERS, REJECT_SCHEMA, CsvRows, read_csv
from mgld.gldv2.names import landmark_name

IMAGES_CSV = "train.csv"
CATEGORIES_CSV = "train_label_to_category.csv"
HIERARCHY_CSV = "train_label_to_hierarchical.csv"
ATTRIBUTION_CSV = "train_attribution.csv"

IMAGE_ID = "^[0-9a-f]{16}$"
LANDMARK_ID = "^[0-9]{1,18}$"  # 18 digits always fit int64
# Titles and authors may hold line breaks; a line that starts like a row of its own is one.
ATTRIBUTION_CONTINUES = re.compile(r"(?!\s*[0-9a-f]{16}\s*,)")

LANDMARK_SCHEMA = pa.schema(
    [
        ("landmark_id", pa.int64()),
        ("category_url", pa.string()),
        ("name", pa.string()),
        ("hierarchical_label", pa.string()),
        ("supercategory", pa.string()),
        ("natural_or_human_made", pa.string()),
        ("image_count", pa.int64()),
    ]
)
IMAGE_SCHEMA = pa.schema(
    [
        ("image_id", pa.string()),
        ("landmark_id", pa.int64()),
        ("url", pa.string()),
        ("author", pa.string()),
        ("license", pa.string()),
        ("title", pa.string()),
    ]
)
NAME_SCHEMA = pa.schema([("name", pa.string()), ("landmark_ids", pa.list_(pa.int64()))])


@dataclass(frozen=True)
class Catalog:
    """What GLDv2's metadata says, and what of it was turned away.

    Attributes:
        landmarks: Arrow table LANDMARK_SCHEMA, sorted by landmark_id, one row each; `image_count`
            counts the images of the catalog and may be 0. The label columns are null where the
            source has none.
        images: Arrow table IMAGE_SCHEMA, sorted by image_id, one row each, all of landmarks in
            `landmarks`; author, license and title are null where `train_attribution.csv` does not
            give them.
        rejects: Arrow table REJECT_SCHEMA, in the order of the files and lines.
        rows: rows of each file that was there, the header not counted.
        accepted: of these, the rows that went into `landmarks` or `images`.
    """

    landmarks: pa.Table
    images: pa.Table
    rejects: pa.Table
    rows: dict[str, int]
    accepted: dict[str, int]

    @property
    def names(self) -> pa.Table:
        """The candidate set: unique names (NFC, sorted) and the landmarks that bear them."""
        ids_of: dict[str, list[int]] = {}
        ids = self.landmarks["landmark_id"].to_pylist()
        for name, landmark_id in zip(self.landmarks["name"].to_pylist(), ids, strict=True):
            ids_of.setdefault(name, []).append(landmark_id)
        names = sorted(ids_of)
        return pa.table([names, [ids_of[name] for name in names]], schema=NAME_SCHEMA)

    def counts(self) -> dict[str, dict[str, int]]:
        """Per file: `rows`, `accepted`, `rejected`; the last two always add up to the first."""
        rejected = {
            entry["values"]: entry["counts"]
            for entry in pc.value_counts(self.rejects["table"]).to_pylist()
        }
        return {
            name: {
                "rows": rows,
                "accepted": self.accepted[name],
                "rejected": rejected.get(name, 0),
            }
            for name, rows in self.rows.items()
        }


def read_catalog(root: str | Path) -> Catalog:
    """Read GLDv2's metadata from `root/metadata`, or from `root` itself.

    `train.csv` (id, url, landmark_id) and `train_label_to_category.csv` (landmark_id, category) are
    needed; `train_label_to_hierarchical.csv` and `train_attribution.csv` fill columns where they
    are there. Of rows with the same id the first usable one counts.

    Args:
        root: a source folder as `mgld fetch` or `mgld world` makes it.

    Returns:
        The tables, and what was turned away, row by row with a reason.

    Raises:
        FileNotFoundError: a missing folder or table.
        ValueError: a table without its columns, naming file and columns.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder: expected a GLDv2 source")
    landmarks = _read_landmarks(_required(root, CATEGORIES_CSV))
    images = _read_images(_required(root, IMAGES_CSV), landmarks)
    sieves = [images, landmarks]

    landmark_columns = dict.fromkeys(LANDMARK_SCHEMA.names[3:6])
    if path := _find(root, HIERARCHY_CSV):
        sieves.append(hierarchy := _read_hierarchy(path, landmarks))
        landmark_columns = _matched(
            hierarchy, "landmark_id", landmarks.rows["landmark_id"], list(landmark_columns)
        )
    landmark_table = _landmark_table(landmarks.rows, images.rows, landmark_columns)
    # The two tables of images are gigabytes: neither is kept longer or copied more than needed.
    images.sort("id")
    image_columns = dict.fromkeys(IMAGE_SCHEMA.names[3:])
    if path := _find(root, ATTRIBUTION_CSV):
        sieves.append(attribution := _read_attribution(path, images))
        image_columns = _matched(attribution, "id", images.rows["id"], list(image_columns))
        attribution.drop()

    return Catalog(
        landmarks=landmark_table,
        images=_image_table(images.rows, image_columns),
        rejects=pa.concat_tables([sieve.all_rejects() for sieve in sieves]),
        rows={sieve.name: sieve.total for sieve in sieves},
        accepted={sieve.name: sieve.accepted for sieve in sieves},
    )


class _Sieve:
    """The rows of one file that are still good; the others go to its rejects with a reason."""

    def __init__(self, source: CsvRows) -> None:
        self.name = source.name
        self.total = source.total
        self.rows = source.table
        self._rejects = [source.rejects]
        self._dropped = 0

    @property
    def accepted(self) -> int:
        """How many rows are good."""
        return len(self.rows) + self._dropped

    def drop(self) -> None:
        """Let go of the rows, but for their number."""
        self._dropped, self.rows = self.accepted, self.rows.schema.empty_table()

    def sort(self, column: str) -> None:
        """Put the rows in the order of a column."""
        order = pc.sort_indices(self.rows[column])
        for position, name in enumerate(self.rows.column_names):  # one copy at a time
            self.rows = self.rows.set_column(position, name, self.rows[name].take(order))

    def keep(self, mask: pa.ChunkedArray | pa.Array | np.ndarray, reason: str) -> None:
        """Keep the rows where `mask` (bool, one per row) is true; reject the others."""
        mask = mask if isinstance(mask, np.ndarray) else mask.to_numpy(zero_copy_only=False)
        if mask.all():
            return
        bad = self.rows.filter(pa.array(~mask))
        # What stands before `line` was read from the file; what follows was derived.
        fields = bad.columns[: bad.schema.get_field_index("line")]
        fields = [field.cast(pa.string()) for field in fields]
        raw = pc.binary_join_element_wise(*fields, ",")
        columns = [
            pa.repeat(self.name, len(bad)),
            bad["line"],
            pc.utf8_slice_codeunits(fields[0], 0, RAW_CHARACTERS),
            pa.repeat(reason, len(bad)),
            pc.utf8_slice_codeunits(raw, 0, RAW_CHARACTERS),
        ]
        self._rejects.append(pa.table(columns, schema=REJECT_SCHEMA))
        self.rows = self.rows.filter(pa.array(mask))

    def keep_landmark_ids(self) -> None:
        """Keep rows whose `landmark_id` is one, and make the column int64."""
        self.keep(
            pc.match_substring_regex(self.rows["landmark_id"], LANDMARK_ID),
            "landmark_id is not a non-negative integer",
        )
        position = self.rows.schema.get_field_index("landmark_id")
        ids = self.rows["landmark_id"].cast(pa.int64())
        self.rows = self.rows.set_column(position, "landmark_id", ids)

    def keep_image_ids(self) -> None:
        """Keep rows whose `id` is an image id."""
        self.keep(
            pc.match_substring_regex(self.rows["id"], IMAGE_ID),
            "image id is not 16 lowercase hex digits",
        )

    def keep_first(self, column: str) -> None:
        """Keep the first row of each value of `column`."""
        codes = self.rows[column].combine_chunks().dictionary_encode().indices.to_numpy()
        # Codes are numbered in order of appearance: a row is a first one iff its code is a new top.
        top = np.maximum.accumulate(codes) if len(codes) else codes
        self.keep(np.diff(top, prepend=-1) > 0, f"duplicate {column}: an earlier row has it")

    def all_rejects(self) -> pa.Table:
        """The rejects of this file by line."""
        return pa.concat_tables(self._rejects).sort_by("line").cast(REJECT_SCHEMA)


def _find(root: Path, name: str) -> Path | None:
    candidates = [root / "metadata" / name, root / name]
    return next((path for path in candidates if path.is_file()), None)


def _required(root: Path, name: str) -> Path:
    path = _find(root, name)
    if path is None:
        raise FileNotFoundError(
            f"no {name} in {root / 'metadata'} or {root}: "
            f"is this a GLDv2 source? `mgld fetch {root}` downloads the metadata"
        )
    return path


def _read_landmarks(path: Path) -> _Sieve:
    sieve = _Sieve(read_csv(path, ["landmark_id", "category"]))
    sieve.keep_landmark_ids()
    names = [_name_or_blank(url) for url in sieve.rows["category"].to_pylist()]
    sieve.rows = sieve.rows.append_column("name", pa.array(names, pa.string()))
    sieve.keep(
        pc.not_equal(sieve.rows["name"], ""),
        "the category gives no name: nothing follows '/wiki/Category:'",
    )
    sieve.keep_first("landmark_id")
    return sieve


def _name_or_blank(category_url: str) -> str:
    try:
        return landmark_name(category_url)
    except ValueError:
        return ""


def _read_images(path: Path, landmarks: _Sieve) -> _Sieve:
    sieve = _Sieve(read_csv(path, ["id", "url", "landmark_id"]))
    sieve.keep_image_ids()
    sieve.keep_landmark_ids()
    known = _combined(landmarks.rows["landmark_id"])
    sieve.keep(
        pc.is_in(sieve.rows["landmark_id"], value_set=known),
        f"unknown landmark: its landmark_id has no accepted row in {CATEGORIES_CSV}",
    )
    sieve.keep_first("id")
    return sieve


def _read_hierarchy(path: Path, landmarks: _Sieve) -> _Sieve:
    columns = ["landmark_id", "supercategory", "hierarchical_label", "natural_or_human_made"]
    sieve = _Sieve(read_csv(path, columns))
    sieve.keep_landmark_ids()
    known = _combined(landmarks.rows["landmark_id"])
    sieve.keep(
        pc.is_in(sieve.rows["landmark_id"], value_set=known),
        f"unknown landmark: its landmark_id has no accepted row in {CATEGORIES_CSV}",
    )
    sieve.keep_first("landmark_id")
    return sieve


def _read_attribution(path: Path, images: _Sieve) -> _Sieve:
    sieve = _Sieve(
        read_csv(path, ["id", "author", "license", "title"], continuation=ATTRIBUTION_CONTINUES)
    )
    sieve.keep_image_ids()
    sieve.keep(
        pc.is_in(sieve.rows["id"], value_set=_combined(images.rows["id"])),
        f"unknown image: its id has no accepted row in {IMAGES_CSV}",
    )
    sieve.keep_first("id")
    return sieve


def _combined(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()


def _matched(
    sieve: _Sieve, key: str, keys: pa.ChunkedArray, columns: list[str]
) -> dict[str, pa.ChunkedArray]:
    """`columns` of the sieve's rows in the order of `keys`; null where absent or blank."""
    rows = pc.index_in(keys, value_set=_combined(sieve.rows[key]))
    taken = sieve.rows.select(columns).take(rows)
    return {
        name: pc.if_else(pc.equal(taken[name], ""), pa.scalar(None, pa.string()), taken[name])
        for name in columns
    }


def _landmark_table(
    landmarks: pa.Table, images: pa.Table, labels: dict[str, pa.ChunkedArray | None]
) -> pa.Table:
    count = len(landmarks)
    rows = pc.index_in(images["landmark_id"], value_set=_combined(landmarks["landmark_id"]))
    image_counts = np.bincount(rows.to_numpy(), minlength=count)
    columns = [landmarks["landmark_id"], landmarks["category"], landmarks["name"]]
    columns += [_or_nulls(column, count) for column in labels.values()]
    columns.append(pa.array(image_counts, pa.int64()))
    return pa.table(columns, schema=LANDMARK_SCHEMA).sort_by("landmark_id")


def _image_table(images: pa.Table, credits: dict[str, pa.ChunkedArray | None]) -> pa.Table:
    """The table of images that are sorted by id already."""
    columns = [images["id"], images["landmark_id"], images["url"]]
    columns += [_or_nulls(column, len(images)) for column in credits.values()]
    return pa.table(columns, schema=IMAGE_SCHEMA)


def _or_nulls(column: pa.ChunkedArray | None, count: int) -> pa.ChunkedArray | pa.Array:
    return pa.nulls(count, pa.string()) if column is None else column
