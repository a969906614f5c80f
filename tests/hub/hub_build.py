"""A small but real build folder: what the stages write, made by hand with known values."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from mgld.build.config import BuildConfig, save_config
from mgld.build.manifest import BuildFacts, Manifest

LANDMARKS = 60
TEST = 10  # landmarks 0, 6, 12, ... are test records
NO_IMAGE = 59  # in the catalog, but with no readable image
SIZES = [10, 20, 40]
METHODS = ("hds", "hss", "lcs", "brs")


def landmark_name(landmark_id: int) -> str:
    special = {
        3: "Château de Schœneck",
        4: "金閣寺",
        5: 'Fort "Quoted" | piped, Sea\tTab',
        7: "Черное озеро",
    }
    return special.get(landmark_id, f"Abbey of Varn {landmark_id}")


def jpeg(landmark_id: int) -> bytes:
    pixels = np.random.default_rng(landmark_id).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def write_build(
    root: Path,
    *,
    image: Callable[[int], bytes] = jpeg,
    licensed: bool = False,
    version: str = "",
    **config: Any,
) -> Path:
    """A build folder at `root` with its source in `root/../source`; returns `root`.

    licensed: every row has a licence and an author. version: stands in every title.
    """
    source = root.parent / "source"
    ids = list(range(LANDMARKS))
    usable = [each for each in ids if each != NO_IMAGE]
    image_of = {each: f"{each:016x}" for each in ids}
    place = {}
    for each in usable:
        data = image(each)
        image_id = image_of[each]
        path = Path("train", *image_id[:3], f"{image_id}.jpg")
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(data)
        place[each] = (path.as_posix(), len(data), hashlib.sha256(data).hexdigest())

    def write(path: str, rows: list[dict[str, Any]], schema: list[tuple[str, pa.DataType]]) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows, pa.schema(schema)), root / path)

    text, number, real = pa.string(), pa.int64(), pa.float64()
    texts = pa.list_(text)
    write(
        "catalog/landmarks.parquet",
        [
            {
                "landmark_id": each,
                "name": landmark_name(each),
                "hierarchical_label": "monastery" if each % 2 else None,
                "supercategory": None,
                "natural_or_human_made": "human-made" if each % 2 else None,
                "image_count": 1 + each,
            }
            for each in ids
        ],
        [
            ("landmark_id", number),
            ("name", text),
            ("hierarchical_label", text),
            ("supercategory", text),
            ("natural_or_human_made", text),
            ("image_count", number),
        ],
    )
    write(
        "catalog/images.parquet",
        [
            {
                "image_id": image_of[each],
                "landmark_id": each,
                "url": f"https://upload.wikimedia.org/{each}.jpg",
                "author": None if each % 10 == 1 and not licensed else f"Zoë {each}",
                "license": None if each % 5 == 1 and not licensed else "CC BY-SA 4.0",
                "title": f"File:Ünï {version}{each}.jpg",
            }
            for each in ids
        ],
        [
            ("image_id", text),
            ("landmark_id", number),
            ("url", text),
            ("author", text),
            ("license", text),
            ("title", text),
        ],
    )
    names = sorted({landmark_name(each) for each in ids})
    write(
        "catalog/names.parquet",
        [
            {"name": name, "landmark_ids": [e for e in ids if landmark_name(e) == name]}
            for name in names
        ],
        [("name", text), ("landmark_ids", pa.list_(number))],
    )
    for part, chunk in enumerate((ids[:32], ids[32:])):
        there = [each for each in chunk if each != NO_IMAGE]
        status = {each: "ok" if each in there else "no_readable_image" for each in chunk}
        write(
            f"selection/part-{part:05d}.parquet",
            [
                {
                    "landmark_id": each,
                    "status": status[each],
                    "image_id": image_of[each] if each in there else None,
                    "source": place[each][0] if each in there else None,
                    "offset": 0,
                    "size": place[each][1] if each in there else None,
                    "sha256": place[each][2] if each in there else None,
                }
                for each in chunk
            ],
            [
                ("landmark_id", number),
                ("status", text),
                ("image_id", text),
                ("source", text),
                ("offset", number),
                ("size", number),
                ("sha256", text),
            ],
        )
        write(
            f"qa/part-{part:05d}.parquet",
            [
                {
                    "landmark_id": each,
                    "status": "ok" if each in there else "skipped",
                    "conversation": [
                        {"role": "user", "content": f"What is this, {each}?"},
                        {"role": "assistant", "content": f"{landmark_name(each)}, seen by day."},
                    ]
                    if each in there
                    else [],
                    "question_id": "q01",
                    "annotator": "template",
                    "prompt_version": "template-qa",
                }
                for each in chunk
            ],
            [
                ("landmark_id", number),
                ("status", text),
                ("conversation", pa.list_(pa.struct([("role", text), ("content", text)]))),
                ("question_id", text),
                ("annotator", text),
                ("prompt_version", text),
            ],
        )
        write(
            f"entities/part-{part:05d}.parquet",
            [
                {
                    "landmark_id": each,
                    "status": "ok" if each in there else "skipped",
                    "entities": ["blue walls", "grey roof", f"{each} windows"],
                    "hierarchical_label": "church" if each % 3 else None,
                    "aliases": [] if each % 2 else [f"Varn {each}"],
                    "place_hints": ["Solmere"],
                    "annotator": "template",
                    "prompt_version": "template-entities",
                }
                for each in chunk
            ],
            [
                ("landmark_id", number),
                ("status", text),
                ("entities", texts),
                ("hierarchical_label", text),
                ("aliases", texts),
                ("place_hints", texts),
                ("annotator", text),
                ("prompt_version", text),
            ],
        )
        write(
            f"scores/part-{part:05d}.parquet",
            [
                {
                    "landmark_id": each,
                    "image_id": image_of[each] if each in there else None,
                    "status": "ok" if each in there else "skipped",
                    "sim": 0.1 + each / 1000,
                    "rank": each + 1,
                    "rsr": 1 - each / 59,
                    "margin": -each / 100,
                }
                for each in chunk
            ],
            [
                ("landmark_id", number),
                ("image_id", text),
                ("status", text),
                ("sim", real),
                ("rank", number),
                ("rsr", real),
                ("margin", real),
            ],
        )
    test = usable[::6]
    assert len(test) == TEST
    # A test order that is not the order of ids.
    order = {each: (position * 7) % TEST for position, each in enumerate(test)}
    write(
        "splits/records.parquet",
        [
            {
                "landmark_id": each,
                "split": "test" if each in test else "train",
                "test_order": order.get(each, -1),
                "test_paper": order.get(each, TEST) < TEST // 2,
            }
            for each in usable
        ],
        [
            ("landmark_id", number),
            ("split", text),
            ("test_order", number),
            ("test_paper", pa.bool_()),
        ],
    )
    train = [each for each in usable if each not in test]
    write(
        "splits/subsets.parquet",
        [
            {"method": method, "position": position, "landmark_id": each}
            for index, method in enumerate(METHODS)
            for position, each in enumerate((train[index:] + train[:index])[: max(SIZES)])
        ],
        [("method", text), ("position", number), ("landmark_id", number)],
    )
    settings = {"source": str(source), "encoder": "nano", "sizes": SIZES, **config}
    save_config(BuildConfig.model_validate(settings), root)
    facts = BuildFacts(
        encoder_fingerprint="sha256:abc",
        encoder_dtype="float32",
        embed_dim=8,
        annotator_id="template",
        prompt_version="template-x",
    )
    Manifest(facts=facts).save(root)
    return root
