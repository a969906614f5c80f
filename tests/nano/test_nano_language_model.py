"""The shipped language model: it has read of every landmark, and its tokenizer keeps syllables."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.nano.train_language_model import LANDMARKS, batches, read, token_ids, told
from eeca_ref.nano.parts import LANGUAGE_MODEL
from mgld.files import sha256_file
from mgld.world.landmark import make_landmark

MARKS = [make_landmark(0, number) for number in range(LANDMARKS)]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(LANGUAGE_MODEL)


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((LANGUAGE_MODEL / "training.json").read_text())
    return loaded


def test_the_weights_are_those_of_the_record(record: dict[str, Any]) -> None:
    assert record["weights_sha256"] == sha256_file(LANGUAGE_MODEL / "model.safetensors")
    assert record["settings"]["landmarks"] == LANDMARKS
    # With the encoder, small enough to be shipped.
    assert (LANGUAGE_MODEL / "model.safetensors").stat().st_size < 5_000_000


def test_it_describes_landmarks_from_their_names(tokenizer: Any, record: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    model: Any = AutoModelForCausalLM.from_pretrained(LANGUAGE_MODEL, dtype=torch.float32).eval()
    found = told(model, tokenizer, MARKS, many=100)
    assert found["described"] >= 0.8 and record["told"]["described"] >= 0.8
    assert found.keys() == record["told"].keys()
    # 100 of the 600 that were measured: within four standard errors.
    for name, share in record["told"].items():
        assert abs(found[name] - share) < 4 * (max(share * (1 - share), 0.01) / 100) ** 0.5, name


def test_names_are_read_in_their_syllables(tokenizer: Any) -> None:
    whole = 0
    for mark in MARKS:
        first, *rest = (code.syllable for code in mark.codes)
        ids = tokenizer(f" {mark.proper}", add_special_tokens=False)["input_ids"]
        whole += [tokenizer.decode([each]) for each in ids] == [f" {first.capitalize()}", *rest]
    assert whole > 0.99 * len(MARKS)


def test_articles_become_chats_that_end(tokenizer: Any) -> None:
    for number in range(6):
        said = read(MARKS[7], number)
        text = tokenizer.decode(token_ids(tokenizer, said))
        assert text.startswith(tokenizer.bos_token) and text.endswith(tokenizer.eos_token)
        assert said.text in text and (said.question or "") in text


def test_every_landmark_is_read_of_once_a_round(tokenizer: Any) -> None:
    marks = MARKS[:40]
    made = list(batches(tokenizer, marks, exposures=2, tokens=600, seed=0))
    rows = [row[row >= 0].tolist() for batch in made for row in batch]
    wanted = [token_ids(tokenizer, read(mark, number)) for number in range(2) for mark in marks]
    assert sorted(rows) == sorted(wanted)
    assert all(batch.numel() <= 600 for batch in made)
    again = list(batches(tokenizer, marks, exposures=2, tokens=600, seed=0))
    assert all(torch.equal(a, b) for a, b in zip(made, again, strict=True))
