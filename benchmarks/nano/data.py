"""What all rows share: the world, its build, what stages 1 and 2 begin from, and the test set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from benchmarks.nano.place import Place
from benchmarks.nano.record import Questions, TestLandmark
from mgld.world.lexicon import Half

WORLD_SEED: Final = 0
LANDMARKS: Final = 4800
TEST: Final = 1200
"""Test records: the first half is the test set (split `test_paper`), the other the validation set,
on which alone settings were chosen."""
SIZES: Final = (300, 600, 900, 1200, 1500)
SPLIT: Final = "test_paper"

Note = Callable[[str], None]


def validation_split() -> str:
    """The half of the test records that no row of the tables is asked, as `datasets` slices it."""
    return f"test[{TEST // 2}:]"


def make_data(place: Place, *, encoder: str, workers: int, note: Note) -> None:
    """World, build and parts, as far as they are not there.

    ValueError: another world lies in their place.
    """
    from eeca_ref.cli._quiet import quiet_transformers
    from eeca_ref.nano import prepare
    from mgld.build import BuildConfig, build_dataset
    from mgld.world import write_world
    from mgld.world.write import GROUND_TRUTH, STAMP_FILE, world_stamp

    note(f"world of {LANDMARKS:,} landmarks: {place.world}")
    stamp, done = place.world / STAMP_FILE, (place.world / GROUND_TRUTH).is_file()
    if not done or stamp.read_text(encoding="utf-8") != world_stamp(LANDMARKS, WORLD_SEED):
        write_world(place.world, landmarks=LANDMARKS, seed=WORLD_SEED, workers=workers)
    note(f"build by the encoder {encoder}: {place.build}")
    config = BuildConfig(
        source=str(place.world), encoder=encoder, test_size=TEST, sizes=list(SIZES), threads=1
    )
    build_dataset(config, place.build, workers=workers)
    quiet_transformers()
    prepare(place.build, place.parts, note=note)


def questions_of(places: list[Place]) -> Questions:
    """The test set with each encoder's scores of it. RuntimeError: there is no world yet."""
    from mgld.build import BuildView
    from mgld.evaluate.questions import open_questions
    from mgld.world import read_ground_truth

    truth_of = {}
    truth = read_ground_truth(places[0].world)
    if truth is None:
        raise RuntimeError(f"no world in {places[0].world}: python -m benchmarks.nano run makes it")
    for each in truth.drop_columns(["views"]).to_pylist():
        truth_of[each["landmark_id"]] = each
    landmarks, sha256, names = {}, {}, 0
    for place in places:
        found = open_questions(str(place.build), config="eval", split=SPLIT)
        scores = {
            each["landmark_id"]: each
            for each in BuildView(place.build)
            .table("scores", "part", ["landmark_id", "sim", "rank", "rsr", "margin"])
            .to_pylist()
        }
        ids = [question.landmark_id for question in found.questions]
        landmarks[place.half] = [_test_landmark(place.half, truth_of[n], scores[n]) for n in ids]
        names = len({each["name"] for each in truth_of.values() if each["landmark_id"] in scores})
        sha256[place.half] = found.identity.questions_sha256
    return Questions(sha256=sha256, names=names, landmarks=landmarks)


def _test_landmark(half: Half, truth: dict[str, Any], scores: dict[str, Any]) -> TestLandmark:
    from mgld.world.curriculum import taught_code_views, tier
    from mgld.world.landmark import make_landmark

    mark = make_landmark(WORLD_SEED, truth["landmark_id"])
    return TestLandmark(
        landmark_id=mark.landmark_id,
        name=truth["name"],
        label=truth["label"],
        half=mark.region.half,
        tier=tier(mark, half),
        taught_code_views=taught_code_views(mark, half),
        sim=scores["sim"],
        rank=scores["rank"],
        rsr=scores["rsr"],
        margin=scores["margin"],
    )
