"""Equality: LLaVA's model and each optimisation compute the same losses and gradients as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import CLIPVisionModel

from benchmarks.speed import train_off
from benchmarks.speed.train_llava import LlavaRows, collate, llava_of
from benchmarks.speed.train_parts import BATCH, recipe
from eeca_ref import assembling
from eeca_ref.data.collate import Batch
from eeca_ref.data.collate import collate as our_collate
from eeca_ref.data.labels import LabelVocabulary
from eeca_ref.data.loader import Examples
from eeca_ref.data.sampler import GroupedSampler
from eeca_ref.data.store_write import make_store
from eeca_ref.model import EecaForConditionalGeneration
from eeca_ref.objective import LossCounts
from eeca_ref.recipe import Recipe

TOLERANCE = 1e-5  # relative: float32, sums in another order
GROUPED = 12  # batches whose losses are added up in both orders
Gradients = dict[str, Tensor]


def opened(setting: Recipe, store: Path) -> tuple[EecaForConditionalGeneration, Examples]:
    """A recipe's model as training begins, and its rows."""
    tokenizer, source = assembling.load_tokenizer(setting), assembling.open_source(setting)
    shape = assembling.model_config(setting, tokenizer, LabelVocabulary(["any"]))
    rows = make_store(store, source, tokenizer, assembling.token_settings(setting, shape))
    labels = assembling.label_vocabulary(setting, rows.labels)
    model = assembling.build_model(setting, tokenizer, labels)
    return model, Examples(rows, source, assembling.image_settings(setting, shape), labels)


def loss_and_gradients(model: Any, **batch: Any) -> tuple[float, Gradients]:
    """One forward and backward pass."""
    model.zero_grad()
    loss = model(**batch).loss
    loss.backward()
    gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    return float(loss.detach()), gradients


def against_llava(folder: Path) -> dict[str, float]:
    """Ours and LLaVA's model with the same weights and rows. AssertionError: they differ."""
    setting = recipe(folder, eeca=False)
    model, examples = opened(setting, folder / "same" / "store")
    llava = llava_of(model, str(setting.model.vision))
    ids, tokens = model.config.image_token_id, model.config.lr_tokens
    llava_rows = LlavaRows(examples, examples.store.usable, image_token_id=ids, tokens=tokens)
    chosen = [examples[int(row)] for row in _mixed(examples)]
    loss, gradients = loss_and_gradients(model, **_batch(examples, chosen).inputs)
    theirs = collate([llava_rows.features(each) for each in chosen])
    their_loss, their_gradients = loss_and_gradients(llava, **theirs)
    names = {
        "language_model.model.": "model.language_model.",
        "language_model.lm_head.": "lm_head.",
        "lr_adapter.0.": "model.multi_modal_projector.linear_1.",
        "lr_adapter.2.": "model.multi_modal_projector.linear_2.",
    }
    renamed = {
        next(new + name.removeprefix(old) for old, new in names.items() if name.startswith(old)): g
        for name, g in gradients.items()
    }
    return compared((loss, renamed), (their_loss, their_gradients))


def optimisations(folder: Path) -> dict[str, dict[str, float]]:
    """Each optimisation by itself against its absence, with all losses; both directions count.

    AssertionError: one changes a loss or a gradient.
    """
    setting = recipe(folder, eeca=True)
    model, examples = opened(setting, folder / "same" / "eeca-store")
    clip = CLIPVisionModel.from_pretrained(str(setting.model.vision))
    inputs = _batch(examples, [examples[int(r)] for r in examples.store.usable[:BATCH]]).inputs
    as_it_is = loss_and_gradients(model, **inputs)
    with train_off.plain_loss():
        unfused = loss_and_gradients(model, **inputs)
    absences: dict[str, tuple[AbstractContextManager[None], tuple[float, Gradients]]] = {
        "head only at supervised positions": (train_off.head_everywhere(), unfused),
        "loss without logits": (train_off.plain_loss(), as_it_is),
        "last vision layer not run": (train_off.whole_tower(model, clip), as_it_is),
        "views in one vision batch": (train_off.views_apart(model), as_it_is),
        "all of these": (train_off.all_off(model, clip), as_it_is),
    }
    results = {}
    for name, (absence, present) in absences.items():
        with absence:
            results[name] = compared(present, loss_and_gradients(model, **inputs))
    results["grouped by length"] = _grouping(folder)
    return results


def compilation(folder: Path) -> dict[str, float]:
    """The language model's layers compiled, as `engine.compile` does it, and not."""
    setting = recipe(folder, eeca=True)
    model, examples = opened(setting, folder / "same" / "eeca-store")
    inputs = _batch(examples, [examples[int(r)] for r in examples.store.usable[:BATCH]]).inputs
    plain = loss_and_gradients(model, **inputs)
    for layer in model.language_model.get_decoder().layers:
        layer.compile()
    return compared(plain, loss_and_gradients(model, **inputs))


def compared(one: tuple[float, Gradients], other: tuple[float, Gradients]) -> dict[str, float]:
    """Relative differences. AssertionError: more than `TOLERANCE`, or other parameters."""
    assert one[1].keys() == other[1].keys(), one[1].keys() ^ other[1].keys()
    result = {
        "loss": one[0],
        "difference": abs(one[0] - other[0]) / abs(other[0]),
        "gradient_difference": max(
            float((one[1][name] - g).norm() / g.norm().clamp_min(1e-6))
            for name, g in other[1].items()
        ),
    }
    assert result["difference"] < TOLERANCE, result
    assert result["gradient_difference"] < 100 * TOLERANCE, result
    return result


def _grouping(folder: Path) -> dict[str, float]:
    """An epoch's rows in both orders: the losses of all of them together, and their padding."""
    setting = recipe(folder, eeca=False)
    model, examples = opened(setting, folder / "same" / "store")
    model.eval()
    store = examples.store
    whole = store.usable[: min(len(store.usable) // BATCH, GROUPED) * BATCH]
    tokens = int(store.lengths[whole].sum())
    totals, positions = {}, {}
    for order in ("grouped", "shuffled"):
        sampler = GroupedSampler(
            whole,
            store.lengths,
            store.has_image,
            global_batch=BATCH,
            seed=0,
            order=order,  # type: ignore[arg-type]
        )
        totals[order], positions[order] = 0.0, 0
        for batch in sampler.global_batches(0):
            positions[order] += len(batch) * int(store.lengths[batch].max())
            with torch.no_grad():
                inputs = _batch(examples, [examples[int(row)] for row in batch]).inputs
                counts = LossCounts(tokens=float(store.supervised[whole].sum()))
                totals[order] += float(model(**inputs, counts=counts).loss)
    difference = abs(totals["grouped"] - totals["shuffled"]) / totals["shuffled"]
    assert difference < TOLERANCE, totals
    return {
        "loss": totals["grouped"],
        "difference": difference,
        "padding_grouped": 1 - tokens / positions["grouped"],
        "padding_shuffled": 1 - tokens / positions["shuffled"],
    }


def _mixed(examples: Examples) -> Iterator[int]:
    """Rows with an image and without."""
    store = examples.store
    for has_image in (True, False):
        rows = [row for row in store.usable if store.has_image[row] == has_image]
        yield from rows[: BATCH // 2]


def _batch(examples: Examples, chosen: list[Any]) -> Batch:
    return our_collate(chosen, size=examples.settings.size)
