"""A small dataset folder and a small build folder, written as the project lays them out."""

import io
import json

import numpy as np

NAMES = ["Abbey of Varn", "Café Ubel", "Fort Tolm", "Lake Orrin", "Mill of Sedd", "Tower of Ysk"]
COLOURS = [
    (200, 30, 30),
    (30, 200, 30),
    (30, 30, 200),
    (200, 200, 30),
    (30, 200, 200),
    (90, 90, 90),
]
TEST_LANDMARKS = (3,)
STATED = 64 * "a"  # the content hash on the card


def unit(x):
    x = np.asarray(x, dtype=np.float64)
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


class ColourEncoder:
    """An encoder one can check by hand: an image is its mean colour, a name one of six colours.

    Asked for the "negative of" a name, it gives the opposite colour.
    """

    spec, embed_dim, dtype, device = "colour", 3, "float32", "cpu"
    fingerprint = "sha256:colour"
    short_side, threads = 1, 0

    def prepare(self, image):
        return np.asarray(image.convert("RGB")).transpose(2, 0, 1)

    def encode_prepared(self, prepared, *, batch_size=64):
        for pixels in prepared:
            yield unit([pixels.mean(axis=(1, 2))])

    def encode_names(self, names, *, template="{name}", batch_size=256):
        sign = -1 if template == "negative of {name}" else 1
        return sign * unit([COLOURS[NAMES.index(name)] for name in names])

    def name_flags(self, names):
        return [""] * len(names)


def jpeg(colour):
    from PIL import Image

    data = io.BytesIO()
    Image.new("RGB", (24, 16), colour).save(data, "JPEG", quality=95)
    return data.getvalue()


def row(landmark, image):
    return {
        "id": f"image-{landmark}",
        "image": {"bytes": image, "path": f"image-{landmark}.jpg"},
        "landmark_id": landmark,
        "landmark_name": NAMES[landmark % len(NAMES)],
        "sim": 0.9 - landmark / 100,
        "rank": 1 + landmark % 3,
        "rsr": 1 - (landmark % 3) / 5,
        "margin": landmark / 1000,
    }


def write_dataset(folder):
    """Twelve landmarks with six names; landmark 3 is the test split; image 5 is damaged.

    Images have the colour of their name, except that landmark 7 ("Café Ubel") looks like a fort.
    """
    from datasets import Dataset, Features, Image, List, Value

    text, number, real = Value("string"), Value("int64"), Value("float64")
    features = Features(
        {"id": text, "image": Image(), "landmark_id": number, "landmark_name": text}
        | {"sim": real, "rank": number, "rsr": real, "margin": real}
    )
    rows = []
    for landmark in range(12):
        colour = COLOURS[2] if landmark == 7 else COLOURS[landmark % len(NAMES)]
        rows.append(row(landmark, jpeg(colour)[:300] if landmark == 5 else jpeg(colour)))
    splits = {
        "train": [r for r in rows if r["landmark_id"] not in TEST_LANDMARKS],
        "test": [r for r in rows if r["landmark_id"] in TEST_LANDMARKS],
    }
    # As in a real dataset, `eval` has the first test records in both of its splits.
    splits_of_eval = {"test": rows[3:7], "test_paper": rows[3:5]}
    (folder / "full").mkdir(parents=True)
    (folder / "eval").mkdir()
    (folder / "names").mkdir()
    for split, part in splits.items():
        Dataset.from_list(part, features=features).to_parquet(folder / "full" / f"{split}.parquet")
    for split, part in splits_of_eval.items():
        Dataset.from_list(part, features=features).to_parquet(folder / "eval" / f"{split}.parquet")
    names = [{"name": n, "landmark_ids": [i, i + 6]} for i, n in enumerate(NAMES)]
    Dataset.from_list(
        names, features=Features({"name": text, "landmark_ids": List(number)})
    ).to_parquet(folder / "names" / "train.parquet")
    (folder / "README.md").write_text(
        "---\n"
        "configs:\n"
        "- config_name: full\n  default: true\n"
        f"  description: Content sha256:{STATED}\n  data_files:\n"
        "  - split: train\n    path: full/train.parquet\n"
        "  - split: test\n    path: full/test.parquet\n"
        "- config_name: eval\n  data_files:\n"
        "  - split: test\n    path: eval/test.parquet\n"
        "  - split: test_paper\n    path: eval/test_paper.parquet\n"
        "- config_name: names\n  data_files:\n"
        "  - split: train\n    path: names/train.parquet\n"
        "---\n\n# Twelve landmarks\n"
    )
    return folder


def write_build(folder):
    """The stages scores and splits of a build of twelve landmarks in two chunks, seed 7.

    Landmark 3 is a test record; landmark 11 has no readable image and is no record.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    (folder / "scores").mkdir(parents=True)
    (folder / "splits").mkdir()
    (folder / "manifest.json").write_text(json.dumps({}))
    (folder / "config.yaml").write_text("source: world:12\nseed: 7\n")
    kept = ["landmark_id", "sim", "rank", "rsr", "margin"]
    rows = [
        {name: row(landmark, b"")[name] for name in kept} | {"status": "ok"}
        for landmark in range(11)
    ]
    rows.append(dict.fromkeys(kept) | {"landmark_id": 11, "status": "no_readable_image"})
    schema = pa.Table.from_pylist(rows[:1]).schema
    for number, part in enumerate((rows[:6], rows[6:])):
        table = pa.Table.from_pylist(part, schema=schema)
        pq.write_table(table, folder / "scores" / f"part-{number:05d}.parquet")
    split = {
        "landmark_id": list(range(11)),
        "split": ["test" if i in TEST_LANDMARKS else "train" for i in range(11)],
    }
    pq.write_table(pa.table(split), folder / "splits" / "records.parquet")
    return folder
