"""What is counted about the annotations of a dataset: see `mgld.annotate.quality`."""

from __future__ import annotations

from mgld.schema import Record


class Reason(Record):
    """How often a status other than "ok" had this reason."""

    status: str
    reason: str
    count: int


class StageQuality(Record):
    """What became of the landmarks in one stage.

    landmarks = valid + repaired + refused + error + skipped + waiting. valid: as it came. skipped:
    never asked, for want of an image or an answer. waiting: no record of this stage yet.
    """

    stage: str
    landmarks: int
    valid: int
    repaired: int
    refused: int
    error: int
    skipped: int
    waiting: int
    reasons: list[Reason]
    annotators: dict[str, int]
    prompt_versions: dict[str, int]

    @property
    def asked(self) -> int:
        """Landmarks that were asked about: all but those skipped and waiting."""
        return self.valid + self.repaired + self.refused + self.error


class Spread(Record):
    """Of `count` numbers: mean, least, quantiles (linear between neighbours), greatest."""

    count: int
    mean: float
    least: float
    q05: float
    q25: float
    median: float
    q75: float
    q95: float
    most: float


class QuestionUse(Record):
    """A question of the predefined set, how often it was drawn, and how often answered."""

    id: str
    text: str
    drawn: int
    answered: int


class AnswerQuality(Record):
    """The answers of stage qa. words: None where there are none. questions: all of the set.

    named: the answer has the landmark's name or a spelling of it; other_name: it has an alias that
    stage entities gave; unnamed: neither. The three add up to the answers.
    """

    answers: int
    words: Spread | None
    questions: list[QuestionUse]
    named: int
    other_name: int
    unnamed: int


class Frequent(Record):
    """A phrase and in how many records it stands."""

    text: str
    records: int


class EntityQuality(Record):
    """The entities of the `records` that have some (status "ok"), and how many were left out.

    raw, kept: entities per record -> records. dropped: why -> raw entities of all records, those
    with status "error" included, so that raw_total = kept_total + sum(dropped). distinct: after
    folding; repeated: those of them in two records or more, which are `repeated_uses` of the kept.
    aliases, place_hints: mean per record; without_*: records that have none.
    """

    records: int
    raw: dict[int, int]
    kept: dict[int, int]
    raw_total: int
    kept_total: int
    dropped: dict[str, int]
    distinct: int
    repeated: int
    repeated_uses: int
    frequent: list[Frequent]
    aliases: float
    place_hints: float
    without_aliases: int
    without_place_hints: int


class Disagreement(Record):
    """GLDv2's label, the refined one (None: null), and how often they stand for one landmark."""

    gldv2: str
    refined: str | None
    count: int


class LabelCount(Record):
    """Records of a label: GLDv2's own, and the refined ones."""

    label: str
    gldv2: int
    refined: int


class LabelQuality(Record):
    """Refined labels against GLDv2's, over the records with entities.

    records = same + differ + only_gldv2 + only_refined + neither; only_gldv2: the refined one is
    null. outside: records whose label is not in the list that was allowed.
    """

    records: int
    same: int
    differ: int
    only_gldv2: int
    only_refined: int
    neither: int
    outside: int
    outside_labels: list[Frequent]
    disagreements: list[Disagreement]
    counts: list[LabelCount]

    @property
    def agreement(self) -> float | None:
        """Share of the same among the records with both labels; None where there are none."""
        both = self.same + self.differ
        return self.same / both if both else None


class Quality(Record):
    """Everything `measure` counts. complete: records of both stages "ok"."""

    landmarks: int
    complete: int
    qa: StageQuality
    entities: StageQuality
    answers: AnswerQuality
    entity: EntityQuality
    labels: LabelQuality
