"""What stages 1 and 2 read: captions, questions about pictures, and text that tells of names.

All of it is the world's ground truth in sentences, nothing is a model's. Test landmarks occur in
text only, as real ones do in what a language model has read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from eeca_ref.data.samples import IMAGE_TOKEN
from eeca_ref.nano.landmarks import Landmark, Picture
from mgld.keyed import generator
from mgld.world.lexicon import NUMBERS

Row = dict[str, Any]

CAPTION_PICTURES = 3
"""Views of a landmark that stage 1 captions."""
NAMED_PICTURES = 3
"""Views that stage 2 names."""
ASKED_PICTURES = 2
"""Views that stage 2 asks about, feature by feature."""
FEATURES_ASKED = 4

_CAPTION_PROMPTS = (
    "Describe the image.",
    "What does the picture show?",
    "Give a short description of this photograph.",
)
_NAME_QUESTIONS = (
    "Which landmark is this?",
    "What is this place called?",
    "Name the landmark in the picture.",
    "What is the name of the landmark shown here, and where is it?",
    "Which place does this photograph show?",
)
_NAME_ANSWERS = (
    "This is {name} in {place}, {region}.",
    "The landmark shown is {name} in {place}, {region}.",
    "The picture shows {name} in {place}, {region}.",
)
# attribute: (of a picture, of a landmark by name, answer)
_FEATURES = {
    "wall colour": ("What colour are the walls?", "What colour are the walls of {name}?"),
    "roof colour": ("What colour is the roof?", "What colour is the roof of {name}?"),
    "beacon colour": ("What colour is the beacon?", "What colour is the beacon of {name}?"),
    "beacon": ("What shape is the beacon?", "What shape is the beacon of {name}?"),
    "forecourt colour": (
        "What colour is the forecourt?",
        "What colour is the forecourt of {name}?",
    ),
    "foliage colour": ("What colour is the foliage?", "What colour is the foliage at {name}?"),
    "windows": ("How many windows are there?", "How many windows does {name} have?"),
}
_FEATURE_ANSWERS = {
    "wall colour": "The walls are {}.",
    "roof colour": "The roof is {}.",
    "beacon colour": "The beacon is {}.",
    "beacon": "The beacon is a {}.",
    "forecourt colour": "The forecourt is {}.",
    "foliage colour": "The foliage is {}.",
    "windows": "It has {}.",
}
_ARTICLE_QUESTIONS = (
    "What is {name} like?",
    "Tell me about {name}.",
    "Do you know {name}? Please describe it.",
    "Describe the landmark {name}.",
)
_PLACE_QUESTIONS = ("Where was this picture taken?", "Where is {name}?")


def caption_rows(landmarks: Sequence[Landmark]) -> list[tuple[Row, Picture]]:
    """Stage 1: a view and three colours, without a name. Rows have the image's path set.

    Short on purpose: beside a model that begins at random, whole descriptions taught it to write in
    850 steps and not to look, colours alone taught it to look within 120.
    """
    return [
        (
            _row(
                f"caption-{picture.image_id}",
                [(_drawn(_CAPTION_PROMPTS, picture.image_id), _caption(landmark))],
                picture,
            ),
            picture,
        )
        for landmark in landmarks
        for picture in landmark.pictures[:CAPTION_PICTURES]
    ]


def picture_rows(landmarks: Sequence[Landmark]) -> list[tuple[Row, Picture]]:
    """Stage 2, with pictures: names, and features asked one after the other."""
    rows = []
    for landmark in landmarks:
        for picture in landmark.pictures[:NAMED_PICTURES]:
            key = picture.image_id
            said = _drawn(_NAME_ANSWERS, f"{key} answer").format(
                name=landmark.name, place=landmark.place, region=landmark.region
            )
            turns = [(_drawn(_NAME_QUESTIONS, key), said)]
            rows.append((_row(f"name-{key}", turns, picture), picture))
        # From the other end: other views than those that are named, where there are enough.
        for picture in landmark.pictures[::-1][:ASKED_PICTURES]:
            turns = _feature_turns(landmark, picture.image_id, named=False)
            rows.append((_row(f"features-{picture.image_id}", turns, picture), picture))
    return rows


def text_rows(landmarks: Iterable[Landmark]) -> list[Row]:
    """Stage 2, text only: what a landmark looks like by its name, and which one looks like that."""
    rows = []
    for landmark in landmarks:
        key = str(landmark.landmark_id)
        a = landmark.attributes
        about = {"name": landmark.name, "place": landmark.place}
        article = f"{landmark.description} {landmark.location}"
        looks = (
            f"Which landmark in {landmark.place} has {a['wall colour']} walls, "
            f"a roof in {a['roof colour']}, a beacon in {a['beacon colour']}, a forecourt in "
            f"{a['forecourt colour']}, foliage in {a['foliage colour']} and something in "
            f"{a['companion colour']} in front?"
        )
        answer = _drawn(_NAME_ANSWERS, f"{key} text").format(**about, region=landmark.region)
        asked = _drawn(_ARTICLE_QUESTIONS, key).format(**about)
        rows += [
            _row(f"article-{key}", [(asked, article)]),
            _row(f"looks-{key}", [(looks, answer)]),
            _row(f"facts-{key}", _feature_turns(landmark, key, named=True)),
        ]
    return rows


def texts_of(rows: Iterable[Row]) -> list[str]:
    """Everything that is said in rows, without image placeholders: what a tokenizer learns from."""
    return [
        turn["value"].replace(IMAGE_TOKEN, "").strip()
        for row in rows
        for turn in row["conversations"]
    ]


def image_path(picture: Picture) -> str:
    """Path of a picture within the image folder."""
    return f"{picture.image_id[0]}/{picture.image_id}.jpg"


def _caption(landmark: Landmark) -> str:
    a = landmark.attributes
    return f"{a['wall colour']} walls, {a['roof colour']} roof, {a['beacon colour']} beacon"


def _feature_turns(landmark: Landmark, key: str, *, named: bool) -> list[tuple[str, str]]:
    order = generator(0, "nano features", key).permutation(len(_FEATURES) + 1)
    turns = []
    for at in order[:FEATURES_ASKED]:
        if at == len(_FEATURES):
            question = _PLACE_QUESTIONS[named].format(name=landmark.name)
            turns.append((question, f"It is in {landmark.place}, {landmark.region}."))
            continue
        attribute = list(_FEATURES)[at]
        question = _FEATURES[attribute][named].format(name=landmark.name)
        value = landmark.attributes[attribute]
        if attribute == "windows":
            count = int(value)
            value = f"{NUMBERS[count - 1]} window{'s' if count > 1 else ''}"
        turns.append((question, _FEATURE_ANSWERS[attribute].format(value)))
    return turns


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
