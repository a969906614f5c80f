"""How one photograph of a landmark differs from the next: framing, weather, light, obstacles.

Most views show the landmark, well or less well; some are useless (an interior, a close-up of
nothing in particular, a plaque), so that choosing the best image matters, as in GLDv2.
"""

from __future__ import annotations

from dataclasses import dataclass

from mgld.keyed import generator
from mgld.world.landmark import Landmark

# Share of each kind among a landmark's views.
KINDS: dict[str, float] = {
    "exterior": 0.58,
    "night": 0.06,
    "fog": 0.06,
    "occluded": 0.06,
    "crowd": 0.06,
    "blurred": 0.05,
    "distant": 0.04,
    "interior": 0.04,
    "close-up": 0.03,
    "plaque": 0.02,
}
USELESS = ("interior", "close-up", "plaque")
# How much of the landmark a kind leaves to see; the framing takes its share on top.
_KIND_QUALITY = {"night": 0.5, "fog": 0.5, "occluded": 0.6, "crowd": 0.8, "blurred": 0.5}
SIZES = ((320, 256), (320, 256), (256, 320), (288, 288))  # width, height in pixels


@dataclass(frozen=True)
class View:
    """The settings of one photograph."""

    kind: str
    size: tuple[int, int]  # width, height in pixels
    zoom: float  # 1: the landmark with its surroundings fills the shorter side
    shift: tuple[float, float]  # of the landmark's centre, in shares of the shorter side
    brightness: float
    tint: tuple[float, float, float]  # gain of red, green, blue
    clouds: int
    noise: float  # standard deviation in grey levels
    detail_seed: int  # of everything small: clouds, people, branches, noise

    @property
    def quality(self) -> float:
        """0 (useless) to 1 (clear): how much of the landmark can be seen."""
        if self.kind in USELESS:
            return 0.0
        framing = max(0.0, 1.0 - 0.6 * abs(self.zoom - 0.94) - abs(self.shift[0]))
        return round(framing * _KIND_QUALITY.get(self.kind, 1.0), 3)


def make_view(landmark: Landmark, purpose: str, view: int) -> View:
    """Draw view number `view`; `purpose` keeps taught, dataset and fresh views apart."""
    rng = generator(landmark.seed, purpose, f"{landmark.landmark_id}/{view}")
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    zoom = float(rng.uniform(0.84, 1.04)) * (0.5 if kind == "distant" else 1.0)
    return View(
        kind=kind,
        size=SIZES[int(rng.integers(len(SIZES)))],
        zoom=zoom,
        shift=(float(rng.uniform(-0.05, 0.05)), float(rng.uniform(-0.03, 0.03))),
        brightness=float(rng.uniform(0.82, 1.1)),
        tint=(
            float(rng.uniform(0.95, 1.05)),
            float(rng.uniform(0.95, 1.05)),
            float(rng.uniform(0.95, 1.05)),
        ),
        clouds=int(rng.integers(0, 4)),
        noise=float(rng.uniform(1.0, 5.0)),
        detail_seed=int(rng.integers(2**63)),
    )
