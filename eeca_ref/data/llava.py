"""LLaVA's training files: CC595k of stage 1 (`chat.json`) and the 665k mix of stage 2.

Each is one JSON array of `{"id", "image", "conversations": [{"from": "human"|"gpt", "value"}]}`;
text-only rows have no `image`. Images of the mix lie in several folders: `coco`, `gqa`, `ocr_vqa`,
`textvqa`, `vg`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from eeca_ref.data.json_array import iter_json_array
from eeca_ref.data.samples import Sample, Skipped, Turn, place_image
from eeca_ref.data.samples import SampleError as _Error
from mgld.files import sha256_file

SPEAKERS = {"human": "user", "gpt": "assistant", "system": "system"}


class LlavaSource:
    """Rows of one JSON file.

    `folders`: where images lie, by the front part of the path in the file: `{"": root}`, or
    `{"coco": "/data/coco", "": "/data/rest"}`, where `coco/train2017/1.jpg` is
    `/data/coco/train2017/1.jpg`. The longest front part that fits is taken.

    FileNotFoundError: no such file or folder.
    """

    def __init__(self, path: str | Path, folders: Mapping[str, str | Path]) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"there is no file {self.path}")
        self.folders = {
            tuple(PurePosixPath(front).parts): Path(folder) for front, folder in folders.items()
        }
        for folder in self.folders.values():
            if not folder.is_dir():
                raise FileNotFoundError(f"there is no image folder {folder}")

    def fingerprint(self) -> str:
        """Hash of the file; the images are not looked at."""
        return f"llava:{sha256_file(self.path)}"

    def rows(self, start: int = 0) -> Iterator[Sample | Skipped]:
        """The rows from number `start` on. A row that is none is a Skipped with its reason."""
        for number, row in enumerate(iter_json_array(self.path)):
            if number < start:
                continue
            name = str(row.get("id", number)) if isinstance(row, dict) else str(number)
            name = name.encode(errors="replace").decode()
            try:
                yield _sample(name, row)
            except _Error as error:
                yield Skipped(name, error.status, error.reason)

    def has_image(self, image: str) -> bool:
        """Whether there is a file."""
        path = self._path(image)
        return path is not None and path.is_file()

    def read_image(self, image: str) -> bytes:
        """The file's bytes. OSError."""
        path = self._path(image)
        if path is None:
            raise FileNotFoundError(f"no image folder is named for {image}")
        return path.read_bytes()

    def _path(self, image: str) -> Path | None:
        parts = PurePosixPath(image).parts
        for length in range(len(parts) - 1, -1, -1):
            if parts[:length] in self.folders:
                return self.folders[parts[:length]].joinpath(*parts[length:])
        return None


def _sample(name: str, row: Any) -> Sample:
    if not isinstance(row, dict) or not isinstance(row.get("conversations"), list):
        raise _Error("bad_row", "no object with `conversations`")
    image = row.get("image")
    if isinstance(image, list):
        raise _Error("several_images", f"{len(image)} images")
    if image is not None:
        _check_path(image)
    turns = place_image([_turn(each) for each in row["conversations"]], has_image=image is not None)
    return Sample(name, turns, image)


def _turn(said: Any) -> Turn:
    if not isinstance(said, dict) or not isinstance(said.get("value"), str):
        raise _Error("bad_row", "a turn is no object with a text `value`")
    speaker = said.get("from")
    if speaker not in SPEAKERS:
        raise _Error("bad_row", f"a turn is from {speaker!r}, not from human, gpt or system")
    return Turn(SPEAKERS[speaker], said["value"])  # type: ignore[arg-type]


def _check_path(image: Any) -> None:
    """Refuse what is no path within a folder: the file is from elsewhere."""
    if not isinstance(image, str) or not image:
        raise _Error("bad_row", "`image` is no path")
    path = PurePosixPath(image)
    if "\0" in image or image != image.encode(errors="replace").decode():
        raise _Error("bad_row", "`image` is no path")
    if path.is_absolute() or ".." in path.parts or "\\" in image:
        raise _Error("bad_path", f"{image!r} leads out of the image folder")
