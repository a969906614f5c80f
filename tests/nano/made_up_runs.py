"""Records of runs that were never made, with effects that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.nano.record import (
    QUESTIONS_FILE,
    Machine,
    Questions,
    RunRecord,
    TestLandmark,
    write_record,
)
from benchmarks.nano.report.runs import BASELINES
from eeca_ref.recipes.composing import compose, experiments
from mgld.world.lexicon import Half

LANDMARKS = 600
MACHINE = Machine(
    architecture="x86_64", device="cpu", threads=2, date="2026-11-30", versions={"torch": "2.13.0"}
)
SHARED = ("table", "figure")


def landmark(number: int, encoder: Half) -> TestLandmark:
    """Half of them west; of the taught half 1 in 10 rarely, 3 sometimes, the rest often."""
    half: Half = "west" if number % 2 == 0 else "east"
    tier = "never"
    if half == encoder:
        tier = ("rare", "some", "some", "some", *["often"] * 6)[number // 2 % 10]
    views = {"never": 0, "rare": 10, "some": 100, "often": 400}[tier]
    return TestLandmark(
        landmark_id=number, name=f"Landmark {number}", label="castle", half=half, tier=tier,
        taught_code_views=views, sim=0.3, rank=1, rsr=1.0, margin=0.1,
    )  # fmt: skip


def write_questions(folder: Path, landmarks: int = LANDMARKS) -> Questions:
    """The test set."""
    found = Questions(
        sha256={"west": "0" * 64, "east": "1" * 64},
        names=landmarks,
        landmarks={
            half: [landmark(number, half) for number in range(landmarks)]
            for half in ("west", "east")
        },
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / QUESTIONS_FILE).write_text(found.model_dump_json(indent=1) + "\n")
    return found


def levels(
    share: float, *, seed: int, name: str, landmarks: int = LANDMARKS, luck: float = 0.0,
    known_only: Half | None = None,
) -> str:  # fmt: skip
    """Levels with a known share recognised, by how easy each landmark is and some luck.

    The easiest landmarks are the same in all runs, as are most of a run's answers. luck: how much a
    run's own chance counts against that. known_only: only landmarks of this half are recognised.
    """
    easy = np.random.default_rng(1).normal(size=landmarks)
    own = np.random.default_rng([seed, *name.encode()]).normal(size=landmarks)
    order = easy + luck * own
    if known_only is not None:
        order[np.arange(landmarks) % 2 == (1 if known_only == "west" else 0)] -= 100
    best = np.argsort(-order)[: round(share * landmarks)]
    letters = np.full(landmarks, "U", dtype="U1")
    letters[np.argsort(-order)[: round(share * landmarks) + landmarks // 20]] = "W"
    letters[best] = "K"
    letters[best[::2]] = "S"
    return "".join(letters)


def record(
    row: str, seed: int, given: str, *, encoder: Half = "west", stands_for: list[str] | None = None
) -> RunRecord:
    """A run with these levels."""
    subset = None
    if row not in ("baseline", *BASELINES):
        if row.startswith("rules_"):
            subset = row
        else:
            subset = compose(f"nano/{row}")["data"]["source"].get("config")
    return RunRecord(
        row=row, stands_for=stands_for or [row], seed=seed, encoder=encoder, subset=subset,
        levels=given, said="".join("5" if letter in "SK" else "0" for letter in given),
        exact="".join("1" if letter == "S" else "0" for letter in given),
        questions_sha256={"west": "0" * 64, "east": "1" * 64}[encoder], model="m" * 64,
        binding="b" * 64, seconds={"train": 60.0, "answer": 21.0}, machine=MACHINE,
        manifest={"models": {"start": {"fingerprint": "m" * 64}}, "totals": {"seconds": 60.0}},
    )  # fmt: skip


def write_all(
    folder: Path, accuracy: dict[str, float], *, seeds: range = range(5), luck: float = 0.3,
    landmarks: int = LANDMARKS, encoder: Half = "west", known_only: Half | None = None,
) -> None:  # fmt: skip
    """A record of each row and seed, with the accuracy that it is to have, and of the baseline."""
    write_questions(folder, landmarks)
    for row, share in ({"baseline": 0.1} | accuracy).items():
        for seed in seeds:
            given = levels(
                share, seed=seed, name=row, luck=luck, landmarks=landmarks, known_only=known_only
            )
            write_record(record(row, seed, given, encoder=encoder), folder)


def every_row(share: float = 0.2, **planted: float) -> dict[str, float]:
    """All experiments of the tables and figures with one accuracy, but for those planted."""
    rows = {"baseline": share}
    for each in experiments():
        if each.paper is not None and each.name not in BASELINES:
            rows[each.name] = share
    return rows | planted
