"""A saved model answers as `mgld answer` asks: `<image>` expanded, prompts cached, draws keyed."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from eeca_tiny import tiny_model, tiny_text
from eeca_tokenizer import EOT, tiny_tokenizer
from PIL import Image

from eeca_ref.processing import EecaProcessor, add_image_token
from mgld.evaluate.models.base import Asked, ModelOptions
from mgld.evaluate.models.hf import HfModel
from mgld.evaluate.records import Answer, Decoding, Question, Truth

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose answers differ by prompt, image and draw."""
    folder = tmp_path_factory.mktemp("eeca")
    tokenizer = tiny_tokenizer()
    add_image_token(tokenizer)
    end = tokenizer.convert_tokens_to_ids(EOT)
    text = tiny_text(vocab_size=290, eos_token_id=end, bos_token_id=0)
    model = tiny_model(text_config=text, image_token_id=290)
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(4)
        for part in (model.lr_adapter, model.resampler, model.language_model.model.layers):
            for weight in part.parameters():
                weight.mul_(3)
    model.save_pretrained(folder)
    EecaProcessor.of(model.config, tokenizer).save_pretrained(folder)
    return folder


def picture(seed: int) -> bytes:
    values = np.random.default_rng(seed).integers(0, 255, (20, 30, 3), np.uint8)
    data = io.BytesIO()
    Image.fromarray(values).save(data, "PNG")
    return data.getvalue()


def asked(number: int, *, image: bool = True) -> Asked:
    question = Question(
        id=f"q{number}", landmark_id=number, text="", image_sha256="", truth=Truth(name="Lake")
    )
    return Asked(
        question=question,
        instructions="the system",
        text="What is shown in the image? " + "lake " * number,
        prompt_version="p",
        decoding=Decoding(temperature=0.7, max_new_tokens=8),
        draws=(0, 1, 2),
        of=3,
        read_image=(lambda: picture(number)) if image else None,
    )


def answers(folder: Path, batch_size: int) -> dict[tuple[str, int], str]:
    said: list[Answer] = []
    options = ModelOptions(folder, device="cpu", batch_size=batch_size)
    questions = [asked(0), asked(1), asked(2, image=False), asked(3)]
    HfModel(str(folder), options).answer(questions, said.append)
    assert {each.status for each in said} == {"ok"}
    return {(each.question_id, each.draw): each.text for each in said}


def test_answers_do_not_depend_on_what_was_asked_beside(folder: Path) -> None:
    together, alone = answers(folder, 4), answers(folder, 1)
    assert together == alone
    assert len(together) == 12 and len(set(together.values())) > 6
