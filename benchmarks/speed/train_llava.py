"""The other side: transformers' own `Trainer` with `LlavaForConditionalGeneration`.

The same weights, the same rows (tokenized beforehand, as ours are), the same images decoded by the
same function in as many workers, float32 and AdamW; everything else is as transformers has it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    CLIPVisionModel,
    LlavaConfig,
    LlavaForConditionalGeneration,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from benchmarks.speed.train_parts import BATCH, WORKERS
from benchmarks.speed.train_turns import Turns
from eeca_ref.data.collate import Example
from eeca_ref.model import EecaForConditionalGeneration
from eeca_ref.recipe import Recipe
from eeca_ref.tiling import lr_from_hr

Features = dict[str, Any]


def llava_of(model: EecaForConditionalGeneration, vision: str) -> LlavaForConditionalGeneration:
    """LLaVA with the weights of ours (without the high-resolution branch).

    vision: folder of the vision tower, whose last layer ours does not have.
    """
    tower = CLIPVisionModel.from_pretrained(vision)
    config = LlavaConfig(
        vision_config=tower.config,
        text_config=model.config.text_config,
        image_token_index=model.config.image_token_id,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        projector_hidden_act="gelu",
    )
    llava = LlavaForConditionalGeneration(config)
    llava.model.vision_tower.load_state_dict(tower.state_dict())
    llava.model.language_model.load_state_dict(model.language_model.get_decoder().state_dict())
    llava.lm_head.load_state_dict(model.get_output_embeddings().state_dict())
    projector = llava.model.multi_modal_projector
    projector.linear_1.load_state_dict(model.lr_adapter[0].state_dict())
    projector.linear_2.load_state_dict(model.lr_adapter[2].state_dict())
    llava.model.vision_tower.requires_grad_(False)
    return llava


class LlavaRows(torch.utils.data.Dataset[Features]):
    """Rows as LLaVA takes them: `<image>` as often as an image has tokens, the smaller image."""

    def __init__(self, examples: Any, rows: Any, *, image_token_id: int, tokens: int) -> None:
        self.examples = examples
        self.rows = rows
        self.image_token_id = image_token_id
        self.tokens = tokens

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def __getitem__(self, at: int) -> Features:
        """One row, not padded."""
        return self.features(self.examples[int(self.rows[at])])

    def features(self, example: Example) -> Features:
        """Of one of our examples."""
        ids = torch.from_numpy(example.sample.tokens.ids).long()
        repeats = torch.where(ids == self.image_token_id, self.tokens, 1)
        labels = torch.from_numpy(example.sample.tokens.labels)
        row = {
            "input_ids": ids.repeat_interleave(repeats),
            "labels": labels.repeat_interleave(repeats),
        }
        if example.pixels_CHW is not None:
            row["pixel_values"] = lr_from_hr(example.pixels_CHW[None])
        return row


def collate(rows: list[Features]) -> dict[str, Tensor]:
    """Padded to the longest."""
    ids = [row["input_ids"] for row in rows]
    batch = {
        "input_ids": pad_sequence(ids, batch_first=True),
        "attention_mask": pad_sequence([torch.ones_like(each) for each in ids], batch_first=True),
        "labels": pad_sequence([row["labels"] for row in rows], True, -100),
    }
    images = [row["pixel_values"] for row in rows if "pixel_values" in row]
    return batch | ({"pixel_values": torch.cat(images)} if images else {})


class _Counting(Trainer):  # type: ignore[misc]
    """Counts the positions that are no padding."""

    tokens = 0

    def training_step(self, model: Any, inputs: Any, *rest: Any, **named: Any) -> Any:
        self.tokens = int(inputs["attention_mask"].sum())
        return super().training_step(model, inputs, *rest, **named)


class _Gate(TrainerCallback):  # type: ignore[misc]
    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.trainer: Any = None

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.turns.wait()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.turns.step(tokens=self.trainer.tokens)


def train(
    model: Any, rows: LlavaRows, recipe: Recipe, out: Path, turns: Turns, *, grouped: bool
) -> None:
    """Train until the turns end."""
    arguments = TrainingArguments(
        output_dir=str(out),
        use_cpu=True,
        num_train_epochs=recipe.optim.epochs,
        per_device_train_batch_size=BATCH,
        learning_rate=recipe.optim.lr,
        lr_scheduler_type="cosine",
        train_sampling_strategy="group_by_length" if grouped else "random",
        dataloader_num_workers=WORKERS,
        dataloader_persistent_workers=True,
        dataloader_drop_last=True,
        remove_unused_columns=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    gate = _Gate(turns)
    trainer = _Counting(model, arguments, collate, rows, callbacks=[gate])
    gate.trainer = trainer
    trainer.train()
