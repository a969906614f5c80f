"""The model: what its losses are made of, and what may not change them."""

from typing import Any

import pytest
import torch
from eeca_tiny import LR_ONLY, VOCABULARY, tiny_batch, tiny_model, tiny_text

from eeca_ref.losses import (
    IGNORED,
    entity_contrastive_loss,
    entity_embeddings,
    hierarchical_loss,
    language_modelling_loss,
)
from eeca_ref.model import EecaForConditionalGeneration
from eeca_ref.objective import LossCounts, loss_counts, visual_gradient_norms

LOSSES = ("loss", "lm_loss", "entity_loss", "hierarchical_loss")


@pytest.fixture(scope="module")
def model() -> EecaForConditionalGeneration:
    return tiny_model()


def gradients(model: EecaForConditionalGeneration, **batch: Any) -> dict[str, torch.Tensor]:
    model.zero_grad()
    model(**batch).loss.backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def test_losses_are_those_of_the_functions(model: EecaForConditionalGeneration) -> None:
    batch = tiny_batch()
    out = model(**batch, all_logits=True)
    rows = [0, 2]
    visual = model.visual_tokens(batch["pixel_values_BCHW"][rows])
    assert visual.shape == (2, 10, 24)
    torch.testing.assert_close(out.visual_tokens, visual)

    table = model.get_input_embeddings().weight
    entities = entity_embeddings(
        table[batch["entity_ids_BET"][rows]], batch["entity_token_mask_BET"][rows]
    )
    expected = entity_contrastive_loss(
        visual[:, 4:], entities, batch["entity_mask_BE"][rows], model.full_log_tau()
    )
    assert expected > 0.1
    torch.testing.assert_close(out.entity_loss, expected)

    logits = model.classifier(visual.mean(1))
    torch.testing.assert_close(
        out.hierarchical_loss, hierarchical_loss(logits, batch["class_B"][rows])
    )

    # row 0: BOS, 10 visual tokens, then the rest of its ids
    labels_BS = torch.full((3, out.logits.shape[1]), IGNORED)
    ids, labels = batch["input_ids_BL"], batch["labels_BL"]
    for row, image in enumerate((1, None, 1)):
        for at in range(ids.shape[1]):
            labels_BS[row, at + (9 if image is not None and at > image else 0)] = labels[row, at]
    torch.testing.assert_close(out.lm_loss, language_modelling_loss(out.logits, labels_BS))
    torch.testing.assert_close(
        out.loss, out.lm_loss + 7.32 * out.entity_loss + 4.38 * out.hierarchical_loss
    )


def test_the_language_model_sees_the_visual_tokens_in_place(
    model: EecaForConditionalGeneration,
) -> None:
    batch = tiny_batch()
    logits = model(**batch, all_logits=True).logits
    table = model.get_input_embeddings().weight
    visual = model.visual_tokens(batch["pixel_values_BCHW"][:1])[0]
    ids = batch["input_ids_BL"][0]
    embeds = torch.cat((table[ids[:1]], visual, table[ids[2:]]))[None]
    alone = model.language_model(inputs_embeds=embeds).logits[0]
    torch.testing.assert_close(logits[0], alone, atol=1e-5, rtol=1e-4)


def supervised_ids() -> torch.Tensor:
    labels = tiny_batch()["labels_BL"]
    return labels[labels != IGNORED]


@pytest.mark.parametrize("normalisation", ["mean", "sum"])
def test_logits_at_supervised_positions_give_the_same_loss(normalisation: str) -> None:
    model = tiny_model(lm_normalisation=normalisation)
    few, every = model(**tiny_batch()), model(**tiny_batch(), all_logits=True)
    assert few.logits is None
    assert every.logits.shape == (3, 17, VOCABULARY)
    for name in LOSSES:
        torch.testing.assert_close(few[name], every[name], rtol=1e-6, atol=0)
    tokens = {"mean": 7, "sum": 3}[normalisation]
    # the last 3, 2 and 2 of 17, 7 and 14 positions are supervised
    rows, positions = [0, 0, 0, 1, 1, 2, 2], [13, 14, 15, 4, 5, 11, 12]
    summed = (
        every.logits[rows, positions].log_softmax(-1).gather(1, supervised_ids()[:, None]).sum()
    )
    torch.testing.assert_close(few.lm_loss, -summed / tokens)
    one = gradients(model, **tiny_batch())
    other = gradients(model, **tiny_batch(), all_logits=True)
    torch.testing.assert_close(one, other)


def test_padding_changes_nothing(model: EecaForConditionalGeneration) -> None:
    batch, padded = tiny_batch(), tiny_batch(padding=5)
    assert padded["input_ids_BL"].shape[1] == batch["input_ids_BL"].shape[1] + 5
    for name in LOSSES:
        torch.testing.assert_close(model(**padded)[name], model(**batch)[name])


def test_padding_may_be_any_id(model: EecaForConditionalGeneration) -> None:
    batch, padded = tiny_batch(padding=2), tiny_batch(padding=2)
    padded["input_ids_BL"][~padded["attention_mask_BL"]] = 1_000_000
    assert torch.equal(model(**padded).loss, model(**batch).loss)


def test_padding_before_the_text_shifts_no_position() -> None:
    """GPT-2 has a learned vector per position, so it would notice; batches are of any model."""
    from transformers import GPT2Config

    text = GPT2Config(vocab_size=VOCABULARY, n_positions=64, n_embd=24, n_layer=1, n_head=2)
    model = tiny_model(text_config=text)
    ids = torch.tensor([[9] + [VOCABULARY] * 10 + [8, 7]])
    pixels = tiny_batch()["pixel_values_BCHW"][:1]
    alone = model(ids, pixel_values=pixels).logits
    padded, mask = (torch.nn.functional.pad(x, (3, 0)) for x in (ids, torch.ones_like(ids)))
    torch.testing.assert_close(model(padded, mask, pixels).logits[:, 3:], alone)


def test_rows_do_not_influence_each_other(model: EecaForConditionalGeneration) -> None:
    batch = tiny_batch()
    swapped = {name: value.flip(0) for name, value in batch.items()}
    for name in LOSSES:
        torch.testing.assert_close(model(**swapped)[name], model(**batch)[name])


def test_pixels_of_text_only_rows_are_not_looked_at(model: EecaForConditionalGeneration) -> None:
    batch = tiny_batch()
    before = model(**batch).loss
    batch["pixel_values_BCHW"][1] = float("nan")
    assert torch.equal(model(**batch).loss, before)


@pytest.mark.parametrize(("source", "views"), [("tiles+overview", 5), ("tiles", 4)])
def test_what_the_resampler_reads(source: str, views: int) -> None:
    model = tiny_model(hr_source=source)
    read: list[torch.Tensor] = []
    model.resampler.register_forward_pre_hook(lambda _, given: read.append(given[0]))
    pixels = tiny_batch()["pixel_values_BCHW"][:1]
    model.visual_tokens(pixels)
    quarters = [pixels[..., y : y + 16, x : x + 16] for y in (0, 16) for x in (0, 16)]
    half = torch.nn.functional.avg_pool2d(pixels, 2)
    expected = [model.vision_tower(view)[0] for view in (half, *quarters)][-views:]
    torch.testing.assert_close(read[0][0], torch.stack(expected))


def only_text() -> dict[str, torch.Tensor]:
    return {name: value[1:2] for name, value in tiny_batch().items()}


@pytest.mark.parametrize("pixels", [True, False])
@pytest.mark.parametrize("settings", [{}, LR_ONLY, {"negatives": "batch"}])
def test_text_only_batches_keep_the_graph_alive(pixels: bool, settings: Any) -> None:
    """All ranks must have gradients for the same parameters, whatever they were given."""
    model = tiny_model(**settings)
    batch = only_text()
    if not pixels:
        del batch["pixel_values_BCHW"], batch["entity_ids_BET"]
        del batch["entity_token_mask_BET"], batch["entity_mask_BE"], batch["class_B"]
    out = model(**batch)
    assert out.entity_loss == 0 and out.hierarchical_loss == 0 and out.lm_loss > 0
    touched = gradients(model, **batch)
    assert touched.keys() == gradients(model, **tiny_batch()).keys()
    assert touched.keys() == {n for n, p in model.named_parameters() if p.requires_grad}
    visual = [n for n in touched if not n.startswith("language_model")]
    assert visual and not any(touched[n].any() for n in visual)


def test_a_batch_of_which_nothing_could_be_read() -> None:
    """What the collate makes then: one token, no label, no image."""
    model = tiny_model()
    batch = {name: value[1:2] for name, value in tiny_batch().items()}
    for name in ("input_ids_BL", "attention_mask_BL", "labels_BL"):
        batch[name] = batch[name][:, :1]
    batch["labels_BL"][:] = IGNORED
    out = model(**batch)
    assert out.loss == 0
    touched = gradients(model, **batch)
    assert touched.keys() == {n for n, p in model.named_parameters() if p.requires_grad}
    assert not any(gradient.any() for gradient in touched.values())


def test_every_trained_parameter_has_a_gradient_without_supervised_tokens() -> None:
    model = tiny_model()
    batch = tiny_batch()
    batch["labels_BL"][:] = IGNORED
    out = model(**batch)
    assert out.lm_loss == 0
    assert gradients(model, **batch).keys() == {
        n for n, p in model.named_parameters() if p.requires_grad
    }


def test_counters(model: EecaForConditionalGeneration) -> None:
    counted = {k: int(v) for k, v in model(**tiny_batch()).counters.items()}
    left = counted.pop("entity_tokens")
    assert counted == {
        "samples": 3,
        "tokens": 7,
        "images": 2,
        "labelled": 2,
        "images_with_entities": 2,
        "images_contrasted": 1,
        "entities": 4,
        "classes": 2,
    }
    assert 4 <= left < 4 * 6
    loose = tiny_model(theta=0.0)
    assert loose(**tiny_batch()).counters["entity_tokens"] == 4 * 5  # all but the least of 6


def test_one_entity_is_counted_and_adds_nothing(model: EecaForConditionalGeneration) -> None:
    batch = tiny_batch()
    batch["entity_mask_BE"][0, 1:] = False
    out = model(**batch)
    assert out.entity_loss == 0
    assert out.counters["images_with_entities"] == 2 and out.counters["images_contrasted"] == 0


def test_an_entity_without_tokens_is_none(model: EecaForConditionalGeneration) -> None:
    batch = tiny_batch()
    batch["entity_token_mask_BET"][0, 2] = False
    assert model(**batch).counters["entities"] == 3


@pytest.mark.parametrize("normalisation", ["mean", "sum"])
def test_accumulated_batches_add_up_to_the_whole(normalisation: str) -> None:
    model = tiny_model(lm_normalisation=normalisation)
    batch = tiny_batch()
    whole = gradients(model, **batch)
    parts = [{k: v[rows] for k, v in batch.items()} for rows in (slice(0, 2), slice(2, 3))]
    numbers = [
        loss_counts(part["labels_BL"], part["has_image_B"], part["class_B"]) for part in parts
    ]
    counts = LossCounts(*(sum(n) for n in zip(*numbers, strict=True)))
    assert [int(c) for c in counts] == [3, 7, 2, 2]
    model.zero_grad()
    for part in parts:
        model(**part, counts=counts).loss.backward()
    added = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    torch.testing.assert_close(added, whole, atol=1e-6, rtol=1e-4)


def test_the_temperature_is_of_float32_in_a_rounded_model() -> None:
    """bfloat16 numbers near -0.7 are 1/256 apart; what is cut off is handed to the model."""
    exact, batch = -0.70123, tiny_batch()
    model = tiny_model(log_tau=exact)
    assert model.log_tau.shape == (1,) and model.full_log_tau().shape == ()
    expected = model(**batch).entity_loss
    model.log_tau.data = model.log_tau.data.bfloat16()
    assert model.full_log_tau().dtype == torch.float32
    assert (model(**batch).entity_loss - expected).abs() > 1e-4
    model.log_tau_rest = exact - model.log_tau.detach().float()
    assert model.full_log_tau().item() == pytest.approx(exact, abs=1e-7)
    torch.testing.assert_close(model(**batch).entity_loss, expected)
    model(**batch).entity_loss.backward()
    assert model.log_tau.grad is not None and model.log_tau.grad.abs() > 0


def test_high_resolution_detail_reaches_the_hr_tokens_alone() -> None:
    """A pattern whose every 2 x 2 has mean 0 does not exist at half the resolution."""
    model = tiny_model()
    pixels = tiny_batch()["pixel_values_BCHW"][:1]
    detail = 0.5 * torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(16, 16)
    before, after = model.visual_tokens(pixels), model.visual_tokens(pixels + detail)
    torch.testing.assert_close(after[:, :4], before[:, :4], atol=1e-5, rtol=1e-4)
    assert (after[:, 4:] - before[:, 4:]).abs().max() > 1e-3
    # ... and the objective notices
    batch = tiny_batch()
    loss = model(**batch).loss
    batch["pixel_values_BCHW"] = batch["pixel_values_BCHW"] + detail
    assert (model(**batch).loss - loss).abs() > 1e-5


def test_lr_only_has_no_branch_and_no_losses_of_it() -> None:
    model = tiny_model(**LR_ONLY)
    assert model.resampler is None and model.log_tau is None and model.classifier is None
    out = model(**tiny_batch())
    assert out.visual_tokens.shape == (2, 4, 24)
    assert out.entity_loss == 0 and out.hierarchical_loss == 0
    assert torch.equal(out.loss, out.lm_loss)


def test_the_vision_tower_is_frozen_in_training() -> None:
    model = tiny_model()
    model.train()
    assert model.training and not any(m.training for m in model.vision_tower.modules())
    touched = gradients(model, **tiny_batch())
    assert touched and not [name for name in touched if name.startswith("vision_tower")]


def test_what_is_trained() -> None:
    model = tiny_model()
    model.set_trainable("lr_adapter")
    trained = {n.split(".")[0] for n, p in model.named_parameters() if p.requires_grad}
    assert trained == {"lr_adapter"}
    model.set_trainable("lr_adapter", "resampler", "classifier", "log_tau", "language_model")
    trained = {n.split(".")[0] for n, p in model.named_parameters() if not p.requires_grad}
    assert trained == {"vision_tower"}
    with pytest.raises(ValueError, match="vision_tower"):
        model.set_trainable("vision_tower")


@pytest.mark.parametrize("gradient", [False, True])
def test_entities_train_the_embedding_table_only_if_asked(gradient: bool) -> None:
    model = tiny_model(entity_gradient=gradient, lambda_g=0.0, mu_h=0.0)
    table = gradients(model, **tiny_batch())["language_model.model.embed_tokens.weight"]
    assert bool(table.any()) is gradient


def test_in_batch_negatives_leave_out_repeated_phrases() -> None:
    model = tiny_model(negatives="batch")
    batch = tiny_batch()
    batch["entity_ids_BET"][2, 0, 0] = batch["entity_ids_BET"][0, 1, 0]
    batch["entity_ids_BET"][2, 0, 1] = 7  # masked: the phrase is that of image 0, entity 1
    batch["entity_token_mask_BET"][2, 0, 1] = False
    out = model(**batch)
    rows = [0, 2]
    table = model.get_input_embeddings().weight
    entities = entity_embeddings(
        table[batch["entity_ids_BET"][rows]], batch["entity_token_mask_BET"][rows]
    )
    expected = [
        entity_contrastive_loss(
            out.visual_tokens[:, 4:],
            entities,
            batch["entity_mask_BE"][rows],
            model.full_log_tau(),
            negatives=negatives,
            phrases_BE=phrases,
        )
        for negatives, phrases in (
            ("batch", torch.tensor([[0, 1, 2], [1, 3, 4]])),
            ("batch", None),
            ("image", None),
        )
    ]
    torch.testing.assert_close(out.entity_loss, expected[0])
    assert expected[1] > expected[0] + 0.01 > expected[2]


def test_gradient_checkpointing_gives_the_same_gradients() -> None:
    model = tiny_model().train()
    before = gradients(model, **tiny_batch())
    model.gradient_checkpointing_enable()
    assert model.is_gradient_checkpointing
    torch.testing.assert_close(gradients(model, **tiny_batch()), before)


def test_gradient_norms_on_the_visual_tokens() -> None:
    model = tiny_model()
    out = model(**tiny_batch())
    losses = {"lm": out.lm_loss, "entity": out.entity_loss, "hierarchical": out.hierarchical_loss}
    norms = visual_gradient_norms(out.visual_tokens, losses)
    assert all(norm > 0 for norm in norms.values())
    weighted = visual_gradient_norms(out.visual_tokens, {"entity": 3 * out.entity_loss})
    torch.testing.assert_close(weighted["entity"], 3 * norms["entity"])
    # L_h is a mean over tokens: every token of an image gets the same gradient
    (pull,) = torch.autograd.grad(out.hierarchical_loss, out.visual_tokens, retain_graph=True)
    torch.testing.assert_close(pull[:, 0], pull[:, -1])
    torch.testing.assert_close(norms["hierarchical"], pull.norm())
    out.loss.backward()  # the graph is still there

    nothing = model(**only_text())
    assert visual_gradient_norms(nothing.visual_tokens, {"lm": nothing.lm_loss}) == {"lm": 0}


def test_bfloat16() -> None:
    model = tiny_model().to(torch.bfloat16)
    out = model(**tiny_batch())
    expected = tiny_model()(**tiny_batch())
    assert out.loss.dtype == torch.float32
    torch.testing.assert_close(out.loss, expected.loss, rtol=0.03, atol=0.05)
    out.loss.backward()


def test_an_image_token_inside_the_vocabulary_is_not_looked_up() -> None:
    model = tiny_model(image_token_id=7)
    batch = tiny_batch(image_token_id=7)
    before = model(**batch).loss
    model.get_input_embeddings().weight.data[7] = float("nan")
    assert torch.equal(model(**batch).loss, before)


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"has_image_B": torch.tensor([True, True, True])}, ValueError, "has_image"),
    ({"pixel_values_BCHW": None}, ValueError, "row 0 holds <image>"),
    ({"pixel_values_BCHW": torch.zeros(3, 3, 16, 16)}, ValueError, r"\[B, 3, 32, 32\]"),
    ({"entity_mask_BE": None}, TypeError, "entity_mask"),
    ({"lables": None}, TypeError, "lables"),
    ({"input_ids_BL": None}, TypeError, "input_ids"),
]


@pytest.mark.parametrize(("changes", "error", "why"), BAD)
def test_bad_batches_are_refused(
    model: EecaForConditionalGeneration, changes: Any, error: type[Exception], why: str
) -> None:
    with pytest.raises(error, match=why):
        model(**(tiny_batch() | changes))


def test_a_sample_beyond_the_context_is_refused() -> None:
    model = tiny_model(max_sequence_length=16)
    with pytest.raises(ValueError, match="17 positions"):
        model(**tiny_batch())


def test_a_language_model_with_tied_embeddings() -> None:
    model = tiny_model(text_config=tiny_text(tie_word_embeddings=True))
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert model(**tiny_batch()).loss.isfinite()


def test_another_kind_of_language_model() -> None:
    from transformers import Qwen2Config

    of_llama = {"model_type", "transformers_version", "mlp_bias", "pretraining_tp", "head_dim"}
    text = {k: v for k, v in tiny_text().to_dict().items() if k not in of_llama}
    model = tiny_model(text_config=Qwen2Config(**text))
    assert type(model.language_model).__name__ == "Qwen2ForCausalLM"
    assert model(**tiny_batch()).loss.isfinite()
