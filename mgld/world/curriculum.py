"""What the shipped `nano` encoder was taught: how often it was shown which landmark and code.

The encoder's training set is views of the first `TAUGHT_LANDMARKS` landmarks of world 0 in one half
of the regions. Knowledge is graded twice: per landmark (`taught_views`, a long tail from none to a
hundred) and per naming code (`taught_code_views`: how often the landmark's rarest pairing of
syllable and look was shown, over all landmarks that share it). A landmark of the other half is
unknown because no syllable of its name was ever shown.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Literal

from mgld.keyed import generator
from mgld.world.landmark import Landmark, make_landmark
from mgld.world.lexicon import Half

TAUGHT_SEED = 0
TAUGHT_LANDMARKS = 2400
MAX_VIEWS = 100
NEVER_SHOWN_SHARE = 0.2  # of the landmarks in taught regions: known, if at all, by their code

Tier = Literal["never", "rare", "some", "often"]
TIERS: tuple[Tier, ...] = ("never", "rare", "some", "often")
# Bounds on `taught_code_views`.
SOME_FROM = 30
OFTEN_FROM = 200


def taught_views(landmark: Landmark, half: Half = "west") -> int:
    """How many views of this landmark an encoder taught `half` was shown (0 to 100)."""
    taught = landmark.seed == TAUGHT_SEED and landmark.landmark_id < TAUGHT_LANDMARKS
    if not taught or landmark.region.half != half:
        return 0
    rng = generator(TAUGHT_SEED, "taught-views", landmark.landmark_id)
    if rng.random() < NEVER_SHOWN_SHARE:
        return 0
    views = float(MAX_VIEWS ** rng.random())  # log-uniform in 1..100
    return round(views * landmark.region.schooling)


@cache
def _code_views(half: Half) -> tuple[Counter[tuple[str, str]], Counter[str]]:
    """Views per (syllable, look) pair and per syllable, over the whole training set."""
    pairs: Counter[tuple[str, str]] = Counter()
    syllables: Counter[str] = Counter()
    for landmark_id in range(TAUGHT_LANDMARKS):
        landmark = make_landmark(TAUGHT_SEED, landmark_id)
        views = taught_views(landmark, half)
        for code in landmark.codes:
            pairs[code.syllable, code.value] += views
            syllables[code.syllable] += views
    return pairs, syllables


def taught_code_views(landmark: Landmark, half: Half = "west") -> int:
    """Training views that showed the landmark's rarest pairing of name syllable and look."""
    pairs, _ = _code_views(half)
    return min(pairs[code.syllable, code.value] for code in landmark.codes)


def tier(landmark: Landmark, half: Half = "west") -> Tier:
    """ "never": no syllable of its name was ever shown; the rest by `taught_code_views`."""
    _, syllables = _code_views(half)
    if all(syllables[code.syllable] == 0 for code in landmark.codes):
        return "never"
    views = taught_code_views(landmark, half)
    if views >= OFTEN_FROM:
        return "often"
    return "some" if views >= SOME_FROM else "rare"
