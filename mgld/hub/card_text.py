"""The text of the dataset card, for people: the template filled from the build."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import mgld
from mgld.hub.outputs import OutputFile, config_files
from mgld.vision.spec import public_encoder

if TYPE_CHECKING:
    from mgld.build.read import BuildView

_ANNOTATOR_NOTES = {
    "template": (
        "Questions, answers, entities and labels were **filled into templates** from what the "
        "source says and from the pixels (colours, light, sky). They are not a model's or a "
        "person's annotations, and are meant for building and testing, not for training a model "
        "that should describe landmarks."
    )
}
_MODEL_NOTE = "Answers, entities and labels were written by the annotator named above."


_WITHHELD = (
    "\n**{:,} images are withheld**: their rows lack a licence or an author, and `image` is null."
)
_GLDV2_LIMITS = """\
- **Which landmarks**: what people photographed and uploaded to Wikimedia Commons. Places with many
  tourists and many contributors, Europe above all, are far better covered than the rest of the
  world, and the source does not say where a landmark is: shares by region cannot be given.
- **Names** are Wikimedia category names, mostly English or in the local spelling; some are of a
  collection, a person or an event rather than of one place. The encoder reads them as they are.
- **The source's labels** are by its hierarchy and often wrong or missing; the refined ones are the
  annotator's and were not checked by people."""
_GLDV2_PEOPLE = """\
Photographs of public places show passers-by, and sometimes faces, number plates or homes. Nobody
was asked, nothing was blurred, and no person is annotated. Do not use the dataset to recognise,
find or profile people."""
_WORLD_PEOPLE = "There are none: no photograph is in this dataset, and its authors are made up."
_GLDV2_CITE = """\
The photographs are Google Landmarks v2's: cite Weyand et al., "Google Landmarks Dataset v2: A
Large-Scale Benchmark for Instance-Level Recognition and Retrieval", CVPR 2020, as well."""
_WORLD_CITE = "The pictures are drawn by `mgld world`; there is nobody to credit for them."
_WORLD_LIMITS = """\
- Nothing here is a photograph and nothing exists: results say something about programs that handle
  the dataset, and nothing about models that see the world."""


def card_text(
    view: BuildView,
    outputs: Sequence[OutputFile],
    at: Mapping[str, Path],
    *,
    title: str,
    world: bool,
    repo: str | None,
    withheld: int,
) -> str:
    """The card without its metadata; `at` says where each of the files `outputs` lies."""
    template = (files("mgld.hub") / "templates" / "dataset_card.md").read_text(encoding="utf-8")
    licences, authors, labels, made_by, annotators, prompts, entity_annotators, entity_prompts = (
        _columns(
            outputs,
            at,
            [
                "license",
                "author",
                "hierarchical_label",
                "natural_or_human_made",
                "annotator",
                "prompt_version",
                "entity_annotator",
                "entity_prompt_version",
            ],
        )
    )
    records = licences.total()
    configs = config_files(outputs)
    selection = view.table("selection", "part", ["status"])
    facts = view.manifest.facts
    annotator = _listed(annotators)
    return Template(template).substitute(
        title=title,
        what=_what(world),
        version=mgld.__version__,
        repo=repo or "PATH_OR_HUB_ID",
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
        prompt_version=_listed(prompts),
        entity_annotator=_listed(entity_annotators),
        entity_prompt_version=_listed(entity_prompts),
        seed=view.config.seed,
        annotator_note=_ANNOTATOR_NOTES.get(annotator, _MODEL_NOTE),
        landmarks=f"{len(selection):,}",
        records=f"{records:,}",
        left_out=_left_out(Counter(selection["status"].to_pylist()), records),
        label_table=_shares(labels, records, 12, "(none)"),
        made_table=_shares(made_by, records, 5, "(not stated)"),
        no_licence=f"{licences[None]:,}",
        no_author=f"{authors[None]:,}",
        withheld=_WITHHELD.format(withheld) if withheld else "",
        licence_table=_shares(licences, records, 20, "(not stated)"),
        limits=_WORLD_LIMITS if world else _GLDV2_LIMITS,
        people=_WORLD_PEOPLE if world else _GLDV2_PEOPLE,
        cite_images=_WORLD_CITE if world else _GLDV2_CITE,
        ask=f"a discussion on <https://huggingface.co/datasets/{repo}>"
        if repo
        else "its publisher",
    )


def _what(world: bool) -> str:
    if not world:
        return "Landmarks of Google Landmarks v2 (train), at several granularities."
    return (
        "A **procedural stand-in**: none of these landmarks exists, every picture was drawn by a "
        "program, and the people, licences and addresses in it are made up."
    )


def _left_out(statuses: Counter[str], records: int) -> str:
    # What has an image and is no record lacks an answer or entities.
    statuses["not annotated"] = statuses.pop("ok", 0) - records
    return "".join(
        f" Left out: {count:,} with status `{status}`."
        for status, count in sorted(statuses.items())
        if count
    )


def _shares(counts: Counter[str | None], total: int, limit: int, nothing: str) -> str:
    """Rows of a table: value, count, share; the commonest `limit` values and the rest as one."""
    return _table(
        (value or nothing, count, f"{100 * count / total:.1f} %")
        for value, count in _commonest(counts, limit)
    )


def _listed(counts: Counter[str | None]) -> str:
    return ", ".join(sorted(map(str, counts)))


def _records(outputs: Sequence[OutputFile]) -> list[OutputFile]:
    """The files of config `full`: every record once."""
    return [file for of in config_files(outputs)["full"].values() for file in of]


def _columns(
    outputs: Sequence[OutputFile], at: Mapping[str, Path], columns: list[str]
) -> list[Counter[str | None]]:
    """How often each value of each column occurs among all records, file by file."""
    import pyarrow.parquet as pq

    counts: list[Counter[str | None]] = [Counter() for _ in columns]
    for output in _records(outputs):
        with at[output.path].open("rb") as handle:
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
