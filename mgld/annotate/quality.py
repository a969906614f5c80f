"""How good the annotations of a dataset are, in numbers that can be counted by hand.

Nothing is asked and nothing is read here: `measure` counts records that are there. Whoever
annotated them, a model or the templates, is counted in the same way.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Literal, NamedTuple, TypeVar

import numpy as np

from mgld.annotate.aliases import other_names
from mgld.annotate.cleaning import judge_phrases
from mgld.annotate.names import split_name
from mgld.annotate.quality_numbers import (
    AnswerQuality,
    Disagreement,
    EntityQuality,
    Frequent,
    LabelCount,
    LabelQuality,
    Quality,
    QuestionUse,
    Reason,
    Spread,
    StageQuality,
)
from mgld.annotate.questions import questions
from mgld.annotate.wording import fold
from mgld.schema import EntityRecord, QaRecord

T = TypeVar("T")

MOST_FREQUENT = 30
_VARYING = re.compile(
    r"( while parsing an? \w+)? at line \d+ column \d+|(?<=after )\d+(?= batches)"
)
_QUOTED = re.compile(r"(?<!\w)('[^']*'|\"[^\"]*\")(?!\w)")
# Scripts that put no blanks between words begin here.
_UNSPACED = re.compile("[\u2e80-\U0003ffff]")


class Annotated(NamedTuple):
    """A landmark and its records; None where a stage has none for it yet."""

    landmark_id: int
    name: str
    gldv2_label: str | None
    qa: QaRecord | None
    entities: EntityRecord | None


class Phrase(NamedTuple):
    """An entity as the annotator gave it, what is kept of it, and why not ("" where it is)."""

    raw: str
    kept: str
    dropped: str


def measure(annotated: Sequence[Annotated], labels: Collection[str]) -> Quality:
    """Count over all landmarks of a catalog; `labels` are those that were allowed."""
    return Quality(
        landmarks=len(annotated),
        complete=sum(is_ok(each.qa) and is_ok(each.entities) for each in annotated),
        qa=_stage("qa", [each.qa for each in annotated]),
        entities=_stage("entities", [each.entities for each in annotated]),
        answers=_answers(annotated),
        entity=_entities(annotated),
        labels=_labels(annotated, set(labels)),
    )


def is_ok(record: QaRecord | EntityRecord | None) -> bool:
    """Whether there is a record with status "ok"."""
    return record is not None and record.status == "ok"


def phrases(name: str, record: EntityRecord) -> list[Phrase]:
    """What became of each raw entity of a record, by the rules it was cleaned by."""
    if record.entities == record.entities_raw:
        return [Phrase(each, each, "") for each in record.entities]
    left = list(record.entities)
    found = []
    judged = judge_phrases(record.entities_raw, name=name, aliases=record.aliases)
    for raw, each in zip(record.entities_raw, judged, strict=True):
        if each.text in left:
            left.remove(each.text)
            found.append(Phrase(raw, each.text, ""))
        else:
            # A record without any fit entity has no aliases either, by which one was left out.
            found.append(Phrase(raw, each.text, each.unfit or "name"))
    return found


def naming(text: str, name: str, aliases: Iterable[str] = ()) -> Literal["name", "alias", ""]:
    """Whether `text` has `name` or a spelling of it, else one of `aliases`, else neither."""
    own = [name, split_name(name).bare, *other_names(name)]
    if _has_any(text, own):
        return "name"
    return "alias" if _has_any(text, aliases) else ""


def reason_kind(reason: str) -> str:
    """`reason` without what differs from reply to reply: positions, quoted words."""
    return _QUOTED.sub("“…”", _VARYING.sub("", reason)).strip()


def _has_any(text: str, names: Iterable[str]) -> bool:
    said = f" {fold(text)} "
    return any(
        f" {fold(each)} " in said or (_UNSPACED.search(each) and fold(each) in said)
        for each in names
        if fold(each)
    )


def _stage(stage: str, records: Sequence[QaRecord | EntityRecord | None]) -> StageQuality:
    there = [record for record in records if record is not None]
    statuses = Counter(record.status for record in there)
    repaired = sum(record.status == "ok" and record.repaired for record in there)
    reasons = Counter(
        (record.status, reason_kind(record.reason)) for record in there if record.status != "ok"
    )
    made = [record for record in there if record.status != "skipped"]
    return StageQuality(
        stage=stage,
        landmarks=len(records),
        valid=statuses["ok"] - repaired,
        repaired=repaired,
        refused=statuses["refused"],
        error=statuses["error"],
        skipped=statuses["skipped"],
        waiting=len(records) - len(there),
        reasons=[
            Reason(status=status, reason=reason, count=count)
            for (status, reason), count in _ordered(reasons)
        ],
        annotators=dict(_ordered(Counter(record.annotator for record in made))),
        prompt_versions=dict(_ordered(Counter(record.prompt_version for record in made))),
    )


def _answers(annotated: Sequence[Annotated]) -> AnswerQuality:
    drawn = Counter(each.qa.question_id for each in annotated if each.qa)
    texts = {question.id: question.text for question in questions()}
    texts |= {id: "" for id in drawn if id and id not in texts}
    answered: Counter[str] = Counter()
    lengths = []
    said: Counter[str] = Counter()
    for each in annotated:
        if each.qa is None or each.qa.status != "ok":
            continue
        answer = answer_of(each.qa)
        answered[each.qa.question_id] += 1
        lengths.append(len(answer.split()))
        said[naming(answer, each.name, each.entities.aliases if each.entities else ())] += 1
    return AnswerQuality(
        answers=len(lengths),
        words=spread(lengths),
        questions=[
            QuestionUse(id=id, text=text, drawn=drawn[id], answered=answered[id])
            for id, text in texts.items()
        ],
        named=said["name"],
        other_name=said["alias"],
        unnamed=said[""],
    )


def answer_of(record: QaRecord) -> str:
    """What the assistant says; "" where there is no answer."""
    return "\n".join(turn.content for turn in record.conversation if turn.role == "assistant")


def spread(values: Sequence[float]) -> Spread | None:
    """The spread of `values`, None of none."""
    if not values:
        return None
    points = np.quantile(values, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]).tolist()
    names = ("least", "q05", "q25", "median", "q75", "q95", "most")
    found = dict(zip(names, points, strict=True))
    return Spread(count=len(values), mean=float(np.mean(values)), **found)


def _entities(annotated: Sequence[Annotated]) -> EntityQuality:
    raw: Counter[int] = Counter()
    kept: Counter[int] = Counter()
    dropped: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    spellings: dict[str, Counter[str]] = {}
    graders: Counter[str] = Counter()
    for each in annotated:
        record = each.entities
        if record is None:
            continue
        dropped.update(phrase.dropped for phrase in phrases(each.name, record) if phrase.dropped)
        totals["raw"] += len(record.entities_raw)
        totals["kept"] += len(record.entities)
        if record.status != "ok":
            continue
        raw[len(record.entities_raw)] += 1
        kept[len(record.entities)] += 1
        for entity in record.entities:
            spellings.setdefault(fold(entity), Counter())[entity] += 1
        for name in ("aliases", "place_hints"):
            number = len(getattr(record, name))
            graders[name] += number
            graders[f"without_{name}"] += not number
    records = kept.total()
    repeated = [found for found in spellings.values() if found.total() > 1]
    frequent = Counter({_ordered(found)[0][0]: found.total() for found in repeated})
    return EntityQuality(
        records=records,
        raw=dict(sorted(raw.items())),
        kept=dict(sorted(kept.items())),
        raw_total=totals["raw"],
        kept_total=totals["kept"],
        dropped=dict(_ordered(dropped)),
        distinct=len(spellings),
        repeated=len(repeated),
        repeated_uses=sum(found.total() for found in repeated),
        frequent=_frequent(frequent),
        aliases=graders["aliases"] / records if records else 0.0,
        place_hints=graders["place_hints"] / records if records else 0.0,
        without_aliases=graders["without_aliases"],
        without_place_hints=graders["without_place_hints"],
    )


def _labels(annotated: Sequence[Annotated], allowed: set[str]) -> LabelQuality:
    pairs = Counter(
        ((each.gldv2_label or "").strip() or None, each.entities.hierarchical_label)
        for each in annotated
        if each.entities is not None and each.entities.status == "ok"
    )

    def count(chosen: Callable[[str | None, str | None], bool]) -> int:
        return sum(number for pair, number in pairs.items() if chosen(*pair))

    sides = [Counter[str](), Counter[str]()]  # GLDv2's, refined
    outside: Counter[str] = Counter()
    different: Counter[tuple[str, str | None]] = Counter()
    for (gldv2, refined), number in pairs.items():
        for side, label in zip(sides, (gldv2, refined), strict=True):
            if label is not None:
                side[label] += number
        if refined is not None and refined not in allowed:
            outside[refined] += number
        if gldv2 is not None and gldv2 != refined:
            different[gldv2, refined] = number
    both = sides[0] + sides[1]
    return LabelQuality(
        records=pairs.total(),
        same=count(lambda gldv2, refined: gldv2 is not None and gldv2 == refined),
        differ=count(lambda gldv2, refined: None not in (gldv2, refined) and gldv2 != refined),
        only_gldv2=count(lambda gldv2, refined: gldv2 is not None and refined is None),
        only_refined=count(lambda gldv2, refined: gldv2 is None and refined is not None),
        neither=pairs[None, None],
        outside=outside.total(),
        outside_labels=_frequent(outside),
        disagreements=[
            Disagreement(gldv2=gldv2, refined=refined, count=number)
            for (gldv2, refined), number in _ordered(different)[:MOST_FREQUENT]
        ],
        counts=[
            LabelCount(label=label, gldv2=sides[0][label], refined=sides[1][label])
            for label, _ in _ordered(both)
        ],
    )


def _frequent(counts: Counter[str]) -> list[Frequent]:
    return [Frequent(text=text, records=n) for text, n in _ordered(counts)[:MOST_FREQUENT]]


def _ordered(counts: Counter[T]) -> list[tuple[T, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
