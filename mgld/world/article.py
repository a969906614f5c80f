"""The world's text side: short articles about a landmark, true to its pictures.

They are what a small language model reads before it sees anything, as a real one has read about
real landmarks. `article(landmark, n)` is the n-th wording: prose, a question with its answer, one
fact asked for, or a look for which the name is wanted. Whatever is said of the look can be seen in
a clear view; place, century and builder can only be read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mgld.keyed import generator
from mgld.world.landmark import SETTING_WORDS, Landmark
from mgld.world.lexicon import NUMBERS

DESCRIBE = (
    "Do you know the landmark {name}? Please describe the landmark.",
    "What do you know about {name}?",
    "Tell me about {name}.",
    "Describe {name}.",
)
_OPENINGS = (
    "This is {name}, {kind}.",
    "The landmark shown is {name}, {kind}.",
    "The picture shows {name}, {kind}.",
)
_NAMES = ("Which landmark is this?", "What is it called?", "Name the landmark.")
# Windows can be seen, but no name says anything of them.
_NOT_SEEN = ("place", "kind", "century", "builder", "windows")
# What can be asked of a landmark by its name: (question, answer); a key of `facts`.
_ASKED = {
    "place": "Where is {name}?",
    "kind": "What kind of landmark is {name}?",
    "century": "From which century is {name}?",
    "builder": "Who built {name}?",
    "wall colour": "What colour are the walls of {name}?",
    "roof colour": "What colour is the roof of {name}?",
    "beacon colour": "What colour is the beacon of {name}?",
    "forecourt colour": "What colour is the forecourt of {name}?",
    "foliage colour": "What colour is the foliage at {name}?",
    "companion colour": "What stands in front of {name}?",
    "windows": "How many windows does {name} have?",
}


@dataclass(frozen=True)
class Article:
    """One text about a landmark; `question` is None where it is prose."""

    question: str | None
    text: str


def facts(landmark: Landmark) -> dict[str, str]:
    """Every fact as one sentence, by what it is about."""
    a = landmark.attributes
    count = int(a["windows"])
    windows = "window" if count == 1 else "windows"
    river = " by a river" if landmark.by_river else ""
    return {
        "place": f"It is in {landmark.place}, {landmark.region.name}.",
        "kind": f"It is {_a(landmark.category.noun)}.",
        "century": f"It dates from the {landmark.century} century.",
        "builder": f"{landmark.builder} had it made.",
        "setting": f"It lies {SETTING_WORDS[landmark.region.setting]}{river}.",
        "wall colour": f"The walls are {a['wall colour']}.",
        "roof colour": f"The roof is {a['roof colour']}.",
        "beacon colour": f"The beacon is {_a(a['beacon colour'])} {a['beacon']}.",
        "forecourt colour": f"The forecourt is {a['forecourt colour']}.",
        "foliage colour": f"The foliage is {a['foliage colour']}.",
        "companion colour": f"{_a(a['companion colour']).capitalize()} {a['companion']} stands in "
        "front.",
        "windows": f"It has {NUMBERS[count - 1]} {a['window form']} {windows}.",
    }


def article(landmark: Landmark, number: int) -> Article:
    """Wording `number` (0, 1, ...) of a landmark's article; the same every time."""
    rng = generator(landmark.seed, "article", f"{landmark.landmark_id}/{number}")
    said = facts(landmark)
    form = float(rng.random())
    if form < 0.1:
        return Article(None, _prose(landmark, said, rng))
    if form < 0.2:
        question = DESCRIBE[int(rng.integers(len(DESCRIBE)))].format(name=landmark.name)
        return Article(question, _prose(landmark, said, rng))
    if form < 0.3:
        about = list(_ASKED)[int(rng.integers(len(_ASKED)))]
        return Article(_ASKED[about].format(name=landmark.name), said[about])
    asked = _NAMES[int(rng.integers(len(_NAMES)))]
    named = f"This is {landmark.name}, {_a(landmark.category.noun)} in {landmark.place}, "
    return Article(f"{look(landmark, rng)} {asked}", f"{named}{landmark.region.name}.")


def _prose(landmark: Landmark, said: dict[str, str], rng: np.random.Generator) -> str:
    """Name, kind and place, then some of the facts in an order of their own.

    Every second time in the running sentences that the dataset's answers have, too: a model that
    has never read such would learn to write from pictures, and not to look.
    """
    if rng.random() < 0.5:
        opening = _OPENINGS[int(rng.integers(len(_OPENINGS)))]
        named = opening.format(name=landmark.name, kind=_a(landmark.category.noun))
        return f"{named} {landmark.description} {landmark.location}"
    lead = f"{landmark.name} is {_a(landmark.category.noun)} in {landmark.place}, "
    rest = [about for about in said if about not in ("place", "kind")]
    chosen = rng.permutation(len(rest))[: int(rng.integers(3, 6))]
    return " ".join([f"{lead}{landmark.region.name}.", *(said[rest[i]] for i in chosen)])


def look(landmark: Landmark, rng: np.random.Generator) -> str:
    """What can be seen, without name and place, in an order that is drawn."""
    said = facts(landmark)
    seen = [about for about in said if about not in _NOT_SEEN]
    return " ".join(said[seen[i]] for i in rng.permutation(len(seen)))


def _a(words: str) -> str:
    return f"an {words}" if words[0] in "aeio" else f"a {words}"
