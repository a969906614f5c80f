"""What a recipe trains on, gathered for `eeca audit`: counts of all rows, and some rows in full.

The rows shown go through the trainer's own path: source, token store, image reading. Which they are
is a keyed draw, the same in every call.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from eeca_ref.assembling import (
    build_model,
    image_settings,
    label_vocabulary,
    load_tokenizer,
    open_source,
    token_settings,
)
from eeca_ref.data.audit import TokenView, supervision_picture, token_views
from eeca_ref.data.entities import entity_token_ids
from eeca_ref.data.loader import Examples
from eeca_ref.data.samples import Sample, Skipped, Source
from eeca_ref.data.store_write import make_store
from eeca_ref.data.tokens import IGNORED
from mgld.keyed import order_key

if TYPE_CHECKING:
    from torch import Tensor

    from eeca_ref.data.images import ImageSettings
    from eeca_ref.data.labels import LabelVocabulary
    from eeca_ref.entity_maps import EntityMaps
    from eeca_ref.model import EecaForConditionalGeneration
    from eeca_ref.recipe import Recipe

SAMPLES: Final = 8


@dataclass
class RowCounts:
    """All rows of a source, before tokens: `rows` = `samples` + all of `skipped`.

    Of the samples: `text_only`, and of those with an image `entities` (how many have 0, 1, 2, ...)
    and `without_label`. skipped: by status; reasons: one of each status.
    """

    rows: int = 0
    samples: int = 0
    text_only: int = 0
    without_label: int = 0
    entities: Counter[int] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, str] = field(default_factory=dict)
    labels: set[str] = field(default_factory=set)

    def add(self, row: Sample | Skipped) -> None:
        """Count one row."""
        self.rows += 1
        if isinstance(row, Skipped):
            self.skipped[row.status] += 1
            self.reasons.setdefault(row.status, f"{row.id}: {row.reason}")
            return
        self.samples += 1
        if row.label is not None:
            self.labels.add(row.label)
        if row.image is None:
            self.text_only += 1
            return
        self.entities[len(row.entities)] += 1
        self.without_label += row.label is None

    @property
    def with_image(self) -> int:
        """Samples with an image."""
        return self.samples - self.text_only

    @property
    def contrasted(self) -> int:
        """Images with two entities or more: only they add to L_e as printed."""
        return sum(number for entities, number in self.entities.items() if entities >= 2)


@dataclass(frozen=True)
class AuditedEntity:
    """One entity: its text and the texts of its tokens (none: it cannot be one).

    number: its row in the sample's maps; None where it has no tokens or there are no maps.
    """

    text: str
    tokens: list[str]
    number: int | None


@dataclass(frozen=True)
class AuditedSample:
    """One row. `problem`: why it is in no batch; tokens, pixels and maps may be missing then.

    positions: of the language model, visual tokens included. class_number: of `label` in the
    classifier, None where it has no such class. pixels_CHW: float32, normalised. picture: the
    tokens as lines of text, see `supervision_picture`.
    """

    row: int
    id: str
    problem: str = ""
    tokens: list[TokenView] = field(default_factory=list)
    picture: str = ""
    positions: int = 0
    truncated: bool = False
    label: str | None = None
    class_number: int | None = None
    entities: list[AuditedEntity] = field(default_factory=list)
    pixels_CHW: Tensor | None = None
    maps: EntityMaps | None = None


@dataclass(frozen=True)
class Audit:
    """Everything that the page shows. `model`: as training begins."""

    recipe: Recipe
    model: EecaForConditionalGeneration
    counts: RowCounts
    labels: LabelVocabulary
    images: ImageSettings
    samples: list[AuditedSample]


def audit(recipe: Recipe, *, samples: int = SAMPLES) -> Audit:
    """Gather an audit of `recipe` with at most so many samples.

    Errors: those of opening what the recipe names (`eeca_ref.assembling`). ValueError: no row gives
    a sample.
    """
    source = open_source(recipe)
    counts, chosen = _read_rows(source, samples, seed=recipe.seed)
    if not chosen:
        why = "; ".join(f"{status}: {reason}" for status, reason in counts.reasons.items())
        raise ValueError(f"none of {counts.rows:,} rows gives a sample ({why or 'no rows'})")
    tokenizer = load_tokenizer(recipe)
    labels = label_vocabulary(recipe, counts.labels)
    model = build_model(recipe, tokenizer, labels).eval()
    images = image_settings(recipe, model.config)
    few = _Few(source, [sample for _, sample in chosen])
    with TemporaryDirectory(prefix="eeca-audit-") as folder:
        store = make_store(
            Path(folder) / "store", few, tokenizer, token_settings(recipe, model.config)
        )
        unusable = {row: f"{status}: {why}" for row, _, status, why in store.skipped(len(store))}
        examples = Examples(store, few, images, labels)
        shown = []
        for at, (row, sample) in enumerate(chosen):
            if at in unusable:
                shown.append(AuditedSample(row, sample.id, unusable[at], label=sample.label))
                continue
            truncated = bool(store.truncated[at])
            shown.append(_audited(row, sample, examples, at, truncated, model, tokenizer))
    return Audit(recipe, model, counts, labels, images, shown)


def _audited(
    row: int,
    sample: Sample,
    examples: Examples,
    at: int,
    truncated: bool,
    model: EecaForConditionalGeneration,
    tokenizer: Any,
) -> AuditedSample:
    """A row that has tokens, as the trainer's data gives it."""
    from eeca_ref.entity_maps import entity_maps

    stored, example = examples.store[at], examples[at]
    pixels, number = None, IGNORED
    problem = ""
    if isinstance(example, Skipped):
        problem = f"{example.status}: {example.reason}"
    else:
        pixels, number = example.pixels_CHW, example.class_number
    has_maps = pixels is not None and model.config.hr and bool(stored.entity_ids)
    entities = []
    placed = 0
    for text, ids in zip(
        sample.entities, entity_token_ids(sample.entities, tokenizer), strict=True
    ):
        tokens = [str(tokenizer.decode([each])) for each in ids]
        entities.append(AuditedEntity(text, tokens, placed if ids and has_maps else None))
        placed += bool(ids)
    return AuditedSample(
        row=row,
        id=sample.id,
        problem=problem,
        tokens=token_views(stored.tokens, tokenizer),
        picture=supervision_picture(stored.tokens, tokenizer),
        positions=int(examples.store.lengths[at]),
        truncated=truncated,
        label=sample.label,
        class_number=None if number == IGNORED else number,
        entities=entities,
        pixels_CHW=pixels,
        maps=entity_maps(model, pixels, stored.entity_ids)
        if has_maps and pixels is not None
        else None,
    )


def _read_rows(
    source: Source, number: int, *, seed: int
) -> tuple[RowCounts, list[tuple[int, Sample]]]:
    """Counts of all rows, and `number` samples by a keyed draw, in the source's order."""
    counts = RowCounts()

    def keyed() -> Iterator[tuple[int, int, Sample]]:
        for row, each in enumerate(source.rows()):
            counts.add(each)
            if isinstance(each, Sample):
                yield order_key(seed, "audit", row), row, each

    chosen = heapq.nsmallest(number, keyed(), key=lambda each: each[:2])
    return counts, sorted(((row, sample) for _, row, sample in chosen), key=lambda each: each[0])


class _Few:
    """A source of some samples of another."""

    def __init__(self, source: Source, samples: list[Sample]) -> None:
        self.source, self.samples = source, samples

    def fingerprint(self) -> str:
        """Stores of it are not kept."""
        return "audit"

    def rows(self, start: int = 0) -> Iterator[Sample | Skipped]:
        """See `Source`."""
        yield from self.samples[start:]

    def has_image(self, image: str) -> bool:
        """See `Source`."""
        return self.source.has_image(image)

    def read_image(self, image: str) -> bytes:
        """See `Source`."""
        return self.source.read_image(image)
