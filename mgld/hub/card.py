"""The dataset card: metadata that the Hub and `load_dataset` read, and a text for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import yaml

import mgld
from mgld.build.source import GROUND_TRUTH_FILE
from mgld.files import sha256_file, write_text_atomically
from mgld.hub.features import features
from mgld.hub.outputs import OutputFile, config_files
from mgld.vision.spec import public_encoder

if TYPE_CHECKING:
    from mgld.build.read import BuildView

DEFAULT_CONFIG = "full"
SOURCE_PAGE = "https://github.com/cvdfoundation/google-landmark"

_ANNOTATOR_NOTES = {
    "template": (
        "Questions, answers, entities and labels were **filled into templates** from what the "
        "source says and from the pixels (colours, light, sky). They are not a model's or a "
        "person's annotations, and are meant for building and testing, not for training a model "
        "that should describe landmarks."
    )
}
_MODEL_NOTE = "Answers, entities and labels were written by the annotator named above."


def write_card(
    view: BuildView,
    outputs: Sequence[OutputFile],
    data_dir: Path,
    path: Path,
    *,
    source_root: str | Path | None = None,
) -> None:
    """Write the card of the dataset whose files `outputs` lie in `data_dir` to `path`.

    Numbers of rows are read from the files. FileNotFoundError where one is missing, ValueError
    where one does not hold the rows it should. source_root: as in `export_dataset`.
    """
    root = Path(source_root) if source_root is not None else view.source_root()
    world = (root / GROUND_TRUTH_FILE).is_file()
    metadata = _metadata(outputs, data_dir, world=world)
    header = yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True, width=100)
    text = f"---\n{header}---\n\n{_body(view, outputs, data_dir, world=world)}"
    write_text_atomically(path, text)


def _metadata(outputs: Sequence[OutputFile], data_dir: Path, *, world: bool) -> dict[str, Any]:
    from datasets import DatasetInfo, SplitDict, SplitInfo

    sizes = {output.path: _file_size(data_dir / output.path, output) for output in outputs}
    digests = {output.path: sha256_file(data_dir / output.path) for output in outputs}
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
    records = sum(file.rows for file in _record_files(outputs))
    return {
        "pretty_name": _title(world),
        "language": ["en"],
        "license": "other",
        "license_name": "per-image-licences",
        "license_link": SOURCE_PAGE,
        "task_categories": ["visual-question-answering", "image-classification"],
        "size_categories": [_size_category(records)],
        "source_datasets": ["original"] if world else ["extended|google-landmarks-v2"],
        "annotations_creators": ["machine-generated"],
        "tags": ["landmarks", "vision-language-models", "image-text"],
        "configs": configs,
        "dataset_info": infos,
    }


def _body(view: BuildView, outputs: Sequence[OutputFile], data_dir: Path, *, world: bool) -> str:
    template = Template(
        (files("mgld.hub") / "templates" / "dataset_card.md").read_text(encoding="utf-8")
    )
    licences, authors, labels, annotators, prompts = _columns(
        outputs,
        data_dir,
        ["license", "author", "hierarchical_label", "annotator", "prompt_version"],
    )
    records = licences.total()
    configs = config_files(outputs)
    selection = view.table("selection", "part", ["status"])
    left_out = Counter(selection["status"].to_pylist())
    # What has an image and is no record lacks an answer or entities.
    left_out["not annotated"] = left_out.pop("ok", 0) - records
    facts = view.manifest.facts
    annotator = ", ".join(sorted(map(str, annotators)))
    return template.substitute(
        title=_title(world),
        what=_what(world),
        version=mgld.__version__,
        example=next((name for name in configs if name not in ("full", "eval", "names")), "full"),
        config_table=_table(
            (f"`{config}`", f"`{split}`", sum(file.rows for file in of_split))
            for config, splits in configs.items()
            for split, of_split in splits.items()
        ),
        names=f"{sum(file.rows for file in outputs if file.kind == 'names'):,}",
        source="a procedural world (`mgld world`)" if world else "Google Landmarks v2, train",
        encoder=public_encoder(view.config.encoder),
        encoder_dtype=facts.encoder_dtype if facts else "unknown",
        encoder_fingerprint=facts.encoder_fingerprint if facts else "unknown",
        name_template=view.config.template,
        annotator=annotator,
        prompt_version=", ".join(sorted(map(str, prompts))),
        seed=view.config.seed,
        annotator_note=_ANNOTATOR_NOTES.get(annotator, _MODEL_NOTE),
        landmarks=f"{len(selection):,}",
        records=f"{records:,}",
        left_out="".join(
            f" Left out: {count:,} with status `{status}`."
            for status, count in sorted(left_out.items())
            if count
        ),
        label_table="| label | rows | share |\n|---|---:|---:|\n"
        + _table(
            (label or "(none)", count, f"{100 * count / records:.1f} %")
            for label, count in _commonest(labels, 12)
        ),
        no_licence=f"{licences[None]:,}",
        no_author=f"{authors[None]:,}",
        licence_table=_table(
            (name or "(not stated)", count) for name, count in _commonest(licences, 20)
        ),
    )


def _title(world: bool) -> str:
    return "MGLD of a procedural world" if world else "Multi-Granularity Landmark Dataset (MGLD)"


def _what(world: bool) -> str:
    if not world:
        return "Landmarks of Google Landmarks v2 (train), at several granularities."
    return (
        "A **procedural stand-in**: none of these landmarks exists, every picture was drawn by a "
        "program, and the people, licences and addresses in it are made up."
    )


def _record_files(outputs: Sequence[OutputFile]) -> list[OutputFile]:
    """The files of config `full`: every record once."""
    return [file for of in config_files(outputs)[DEFAULT_CONFIG].values() for file in of]


def _file_size(path: Path, output: OutputFile) -> tuple[int, int]:
    """Bytes on disk and bytes uncompressed; checks the number of rows."""
    import pyarrow.parquet as pq

    with path.open("rb") as handle:
        footer = pq.ParquetFile(handle).metadata
    if footer.num_rows != output.rows:
        raise ValueError(f"{path} has {footer.num_rows} rows where {output.rows} were planned")
    groups = (footer.row_group(index) for index in range(footer.num_row_groups))
    return path.stat().st_size, sum(group.total_byte_size for group in groups)


def _columns(
    outputs: Sequence[OutputFile], data_dir: Path, columns: list[str]
) -> list[Counter[str | None]]:
    """How often each value of each column occurs among all records, file by file."""
    import pyarrow.parquet as pq

    counts: list[Counter[str | None]] = [Counter() for _ in columns]
    for output in _record_files(outputs):
        with (data_dir / output.path).open("rb") as handle:
            table = pq.ParquetFile(handle).read(columns=columns)
        for count, column in zip(counts, columns, strict=True):
            count.update(table[column].to_pylist())
    return counts


def _commonest(counts: Counter[str | None], limit: int) -> list[tuple[str | None, int]]:
    """The commonest values, ties by name; what is beyond `limit` is one row "other"."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0] or ""))
    rest = sum(count for _, count in ordered[limit:])
    return ordered[:limit] + ([(f"other ({len(ordered) - limit})", rest)] if rest else [])


def _table(rows: Iterable[tuple[str | int, ...]]) -> str:
    # A pipe in a value (a licence can hold anything) would end its cell.
    return "\n".join("| " + " | ".join(_cell(value) for value in row) + " |" for row in rows)


def _cell(value: str | int) -> str:
    text = f"{value:,}" if isinstance(value, int) else value
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _size_category(records: int) -> str:
    limits = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"))
    return next((name for limit, name in limits if records < limit), "100K<n<1M")
