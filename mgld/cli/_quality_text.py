"""The quality of annotations in plain lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mgld.report.words import dollars, percent, plural

if TYPE_CHECKING:
    from mgld.annotate.quality_numbers import EntityQuality, LabelQuality, StageQuality
    from mgld.report.annotations_read import AnnotationReport

FREQUENT = 5


def quality_lines(found: AnnotationReport) -> list[str]:
    """The numbers that matter, a subject a line, its name padded as `mgld plan` pads it."""
    quality = found.quality
    lines = [
        f"{found.annotator}: {plural(quality.landmarks, 'landmark')}, "
        f"{quality.complete:,} complete",
        _stage(quality.qa),
        *_reasons(quality.qa),
        _stage(quality.entities),
        *_reasons(quality.entities),
    ]
    answers = quality.answers
    if answers.words:
        words = answers.words
        named = percent(answers.named / answers.answers)
        lines.append(
            f"answers   {words.median:g} words in the middle (of ten, nine have {words.q05:g} to "
            f"{words.q95:g}); {named} name the landmark, {answers.other_name:,} by another name "
            f"only, {answers.unnamed:,} not"
        )
    if quality.entity.records:
        lines += _entities(quality.entity)
        lines += _labels(quality.labels, found)
    for spent in found.spent:
        tries = f"{spent.tries:,} tries for {spent.requests:,} requests"
        if spent.lost:
            tries += f", {spent.lost:,} lost (at most {dollars(spent.lost_usd)})"
        models = ", ".join(model or "a model it does not name" for model in spent.models)
        price = dollars(spent.usd) if spent.priced else "of unknown price"
        lines.append(
            f"spent     {spent.stage}: {price}, "
            f"{spent.input_tokens:,} tokens in, "
            f"{spent.output_tokens:,} out; {tries}; from {models or 'nobody'}"
        )
    lines += [f"note      {note}" for note in found.notes]
    # Words of sources and models: a terminal must not take them for commands.
    return ["".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
            for line in lines]  # fmt: skip


def _stage(stage: StageQuality) -> str:
    parts = [
        f"{count:,} {words}" + (f" ({percent(count / stage.asked, 1)})" if share else "")
        for count, words, share in (
            (stage.valid, "valid as they came", True),
            (stage.repaired, "repaired", True),
            (stage.refused, "refused", True),
            (stage.error, "in error", True),
            (stage.skipped, "not asked", False),
            (stage.waiting, "not made yet", False),
        )
        if count
    ]
    return f"{stage.stage:<9} {stage.asked:,} asked: {', '.join(parts)}"


def _reasons(stage: StageQuality) -> list[str]:
    reasons = [reason for reason in stage.reasons if reason.status != "skipped"]
    lines = [f"{'':<9} {each.count:,} {each.status}: {each.reason}" for each in reasons[:FREQUENT]]
    rest = sum(reason.count for reason in reasons[FREQUENT:])
    return [*lines, f"{'':<9} {rest:,} for other reasons"] if rest else lines


def _entities(entity: EntityQuality) -> list[str]:
    came, kept = (
        sum(number * records for number, records in side.items())
        for side in (entity.raw, entity.kept)
    )
    left = ", ".join(f"{count:,} {why}" for why, count in entity.dropped.items())
    lines = [
        f"entities  {came / entity.records:.1f} came for a record, {kept / entity.records:.1f} kept"
        + (f"; left out: {left}" if left else ""),
        f"{'':<9} {kept:,} kept are {entity.distinct:,} different ones, {entity.repeated:,} of "
        "them in several records",
    ]
    if entity.frequent:
        most = ", ".join(f"{each.text} ({each.records:,})" for each in entity.frequent[:FREQUENT])
        lines.append(f"{'':<9} most frequent: {most}")
    return lines


def _labels(labels: LabelQuality, found: AnnotationReport) -> list[str]:
    line = f"labels    {labels.same:,} as GLDv2's, {labels.differ:,} differ"
    if labels.agreement is not None:
        line += f" ({percent(labels.agreement, 1)} agree)"
    line += (
        f"; {labels.only_gldv2:,} null where GLDv2 has one, {labels.only_refined:,} where it has "
        f"none, {labels.neither:,} neither; {labels.outside:,} outside the list"
    )
    lines = [line]
    if found.came_outside and found.came_outside.replies:
        came = found.came_outside
        lines.append(
            f"{'':<9} {came.replies:,} came with a label outside the list: {came.repaired:,} "
            f"repaired, {came.not_ok:,} not"
        )
    if labels.disagreements:
        most = ", ".join(
            f"{each.gldv2} -> {each.refined or 'null'} ({each.count:,})"
            for each in labels.disagreements[:FREQUENT]
        )
        lines.append(f"{'':<9} most frequent: {most}")
    return lines
