"""The page of a build's annotations: numbers, figures, and records to leaf through."""

from __future__ import annotations

import datetime
from collections import Counter
from pathlib import Path
from typing import Any

import mgld
from mgld.annotate.quality import answer_of, is_ok
from mgld.annotate.quality_numbers import EntityQuality, Quality, StageQuality
from mgld.annotate.spent import StageSpent
from mgld.build.read import BuildView
from mgld.figures import NARROW, WIDE
from mgld.files import write_text_atomically
from mgld.report.annotations_cards import WHY_DROPPED, choose_cards
from mgld.report.annotations_figures import draw_entities, draw_labels, draw_words
from mgld.report.annotations_read import AnnotationReport, Annotations, read_annotations
from mgld.report.page import (
    Plot,
    environment,
    is_procedural,
    plot,
    style_sheet,
)
from mgld.report.pictures import Album
from mgld.report.viewer import viewer_script
from mgld.report.words import dollars, number, percent

STATUS_WORDS = {
    "valid": "valid as it came",
    "repaired": "valid after a repair",
    "refused": "refused",
    "error": "error",
    "skipped": "not asked: no image or no answer",
    "waiting": "not made yet",
}
PICTURE_SIDE = 288
"""Pixels: what the page shows on a wide screen. 300 of them stay below 15 MB."""


def write_annotations(build_dir: str | Path, out_file: str | Path) -> AnnotationReport:
    """Write the page of a build's annotations to `out_file`; returns the numbers on it.

    One HTML page that loads nothing and whose only script leafs through the records. Raises what
    `read_annotations` raises.
    """
    view = BuildView(build_dir)
    found = read_annotations(view)
    text = (
        environment()
        .get_template("annotations.html")
        .render(_context(view, found), written=datetime.date.today().isoformat())
    )
    write_text_atomically(Path(out_file), text)
    return found.report


def _context(view: BuildView, found: Annotations) -> dict[str, Any]:
    """Everything the template shows."""
    from markupsafe import Markup

    selection = view.table("selection", "part", ["landmark_id", "image_id"])
    images = {
        landmark_id: image_id
        for landmark_id, image_id in zip(*selection.to_pydict().values(), strict=True)
        if image_id is not None
    }
    cards, parts = choose_cards(found, images, seed=view.config.seed)
    attribution = view.table("catalog", "images", ["author", "license"])
    procedural = is_procedural(view)
    quality = found.report.quality
    return {
        "report": found.report,
        "quality": quality,
        "who": annotator_name(quality, view.config.annotator),
        "stages": [_stage_rows(stage) for stage in (quality.qa, quality.entities)],
        "plots": _plots(found),
        "cards": cards,
        "parts": parts,
        "labels": sorted({card.refined for card in cards if card.refined}),
        "gldv2_labels": sorted({card.gldv2_label for card in cards if card.gldv2_label}),
        "pairs": {(card.gldv2_label, card.refined) for card in cards},
        "never_asked": quality.landmarks - sum(part.records for part in parts),
        "status_words": STATUS_WORDS,
        "why_dropped": WHY_DROPPED,
        **_entity_numbers(quality.entity),
        "spent_rows": _spent_rows(found.report.spent),
        "models": dict(sum((Counter(each.models) for each in found.report.spent), Counter[str]())),
        "spent": dollars(sum(each.usd for each in found.report.spent))
        if found.report.spent and all(each.priced for each in found.report.spent)
        else None,
        "album": Album(view, {card.image_id for card in cards} - {""}, procedural=procedural),
        "side": PICTURE_SIDE,
        "procedural": procedural,
        "credited": any(column.null_count < len(column) for column in attribution.columns),
        "template": view.config.model is None,
        "seed": view.config.seed,
        "style": Markup(style_sheet("viewer.css", "annotations.css")),
        **viewer_script("annotations.js"),
        "version": mgld.__version__,
    }


def annotator_name(quality: Quality, annotator: str) -> str:
    """Who annotated, as the records say; as the configuration says where there are none."""
    return ", ".join(quality.qa.annotators) or annotator


def _stage_rows(stage: StageQuality) -> dict[str, Any]:
    """A stage with its statuses as (status, landmarks, percent of all), and the reasons it adds."""
    shares = [(status, getattr(stage, status)) for status in STATUS_WORDS]
    return {
        "stage": stage,
        "shares": [(status, count, 100 * count / max(stage.landmarks, 1))
                   for status, count in shares if count],
        # What stage entities skipped is what stage qa has no answer for: its reasons are those.
        "reasons": [reason for reason in stage.reasons
                    if (stage.stage, reason.status) != ("entities", "skipped")],
    }  # fmt: skip


def _entity_numbers(entity: EntityQuality) -> dict[str, Any]:
    """Means over the records with entities, and rows of what was left out."""
    came, kept = (sum(n * records for n, records in side.items())
                  for side in (entity.raw, entity.kept))  # fmt: skip
    return {
        "raw_mean": came / max(entity.records, 1),
        "kept_mean": kept / max(entity.records, 1),
        "kept_in_records": kept,
        "dropped_rows": [
            (WHY_DROPPED.get(why, why), count, entity.raw_total)
            for why, count in entity.dropped.items()
        ],
    }


def _spent_rows(spent: list[StageSpent]) -> list[tuple[str, list[str]]]:
    """Rows of the table of tokens and dollars: words, a cell a stage, and their sum."""
    rows: list[tuple[str, str]] = [
        ("requests", "requests"),
        ("with a reply", "answered"),
        ("without a reply", "unanswered"),
        ("tries", "tries"),
        ("of these in vain", "in_vain"),
        ("perhaps paid without a reply", "lost"),
        ("at most for these", "lost_usd"),
        ("replies asked for once more", "put_aside"),
        ("replies through the Batch API", "batched"),
        ("tokens in", "input_tokens"),
        ("of these from a cache", "cached_tokens"),
        ("tokens out", "output_tokens"),
        ("dollars", "usd"),
    ]
    found = []
    for words, name in rows:
        values = [getattr(each, name) for each in spent]
        say = dollars if name in ("usd", "lost_usd") else number
        if name == "usd" and not all(each.priced for each in spent):
            continue
        if any(values) or name in ("requests", "answered", "usd"):
            found.append((words, [say(value) for value in [*values, sum(values)]]))
    seconds = ["–" if each.seconds is None else f"{each.seconds:.2g} s" for each in spent]
    return [*found, ("mean time of an online reply", [*seconds, ""])]


def _plots(found: Annotations) -> dict[str, Plot]:
    """The figures by name; those that have nothing to show are left out."""
    quality = found.report.quality
    plots = {}
    words = [
        len(answer_of(each.qa).split())
        for each in found.annotated
        if each.qa is not None and is_ok(each.qa)
    ]
    spread = quality.answers.words
    if spread is not None:
        drawing = draw_words(words, quality.answers)
        text = (
            f"Nine of ten answers have between {number(round(spread.q05))} and "
            f"{number(round(spread.q95))} words; the shortest has {number(spread.least)}, the "
            f"longest {number(spread.most)}."
        )
        plots["words"] = plot(drawing, drawing, text)
    entity = quality.entity
    if entity.records:
        drawing = draw_entities(entity)
        left = entity.raw_total - entity.kept_total
        text = f"{number(left)} of {number(entity.raw_total)} entities were left out"
        text += f" ({percent(left / entity.raw_total)})." if left else "."
        plots["entities"] = plot(drawing, drawing, text)
    if quality.labels.counts:
        wide, narrow = (draw_labels(quality.labels, width=width) for width in (WIDE, NARROW))
        shown = "The most frequent labels" if len(quality.labels.counts) > 18 else "Every label"
        text = f"{shown} among {number(quality.labels.records)} records with entities."
        plots["labels"] = plot(wide, narrow, text)
    return plots
