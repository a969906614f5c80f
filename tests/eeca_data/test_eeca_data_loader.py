"""Batches: shapes, masks, what is skipped, and steps that do not depend on workers or processes."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import chat_tokenizers
import pytest
import torch
from listed_source import ListedSource, sample

from eeca_ref.data.collate import Batch, collate
from eeca_ref.data.images import ImageSettings
from eeca_ref.data.labels import LabelVocabulary
from eeca_ref.data.loader import Examples, Step, TrainLoader, rows_with_images
from eeca_ref.data.sampler import GroupedSampler
from eeca_ref.data.samples import Skipped
from eeca_ref.data.store_write import TokenSettings, make_store

ROWS = 40
TEXT_ONLY = {4, 9, 14, 20, 21, 22, 30}
SHAPES = {
    "pixel_values_BCHW": torch.float32,
    "has_image_B": torch.bool,
    "input_ids_BL": torch.int64,
    "attention_mask_BL": torch.bool,
    "labels_BL": torch.int64,
    "entity_ids_BET": torch.int64,
    "entity_token_mask_BET": torch.bool,
    "entity_mask_BE": torch.bool,
    "class_B": torch.int64,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("store")
    examples(folder)
    return folder


def examples(folder: Path, **faults: frozenset[int]) -> Examples:
    items = [
        sample(number, image=number not in TEXT_ONLY, words=3 + number % 7)
        for number in range(ROWS)
    ]
    source = ListedSource(items, **faults)
    # pad == eos == the end of a turn: the trap for masks made from ids.
    settings = TokenSettings(max_length=64, visual_tokens=6)
    store = make_store(folder, source, chat_tokenizers.chatml(), settings)
    return Examples(store, source, ImageSettings(size=16), LabelVocabulary(store.labels))


def loader(folder: Path, **options: Any) -> TrainLoader:
    each = examples(folder)
    store = each.store
    sampler = GroupedSampler(store.usable, store.lengths, store.has_image, global_batch=8, seed=3)
    return TrainLoader(each, sampler, **{"epochs": 2, "micro_batch": 2, **options})


def same(a: Batch, b: Batch) -> bool:
    return a.ids == b.ids and all(torch.equal(a.inputs[name], b.inputs[name]) for name in SHAPES)


def test_the_batch_is_as_the_model_wants_it(folder: Path) -> None:
    rows = examples(folder)
    batch = collate([rows[row] for row in (3, 4, 6)], size=16)
    inputs = batch.inputs
    assert {name: tensor.dtype for name, tensor in inputs.items()} == SHAPES
    longest = max(len(rows.store[row].tokens) for row in (3, 4, 6))
    assert inputs["pixel_values_BCHW"].shape == (3, 3, 16, 16)
    assert inputs["input_ids_BL"].shape == inputs["labels_BL"].shape == (3, longest)
    assert inputs["has_image_B"].tolist() == [True, False, True]
    assert not inputs["pixel_values_BCHW"][1].any()
    assert inputs["pixel_values_BCHW"][0].any()
    for at, row in enumerate((3, 4, 6)):
        tokens = rows.store[row].tokens
        mask = inputs["attention_mask_BL"][at]
        assert mask.sum() == len(tokens)
        assert mask[: len(tokens)].all()  # padded at the end
        assert inputs["input_ids_BL"][at][mask].tolist() == tokens.ids.tolist()
        assert inputs["labels_BL"][at][mask].tolist() == tokens.labels.tolist()
        assert (inputs["labels_BL"][at][~mask] == -100).all()
    # Numbers 3, 4 (text only), 6 have 3, 0 and 2 entities, labels None, none and None.
    assert inputs["entity_mask_BE"].tolist() == [[True] * 3, [False] * 3, [True, True, False]]
    assert inputs["entity_token_mask_BET"].any(2).equal(inputs["entity_mask_BE"])
    assert inputs["class_B"].tolist() == [-100, -100, -100]
    assert batch.ids == ["id3", "id4", "id6"]
    assert batch.rows == [3, 4, 6]


def test_every_end_token_is_attended_to_and_supervised(folder: Path) -> None:
    rows = examples(folder)
    end = chat_tokenizers.chatml().convert_tokens_to_ids("<|im_end|>")
    inputs = collate([rows[row] for row in range(8)], size=16).inputs
    for ids, mask, labels in zip(
        inputs["input_ids_BL"], inputs["attention_mask_BL"], inputs["labels_BL"], strict=True
    ):
        assert (ids[mask] == end).sum() == 2  # the question's and the answer's
        assert (labels == end).sum() == 1


def test_classes_are_those_of_the_models_vocabulary(folder: Path) -> None:
    rows = examples(folder)
    assert rows.store.labels == ["church", "lake"]
    classes = collate([rows[row] for row in (0, 1, 2)], size=16).inputs["class_B"]
    assert classes.tolist() == [-100, 0, 1]
    rows.labels = LabelVocabulary(["lake"])
    assert collate([rows[row] for row in (1, 2)], size=16).inputs["class_B"].tolist() == [-100, 0]


def test_batches_without_entities_or_images(folder: Path) -> None:
    rows = examples(folder)
    inputs = collate([rows[4], rows[9]], size=16).inputs
    assert inputs["entity_ids_BET"].shape == (2, 1, 1)
    assert not inputs["entity_mask_BE"].any()
    assert not inputs["has_image_B"].any()
    assert inputs["pixel_values_BCHW"].shape == (2, 3, 16, 16)


def test_what_cannot_be_read_is_skipped_and_named(folder: Path) -> None:
    rows = examples(folder, broken=frozenset({1}), missing=frozenset({2}))
    batch = collate([rows[row] for row in (0, 1, 2, 3)], size=16)
    assert batch.ids == ["id0", "id3"]
    assert len(batch.inputs["input_ids_BL"]) == 2
    assert [(each.id, each.status) for each in batch.skipped] == [
        ("id1", "unreadable_image"),
        ("id2", "missing_image"),
    ]
    whole = collate([examples(folder)[row] for row in (0, 3)], size=16)
    assert same(batch, whole)  # nothing stands in their place


def test_a_batch_of_which_nothing_can_be_read_still_runs(folder: Path) -> None:
    batch = collate([Skipped("a", "unreadable_image", "x")], size=16)
    assert {name: tensor.dtype for name, tensor in batch.inputs.items()} == SHAPES
    assert batch.inputs["attention_mask_BL"].tolist() == [[True]]
    assert batch.inputs["labels_BL"].tolist() == [[-100]]
    assert batch.supervised == 0
    assert batch.ids == []


def test_missing_images_are_found_before_training(folder: Path) -> None:
    rows = examples(folder, missing=frozenset({2, 4, 7}))  # 4 is text only
    there, missing = rows_with_images(rows.store, rows.source)
    assert missing.tolist() == [2, 7]
    assert there.tolist() == [row for row in range(ROWS) if row not in (2, 7)]


def flat(steps: list[Step]) -> list[Batch]:
    return [batch for step in steps for batch in step.micro_batches]


def test_examples_go_to_workers_that_are_not_forked(folder: Path) -> None:
    rows = examples(folder)
    rows[0]
    again = pickle.loads(pickle.dumps(rows))
    assert same(collate([again[3]], size=16), collate([rows[3]], size=16))


def test_workers_change_nothing(folder: Path) -> None:
    here = list(loader(folder).steps_from())
    assert len(here) == loader(folder).steps == 10
    assert all(len(step.micro_batches) == 4 for step in here)
    there = list(loader(folder, workers=2).steps_from())
    assert all(same(a, b) for a, b in zip(flat(here), flat(there), strict=True))
    # Every row once in each epoch.
    seen = [row for batch in flat(here[:5]) for row in batch.rows]
    assert sorted(seen) == list(range(ROWS))


def test_two_processes_train_on_what_one_does(folder: Path) -> None:
    one = list(loader(folder).steps_from())
    two = [list(loader(folder, world_size=2, rank=rank).steps_from()) for rank in (0, 1)]
    assert loader(folder, world_size=2).accumulation == 2
    for step, first, second in zip(one, *two, strict=True):
        together = [row for part in (first, second) for each in flat([part]) for row in each.rows]
        alone = [row for each in flat([step]) for row in each.rows]
        assert sorted(together) == sorted(alone)
        assert sum(each.supervised for each in flat([step])) == sum(
            each.supervised for part in (first, second) for each in flat([part])
        )
        assert first.cursor == second.cursor == step.cursor


@pytest.mark.parametrize("stop", [1, 4, 5, 9])
@pytest.mark.parametrize("workers", [0, 2])
def test_resumed_at_any_step_the_batches_are_those_of_an_uninterrupted_run(
    folder: Path, stop: int, workers: int
) -> None:
    whole = list(loader(folder).steps_from())
    steps = loader(folder, workers=workers).steps_from()
    done = [next(steps) for _ in range(stop)]
    cursor = pickle.loads(pickle.dumps(done[-1].cursor))
    rest = list(loader(folder, workers=workers).steps_from(cursor))
    assert len(rest) == 10 - stop
    assert all(same(a, b) for a, b in zip(flat(whole[stop:]), flat(rest), strict=True))


def test_reading_draws_nothing_from_torchs_generator(folder: Path) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    for workers in (0, 2):
        next(loader(folder, workers=workers).steps_from())
    assert torch.equal(torch.get_rng_state(), before)


def test_another_run_s_cursor_and_batches_that_do_not_divide(folder: Path) -> None:
    cursor = loader(folder).sampler.cursor()
    with pytest.raises(ValueError, match="seed was 9"):
        next(loader(folder).steps_from(cursor.model_copy(update={"seed": 9})))
    with pytest.raises(ValueError, match="does not divide"):
        loader(folder, micro_batch=3)
