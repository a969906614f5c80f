"""The dataset card: metadata that the Hub and `load_dataset` read, and a text for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mgld.build.source import GROUND_TRUTH_FILE
from mgld.files import sha256_file, write_text_atomically
from mgld.hub.card_text import card_text
from mgld.hub.features import features
from mgld.hub.outputs import OutputFile, config_files

if TYPE_CHECKING:
    from mgld.build.read import BuildView

DEFAULT_CONFIG = "full"
WORLD_SOURCE = ["original"]
SOURCE_PAGE = "https://github.com/cvdfoundation/google-landmark"


def write_card(
    view: BuildView,
    outputs: Sequence[OutputFile],
    data: Path | Mapping[str, Path],
    path: Path,
    *,
    source_root: str | Path | None = None,
    repo: str | None = None,
    withheld: int = 0,
    world: bool | None = None,
) -> None:
    """Write the card of the dataset whose files are `outputs` to `path`.

    Args:
        view: the build.
        outputs: the dataset's files, as `list_outputs` plans them.
        data: the folder in which they lie, or where each of them lies, by its path. Numbers of
            rows are read from the files.
        path: where the card is written.
        source_root: as in `export_dataset`.
        repo: the Hub id that the dataset is published under.
        withheld: number of images left out for want of a licence or an author.
        world: whether the source is a procedural world; None: looked up there.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file does not hold its rows.
    """
    if world is None:
        root = Path(source_root) if source_root is not None else view.source_root()
        world = (root / GROUND_TRUTH_FILE).is_file()
    at = {o.path: data / o.path if isinstance(data, Path) else data[o.path] for o in outputs}
    metadata = _metadata(outputs, at, world=world)
    header = yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True, width=100)
    body = card_text(
        view, outputs, at, title=_title(world), world=world, repo=repo, withheld=withheld
    )
    write_text_atomically(path, f"---\n{header}---\n\n{body}")


def read_metadata(text: str) -> dict[str, Any]:
    """The metadata of a card's text; ValueError where it has none that list configs."""
    _, _, rest = text.partition("---\n")
    header, _, _ = rest.partition("\n---\n")
    try:
        metadata = yaml.safe_load(header)
    except yaml.YAMLError as error:
        raise ValueError(f"the card's metadata are no YAML: {error}") from error
    if not isinstance(metadata, dict) or not metadata.get("configs"):
        raise ValueError("the card lists no configs: not an MGLD dataset")
    return metadata


def is_world_card(path: Path) -> bool:
    """Whether a dataset's card says that its source is a procedural world."""
    return bool(read_metadata(path.read_text(encoding="utf-8"))["source_datasets"] == WORLD_SOURCE)


def _metadata(
    outputs: Sequence[OutputFile], at: Mapping[str, Path], *, world: bool
) -> dict[str, Any]:
    from datasets import DatasetInfo, SplitDict, SplitInfo

    sizes = {output.path: _file_size(at[output.path], output) for output in outputs}
    digests = {output.path: sha256_file(at[output.path]) for output in outputs}
    configs, infos = [], []
    for config, splits in config_files(outputs).items():
        paths = sorted({file.path for of_split in splits.values() for file in of_split})
        content = sha256("".join(digests[path] for path in paths).encode()).hexdigest()
        configs.append(
            {
                "config_name": config,
                # `datasets` keys its cache by the folder's last name and a hash of the card, not by
                # the files: without this, a folder of equal card is served another one's rows.
                "description": f"Content sha256:{content}",
                "data_files": [
                    {"split": split, "path": [file.path for file in of_split]}
                    for split, of_split in splits.items()
                ],
                **({"default": True} if config == DEFAULT_CONFIG else {}),
            }
        )
        counted = SplitDict()
        for split, of_split in splits.items():
            counted[split] = SplitInfo(
                name=split,
                num_bytes=sum(sizes[file.path][1] for file in of_split),
                num_examples=sum(file.rows for file in of_split),
            )
        every = {file.path: file for of_split in splits.values() for file in of_split}
        info = DatasetInfo(
            features=features(next(iter(every.values())).kind),
            splits=counted,
            download_size=sum(sizes[name][0] for name in every),
            dataset_size=sum(split.num_bytes for split in counted.values()),
        )
        infos.append({"config_name": config, **info._to_yaml_dict()})
    records = sum(file.rows for of in config_files(outputs)[DEFAULT_CONFIG].values() for file in of)
    return {
        "pretty_name": _title(world),
        "language": ["en"],
        "license": "other",
        "license_name": "per-image-licences",
        "license_link": SOURCE_PAGE,
        "task_categories": ["visual-question-answering", "image-classification"],
        "size_categories": [_size_category(records)],
        "source_datasets": WORLD_SOURCE if world else ["extended|google-landmarks-v2"],
        "annotations_creators": ["machine-generated"],
        "tags": ["landmarks", "vision-language-models", "image-text"],
        "configs": configs,
        "dataset_info": infos,
    }


def _title(world: bool) -> str:
    return "MGLD of a procedural world" if world else "Multi-Granularity Landmark Dataset (MGLD)"


def _file_size(path: Path, output: OutputFile) -> tuple[int, int]:
    """Bytes on disk and bytes uncompressed; checks the number of rows."""
    import pyarrow.parquet as pq

    with path.open("rb") as handle:
        footer = pq.ParquetFile(handle).metadata
    if footer.num_rows != output.rows:
        raise ValueError(f"{path} has {footer.num_rows} rows where {output.rows} were planned")
    groups = (footer.row_group(index) for index in range(footer.num_row_groups))
    return path.stat().st_size, sum(group.total_byte_size for group in groups)


def _size_category(records: int) -> str:
    limits = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"))
    return next((name for limit, name in limits if records < limit), "100K<n<1M")
