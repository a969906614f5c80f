"""The offline annotator: templates filled with facts, never a model's words.

It has the shape of the paper's stages 2 and 3 so that everything after them can be built, tested
and shown without a paid API. Its sources, in order: the facts of a procedural world, GLDv2's own
labels, words in the name (`prompts/labels.yaml`), and the pixels (`picture.py`). Whatever none of
them supports is left out: it invents nothing. Every record says `annotator = "template"`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from mgld.annotate.aliases import other_names
from mgld.annotate.base import ReadImage
from mgld.annotate.entities import MIN_ENTITIES, choose_entities, is_kind
from mgld.annotate.labels import label_from_name
from mgld.annotate.names import split_name, unique
from mgld.annotate.picture import PictureFacts, describe_picture
from mgld.annotate.questions import draw_question, load_prompt, prompt_bytes
from mgld.annotate.wording import fold
from mgld.keyed import order_key
from mgld.schema import EntityRecord, EntityTask, Facts, QaRecord, QaTask, Turn

SKY_WORTH_SAYING = 0.15
PROMPT_FILES = ("questions.yaml", "template.yaml", "labels.yaml")

_LIGHT = {
    "night": "taken at night or in a dark place",
    "dim": "taken in dim light",
    "daylight": "taken in daylight",
    "bright": "taken in bright light",
}
_FRAMING = {"wide": "landscape format", "upright": "portrait format", "square": "square format"}
_LIGHT_ENTITY = {
    "night": "dark scene",
    "dim": "dimly lit scene",
    "daylight": "daylight scene",
    "bright": "brightly lit scene",
}


class Place(NamedTuple):
    """What the sources say of a landmark: its kind (or None) and places that hold it."""

    label: str | None
    hints: tuple[str, ...]


@dataclass(frozen=True)
class TemplateAnnotator:
    """Deterministic, offline annotator (see the module); `seed` keys questions and wordings."""

    seed: int

    @property
    def id(self) -> str:
        """Always "template"."""
        return "template"

    @property
    def prompt_version(self) -> str:
        """Content hash of the questions, sentence forms, code revision and keyword table."""
        return _prompt_version()

    @property
    def qa_version(self) -> str:
        """The same for both stages."""
        return self.prompt_version

    @property
    def entities_version(self) -> str:
        """The same for both stages."""
        return self.prompt_version

    def answer(self, tasks: Sequence[QaTask], read_image: ReadImage) -> list[QaRecord]:
        """Stage 2; a picture that cannot be read or decoded gives a record with status "error"."""
        return [self._answer(task, read_image) for task in tasks]

    def annotate(self, tasks: Sequence[EntityTask], read_image: ReadImage) -> list[EntityRecord]:
        """Stage 3; "skipped" where stage 2 has no answer, "error" where the picture fails."""
        return [self._annotate(task, read_image) for task in tasks]

    def _answer(self, task: QaTask, read_image: ReadImage) -> QaRecord:
        question = draw_question(task.landmark_id, seed=self.seed)
        picture = _picture(task, read_image)
        if isinstance(picture, str):
            return QaRecord(
                landmark_id=task.landmark_id,
                status="error",
                reason=picture,
                question_id=question.id,
                annotator=self.id,
                prompt_version=self.prompt_version,
            )
        return QaRecord(
            landmark_id=task.landmark_id,
            status="ok",
            question_id=question.id,
            conversation=[
                Turn(role="user", content=question.text),
                Turn(role="assistant", content=self._answer_text(task, picture)),
            ],
            annotator=self.id,
            prompt_version=self.prompt_version,
        )

    def _annotate(self, task: EntityTask, read_image: ReadImage) -> EntityRecord:
        source = task.qa_task
        if task.qa.status != "ok":
            return self._no_entities(
                source.landmark_id, "skipped", f"no answer from stage 2: {task.qa.reason}"
            )
        picture = _picture(source, read_image)
        if isinstance(picture, str):
            return self._no_entities(source.landmark_id, "error", picture)
        facts = source.facts or Facts()
        place = _place(source)
        written = dict.fromkeys([*facts.aliases, *other_names(source.name)])
        aliases = [alias for alias in written if alias.strip() and alias != source.name]
        candidates = _entity_candidates(facts, place, picture)
        entities = choose_entities(candidates, name=source.name, aliases=aliases)
        if len(entities) < MIN_ENTITIES:
            # Little was left after the name's own words went ("Grey Daylight"): say what is bland.
            candidates += [f"{picture.contrast} contrast", _FRAMING[picture.framing]]
            entities = choose_entities(candidates, name=source.name, aliases=aliases)
        if len(entities) < MIN_ENTITIES:
            return self._no_entities(
                source.landmark_id, "error", f"only {len(entities)} fit entities were found"
            )
        return EntityRecord(
            landmark_id=source.landmark_id,
            status="ok",
            entities=entities,
            entities_raw=entities,
            hierarchical_label=place.label,
            aliases=aliases,
            place_hints=list(place.hints),
            annotator=self.id,
            prompt_version=self.prompt_version,
        )

    def _no_entities(self, landmark_id: int, status: str, reason: str) -> EntityRecord:
        return EntityRecord.model_validate(
            {
                "landmark_id": landmark_id,
                "status": status,
                "reason": reason,
                "annotator": self.id,
                "prompt_version": self.prompt_version,
            }
        )

    def _answer_text(self, task: QaTask, picture: PictureFacts) -> str:
        facts = task.facts or Facts()
        place = _place(task)
        where = ", ".join(place.hints)
        forms = {
            (True, True): "identity",
            (True, False): "identity_label",
            (False, True): "identity_place",
            (False, False): "identity_bare",
        }
        # A name that ends with its place ("..., Seattle, Washington") need not be told it again.
        repeat = bool(where) and not _says(task.name, place.hints)
        identity = forms[place.label is not None, repeat and not facts.location]
        framing = _FRAMING[picture.framing]
        sentences = [
            self._say(
                identity,
                task.landmark_id,
                name=task.name,
                a_label=_with_article(place.label or ""),
                place=where,
            ),
            _sentence(facts.description),
            self._say(
                "picture",
                task.landmark_id,
                colours=" and ".join(picture.colours),
                light=_LIGHT[picture.light],
                framing=framing,
                framing_a=f"a picture in {framing}",
            ),
        ]
        share = _share_in_words(picture.sky)
        if share:
            sentences.append(
                self._say(
                    "sky",
                    task.landmark_id,
                    sky_share=share[0].upper() + share[1:],
                    sky_share_lower=share,
                    sky_colour=picture.sky_colour,
                )
            )
        if facts.location:
            sentences.append(_sentence(facts.location))
        elif where:
            sentences.append(self._say("location", task.landmark_id, place=where))
        else:
            sentences.append(self._say("location_unknown", task.landmark_id))
        return " ".join(sentence for sentence in sentences if sentence)

    def _say(self, form: str, landmark_id: int, **values: str) -> str:
        variants: list[str] = load_prompt("template.yaml")[form]
        draw = order_key(self.seed, f"wording/{form}", landmark_id)
        return variants[draw % len(variants)].format(**values)


@cache
def _prompt_version() -> str:
    digest = hashlib.sha256()
    for name in PROMPT_FILES:
        content = prompt_bytes(name)
        digest.update(f"{name}\x00{len(content)}\x00".encode() + content)
    return f"template-{digest.hexdigest()[:16]}"


def _place(task: QaTask) -> Place:
    facts = task.facts or Facts()
    label = (task.hierarchical_label or "").strip() or label_from_name(task.name)
    hints = unique([*facts.place_hints, *split_name(task.name).places])
    return Place(label, tuple(hints))


def _picture(task: QaTask, read_image: ReadImage) -> PictureFacts | str:
    """Facts of a task's image, or the reason why it cannot be read."""
    from mgld.gldv2 import ImageError, decode_image

    try:
        decoded = decode_image(read_image(task))
    except ImageError as error:
        return f"{error.status}: {error.reason}"
    except (OSError, ValueError) as error:
        return str(error)
    return describe_picture(decoded.image, width=decoded.width, height=decoded.height)


def _entity_candidates(facts: Facts, place: Place, picture: PictureFacts) -> list[str]:
    """Candidates, the most specific first; the last ones hold for every picture."""
    # Told apart by what they look like before what they are: "castle" comes after "blue walls".
    candidates = sorted(facts.entities, key=is_kind)
    if place.label:
        candidates.append(place.label)
    candidates += [f"setting in {hint}" for hint in place.hints[:1]]
    if picture.sky >= SKY_WORTH_SAYING:
        candidates.append(f"open {picture.sky_colour} sky")
    candidates += [
        f"{picture.centre} centre",
        f"{picture.bottom} foreground",
        f"{' and '.join(picture.colours)} colours",
        _LIGHT_ENTITY[picture.light],
    ]
    if picture.contrast != "moderate":
        candidates.append(f"{picture.contrast} contrast")
    return candidates


def _says(name: str, hints: Sequence[str]) -> bool:
    """Whether the name as written already tells the first place."""
    return f" {fold(hints[0])} " in f" {fold(name)} "


def _with_article(label: str) -> str:
    nouns: dict[str, str] = load_prompt("template.yaml")["nouns"]
    return nouns.get(label) or f"{'an' if label[:1] in 'aeiou' else 'a'} {label}"


def _sentence(text: str) -> str:
    text = text.strip()
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")


def _share_in_words(share: float) -> str:
    for limit, words in ((0.6, "most"), (0.42, "about half"), (0.28, "about a third")):
        if share >= limit:
            return words
    return "about a fifth" if share >= SKY_WORTH_SAYING else ""
