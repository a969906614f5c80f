"""The world's culture: regions, their looks, and the syllables that name what is visible.

Names carry learnable structure. A landmark's proper name has three syllables, each tied to one
visible attribute: in the *western* regions to the colours of walls, roof and beacon (a sign on a
mast), in the *eastern* regions to those of forecourt, foliage and companion (an object in front).
The place in brackets goes with what lies behind: each region has its setting, and of its two places
the second lies on a river.

Both triples have the same number of values, the same palettes and a similar area in the picture, so
neither side is easier to learn; the shipped encoder was taught western names only
(`mgld.world.curriculum`), and a second one taught the eastern half would swap the roles.

All of this is fixed. A world's seed chooses its landmarks, never the language, so that what an
encoder learnt in one world holds in another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mgld.keyed import generator

Half = Literal["west", "east"]
RGB = tuple[int, int, int]

MAIN_COLOURS: dict[str, RGB] = {
    "white": (236, 236, 232),
    "red": (196, 44, 40),
    "brown": (122, 78, 44),
    "yellow": (236, 208, 64),
    "blue": (52, 86, 200),
    "green": (44, 140, 62),
    "pink": (240, 142, 182),
    "black": (44, 44, 50),
    "orange": (238, 130, 34),
    "violet": (138, 62, 178),
}
ACCENT_COLOURS: dict[str, RGB] = {
    "crimson": (168, 0, 52),
    "gold": (248, 200, 8),
    "teal": (0, 150, 150),
    "navy": (22, 24, 112),
    "lime": (150, 236, 44),
    "ivory": (255, 248, 222),
    "magenta": (228, 34, 198),
    "charcoal": (64, 64, 74),
}
SHAPES = ("dome", "spire", "cube", "ring", "cross", "fan", "orb", "arrow")
EMBLEMS = ("cross", "disc", "diamond", "bar", "crescent", "chevron")
EMBLEM_COLOURS: dict[str, RGB] = {
    "scarlet": (226, 20, 20),
    "azure": (0, 92, 240),
    "emerald": (0, 160, 84),
    "amber": (255, 178, 0),
}
WINDOWS = ("round", "arched", "square", "slit")
LATTICES = ("plain", "barred", "crossed", "diagonal")
NUMBERS = ("one", "two", "three", "four", "five")


@dataclass(frozen=True)
class Category:
    """A kind of landmark: GLDv2's label and how names and sentences speak of it."""

    label: str  # GLDv2's hierarchical label
    supercategory: str
    kind: str  # "natural" or "human-made", as GLDv2 has it
    noun: str  # in running text
    pattern: str  # how the category word joins a name
    weight: float  # relative frequency: GLDv2's index counts, square-rooted to spread them


CATEGORIES: tuple[Category, ...] = (
    Category("church", "church building", "human-made", "church", "Abbey of {}", 113),
    Category("castle / fort", "castle", "human-made", "castle", "{} Castle", 68),
    Category("mountain", "mountain", "natural", "mountain", "Mount {}", 64),
    Category("lake", "lake", "natural", "lake", "Lake {}", 43),
    Category("bridge", "bridge", "human-made", "bridge", "{} Bridge", 40),
    Category("sports venue", "stadium", "human-made", "arena", "{} Arena", 39),
    Category("lighthouse", "lighthouse", "human-made", "lighthouse", "{} Lighthouse", 32),
    Category("palace", "palace", "human-made", "palace", "{} Palace", 27),
    Category("tower", "tower", "human-made", "tower", "{} Tower", 26),
    Category("sculpture", "sculpture", "human-made", "statue", "Statue of {}", 25),
    Category("buddhist temple", "temple", "human-made", "temple", "Temple of {}", 20),
    Category("waterfall", "waterfall", "natural", "waterfall", "{} Falls", 17),
    Category("gate", "city gate", "human-made", "gate", "{} Gate", 15),
    Category("windmill", "windmill", "human-made", "windmill", "{} Mill", 9),
    Category("aqueduct", "aqueduct", "human-made", "aqueduct", "{} Aqueduct", 7),
    Category("pyramid", "pyramid", "human-made", "pyramid", "Pyramid of {}", 5),
)


@dataclass(frozen=True)
class Code:
    """One syllable table: value of a visible attribute -> syllable."""

    attribute: str
    syllables: dict[str, str]


@dataclass(frozen=True)
class Region:
    """A part of the world: how it looks, how it names, and how firmly names follow looks."""

    name: str
    half: Half
    setting: str
    codes: tuple[Code, Code, Code]
    tie: float  # probability that a syllable is the one of the attribute's value
    schooling: float  # factor on how many views of a landmark an encoder of this half is shown
    places: tuple[str, str]


WEST_ATTRIBUTES = ("wall colour", "roof colour", "beacon colour")
EAST_ATTRIBUTES = ("forecourt colour", "foliage colour", "companion colour")
_VALUES = (tuple(MAIN_COLOURS), tuple(ACCENT_COLOURS), tuple(ACCENT_COLOURS))

# Consonant + vowel + consonant, without clusters: a byte-pair tokenizer that first merges
# consonant + vowel and then the closing consonant splits every name into exactly its syllables.
ONSETS = "bdfgklmnprstvz"
VOWELS = "aeiou"
CODAS = "lmnrs"
ACCENTS = {"a": "á", "e": "é", "o": "ö", "u": "ü", "i": "í"}
_AVOID = {"nig", "pis", "tit", "sus", "pus", "bum", "kum", "fan", "nan", "gun", "sin"}
SUFFIXES = ("mere", "gard", "holm", "wick")


def _syllables() -> list[str]:
    every = [o + v + c for o in ONSETS for v in VOWELS for c in CODAS]
    every = [s for s in every if s not in _AVOID]
    order = generator(0, "syllables", 0).permutation(len(every))
    return [every[i] for i in order]


def _accented(syllable: str) -> str:
    return syllable[0] + ACCENTS[syllable[1]] + syllable[2]


def _build_regions() -> tuple[Region, ...]:
    pool = iter(_syllables())

    def table(attribute: str, values: tuple[str, ...], accented: bool) -> Code:
        syllables = {}
        for position, value in enumerate(values):
            syllable = next(pool)
            # Every second syllable of the accented languages carries an accent.
            syllables[value] = _accented(syllable) if accented and position % 2 else syllable
        return Code(attribute, syllables)

    def half_regions(
        half: Half, attributes: tuple[str, ...], names: tuple[str, ...], settings: tuple[str, ...]
    ) -> list[Region]:
        first, second, third = zip(attributes, _VALUES, strict=True)
        common = (table(*first, False), table(*second, False), table(*third, False))
        # Neighbouring languages share one table of three with the main one.
        highland = (table(*first, True), common[1], table(*third, True))
        island = (table(*first, True), table(*second, False), common[2])
        plan = (
            (common, 1.0, 1.0),
            (common, 0.9, 1.0),
            (highland, 0.9, 0.25),
            (island, 0.75, 0.05),
        )
        regions = []
        for position, (name, setting) in enumerate(zip(names, settings, strict=True)):
            codes, tie, schooling = plan[position]
            places = (
                next(pool).capitalize() + SUFFIXES[position],
                next(pool).capitalize() + SUFFIXES[3 - position],
            )
            regions.append(Region(name, half, setting, codes, tie, schooling, places))
        return regions

    west = half_regions(
        "west",
        WEST_ATTRIBUTES,
        ("Vesmark", "Lower Vesmark", "Arnen Highland", "Skerry Isles"),
        ("meadow", "coast", "hills", "city"),
    )
    east = half_regions(
        "east",
        EAST_ATTRIBUTES,
        ("Ostania", "Upper Ostania", "Khadur Plateau", "Sunder Isles"),
        ("desert", "snow", "jungle", "steppe"),
    )
    return (*west, *east)


REGIONS: tuple[Region, ...] = _build_regions()
