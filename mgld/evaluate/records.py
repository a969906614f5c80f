"""What passes between asking, grading and counting: questions, answers, verdicts.

Definitions: docs/definitions.md, "Answers". Each is one JSON line in a file of the run's folder.
"""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

from pydantic import Field

from mgld.schema import Record

Level = Literal["strongly_known", "known", "weakly_unknown", "unknown"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
"""The knowledge levels of the paper, best first."""
State = Level | Literal["unscored"]
"""A level, or that a set of answers could not be judged; unscored is never counted as a level."""
DRAWS = 5
"""Answers to each question (paper, section 4.2)."""


class Truth(Record):
    """What is true of a question's landmark. `aliases`: further names that identify it.

    place_hints: places it is in. label: its refined hierarchical label. answer: the dataset's own
    answer, for judges that want a reference.
    """

    name: str
    aliases: list[str] = Field(default_factory=list)
    place_hints: list[str] = Field(default_factory=list)
    label: str | None = None
    answer: str = ""


class Question(Record):
    """One test question: the record id, its text, its truth, and what results are broken down by.

    The image is not part of it: it is read by `id` when it is asked. `images`: how many images the
    landmark has in the source, None where the dataset does not say. `entities`: the record's, for
    the entity prompt that gives them.
    """

    id: str
    landmark_id: int
    text: str
    image_sha256: str
    truth: Truth
    entities: list[str] = Field(default_factory=list)
    natural_or_human_made: str | None = None
    sim: float | None = None
    rsr: float | None = None
    rank: int | None = None
    images: int | None = None


class Decoding(Record):
    """How answers are sampled; part of every answer's row. A field that is None is not sent."""

    temperature: float | None = 0.7
    top_p: float | None = 1.0
    max_new_tokens: int = Field(default=256, ge=1)


class Answer(Record):
    """One draw. `status` "error" or "refused" says in `reason` why there is no text.

    seed: what keyed the sampling of this draw; None where the model cannot be seeded.
    prompt_version: of the text that was sent, entity prompt or not. model: as it is called in
    results; details: what else identifies it (weights' hash, endpoint's name, library versions).
    """

    question_id: str
    draw: int
    text: str = ""
    status: Literal["ok", "error", "refused"]
    reason: str = ""
    model: str
    prompt_version: str
    decoding: Decoding
    seed: int | None = None
    details: dict[str, Any] = Field(default_factory=dict)


class Verdict(Record):
    """What a judge says of the five answers to one question.

    Attributes:
        level: one of the four, or "unscored".
        explanation: why, in a sentence or two.
        judge: its id, e.g. "rule" or a dated model id with its protocol.
        prompt_hash: of all that it judges by.
        raw: its reply as it came ("" for the rule).
        reason: why it is unscored.
        identified: draws that identify the landmark, where the judge looks at each.
        hinted: draws that hint at it, where the judge looks at each.
        spans: of these draws, the words that show it.
        decided_by: of a combined judge, the one whose level it is.
        votes: of a combined judge, each member's.
        answered_by: what the endpoint says replied (an undated id is not always the same model).
        date: of a model's reply, UTC.
    """

    level: State
    explanation: str
    judge: str
    prompt_hash: str
    raw: str = ""
    reason: str = ""
    identified: list[int] | None = None
    hinted: list[int] | None = None
    spans: dict[int, str] = Field(default_factory=dict)
    decided_by: str = ""
    votes: dict[str, State] = Field(default_factory=dict)
    answered_by: str = ""
    date: str = ""


class Judged(Record):
    """A verdict with what it is about.

    answers_sha256 binds it to the very answers, and to the question and truth they were judged by.
    """

    question_id: str
    answers_sha256: str
    verdict: Verdict


class Described(Record):
    """Whether the answers to the text side of the probe describe the landmark rightly.

    state "unscored" where that cannot be told; `reason` says why. place: it is said where the
    landmark is, not only of what kind. draws: those that describe it; spans: of these, the words
    that show it. The rest is as in a Verdict.
    """

    question_id: str
    state: Literal["described", "not_described", "unscored"]
    place: bool = False
    draws: list[int] = Field(default_factory=list)
    spans: dict[int, str] = Field(default_factory=dict)
    explanation: str
    reason: str = ""
    judge: str
    prompt_hash: str
    raw: str = ""
    answered_by: str = ""
    date: str = ""


class ProbeTable(Record):
    """The 2 x 2 table of one subset: described from text, recognised in the image.

    questions = the four cells + unscored, which either side left so (unscored_described,
    unscored_recognised: each by itself). misalignment: described_not_recognised of all described,
    with Wilson's 95 % interval; lowest, highest: what it could be if the unscored were all scored;
    None where nothing is, or could be, described. by_place: those described whose text says the
    place, and of them not recognised, since a kind is easily guessed.
    """

    subset: str
    questions: int
    described_recognised: int
    described_not_recognised: int
    not_described_recognised: int
    not_described_not_recognised: int
    unscored: int
    unscored_described: int
    unscored_recognised: int
    misalignment: float | None
    interval: tuple[float, float] | None
    lowest: float | None
    highest: float | None
    by_place: int
    by_place_not_recognised: int


class Misaligned(Record):
    """A landmark that is described from its name and not recognised in its image.

    told: the first answer that describes it; seen: the first answer to its image; level: of those.
    """

    question_id: str
    landmark: str
    level: Level
    told: str
    seen: str


class JudgedBy(Record):
    """Who judged, without which numbers say nothing.

    judge, prompt_hash: as in a Verdict. answered_by: as whom its endpoint replied, with counts;
    changed: where that was more than one model under one name, in words, else "". first_reply,
    last_reply: their dates, "" for a judge that asks nobody. is_model: it is the model under test.
    """

    judge: str
    prompt_hash: str
    answered_by: dict[str, int] = Field(default_factory=dict)
    changed: str = ""
    first_reply: str = ""
    last_reply: str = ""
    is_model: bool = False

    def notes(self) -> list[str]:
        """What one must know of it besides its name."""
        notes = []
        if self.changed:
            notes.append(f"this judge changed under its name; replies by {self.changed}")
        if self.is_model:
            notes.append("this judge is the model under test: it judges itself")
        return notes

    def replies(self) -> str:
        """`as MODEL, replies of DATE to DATE`; "" for a judge that asks nobody."""
        parts = [f"as {', '.join(self.answered_by)}"] if self.answered_by else []
        if self.first_reply:
            parts.append(f"replies of {self.first_reply} to {self.last_reply}")
        return ", ".join(parts)


class ProbeResult(Record):
    """The misalignment probe of one model (paper, Figure 1).

    recognised, described: who judged the image side and the text side. made: when, by `version`.
    """

    model: str
    recognised: JudgedBy
    described: JudgedBy
    prompt_versions: list[str]
    decoding: Decoding
    draws: int
    made: str
    version: str
    tables: list[ProbeTable]
