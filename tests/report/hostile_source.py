"""Photographs in GLDv2's layout whose names, labels, authors and addresses attack the page."""

from __future__ import annotations

import csv
import io
import tarfile

from PIL import Image

HOSTILE_NAMES = [
    '"><img src=x onerror=alert(1)>',
    "<script>alert(1)</script>",
    "</style><svg onload=alert(1)>",
    "{{ 997 * 991 }} {% raw %}",
    "قلعة حلب",
    "善光寺",
    "‮reversed",
    "A" * 300,
    "Tom & Jerry's $\\frac{1}",
    "Plain Castle",
    "Another Castle",
    "Castle without pictures",
]
HOSTILE_LABEL = "<b onclick=alert(1)>castle</b>"


def write_hostile_source(source):
    """Write twelve landmarks into the folder `source`; one has no image, one image is broken."""
    (source / "metadata").mkdir(parents=True)
    (source / "train").mkdir()
    images, attribution = [], []
    with tarfile.open(source / "train" / "images_000.tar", "w") as tar:
        for landmark, _ in enumerate(HOSTILE_NAMES[:-1]):
            for copy in range(1 + landmark % 4):
                image_id = f"{landmark:02x}{copy:014x}"
                data = b"broken" if landmark == 10 and copy == 0 else _jpeg(landmark, copy)
                entry = tarfile.TarInfo(f"{'/'.join(image_id[:3])}/{image_id}.jpg")
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
                images.append((image_id, "javascript:alert(1)", landmark))
                attribution.append((
                    image_id, "javascript:alert(1)", "<i>Mallory</i>", "javascript:alert(2)",
                    "<title>",
                ))  # fmt: skip
    images.append(("f" * 16, "https://example.org/gone.jpg", 0))
    prefix = "http://commons.wikimedia.org/wiki/Category:"
    metadata = source / "metadata"
    _csv(metadata / "train.csv", "id,url,landmark_id", images)
    _csv(metadata / "train_label_to_category.csv", "landmark_id,category",
         [(i, prefix + name.replace("%", "%25"))
          for i, name in enumerate(HOSTILE_NAMES)])  # fmt: skip
    _csv(metadata / "train_label_to_hierarchical.csv",
         "landmark_id,category,supercategory,hierarchical_label,natural_or_human_made",
         [(i, prefix, HOSTILE_LABEL, HOSTILE_LABEL, "human-made")
          for i in range(len(HOSTILE_NAMES))])  # fmt: skip
    _csv(metadata / "train_attribution.csv", "id,url,author,license,title", attribution)


def _jpeg(landmark, copy):
    buffer = io.BytesIO()
    size = (640, 400) if copy % 2 else (300, 500)
    Image.new("RGB", size, (20 * landmark, 60 * copy, 120)).save(buffer, "JPEG")
    return buffer.getvalue()


def _csv(path, header, rows):
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(header.split(","))
        writer.writerows(rows)
