"""Where `mgld score` has its vectors from: an encoder, or a file of embeddings made elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mgld.scoring.embedding_file import read_embeddings
from mgld.scoring.records import Records, image_bytes

if TYPE_CHECKING:
    from mgld.vision.prepare import Pixels

Float32 = NDArray[np.float32]
Rows = Callable[[int], None]
"""Called with how many rows more are done."""

IMAGES_PER_BATCH = 64


@dataclass(frozen=True)
class BlockVectors:
    """Vectors float32 [readable, d] of a block of records, and what became of each record.

    status: "ok", or why the image cannot be read; reason: in words, else "".
    """

    vectors: Float32
    status: list[str]
    reason: list[str]


class VectorSource(Protocol):
    """Vectors of records and names.

    made_by: encoder, fingerprint and template, as results state them; None what is not known.
    binding: everything that the vectors depend on besides the records and names themselves.
    """

    made_by: dict[str, Any]
    binding: dict[str, Any]

    def images(self, start: int, stop: int, rows: Rows) -> BlockVectors:
        """Those of the records [start, stop)."""
        ...

    def names(self, names: list[str]) -> Float32:
        """float32 [N, d]."""
        ...


class EncodedVectors:
    """Vectors by an encoder, images decoded as it asks for them.

    content: what stands for the images' bytes, in `binding`.
    """

    def __init__(
        self,
        spec: str,
        device: str | None,
        template: str,
        splits: dict[str, Any],
        content: str | None,
    ) -> None:
        import torch

        from mgld.vision import load_encoder, prepare

        self._encoder = load_encoder(spec, device=device)
        self._template, self._splits = template, splits
        self.made_by = {
            "encoder": self._encoder.spec,
            "fingerprint": self._encoder.fingerprint,
            "template": template,
        }
        self.binding = {
            "encoder": self._encoder.fingerprint,
            "dtype": self._encoder.dtype,
            "device": self._encoder.device,
            "threads": torch.get_num_threads(),
            "template": template,
            "pixels": prepare.PIXELS,
            "images": content,
            "batch": IMAGES_PER_BATCH,
        }

    def images(self, start: int, stop: int, rows: Rows) -> BlockVectors:
        """See `VectorSource.images`."""
        from mgld.gldv2 import ImageError, decode_image
        from mgld.vision.pipeline import in_order

        encoder = self._encoder
        status, reason = ["ok"] * (stop - start), [""] * (stop - start)

        def read(data: bytes | None) -> Pixels | ImageError:
            try:
                image = decode_image(data or b"", short_side=encoder.short_side).image
                return encoder.prepare(image)
            except ImageError as error:
                return error

        def readable() -> Iterator[Pixels]:
            # Decoded when the encoder asks for it: never more than one whole image a thread in
            # memory.
            images, ahead, told = image_bytes(self._splits, start, stop), 2 * IMAGES_PER_BATCH, 0
            for row, got in enumerate(in_order(read, images, threads=encoder.threads, ahead=ahead)):
                if isinstance(got, ImageError):
                    status[row], reason[row] = got.status, got.reason
                else:
                    yield got
                if (row + 1) % IMAGES_PER_BATCH == 0 or row + 1 == stop - start:
                    rows(row + 1 - told)
                    told = row + 1

        vectors = encoder.encode_prepared(readable(), batch_size=IMAGES_PER_BATCH)
        whole = np.concatenate([np.empty((0, encoder.embed_dim), np.float32), *vectors])
        return BlockVectors(whole, status, reason)

    def names(self, names: list[str]) -> Float32:
        """See `VectorSource.names`."""
        return self._encoder.encode_names(names, template=self._template)


class GivenVectors:
    """Vectors of an embedding file, joined on image ids and names."""

    def __init__(self, path: Path, records: Records) -> None:
        self._file = read_embeddings(path)
        self._ids = records.id
        self._file.require_images(self._ids)
        self.made_by: dict[str, Any] = {
            "encoder": str(path),
            "fingerprint": None,
            "template": None,
        }
        self.binding: dict[str, Any] = {"embeddings": self._file.digest}

    def images(self, start: int, stop: int, rows: Rows) -> BlockVectors:
        """See `VectorSource.images`."""
        vectors = self._file.images_of(self._ids[start:stop])
        rows(stop - start)
        return BlockVectors(vectors, ["ok"] * (stop - start), [""] * (stop - start))

    def names(self, names: list[str]) -> Float32:
        """See `VectorSource.names`."""
        return self._file.names_of(names)
