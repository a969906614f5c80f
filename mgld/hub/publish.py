"""What a push publishes: the dataset's files and those that only a published one has.

Everything is a function of the build and the repository's name, so a push that was killed prepares
the same bytes again and finds what of them is there already.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from mgld.files import sha256_file, write_text_atomically
from mgld.hub.attribution import attribution, lacking, refusal, write_attribution
from mgld.hub.card import is_world_card, write_card
from mgld.hub.export import CARD, write_groups
from mgld.hub.outputs import OutputFile, list_outputs

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from mgld.build.read import BuildView

ATTRIBUTION = "ATTRIBUTION.parquet"
EVAL = "eval.yaml"
SUMS = "SHA256SUMS"
FOLDERS = ("full/", "eval/", "names/", "subsets/")


@dataclass(frozen=True)
class PublishedFile:
    """One file of the published dataset: its `path` in the repository and where it lies here."""

    path: str
    local: Path
    sha256: str

    @cached_property
    def size(self) -> int:
        """Bytes."""
        return self.local.stat().st_size

    @cached_property
    def git_oid(self) -> str:
        """Git's name of the content, by which the Hub names files that it does not store as LFS."""
        data = self.local.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass(frozen=True)
class Publication:
    """All files of the dataset as it will be published, and how many images are withheld."""

    files: tuple[PublishedFile, ...]
    withheld: int

    @property
    def digest(self) -> str:
        """SHA-256 that names this content: of `SHA256SUMS`, which names every other file's."""
        return next(file.sha256 for file in self.files if file.path == SUMS)


def is_ours(path: str) -> bool:
    """Whether a path of the repository belongs to the dataset: a push replaces or removes it.

    Everything else (`.gitattributes`, pictures that the page shows) is left as it is.
    """
    return path in (CARD, ATTRIBUTION, EVAL, SUMS) or path.startswith(FOLDERS)


def prepare(
    view: BuildView, repo: str, folder: Path, *, withhold_images: bool = False
) -> Publication:
    """Write what the publication has besides the build's own files into `folder`; list it all.

    repo: the Hub id, which the card names. withhold_images: publish rows without licence or author
    without their images. ValueError: a row lacks one and images are not withheld (the message lists
    them, `folder` gets the whole list), the dataset is not finished, or a file is not what the
    card says.
    """
    data_dir = view.root / "dataset"
    _require_complete(view, data_dir)
    outputs = list_outputs(view)
    table = attribution(outputs, data_dir)
    rows = lacking(table)
    if rows and not withhold_images:
        raise ValueError(refusal(rows, len(table), folder / "without_licence.csv"))
    withheld = {row["id"] for row in rows}
    here = {output.path: data_dir / output.path for output in outputs}
    if withheld:
        for output in outputs:
            if output.kind != "names" and _holds(here[output.path], withheld):
                here[output.path] = folder / output.path
                _withhold(data_dir / output.path, output, withheld, folder / output.path)
    write_attribution(table, withheld, folder / ATTRIBUTION)
    write_text_atomically(folder / EVAL, _eval_yaml())
    write_card(
        view,
        outputs,
        here,
        folder / CARD,
        repo=repo,
        withheld=len(withheld),
        world=is_world_card(data_dir / CARD),
    )
    here |= {name: folder / name for name in (CARD, ATTRIBUTION, EVAL)}
    files = [PublishedFile(path, here[path], sha256_file(here[path])) for path in sorted(here)]
    sums = "".join(f"{file.sha256}  {file.path}\n" for file in files)
    write_text_atomically(folder / SUMS, sums)
    files.append(PublishedFile(SUMS, folder / SUMS, sha256_file(folder / SUMS)))
    return Publication(tuple(files), len(withheld))


def _require_complete(view: BuildView, data_dir: Path) -> None:
    from mgld.build import build_status

    again = f"run `mgld build --out {view.root}` again"
    if not (data_dir / CARD).is_file():
        raise FileNotFoundError(f"the dataset of {view.root} is not finished: {again}")
    expected = view.manifest.files()
    if not expected:  # exported by hand: no manifest says what the files should be
        return
    if not build_status(view.root).complete:
        raise ValueError(f"the build {view.root} is not up to date: {again}")
    for path, entry in expected.items():
        if path.startswith("dataset/") and sha256_file(view.root / path) != entry.sha256:
            raise ValueError(f"{view.root / path} has changed since it was built: {again}")


def _holds(path: Path, ids: set[str]) -> bool:
    import pyarrow.parquet as pq

    with path.open("rb") as handle:
        there = pq.ParquetFile(handle).read(columns=["id"])["id"].to_pylist()
    return not ids.isdisjoint(there)


def _withhold(source: Path, output: OutputFile, ids: set[str], target: Path) -> None:
    import pyarrow.parquet as pq

    with source.open("rb") as handle:
        write_groups(output.kind, _without_images(pq.ParquetFile(handle), ids), target)


def _without_images(parquet: pq.ParquetFile, ids: set[str]) -> Iterator[pa.Table]:
    """The file's row groups, one at a time, with null for the images of `ids`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for number in range(parquet.num_row_groups):
        group = parquet.read_row_group(number)
        keep = pc.invert(pc.is_in(group["id"], pa.array(sorted(ids))))
        column = group.schema.get_field_index("image")
        image = pc.if_else(keep, group["image"], pa.scalar(None, group["image"].type))
        yield group.set_column(column, "image", image)


def _eval_yaml() -> str:
    """The Hub's description of the benchmark: one number per task id.

    Both boards are of the same questions: the share that is known or strongly known, and the share
    that is strongly known.
    """
    tasks = [
        {"id": name, "config": "eval", "split": "test"} for name in ("accuracy", "strongly_known")
    ]
    return yaml.safe_dump(
        {
            "name": "MGLD",
            "description": "Which landmarks a vision-language model recognises: five answers to "
            "each question, graded into levels of knowledge.",
            "evaluation_framework": "mgld",
            "tasks": tasks,
        },
        sort_keys=False,
        width=100,
    )
