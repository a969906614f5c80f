"""One landmark of the world: its visible attributes, its name, and the words that describe it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from mgld.keyed import generator, order_key
from mgld.world.lexicon import (
    ACCENT_COLOURS,
    CATEGORIES,
    EMBLEM_COLOURS,
    EMBLEMS,
    LATTICES,
    MAIN_COLOURS,
    NUMBERS,
    REGIONS,
    SHAPES,
    WINDOWS,
    Category,
    Region,
)

# Shares of GLDv2: 38 % of landmarks have at most 5 images and 57 % at most 10 (paper, section B.1).
# A log-normal through these two points has mean 20.5; GLDv2's mean is 20.3.
IMAGES_LOG_MEAN = 2.115
IMAGES_LOG_SIGMA = 1.344
MAX_IMAGES = 200  # GLDv2's tail goes on to thousands; a stand-in for a laptop stops here

SETTING_WORDS = {
    "meadow": "on a green meadow",
    "coast": "on the coast",
    "hills": "among rolling hills",
    "city": "in front of a city skyline",
    "desert": "among desert dunes",
    "snow": "below snowy peaks",
    "jungle": "in the jungle",
    "steppe": "on the dry steppe",
}

CENTURIES = ("ninth", "eleventh", "twelfth", "fourteenth", "sixteenth", "eighteenth")
BUILDERS = (
    "Queen Aldis",
    "King Orven",
    "Duke Hadrel",
    "Abbot Melk",
    "the guild of masons",
    "Mayor Ossa",
    "Countess Ilvane",
    "the sailors' league",
)


def _article(word: str) -> str:
    return f"an {word}" if word[0] in "aeio" else f"a {word}"


@dataclass(frozen=True)
class NameCode:
    """One syllable of a name and the look it stands for."""

    attribute: str
    value: str
    syllable: str
    tied: bool  # whether the syllable is the one of the value; otherwise it was drawn at random


@dataclass(frozen=True)
class Landmark:
    """A landmark; everything here depends on (seed, landmark_id) alone."""

    seed: int
    landmark_id: int
    region: Region
    category: Category
    attributes: dict[str, str]  # visible: colours, shapes, windows, emblem, ...
    codes: tuple[NameCode, NameCode, NameCode]
    place: str
    has_category_word: bool
    has_place: bool
    century: str
    image_count: int

    @property
    def proper(self) -> str:
        """The proper name: three syllables."""
        return "".join(code.syllable for code in self.codes).capitalize()

    @property
    def short_name(self) -> str:
        """The name without the place."""
        return self.category.pattern.format(self.proper) if self.has_category_word else self.proper

    @property
    def name(self) -> str:
        """The full name as in GLDv2's category, e.g. "Abbey of Semgarral (Molmere)"."""
        return f"{self.short_name} ({self.place})" if self.has_place else self.short_name

    @property
    def category_url(self) -> str:
        """A Wikimedia Commons category address, percent-encoded as in GLDv2."""
        return "http://commons.wikimedia.org/wiki/Category:" + quote(
            self.name.replace(" ", "_"), safe="()_,'"
        )

    @property
    def entities(self) -> list[str]:
        """The true entities: short phrases for what can be seen."""
        a = self.attributes
        count = int(a["windows"])
        windows = "window" if count == 1 else "windows"
        return [
            self.category.noun,
            f"{a['wall colour']} walls",
            f"{a['roof colour']} roof",
            f"{a['beacon colour']} {a['beacon']} beacon",
            f"{a['forecourt colour']} forecourt",
            f"{a['foliage colour']} foliage",
            f"{a['companion colour']} {a['companion']} in front",
            f"{NUMBERS[count - 1]} {a['window form']} {windows}",
            f"flag with {a['emblem colour']} {a['emblem']}",
        ]

    @property
    def description(self) -> str:
        """Two sentences on what a clear picture shows."""
        a = self.attributes
        return (
            f"{_article(self.category.noun).capitalize()} with {a['wall colour']} walls and "
            f"{_article(a['roof colour'])} roof stands {SETTING_WORDS[self.region.setting]}"
            f"{' by a river' if self.by_river else ''}, with "
            f"{_article(a['beacon colour'])} {a['beacon']} beacon on a mast. "
            f"The forecourt is {a['forecourt colour']}, the foliage {a['foliage colour']}, "
            f"and {_article(a['companion colour'])} {a['companion']} stands in front."
        )

    @property
    def by_river(self) -> bool:
        """Whether it is in the second of its region's places, which lie on rivers."""
        return self.place == self.region.places[1]

    @property
    def location(self) -> str:
        """Where it is, and when it was built."""
        return (
            f"It is in {self.place}, {self.region.name}, and dates from the {self.century} century."
        )

    @property
    def builder(self) -> str:
        """Who had it made: said in articles alone, no picture shows it."""
        # A draw of its own: the other facts are those of worlds that were written before there
        # were articles.
        return BUILDERS[order_key(self.seed, "builder", self.landmark_id) % len(BUILDERS)]

    @property
    def aliases(self) -> list[str]:
        """Other ways to name it."""
        names = {self.short_name, self.proper, self.category.pattern.format(self.proper)}
        return sorted(names - {self.name})

    @property
    def place_hints(self) -> list[str]:
        """Strings that name the place it is in."""
        return [self.place, self.region.name]

    def image_id(self, view: int) -> str:
        """GLDv2 ids are 16 hex digits."""
        rng = generator(self.seed, "image-id", f"{self.landmark_id}/{view}")
        return f"{int(rng.integers(0, 2**63)) * 2 + view % 2:016x}"


def make_landmark(seed: int, landmark_id: int) -> Landmark:
    """Draw landmark `landmark_id` of the world `seed`; independent of all other landmarks."""
    rng = generator(seed, "landmark", landmark_id)

    def choose(values: tuple[str, ...]) -> str:
        return values[int(rng.integers(len(values)))]

    region = REGIONS[int(rng.integers(len(REGIONS)))]
    weights = [category.weight for category in CATEGORIES]
    total = sum(weights)
    category = CATEGORIES[int(rng.choice(len(CATEGORIES), p=[w / total for w in weights]))]
    main, accent = tuple(MAIN_COLOURS), tuple(ACCENT_COLOURS)
    attributes = {
        "wall colour": choose(main),
        "roof colour": choose(accent),
        "beacon": choose(SHAPES),
        "beacon colour": choose(accent),
        "forecourt colour": choose(main),
        "foliage colour": choose(accent),
        "companion": choose(SHAPES),
        "companion colour": choose(accent),
        "windows": str(int(rng.integers(1, 6))),
        "window form": choose(WINDOWS),
        "lattice": choose(LATTICES),
        "emblem": choose(EMBLEMS),
        "emblem colour": choose(tuple(EMBLEM_COLOURS)),
    }
    codes = []
    for code in region.codes:
        value = attributes[code.attribute]
        tied = bool(rng.random() < region.tie)
        syllable = code.syllables[value] if tied else choose(tuple(code.syllables.values()))
        codes.append(NameCode(code.attribute, value, syllable, syllable == code.syllables[value]))
    place = choose(region.places)
    images = round(float(rng.lognormal(IMAGES_LOG_MEAN, IMAGES_LOG_SIGMA)))
    return Landmark(
        seed=seed,
        landmark_id=landmark_id,
        region=region,
        category=category,
        attributes=attributes,
        codes=(codes[0], codes[1], codes[2]),
        place=place,
        has_category_word=bool(rng.random() < 0.6),
        has_place=bool(rng.random() < 0.8),
        century=choose(CENTURIES),
        image_count=min(max(images, 1), MAX_IMAGES),
    )
