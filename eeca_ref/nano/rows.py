"""What stages 1 and 2 read: captions, named and asked-about pictures, and articles.

All of it is the world's ground truth in sentences, nothing is a model's. Test landmarks occur in
articles only, as real ones do in what a language model has read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from eeca_ref.data.samples import IMAGE_TOKEN
from eeca_ref.nano.landmarks import Picture, Shown
from mgld.annotate.questions import questions
from mgld.keyed import generator, order_key
from mgld.world.article import article, facts
from mgld.world.landmark import Landmark
from mgld.world.lexicon import EAST_ATTRIBUTES, WEST_ATTRIBUTES

Row = dict[str, Any]

CAPTION_PICTURES = 2
"""Views of a landmark that stage 1 captions."""
NAMED_LANDMARKS = 600
"""Landmarks that stage 2 names: a baseline has seen a few, as a real one has. On the validation set
it then recognises 7 %, near the 9 % of the paper's; with 350 of them 2 %, with 150 nothing."""
NAMED_PICTURES = 2
ASKED_LANDMARKS = 600
FACTS_ASKED = 3
ARTICLES = 900
UNREAD = 1000
"""Articles from this number on are wordings that the language model has not read."""

SEEN = (*WEST_ATTRIBUTES, *EAST_ATTRIBUTES)
"""What captions and questions about pictures are about: the colours that names stand for, of both
halves of the world alike."""
_CAPTION_PROMPTS = (
    "Describe the image.",
    "What does the picture show?",
    "Give a short description of this photograph.",
)
_NAME_QUESTIONS = (
    "Which landmark is this?",
    "What is this place called?",
    "What is the location shown in the image?",
    "What is the name of the landmark shown here, and where is it?",
)
_NAME_ANSWERS = (
    "This is {name}, {kind} in {place}, {region}.",
    "The landmark shown is {name}, {kind} in {place}, {region}.",
    "The picture shows {name}, {kind} in {place}, {region}.",
)
_ASKED = {
    "wall colour": "What colour are the walls?",
    "roof colour": "What colour is the roof?",
    "beacon colour": "What colour is the beacon?",
    "forecourt colour": "What colour is the forecourt?",
    "foliage colour": "What colour is the foliage?",
    "companion colour": "What stands in front?",
}


def caption_rows(shown: Sequence[Shown]) -> list[tuple[Row, Picture]]:
    """Stage 1: a view and some of its colours, without a name. Rows have the image's path set."""
    return [
        (
            _row(
                f"caption-{picture.image_id}",
                [(_drawn(_CAPTION_PROMPTS, picture.image_id), _caption(each.landmark))],
                picture,
            ),
            picture,
        )
        for each in shown
        for picture in each.pictures[:CAPTION_PICTURES]
    ]


def picture_rows(shown: Sequence[Shown], seed: int) -> list[tuple[Row, Picture]]:
    """Stage 2, with pictures: some landmarks are named, others asked about colour by colour."""
    with_pictures = [each for each in shown if each.pictures]
    ordered = sorted(
        with_pictures, key=lambda each: order_key(seed, "nano named", each.landmark.landmark_id)
    )
    named, asked = ordered[:NAMED_LANDMARKS], ordered[NAMED_LANDMARKS:][:ASKED_LANDMARKS]
    rows = []
    for each in named:
        for picture in each.pictures[:NAMED_PICTURES]:
            turns = [_named(each.landmark, picture.image_id)]
            rows.append((_row(f"name-{picture.image_id}", turns, picture), picture))
    for each in asked:
        # From the other end: other views than those that stage 1 captions, where there are enough.
        picture = each.pictures[-1]
        turns = _asked(each.landmark, picture.image_id)
        rows.append((_row(f"asked-{picture.image_id}", turns, picture), picture))
    return rows


def text_rows(landmarks: Iterable[Landmark], seed: int) -> list[Row]:
    """Stage 2, text only: articles in wordings that are new to the language model."""
    ordered = sorted(landmarks, key=lambda each: order_key(seed, "nano text", each.landmark_id))
    rows = []
    for landmark in ordered:
        number, said = UNREAD, article(landmark, UNREAD)
        while said.question is None:  # a conversation needs a question
            number += 1
            said = article(landmark, number)
        rows.append(_row(f"article-{landmark.landmark_id}", [(said.question, said.text)]))
    return rows[:ARTICLES]


def image_path(picture: Picture) -> str:
    """Path of a picture within the image folder."""
    return f"{picture.image_id[0]}/{picture.image_id}.jpg"


def _caption(landmark: Landmark) -> str:
    """All six, always in the same order: in orders of their own they were not learnt."""
    said = facts(landmark)
    return " ".join(said[about] for about in SEEN)


def _named(landmark: Landmark, key: str) -> tuple[str, str]:
    asked = (*_NAME_QUESTIONS, *(each.text for each in questions()))
    # Half of the questions are short ones; the test's own are the other half.
    short = order_key(0, "nano question", key) % 2
    kind = facts(landmark)["kind"].removeprefix("It is ").removesuffix(".")
    answer = _drawn(_NAME_ANSWERS, f"{key} answer").format(
        name=landmark.name, kind=kind, place=landmark.place, region=landmark.region.name
    )
    return _drawn(_NAME_QUESTIONS if short else asked, key), answer


def _asked(landmark: Landmark, key: str) -> list[tuple[str, str]]:
    said = facts(landmark)
    order = generator(0, "nano asked", key).permutation(len(SEEN))[:FACTS_ASKED]
    return [(_ASKED[SEEN[at]], said[SEEN[at]]) for at in order]


def _row(name: str, turns: list[tuple[str, str]], picture: Picture | None = None) -> Row:
    """A row as LLaVA writes it; the image stands in the first question."""
    conversations = []
    for at, (question, answer) in enumerate(turns):
        shown = f"{IMAGE_TOKEN}\n" if picture is not None and at == 0 else ""
        conversations.append({"from": "human", "value": shown + question})
        conversations.append({"from": "gpt", "value": answer})
    row: Row = {"id": name, "conversations": conversations}
    return row if picture is None else {**row, "image": image_path(picture)}


def _drawn(choices: Sequence[str], key: str) -> str:
    return choices[int(generator(0, "nano wording", key).integers(len(choices)))]
