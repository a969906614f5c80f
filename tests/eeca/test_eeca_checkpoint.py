"""Saved, loaded, put together, taken over: no weight is lost, random or misread in silence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from eeca_tiny import LR_ONLY, VOCABULARY, tiny_batch, tiny_model, tiny_text, tiny_vision
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    CLIPVisionModel,
    LlamaForCausalLM,
)

from eeca_ref.checkpoint import from_parts, load_adapters, save_adapters, warm_start
from eeca_ref.model import EecaForConditionalGeneration


def same_weights(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def logits(model: EecaForConditionalGeneration) -> torch.Tensor:
    with torch.no_grad():
        out: torch.Tensor = model.eval()(**tiny_batch(), all_logits=True).logits
    return out


@pytest.mark.parametrize("tied", [False, True])
def test_saved_and_loaded_gives_the_same_logits(tmp_path: Path, tied: bool) -> None:
    model = tiny_model(text_config=tiny_text(tie_word_embeddings=tied))
    model.save_pretrained(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"config.json", "generation_config.json", "model.safetensors"}
    for cls in (EecaForConditionalGeneration, AutoModelForImageTextToText):
        again, report = cls.from_pretrained(tmp_path, output_loading_info=True)
        assert type(again) is EecaForConditionalGeneration
        assert not report["missing_keys"] and not report["unexpected_keys"]
        assert same_weights(again, model)
        assert torch.equal(logits(again), logits(model))
        assert (again.get_input_embeddings().weight is again.get_output_embeddings().weight) is tied
    assert not any(p.requires_grad for p in again.vision_tower.parameters())
    assert again.config.hierarchical_labels == ["church", "lake", "mountain"]


def test_saved_in_shards(tmp_path: Path) -> None:
    model = tiny_model()
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    assert same_weights(EecaForConditionalGeneration.from_pretrained(tmp_path), model)


def test_loaded_in_bfloat16_the_temperature_stays_in_float32(tmp_path: Path) -> None:
    tiny_model(log_tau=-0.701).save_pretrained(tmp_path)
    model = EecaForConditionalGeneration.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert model.classifier.weight.dtype == torch.bfloat16
    assert model.log_tau.dtype == torch.float32
    assert model.log_tau.item() == pytest.approx(-0.701, abs=1e-6)


def test_resized_embeddings(tmp_path: Path) -> None:
    model = tiny_model()
    model.resize_token_embeddings(VOCABULARY + 3)
    assert model.config.text_config.vocab_size == VOCABULARY + 3
    assert model(**tiny_batch(), all_logits=True).logits.shape[-1] == VOCABULARY + 3
    model.save_pretrained(tmp_path)
    assert same_weights(EecaForConditionalGeneration.from_pretrained(tmp_path), model)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A CLIP tower and a language model as folders."""
    folder = tmp_path_factory.mktemp("parts")
    torch.manual_seed(5)
    CLIPVisionModel(tiny_vision()).save_pretrained(folder / "clip")
    text = LlamaForCausalLM(tiny_text())
    text.generation_config.temperature = 0.25
    text.generation_config.do_sample = True
    text.save_pretrained(folder / "llm")
    return {"vision": folder / "clip", "language_model": folder / "llm"}


SETTINGS: dict[str, Any] = {
    "image_token_id": VOCABULARY,
    "max_sequence_length": 64,
    "resampler_queries": 6,
    "resampler_heads": 2,
    "resampler_head_dim": 8,
}


def test_from_parts_keeps_their_weights(parts: dict[str, Path], tmp_path: Path) -> None:
    torch.manual_seed(9)
    model = from_parts(**parts, **SETTINGS, hierarchical_labels=["church", "lake", "mountain"])
    text = AutoModelForCausalLM.from_pretrained(parts["language_model"])
    assert same_weights(model.language_model, text)
    clip = CLIPVisionModel.from_pretrained(parts["vision"]).state_dict()
    tower = model.vision_tower.clip.state_dict()
    assert tower and all(torch.equal(clip[key], tower[key]) for key in tower)
    assert model.config.vision_config.num_hidden_layers == 3
    assert model.generation_config.temperature == 0.25
    assert 0.5 < model.resampler.latents_QD.std() < 1.5
    assert 0.01 < model.lr_adapter[0].weight.std() < 0.03
    model.save_pretrained(tmp_path)
    again = EecaForConditionalGeneration.from_pretrained(tmp_path)
    assert same_weights(again, model)
    assert again.generation_config.temperature == 0.25


def test_from_parts_with_an_exported_encoder(parts: dict[str, Path], tmp_path: Path) -> None:
    from mgld.vision.export import export_transformers

    export_transformers("nano", tmp_path)
    model = from_parts(
        vision=tmp_path,
        language_model=parts["language_model"],
        **LR_ONLY,
        **{**SETTINGS, "max_sequence_length": 128},
    )
    assert (model.config.image_size, model.config.lr_tokens) == (128, 64)
    assert model.visual_tokens(torch.zeros(1, 3, 128, 128)).shape == (1, 64, 24)


@pytest.mark.parametrize("options", [{}, {"attn_implementation": "eager"}])
def test_the_language_model_never_looks_ahead(
    parts: dict[str, Path], tmp_path: Path, options: dict[str, str]
) -> None:
    """Put together, saved and loaded, begun from: padding and what comes later change nothing."""
    settings = {**SETTINGS, "hierarchical_labels": ["church"]}
    model = from_parts(**parts, **settings, options=options).eval()
    model.save_pretrained(tmp_path)
    loaded = EecaForConditionalGeneration.from_pretrained(tmp_path, **options)
    ids = torch.randint(8, 60, (2, 9), generator=torch.Generator().manual_seed(3))
    mask = torch.ones_like(ids)
    mask[0, 6:] = 0
    for each in (model, loaded, warm_start(tmp_path, options=options, theta=0.25)):
        assert each.language_model.config._attn_implementation == (
            options.get("attn_implementation", "sdpa")
        )
        with torch.no_grad():
            alone = each.eval()(input_ids=ids[:1, :6]).logits
            beside = each(input_ids=ids, attention_mask=mask).logits
        torch.testing.assert_close(beside[:1, :6], alone, atol=1e-6, rtol=1e-5)


def test_from_parts_in_bfloat16(parts: dict[str, Path]) -> None:
    model = from_parts(
        **parts, **SETTINGS, hierarchical_labels=["church"], options={"dtype": torch.bfloat16}
    )
    kinds = {name: p.dtype for name, p in model.named_parameters()}
    assert kinds.pop("log_tau") == torch.float32
    assert set(kinds.values()) == {torch.bfloat16}


def test_from_parts_in_bfloat16_puts_every_position_where_it_was(
    parts: dict[str, Path], tmp_path: Path
) -> None:
    """Rotary frequencies rounded to bfloat16 would be others than those of the saved model."""
    model = from_parts(
        **parts, **SETTINGS, hierarchical_labels=["a", "b", "c"], options={"dtype": torch.bfloat16}
    )
    model.save_pretrained(tmp_path)
    again = EecaForConditionalGeneration.from_pretrained(tmp_path, dtype=torch.bfloat16)
    for (name, own), (_, read) in zip(model.named_buffers(), again.named_buffers(), strict=True):
        assert own.dtype == read.dtype and torch.equal(own, read), name
    assert torch.equal(logits(again), logits(model))


def test_warm_start_from_the_stage_before(tmp_path: Path) -> None:
    """Stage 2 has no branch for high resolution and no classifier; stage 3 begins both."""
    before = tiny_model(**LR_ONLY)
    before.save_pretrained(tmp_path)
    stage3 = {"hr": True, "mu_e": 7.32, "mu_h": 4.38, "hierarchical_labels": ["church", "lake"]}
    new = ("resampler", "classifier", "log_tau")
    model = warm_start(tmp_path, new=new, **stage3)
    assert same_weights(model.language_model, before.language_model)
    assert same_weights(model.lr_adapter, before.lr_adapter)
    assert same_weights(model.vision_tower, before.vision_tower)
    assert model.config.mu_e == 7.32 and model.classifier.weight.shape == (2, 24)
    assert 0.5 < model.resampler.latents_QD.std() < 1.5
    with pytest.raises(ValueError, match="resampler: not in the checkpoint"):
        warm_start(tmp_path, new=("classifier", "log_tau"), **stage3)
    with pytest.raises(ValueError, match="does not have: resampler"):
        warm_start(tmp_path, new=("resampler",))


def test_warm_start_refuses_what_would_be_misread_or_dropped(tmp_path: Path) -> None:
    saved = tiny_model()
    saved.save_pretrained(tmp_path)
    assert same_weights(warm_start(tmp_path, theta=0.25), saved)
    turned = ["mountain", "lake", "church"]
    with pytest.raises(ValueError, match="classifier was trained with another hierarchical_labels"):
        warm_start(tmp_path, hierarchical_labels=turned)
    with pytest.raises(ValueError, match="resampler was trained with another hr_source"):
        warm_start(tmp_path, hr_source="tiles")
    with pytest.raises(ValueError, match="resampler: of another shape"):
        warm_start(tmp_path, resampler_queries=8)
    with pytest.raises(ValueError, match="saved, but this model has no place"):
        warm_start(tmp_path, **LR_ONLY)
    anew = warm_start(tmp_path, hierarchical_labels=turned, new=("classifier",))
    assert not torch.equal(anew.classifier.weight, saved.classifier.weight)
    assert same_weights(anew.resampler, saved.resampler)
    bigger = warm_start(tmp_path, resampler_queries=8, new=("resampler",))
    assert bigger.resampler.latents_QD.shape == (8, 16)


def test_parts_begin_anew_without_another_language_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second one of random weights, 32 GB with Llama-3-8B, would be thrown away at once."""
    saved = tiny_model()
    saved.save_pretrained(tmp_path)
    built_on = []
    build = AutoModelForCausalLM.from_config

    def noted(*args: Any, **kwargs: Any) -> Any:
        built_on.append(torch.empty(0).device.type)
        return build(*args, **kwargs)

    monkeypatch.setattr(AutoModelForCausalLM, "from_config", noted)
    new = ("resampler", "classifier", "log_tau", "lr_adapter")
    models = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        models.append(warm_start(tmp_path, new=new, log_tau=0.7))
    assert set(built_on) == {"meta"}
    assert same_weights(models[0], models[1])
    for name, value in models[0].named_parameters():
        if not name.startswith(("vision_tower", "language_model", "log_tau")):
            assert not torch.equal(value, saved.state_dict()[name]), name
            assert not (value == 0).all() or name.endswith("bias"), name
    latents = [model.resampler.latents_QD for model in models]
    assert not torch.equal(latents[0], latents[2])
    assert models[0].log_tau.flatten().tolist() == [pytest.approx(0.7)]


def disturbed(model: EecaForConditionalGeneration) -> EecaForConditionalGeneration:
    """All that is not the vision tower and not the language model is something else."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not name.startswith(("vision_tower", "language_model")):
                parameter.add_(1.0)
    return model


def test_adapters_alone(tmp_path: Path) -> None:
    model = tiny_model()
    path = save_adapters(model, tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"adapters.safetensors", "config.json"}
    assert path.stat().st_size < 60_000 < sum(p.numel() * 4 for p in model.parameters())
    other = disturbed(tiny_model())
    load_adapters(other, tmp_path)
    assert same_weights(other, model)
    assert torch.equal(logits(other), logits(model))


def other_tower(model: EecaForConditionalGeneration) -> None:
    next(model.vision_tower.parameters()).data.add_(0.5)


REFUSED: list[tuple[dict[str, Any], Callable[..., None] | None, str]] = [
    ({}, other_tower, "another vision tower"),
    ({"hierarchical_labels": ["lake", "church", "mountain"]}, None, "hierarchical_labels"),
    ({"tile_embedding": False}, None, "tile_embedding"),
    ({"resampler_queries": 9}, None, "latents_QD"),
    ({"resampler_depth": 2}, None, "missing: resampler"),
    (LR_ONLY, None, "without a place in this model: classifier, log_tau, resampler"),
]


@pytest.mark.parametrize(("changes", "change", "why"), REFUSED)
def test_adapters_that_do_not_fit_are_refused(
    tmp_path: Path, changes: dict[str, Any], change: Callable[..., None] | None, why: str
) -> None:
    save_adapters(tiny_model(), tmp_path)
    other = disturbed(tiny_model(**changes))
    if change:
        change(other)
    before = {key: value.clone() for key, value in other.state_dict().items()}
    with pytest.raises(ValueError, match=why):
        load_adapters(other, tmp_path)
    assert all(torch.equal(value, before[key]) for key, value in other.state_dict().items())


def test_stage_one_adapters_into_a_model_with_the_branch(tmp_path: Path) -> None:
    save_adapters(tiny_model(**LR_ONLY), tmp_path)
    model = disturbed(tiny_model())
    with pytest.raises(ValueError, match="missing: classifier, log_tau, resampler"):
        load_adapters(model, tmp_path)
    kept = {k: v.clone() for k, v in model.resampler.state_dict().items()}
    load_adapters(model, tmp_path, new=("resampler", "classifier", "log_tau"))
    assert same_weights(model.lr_adapter, tiny_model(**LR_ONLY).lr_adapter)
    assert all(torch.equal(v, kept[k]) for k, v in model.resampler.state_dict().items())
