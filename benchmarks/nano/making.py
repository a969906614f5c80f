"""Making what the miniature is made of: world, build, parts, baselines, rows.

Everything goes through the functions behind the commands: `write_world`, `build_dataset`,
`prepare` (`eeca nano`), the trainer's `train`, `answer_questions`, `grade_run`. Each leaves what is
finished as it is, and goes on with what was killed.
"""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.nano.plan import BASELINE, PRESET, Half, Row, subset_of
from benchmarks.nano.record import (
    LETTERS,
    Machine,
    Questions,
    RunRecord,
    TestLandmark,
)
from mgld.files import write_text_atomically

LANDMARKS: Final = 4800
TEST: Final = 1200
"""Test records: the first half is the test set (split `test_paper`), the other the validation set,
on which alone settings were chosen."""
SIZES: Final = (300, 600, 900, 1200, 1500)
MAX_NEW_TOKENS: Final = 48
"""The landmark is named in an answer's first sentence, which is no longer than that."""
ANSWER_BATCH: Final = 50
STAGES: Final = ("stage1_pretrain", "stage2_instruct")
PACKAGES: Final = ("torch", "transformers", "deepspeed", "tokenizers", "numpy", "mgld")
VERSION: Final = 1
"""Raise it when the same settings are to give other numbers: records are then made anew."""

Note = Callable[[str], None]


@dataclass(frozen=True)
class Place:
    """Folders of one encoder's half of the miniature, in `root` (`out/nano`).

    The first encoder's are where the recipes of preset `nano` and `eeca nano` look for them. runs:
    a folder apart for what is trained, "" for none.
    """

    root: Path
    half: Half = "west"
    runs: str = ""

    @property
    def world(self) -> Path:
        """The world, the same for both encoders."""
        return self.root / "world"

    @property
    def own(self) -> Path:
        """What is this encoder's."""
        return self.root if self.half == "west" else self.root / self.half

    @property
    def build(self) -> Path:
        """The build that this encoder scored."""
        return self.own / "build"

    @property
    def parts(self) -> Path:
        """What stages 1 and 2 begin from."""
        return self.own / "parts"

    def seed(self, seed: int) -> Path:
        """The folder of all that is trained with a seed, and asked."""
        return self.own / self.runs / f"seed{seed}"

    def stamp(self, seed: int) -> Path:
        """The file that says by its binding which baseline lies in a seed's folder."""
        return self.seed(seed) / "baseline.txt"

    def run(self, seed: int, name: str) -> Path:
        """A training's folder."""
        return self.seed(seed) / name

    def answers(self, seed: int, row: Row, split: str) -> Path:
        """A row's answers."""
        return self.seed(seed) / "answers" / f"{row.name}-{split}"


def make_ground(place: Place, *, encoder: str, workers: int, note: Note) -> None:
    """World, build and parts, as far as they are not there."""
    from eeca_ref.nano import prepare
    from mgld.build import BuildConfig, build_dataset
    from mgld.world import write_world

    note(f"world of {LANDMARKS:,} landmarks: {place.world}")
    if not (place.world / "ground_truth.parquet").is_file():
        write_world(place.world, landmarks=LANDMARKS, workers=workers)
    note(f"build by the encoder {encoder}: {place.build}")
    config = BuildConfig(
        source=str(place.world), encoder=encoder, test_size=TEST, sizes=list(SIZES), threads=1
    )
    build_dataset(config, place.build, workers=workers)
    prepare(place.build, place.parts, note=note)


def sets_of(place: Place, seed: int, name: str) -> list[str]:
    """What a built-in recipe of preset `nano` is told, so that it works in this place and seed."""
    sets = [f"seed={seed}"]
    if name == STAGES[0]:
        stage = place.parts / "stage1"
        sets += [
            f"model.vision={place.parts / 'vision'}",
            f"model.language_model={place.parts / 'language_model'}",
            f"data.source.json_file={stage / 'chat.json'}",
            f'data.source.images={{"": {stage / "images"}}}',
        ]
    elif name == STAGES[1]:
        stage = place.parts / "stage2"
        sets += [
            f"model.start={place.run(seed, STAGES[0]) / 'model'}",
            f"data.source.json_file={stage / 'mix.json'}",
            f'data.source.images={{"": {stage / "images"}}}',
        ]
    else:
        sets += [
            f"model.start={place.run(seed, STAGES[1]) / 'model'}",
            f"data.source.source={place.build}",
        ]
    return sets


def train_one(place: Place, seed: int, name: str, recipe: str) -> Path:
    """Train a recipe; its folder. A finished one is left as it is."""
    from eeca_ref.cli._quiet import quiet_transformers
    from eeca_ref.recipes import load_recipe

    quiet_transformers()
    from eeca_ref.training.run import train

    out = place.run(seed, name)
    train(load_recipe(recipe, sets_of(place, seed, recipe.partition("/")[2])), out)
    return out


def ask(place: Place, row: Row, seed: int, model: Path, *, split: str, device: str | None) -> Path:
    """Have a trained model answer the questions, and grade it by `rule`; the folder."""
    from mgld.evaluate.answering import AnswerSettings, answer_questions
    from mgld.evaluate.grading import grade_run
    from mgld.evaluate.judges import load_judge
    from mgld.evaluate.records import Decoding

    out = place.answers(seed, row, split)
    settings = AnswerSettings(
        model=f"eeca:{model}",
        data=str(place.build),
        split=split,
        seed=seed,
        prompt=row.prompt,
        decoding=Decoding(max_new_tokens=MAX_NEW_TOKENS),
        batch_size=ANSWER_BATCH,
        device=device,
    )
    counts = answer_questions(settings, out)
    if counts.missing:
        raise RuntimeError(f"{counts.missing} draws of {out} are missing: {counts.missing_draws}")
    grade_run(out, load_judge("rule"))
    return out


def make_row(
    place: Place, row: Row, seed: int, *, binding: str, device: str | None, threads: int
) -> RunRecord:
    """Train (or take the baseline), ask, grade; what is kept of it."""
    seconds = {}
    began = time.perf_counter()
    if row.recipe is None:
        for stage in STAGES:
            model = train_one(place, seed, stage, f"{PRESET}/{stage}")
        if row.name == BASELINE:
            write_text_atomically(place.stamp(seed), binding)
    else:
        model = train_one(place, seed, row.trained_as, row.recipe)
    seconds["train"] = time.perf_counter() - began
    began = time.perf_counter()
    answers = ask(place, row, seed, model, split="test_paper", device=device)
    seconds["answer"] = time.perf_counter() - began
    levels, said = levels_of(answers)
    manifest = json.loads((model / "manifest.json").read_text(encoding="utf-8"))
    return RunRecord(
        row=row.name,
        stands_for=list(row.stands_for),
        seed=seed,
        encoder=place.half,
        subset=subset_of(row),
        levels=levels,
        said=said,
        entity_prompt="none" if row.prompt == "question" else "given",
        binding=binding,
        seconds={name: round(value, 1) for name, value in seconds.items()},
        machine=machine(device, threads),
        manifest=manifest,
    )


def levels_of(answers: Path) -> tuple[str, str]:
    """Letters and numbers of identifying draws, in the order of the questions."""
    from mgld.evaluate.graded import read_graded

    (graded,) = read_graded([answers], "rule")
    letter = {level: each for each, level in LETTERS.items()}
    verdicts = [graded.verdicts[question] for question in graded.questions]
    levels = "".join(letter[each.level] for each in verdicts)
    return levels, "".join(str(len(each.identified or [])) for each in verdicts)


def machine(device: str | None, threads: int) -> Machine:
    """This machine, without its name."""
    import torch

    name = "cpu" if device in (None, "cpu") else torch.cuda.get_device_name(device)
    return Machine(
        architecture=platform.machine(),
        device=name,
        threads=threads,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        versions={
            "python": platform.python_version(),
            **{each: importlib.metadata.version(each) for each in PACKAGES},
        },
    )


def baseline_binding(place: Place, seed: int) -> str:
    """Hash of all that a seed's baseline depends on."""
    from eeca_ref.recipes.composing import compose

    parts = json.loads((place.parts / "nano.json").read_text(encoding="utf-8"))["of"]
    stages = [compose(f"{PRESET}/{stage}") for stage in STAGES]
    return _hash([VERSION, seed, parts, stages, _versions()])


def row_binding(place: Place, row: Row, seed: int, questions: str) -> str:
    """Hash of all that a row's numbers depend on. questions: `Questions.sha256`."""
    from eeca_ref.recipes.composing import compose

    asked = [questions, row.prompt, MAX_NEW_TOKENS, ANSWER_BATCH]
    recipe = {} if row.recipe is None else compose(row.recipe)
    return _hash([baseline_binding(place, seed), recipe, asked])


def _versions() -> dict[str, str]:
    return {each: importlib.metadata.version(each) for each in ("torch", "transformers")}


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def questions_of(places: list[Place]) -> Questions:
    """The test set with each encoder's scores of it."""
    from mgld.build import BuildView
    from mgld.evaluate.questions import open_questions
    from mgld.world import read_ground_truth

    truth_of = {}
    truth = read_ground_truth(places[0].world)
    assert truth is not None
    for each in truth.drop_columns(["views"]).to_pylist():
        truth_of[each["landmark_id"]] = each
    landmarks, sha256, names = {}, {}, 0
    for place in places:
        found = open_questions(str(place.build), config="eval", split="test_paper")
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

    mark = make_landmark(0, truth["landmark_id"])
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
