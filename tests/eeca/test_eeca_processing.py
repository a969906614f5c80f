"""The processor and generation with it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from eeca_tiny import LABELS, tiny_model, tiny_text
from eeca_tokenizer import BOS, EOT, tiny_tokenizer
from PIL import Image
from transformers import AutoProcessor

from eeca_ref.data.images import pixels_of
from eeca_ref.model import EecaForConditionalGeneration
from eeca_ref.processing import EecaProcessor, add_image_token

QUESTION = "What is shown in the image?"


def photograph(seed: int = 0, width: int = 50, height: int = 40) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    return Image.fromarray(noise)


def ask(image: Image.Image | None = None, text: str = QUESTION) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [{"type": "text", "text": text}]
    if image is not None:
        parts.append({"type": "image", "image": image})
    return [{"role": "user", "content": parts}]


@pytest.fixture(scope="module")
def model() -> EecaForConditionalGeneration:
    tokenizer = tiny_tokenizer()
    end = tokenizer.convert_tokens_to_ids(EOT)
    text = tiny_text(vocab_size=290, eos_token_id=end, bos_token_id=0)
    model = tiny_model(text_config=text, image_token_id=290, hierarchical_labels=LABELS)
    with torch.no_grad():  # answers that differ by prompt, image and step
        model.get_input_embeddings().weight.mul_(4)
        for part in (model.lr_adapter, model.resampler, model.language_model.model.layers):
            for weight in part.parameters():
                weight.mul_(3)
    return model


@pytest.fixture(scope="module")
def processor(model: EecaForConditionalGeneration) -> EecaProcessor:
    tokenizer = tiny_tokenizer()
    assert add_image_token(tokenizer) == add_image_token(tokenizer) == 290
    tokenizer.padding_side = "left"
    return EecaProcessor.of(model.config, tokenizer)


def inputs(processor: EecaProcessor, *conversations: list[dict[str, Any]]) -> Any:
    return processor.apply_chat_template(
        conversations, add_generation_prompt=True, tokenize=True, return_dict=True
    )


def test_a_question_about_an_image(processor: EecaProcessor) -> None:
    made = inputs(processor, ask(photograph()))
    ids = made["input_ids"][0].tolist()
    assert ids.count(290) == 10
    once = [i for at, i in enumerate(ids) if i != 290 or ids[at - 1] != 290]
    prompt = f"{BOS}<|head|>user<|tail|>\n\n<image>\n{QUESTION}{EOT}<|head|>assistant<|tail|>\n\n"
    assert processor.tokenizer.decode(once) == prompt
    assert ids.count(processor.tokenizer.bos_token_id) == 1
    assert made["pixel_values"].shape == (1, 3, 32, 32)
    expected = pixels_of(photograph(), processor.image_settings)
    assert torch.equal(made["pixel_values"][0], expected)


def test_the_prompt_is_what_training_has_before_the_answer(processor: EecaProcessor) -> None:
    from eeca_ref.data.chat import ChatFormat
    from eeca_ref.data.samples import Turn, place_image

    turns = place_image([Turn("user", QUESTION), Turn("assistant", "the lake")], has_image=True)
    trained = ChatFormat(processor.tokenizer).encode(turns)
    first = int(trained.supervised.argmax())
    text = processor.apply_chat_template(ask(photograph()), add_generation_prompt=True)
    asked = processor.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert trained.ids[:first].tolist() == asked


def test_a_batch_with_and_without_images(processor: EecaProcessor) -> None:
    made = inputs(processor, ask(), ask(photograph(1)), ask(photograph(2), "church?"))
    assert made["has_image"].tolist() == [False, True, True]
    assert not made["pixel_values"][0].any()
    for row, seed in ((1, 1), (2, 2)):
        expected = pixels_of(photograph(seed), processor.image_settings)
        assert torch.equal(made["pixel_values"][row], expected)
    assert made["attention_mask"][:, -1].all() and not made["attention_mask"][0, 0]
    lengths = made["attention_mask"].sum(1).tolist()
    assert lengths[1] == lengths[0] + 10 + 1  # the newline after the image
    assert "pixel_values" not in inputs(processor, ask())


def test_a_text_with_and_without_bos(processor: EecaProcessor) -> None:
    for text in (f"{BOS}the lake", "the lake"):
        assert processor(text=text)["input_ids"][0].tolist().count(0) == 1
    assert 0 not in processor(text="the lake", add_special_tokens=False)["input_ids"][0].tolist()


BAD: list[tuple[Any, str]] = [
    (ask(photograph(), "what is <image>?"), "stands in what the user says"),
    (ask(photograph()) + ask(photograph()), "2 images"),
    ([{"role": "assistant", "content": [{"type": "image", "image": photograph()}]}], "assistant"),
    ([{"role": "user", "content": [{"type": "image", "url": "http://x"}]}], "PIL image or path"),
]


@pytest.mark.parametrize(("conversation", "why"), BAD)
def test_bad_conversations_are_refused(
    processor: EecaProcessor, conversation: Any, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        inputs(processor, conversation)


def test_images_and_placeholders_must_agree(processor: EecaProcessor) -> None:
    with pytest.raises(ValueError, match="0 images for 1 texts"):
        processor(text="<image>\nWhat?")
    with pytest.raises(ValueError, match="1 images for 2 texts that hold <image> 0, 0 times"):
        processor(images=photograph(), text=["What?", "Why?"])


def test_another_image_token_is_refused(model: EecaForConditionalGeneration) -> None:
    tokenizer = tiny_tokenizer()
    with pytest.raises(ValueError, match="no special token"):
        EecaProcessor.of(model.config, tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<other>", "<image>"]})
    with pytest.raises(ValueError, match="291 in the tokenizer and 290 in the model"):
        EecaProcessor.of(model.config, tokenizer)


def test_saved_beside_the_model(
    model: EecaForConditionalGeneration, processor: EecaProcessor, tmp_path: Path
) -> None:
    model.save_pretrained(tmp_path)
    processor.image_mean = [0.5, 0.5, 0.5]
    processor.save_pretrained(tmp_path)
    again = AutoProcessor.from_pretrained(tmp_path)
    processor.image_mean = list(EecaProcessor.of(model.config, processor.tokenizer).image_mean)
    assert type(again) is EecaProcessor
    assert again.image_settings.mean == (0.5, 0.5, 0.5)
    assert (again.image_size, again.visual_tokens, again.fit) == (32, 10, "pad")
    assert again.chat_template == processor.chat_template
    again.image_mean = processor.image_mean
    again.tokenizer.padding_side = "left"
    one, other = (inputs(p, ask(photograph())) for p in (processor, again))
    assert all(torch.equal(one[key], other[key]) for key in one)


def generated(model: EecaForConditionalGeneration, made: Any, **options: Any) -> torch.Tensor:
    options = {"max_new_tokens": 6, "min_new_tokens": 6, "pad_token_id": 0} | options
    ids: torch.Tensor = model.generate(**made, **options)
    return ids[:, made["input_ids"].shape[1] :]


def greedy(model: EecaForConditionalGeneration, made: Any, steps: int) -> list[int]:
    """One token at a time, without a cache, from the model's own logits."""
    ids, mask = made["input_ids"], made["attention_mask"]
    end = model.config.text_config.eos_token_id
    for _ in range(steps):
        with torch.no_grad():
            logits = model(ids, mask, made.get("pixel_values")).logits[:, -1].clone()
        logits[:, end] = -torch.inf
        ids = torch.cat((ids, logits.argmax(-1, keepdim=True)), 1)
        mask = torch.cat((mask, mask.new_ones(1, 1)), 1)
    new: list[int] = ids[0, -steps:].tolist()
    return new


CONVERSATIONS = (ask(photograph(1)), ask(text="lake?"), ask(photograph(2), "church or lake?"))


def test_generation_is_what_the_logits_say_row_by_row(
    model: EecaForConditionalGeneration, processor: EecaProcessor
) -> None:
    together = generated(model, inputs(processor, *CONVERSATIONS), do_sample=False)
    for row, conversation in zip(together, CONVERSATIONS, strict=True):
        alone = inputs(processor, conversation)
        assert row.tolist() == greedy(model, alone, 6)
        assert row.tolist() == generated(model, alone, do_sample=False, use_cache=False)[0].tolist()


def test_the_image_matters(model: EecaForConditionalGeneration, processor: EecaProcessor) -> None:
    answers = {
        tuple(greedy(model, inputs(processor, ask(photograph(seed))), 6)) for seed in (1, 2, 3)
    }
    assert len(answers) == 3


def test_draws_of_every_prompt_with_each_image_encoded_once(
    model: EecaForConditionalGeneration, processor: EecaProcessor
) -> None:
    images = []
    hook = model.vision_tower.register_forward_hook(lambda _m, given, _o: images.append(given[0]))
    torch.manual_seed(0)
    made = inputs(processor, *CONVERSATIONS)
    drawn = generated(model, made, do_sample=True, num_return_sequences=4, temperature=1.0)
    hook.remove()
    assert drawn.shape == (12, 6)
    assert [len(batch) for batch in images] == [2 * 5]  # two images, five views
    assert len({tuple(row) for row in drawn[:4].tolist()}) > 1
    # nearly without temperature, all draws of a prompt are its greedy answer
    sure = generated(model, made, do_sample=True, num_return_sequences=4, temperature=1e-4)
    for prompt, conversation in enumerate(CONVERSATIONS):
        expected = greedy(model, inputs(processor, conversation), 6)
        assert sure[4 * prompt : 4 * prompt + 4].tolist() == [expected] * 4


def test_one_placeholder_is_for_training_only(model: EecaForConditionalGeneration) -> None:
    with pytest.raises(ValueError, match="as often as an image has tokens"):
        model.generate(torch.tensor([[0, 290, 5]]), pixel_values=torch.zeros(1, 3, 32, 32))
