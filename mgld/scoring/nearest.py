"""The nearest names of an image or a text: what `mgld nearest` answers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from mgld.scoring.name_index import NameIndex, Near, has_index

if TYPE_CHECKING:
    from mgld.vision import Encoder

_IMAGE_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"}
_IN_A_BUILD = "embeddings"


@dataclass(frozen=True)
class Answer:
    """The nearest names, best first, and what it took.

    encoder: its spec. checked: whether it is known to be the one that made the index. Seconds:
    load (index and encoder), encode (the query), search (the index).
    """

    query: str
    kind: Literal["image", "text"]
    nearest: list[Near]
    names: int
    encoder: str
    checked: bool
    load_seconds: float
    encode_seconds: float
    search_seconds: float


def nearest_names(
    query: str,
    folder: str | Path,
    *,
    encoder: str | None = None,
    device: str | None = None,
    k: int = 10,
) -> Answer:
    """The `k` candidate names whose vectors are nearest to `query`: an image file, else a text.

    folder: a build, or scores that `mgld score --out FOLDER` wrote. encoder: a spec of
    `mgld.vision.load_encoder`, the one that the index was made with; None: its own. A text is
    put into the template of the names.

    FileNotFoundError: no index, no such image, an encoder that is not on this machine. ValueError:
    another encoder than the index was made with, an image that cannot be read, an index of vectors
    made elsewhere (by what is not known) without `encoder`.
    """
    image = _image_file(query)
    start = time.perf_counter()
    index = NameIndex(_index_folder(Path(folder)))
    loaded, checked = _encoder(index, Path(folder), encoder, device)
    ready = time.perf_counter()
    if image is None:
        template = index.made_by["template"] or "{name}"
        vector = loaded.encode_names([query], template=template)[0]
    else:
        vector = _image_vector(loaded, image)
    encoded = time.perf_counter()
    nearest = index.nearest(vector, k)
    return Answer(
        query=query,
        kind="text" if image is None else "image",
        nearest=nearest,
        names=len(index.names),
        encoder=loaded.spec,
        checked=checked,
        load_seconds=ready - start,
        encode_seconds=encoded - ready,
        search_seconds=time.perf_counter() - encoded,
    )


def _image_file(query: str) -> Path | None:
    """The file that `query` names; None where it is a text."""
    path = Path(query)
    try:
        if path.is_file():
            return path
    except OSError:  # a text longer than a path can be
        return None
    if path.suffix.lower() in _IMAGE_ENDINGS:
        raise FileNotFoundError(f"there is no image {query}")
    return None


def _index_folder(folder: Path) -> Path:
    """Where the index of a build or of a folder of scores lies."""
    for place in (folder, folder / _IN_A_BUILD):
        if has_index(place):
            return place
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    if (folder / "manifest.json").is_file():
        raise FileNotFoundError(
            f"the build in {folder} has no index of names yet; `mgld build --out {folder}` makes it"
        )
    raise FileNotFoundError(
        f"{folder} has no index of names; give a build, or a folder that `mgld score --out FOLDER` "
        "wrote"
    )


def _encoder(
    index: NameIndex, folder: Path, spec: str | None, device: str | None
) -> tuple[Encoder, bool]:
    """The encoder, and whether it is known to be that of the index."""
    from mgld.vision import load_encoder

    fingerprint = index.made_by["fingerprint"]
    made_by = index.made_by["encoder"] or _encoder_of_build(folder)
    if spec is None and fingerprint is None:
        raise ValueError(
            f"the vectors of {folder} were made elsewhere ({made_by}): name the encoder that made "
            "them with --encoder"
        )
    loaded = load_encoder(spec or made_by, device=device)
    if fingerprint is not None and loaded.fingerprint != fingerprint:
        raise ValueError(
            f"the index of {folder} was made with another encoder ({made_by}, "
            f"{fingerprint[:19]}...) than {loaded.spec} ({loaded.fingerprint[:19]}...): vectors of "
            "two encoders cannot be compared"
        )
    return loaded, fingerprint is not None


def _encoder_of_build(folder: Path) -> str:
    """The encoder that a build's configuration names; this package stands below `mgld.build`."""
    import yaml

    return str(yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))["encoder"])


def _image_vector(encoder: Encoder, path: Path) -> NDArray[np.float32]:
    from mgld.gldv2 import ImageError, decode_image

    try:
        image = decode_image(path.read_bytes(), short_side=encoder.short_side).image
    except ImageError as error:
        raise ValueError(f"{path}: {error}") from error
    vector: NDArray[np.float32] = encoder.encode_images([image])[0]
    return vector
