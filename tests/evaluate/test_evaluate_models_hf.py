"""`hf:`: real transformers models with weights made on the spot."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from answer_data import ask, rows, settings
from tiny_qwen import SPECIAL, make_tiny_qwen2_5, make_tiny_qwen3_5
from tiny_vlm import CHANNELS, make_babbling_vlm, make_tiny_vlm

from mgld.evaluate.answering import answer_questions
from mgld.evaluate.models.base import Asked, ModelOptions
from mgld.evaluate.models.hf import HfModel
from mgld.evaluate.models.sampling import Sampler
from mgld.evaluate.records import Answer

DRAWS = 5


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Models this small lose by sharing their work, the more so on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hf")
    make_tiny_vlm(folder / "tiny", {each: f"The picture is mostly {each}." for each in CHANNELS})
    make_babbling_vlm(folder / "babbler")
    make_tiny_qwen2_5(folder / "qwen2.5")
    make_tiny_qwen3_5(folder / "qwen3.5")
    return folder


def load(folder: Path, batch_size: int = 4) -> HfModel:
    return HfModel(str(folder), ModelOptions(folder, device="cpu", batch_size=batch_size))


def answers(model: HfModel, asked: list[Asked]) -> dict[tuple[str, int], Answer]:
    found: dict[tuple[str, int], Answer] = {}

    def keep(answer: Answer) -> None:
        assert (answer.question_id, answer.draw) not in found
        found[answer.question_id, answer.draw] = answer

    model.answer(asked, keep)
    return found


def test_image_and_prompt_are_read_once_for_five_draws(models: Path, answer_build: Path) -> None:
    model = load(models / "babbler", batch_size=3)
    inner = model._load().model.model
    images, tokens = [], []
    inner.vision_tower.register_forward_pre_hook(
        lambda module, args, kwargs: images.append(
            len(args[0] if args else kwargs["pixel_values"])
        ),
        with_kwargs=True,
    )
    inner.language_model.register_forward_pre_hook(
        lambda module, args, kwargs: tokens.append(tuple(kwargs["inputs_embeds"].shape[:2])),
        with_kwargs=True,
    )
    found = answers(model, ask(answer_build, 6))
    assert len(found) == 30
    prefills = [(rows, length) for rows, length in tokens if length > 1]
    # Two batches of three questions: each one pass of three rows, then one token a row.
    assert [rows for rows, _ in prefills] == [3, 3]
    assert {rows for rows, length in tokens if length == 1} == {3 * DRAWS}
    assert len(tokens) <= 2 * 16
    assert images == [3, 3]


def test_greedy_is_what_transformers_itself_generates(models: Path, answer_build: Path) -> None:
    model = load(models / "tiny")
    asked = ask(answer_build, 4, temperature=0.0, max_new_tokens=40)
    found = answers(model, asked)
    loaded = model._load()
    for each in asked:
        from mgld.evaluate.models.hf import _inputs, _picture, _plain

        inputs = _inputs(loaded, [(each, _picture(each))])  # alone, so without padding
        ids = loaded.model.generate(**inputs, generation_config=_plain(loaded, 40))
        said = loaded.processor.tokenizer.decode(
            ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
        for draw in range(DRAWS):
            assert found[each.question.id, draw].text == said.strip()
        assert said.startswith("The picture is mostly")


@pytest.mark.parametrize("name", ["babbler", "qwen2.5", "qwen3.5"])
def test_draws_are_those_that_five_separate_prefills_would_give(
    models: Path, answer_build: Path, name: str
) -> None:
    """The shared cache changes nothing: against a loop without any cache, one row at a time."""
    from mgld.evaluate.models.hf import _inputs, _picture

    steps = 8
    model = load(models / name)
    asked = ask(answer_build, 3, max_new_tokens=steps)
    found = answers(model, asked)
    loaded = model._load()
    compared = 0
    for each, draw in product(asked[1:], (0, 3, 4)):
        inputs = dict(_inputs(loaded, [(each, _picture(each))]))
        sampler = Sampler([each.draw_seed(draw)], steps, temperature=0.7, top_p=1.0)
        said: list[int] = []
        for step in range(steps):
            loaded.model.model.rope_deltas = None
            with torch.inference_mode():
                logits = loaded.model(**inputs, use_cache=False).logits[:, -1]
            token = sampler(logits, step)
            if "qwen" in name and int(token) < len(SPECIAL):
                break  # an end, or an image's place without an image, which it can only say here
            said.append(int(token))
            for key, value in (
                ("input_ids", token),
                ("attention_mask", torch.ones_like(token)),
                ("mm_token_type_ids", torch.zeros_like(token)),
            ):
                if key in inputs:
                    inputs[key] = torch.cat([inputs[key], value[:, None]], 1)
        text = loaded.processor.tokenizer.decode(said, skip_special_tokens=True).strip()
        answer = found[each.question.id, draw].text
        assert answer.startswith(text.rstrip("\ufffd"))
        assert len(said) < steps or answer == text
        compared += len(said)
    assert compared > 25


def test_draws_differ_and_do_not_depend_on_what_shares_their_batch(
    models: Path, answer_build: Path
) -> None:
    asked = ask(answer_build, 6)
    found = answers(load(models / "babbler", 4), asked)
    texts = {key: answer.text for key, answer in found.items()}
    per_question = Counter(question for question, _ in {(q, t) for (q, _), t in texts.items()})
    assert all(number >= 4 for number in per_question.values())
    for batch_size, order in ((1, asked), (6, asked), (4, asked[::-1])):
        again = answers(load(models / "babbler", batch_size), list(order))
        assert {key: answer.text for key, answer in again.items()} == texts
    other = answers(load(models / "babbler"), [replace(each, seed=1) for each in asked])
    assert sum(other[key].text == text for key, text in texts.items()) <= 2


def test_a_resumed_run_makes_the_same_draws(
    models: Path, answer_build: Path, tmp_path: Path
) -> None:
    asked = settings(answer_build, f"hf:{models / 'babbler'}", batch_size=4, device="cpu")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    answer_questions(asked, whole)
    answer_questions(asked, cut)
    file = cut / "answers.jsonl"
    lines = file.read_text().split("\n")[:-1]
    # What a kill leaves is a first part; here any part.
    file.write_text("".join(line + "\n" for place, line in enumerate(lines) if place % 3))
    assert answer_questions(asked, cut).before < 50
    assert rows(cut) == rows(whole)
    row = next(iter(rows(whole).values()))
    assert row["model"] == "hf:babbler" and row["details"] == {
        "output_tokens": 24,
        "truncated": True,
    }


def test_only_blocks_with_something_left_are_run(models: Path, answer_build: Path) -> None:
    model = load(models / "tiny", batch_size=2)
    asked = ask(answer_build, 6, temperature=0.0)
    some = [replace(each, draws=(1,) if place == 3 else ()) for place, each in enumerate(asked)]
    calls: list[int] = []
    model._load().model.model.vision_tower.register_forward_pre_hook(lambda *_: calls.append(1))
    assert list(answers(model, some)) == [(asked[3].question.id, 1)]
    assert len(calls) == 1


def test_a_damaged_image_is_a_row_and_harms_no_other(models: Path, answer_build: Path) -> None:
    asked = ask(answer_build, 3)
    good = answers(load(models / "babbler"), asked)
    broken = replace(asked[1], read_image=lambda: b"\xff\xd8\xff nothing")
    found = answers(load(models / "babbler"), [asked[0], broken, asked[2]])
    for (question, draw), answer in found.items():
        if question == broken.question.id:
            assert answer.status == "error" and "damaged" in answer.reason
        else:
            assert answer.text == good[question, draw].text


def test_text_alone_and_instructions_reach_the_model(models: Path, answer_build: Path) -> None:
    model = load(models / "tiny")
    asked = [replace(each, read_image=None, instructions="Be brief.") for each in ask(answer_build)]
    assert len(answers(model, asked)) == 30
    from mgld.evaluate.models.hf import _inputs

    inputs = _inputs(model._load(), [(asked[0], None)])
    said = model._load().processor.tokenizer.decode(inputs["input_ids"][0])
    assert said == f"[system]Be brief.\n[user]{asked[0].text}\n<reply>"


def test_identity_is_of_the_weights(models: Path, tmp_path: Path) -> None:
    identity = load(models / "tiny").identity()
    assert identity["dtype"] == "float32" and identity["files"].startswith("sha256:")
    assert load(models / "babbler").identity()["files"] != identity["files"]


def test_a_model_that_is_not_here_is_named_with_the_command_that_gets_it(tmp_path: Path) -> None:
    missing = HfModel("nobody/nothing", ModelOptions(tmp_path, device="cpu"))
    with pytest.raises(FileNotFoundError, match="`hf download nobody/nothing` gets it"):
        missing.identity()
    with pytest.raises(ValueError, match="Unrecognized processing class"):
        load(tmp_path).identity()


def test_no_temperature_is_refused(models: Path, answer_build: Path) -> None:
    with pytest.raises(ValueError, match="needs a --temperature"):
        answers(load(models / "tiny"), ask(answer_build, 1, temperature=None))


@pytest.mark.parametrize(("temperature", "top_p"), [(0.7, 1.0), (1.0, 0.6), (0.3, 0.9)])
def test_the_sampler_draws_what_it_says(temperature: float, top_p: float) -> None:
    """Frequencies of 20,000 draws against temperature and nucleus computed here."""
    logits = np.array([1.0, 0.2, 2.0, -1.0, 0.9, -3.0])
    p = np.exp(logits / temperature)
    p /= p.sum()
    order = np.argsort(-p)
    before = np.cumsum(p[order]) - p[order]
    p[order[before >= top_p]] = 0
    p /= p.sum()
    number = 20_000
    sampler = Sampler(range(number), 1, temperature=temperature, top_p=top_p)
    tokens = sampler(torch.tensor(logits).repeat(number, 1), 0).numpy()
    counts = np.bincount(tokens, minlength=6)
    assert counts[p == 0].sum() == 0
    kept = p > 0
    chi2 = ((counts[kept] - number * p[kept]) ** 2 / (number * p[kept])).sum()
    assert chi2 < 20.5  # 0.1 % at five degrees of freedom


def test_temperature_zero_takes_the_first_of_the_best() -> None:
    sampler = Sampler([1, 2], 1, temperature=0.0, top_p=1.0)
    assert sampler(torch.tensor([[0.0, 3.0, 3.0], [1.0, 0.0, 0.0]]), 0).tolist() == [1, 0]


def test_a_model_in_the_download_cache_is_known_by_its_commit(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "models--nobody--tiny"
    shutil.copytree(models / "tiny", cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    found = HfModel("nobody/tiny", ModelOptions(tmp_path, device="cpu"))
    assert found.id == "hf:nobody/tiny"
    assert found.identity() == {"commit": commit, "dtype": "float32"}


def test_too_little_memory_is_said(
    models: Path, answer_build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(models / "tiny")

    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("tried to allocate 7 GiB")

    monkeypatch.setattr(model._load().model, "generate", full)
    with pytest.raises(ValueError, match="too little memory for 20 answers at once"):
        answers(model, ask(answer_build, 4))
