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
import os
import platform
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.nano.plan import PRESET, Row, subset_of
from benchmarks.nano.record import (
    LETTERS,
    Machine,
    Questions,
    RunRecord,
    TestLandmark,
)
from mgld.files import sha256_file, write_text_atomically
from mgld.world.lexicon import Half

if TYPE_CHECKING:
    from mgld.evaluate.records import Decoding

WORLD_SEED: Final = 0
LANDMARKS: Final = 4800
TEST: Final = 1200
"""Test records: the first half is the test set (split `test_paper`), the other the validation set,
on which alone settings were chosen."""
SIZES: Final = (300, 600, 900, 1200, 1500)
SPLIT: Final = "test_paper"
MAX_NEW_TOKENS: Final = 48
"""The landmark and its kind are said in an answer's first sentence, which is no longer than that.
Whole answers (112 tokens) took five times as long, and say no more but the place, which parts the
two lower levels from each other."""
ANSWER_BATCH: Final = 50
BINDING_FILE: Final = "binding.txt"
"""In each folder of a training and of answers: the hash of all that it was made of."""
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

    def run(self, seed: int, name: str) -> Path:
        """A training's folder."""
        return self.seed(seed) / name

    def answers(self, seed: int, row: Row) -> Path:
        """A row's answers to the test's questions."""
        return self.seed(seed) / "answers" / row.name

    def holds(self, seed: int, name: str, binding: str) -> bool:
        """Whether a training is finished, and was of this binding."""
        folder = self.run(seed, name)
        return (folder / "model").is_dir() and _is_of(folder, binding)


def make_ground(place: Place, *, encoder: str, workers: int, note: Note) -> None:
    """World, build and parts, as far as they are not there."""
    from eeca_ref.nano import prepare
    from mgld.build import BuildConfig, build_dataset
    from mgld.world import write_world

    note(f"world of {LANDMARKS:,} landmarks: {place.world}")
    if not (place.world / "ground_truth.parquet").is_file():
        write_world(place.world, landmarks=LANDMARKS, seed=WORLD_SEED, workers=workers)
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


def train_one(
    place: Place, seed: int, name: str, recipe: str, binding: str, *, sets: Sequence[str] = ()
) -> Path:
    """Train a recipe; its folder. A finished one of the same binding is left as it is.

    sets: settings of the recipe that are to be others, as `eeca train --set` takes them. What began
    from another baseline than lies there now is made anew: the same settings give other weights on
    another machine.
    """
    from eeca_ref.cli._quiet import quiet_transformers
    from eeca_ref.recipes import load_recipe

    quiet_transformers()
    from eeca_ref.training.run import train

    out = place.run(seed, name)
    if name not in STAGES and not _began_from(out, place.run(seed, STAGES[-1]) / "model"):
        shutil.rmtree(out)
    claim(out, binding)
    own = sets_of(place, seed, recipe.partition("/")[2])
    train(load_recipe(recipe, [*own, *sets]), out)
    return out


def ask(
    place: Place,
    row: Row,
    seed: int,
    model: Path,
    out: Path,
    *,
    binding: str,
    device: str | None,
    split: str = SPLIT,
) -> None:
    """Have a trained model answer questions in `out`, and grade it by `rule`.

    Answers of other weights that are there are removed.
    """
    from eeca_ref.training.origins import fingerprint
    from mgld.evaluate.answering import AnswerSettings, answer_questions
    from mgld.evaluate.grading import grade_run
    from mgld.evaluate.judges import load_judge

    claim(out, hash_of([binding, fingerprint(model / "model")]))
    settings = AnswerSettings(
        model=f"eeca:{model}",
        data=str(place.build),
        split=split,
        seed=seed,
        prompt=row.prompt,
        decoding=decoding(),
        batch_size=ANSWER_BATCH,
        device=device,
    )
    counts = answer_questions(settings, out)
    if counts.missing:
        raise RuntimeError(f"{counts.missing} draws of {out} are missing: {counts.missing_draws}")
    grade_run(out, load_judge("rule"))


def decoding() -> Decoding:
    """How answers are drawn, and how long they may be."""
    from mgld.evaluate.records import Decoding

    return Decoding(max_new_tokens=MAX_NEW_TOKENS)


def make_row(
    place: Place,
    row: Row,
    seed: int,
    *,
    bindings: RowBindings,
    device: str | None,
) -> RunRecord:
    """Train (or take the baseline), ask, grade; what is kept of it."""
    from eeca_ref.training.origins import fingerprint

    seconds = {}
    began = time.perf_counter()
    earlier = None
    if row.recipe is None:
        for stage in STAGES:
            model = train_one(place, seed, stage, f"{PRESET}/{stage}", bindings.baseline)
        earlier = manifest_of(place.run(seed, STAGES[0]))
    else:
        model = train_one(place, seed, row.trained_as, row.recipe, bindings.trained)
    seconds["train"] = time.perf_counter() - began
    began = time.perf_counter()
    answers = place.answers(seed, row)
    ask(place, row, seed, model, answers, binding=bindings.row, device=device)
    seconds["answer"] = time.perf_counter() - began
    levels, said, exact = levels_of(answers)
    return RunRecord(
        row=row.name,
        stands_for=list(row.stands_for),
        seed=seed,
        encoder=place.half,
        subset=subset_of(row),
        levels=levels,
        said=said,
        exact=exact,
        entity_prompt="none" if row.prompt == "question" else "given",
        questions_sha256=bindings.questions,
        binding=bindings.row,
        model=fingerprint(model / "model"),
        seconds={name: round(value, 1) for name, value in seconds.items()},
        machine=machine(device),
        manifest=manifest_of(model),
        earlier=earlier,
    )


def levels_of(answers: Path) -> tuple[str, str, str]:
    """By landmark, in the order of the questions: its level's letter, the number of draws that
    identify it, and of those the number that also say its kind."""
    from mgld.evaluate.answer_file import read_answers
    from mgld.evaluate.answering import ANSWERS_FILE
    from mgld.evaluate.graded import read_graded
    from mgld.world.landmark import make_landmark

    (graded,) = read_graded([answers], "rule")
    said_by = {(a.question_id, a.draw): a.text for a in read_answers(answers / ANSWERS_FILE)}
    letter = {level: each for each, level in LETTERS.items()}
    levels, said, exact = [], [], []
    for id, question in graded.questions.items():
        verdict, mark = graded.verdicts[id], make_landmark(WORLD_SEED, question.landmark_id)
        right = verdict.identified or []
        rest = [(said_by[id, draw] or "").replace(mark.name, "") for draw in right]
        levels.append(letter[verdict.level])
        said.append(str(len(right)))
        exact.append(str(sum(mark.category.noun in each for each in rest)))
    return "".join(levels), "".join(said), "".join(exact)


def claim(folder: Path, binding: str) -> None:
    """Make a folder this binding's: what was made of something else in it is removed."""
    if folder.exists() and not _is_of(folder, binding):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_text_atomically(folder / BINDING_FILE, binding)


def _began_from(run: Path, weights: Path) -> bool:
    """Whether a training began from these weights, or has not begun."""
    from eeca_ref.training.origins import fingerprint

    if not (run / "manifest.json").is_file():
        return True
    began: str = manifest_of(run)["models"]["start"]["fingerprint"]
    return began == fingerprint(weights)


def _is_of(folder: Path, binding: str) -> bool:
    stamp = folder / BINDING_FILE
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == binding


def manifest_of(run: Path) -> dict[str, Any]:
    """What a training says of itself."""
    found: dict[str, Any] = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    return found


def settle(device: str | None) -> None:
    """One thread for this process and those it starts, so that two rows side by side take a core
    each and numbers do not depend on how many cores there are; and no GPU where none is asked for,
    as the trainer takes one that it finds."""
    os.environ["OMP_NUM_THREADS"] = "1"
    if device in (None, "cpu"):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import torch

    torch.set_num_threads(1)


def machine(device: str | None) -> Machine:
    """This machine, without its name."""
    import torch

    name = "cpu" if device in (None, "cpu") else torch.cuda.get_device_name(device)
    return Machine(
        architecture=platform.machine(),
        device=name,
        threads=torch.get_num_threads(),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        versions={
            "python": platform.python_version(),
            **{each: importlib.metadata.version(each) for each in PACKAGES},
        },
    )


@dataclass(frozen=True)
class RowBindings:
    """Hashes of all that a row depends on.

    baseline: its seed's stages 1 and 2. trained: its training, which begins from those. row: that
    and what it is asked. questions: of the test.
    """

    baseline: str
    trained: str
    row: str
    questions: str


def row_bindings(place: Place, row: Row, seed: int, questions: str) -> RowBindings:
    """The hashes of a row. questions: `Questions.sha256`."""
    from eeca_ref.recipes.composing import compose
    from mgld.evaluate.answer_prompts import answer_prompt
    from mgld.evaluate.judges.rule import rule_hash

    stages = [compose(f"{PRESET}/{stage}") for stage in STAGES]
    baseline = hash_of([VERSION, seed, _parts(place), stages, _versions()])
    trained = baseline
    if row.recipe is not None:
        trained = hash_of([baseline, compose(row.recipe), _dataset(place)])
    said = [answer_prompt(row.prompt).version, decoding().model_dump(mode="json"), ANSWER_BATCH]
    asked = hash_of([trained, questions, said, rule_hash()])
    return RowBindings(baseline, trained, asked, questions)


def _parts(place: Place) -> dict[str, str]:
    """The contents of what stages 1 and 2 begin from and read, but for the pictures themselves."""
    of = json.loads((place.parts / "nano.json").read_text(encoding="utf-8"))["of"]
    names = (
        "stage1/chat.json",
        "stage2/mix.json",
        "vision/model.safetensors",
        "language_model/model.safetensors",
        "language_model/tokenizer.json",
        "language_model/chat_template.jinja",
    )
    return {"pictures": of["pictures"], **{n: sha256_file(place.parts / n) for n in names}}


def _dataset(place: Place) -> dict[str, str]:
    """The hash of each file of the dataset: records, subsets and their texts."""
    stages = json.loads((place.build / "manifest.json").read_text(encoding="utf-8"))["stages"]
    return {
        name: file["sha256"]
        for stage in stages.values()
        for shard in stage["shards"].values()
        for name, file in shard["files"].items()
        if name.startswith("dataset/") and name.endswith(".parquet")
    }


def _versions() -> dict[str, str]:
    return {each: importlib.metadata.version(each) for each in PACKAGES if each != "mgld"}


def hash_of(value: Any) -> str:
    """SHA-256 of something as JSON."""
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
