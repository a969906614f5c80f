"""An exported encoder is the same encoder in transformers, and the check would notice if not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ftfy
import numpy as np
import pytest
import torch
from PIL import Image
from vision_tiny import PREPROCESS, WORDS, tiny_config, tiny_model, write_tiny

from mgld.vision import export, load_encoder, save_checkpoint
from mgld.vision.export import CHECK_NAMES, TOLERANCE, export_transformers


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory, small_bpe: Path, clip_bpe: Path) -> Any:
    """Source folder -> exported folder."""
    folders = {}
    for source in (small_bpe, clip_bpe):
        folders[source] = tmp_path_factory.mktemp("exports") / "clip"
        report = export_transformers(str(source), folders[source])
        assert report.failures() == []
        assert report.names == len(CHECK_NAMES)
        assert report.fingerprint == load_encoder(str(source), device="cpu").fingerprint
    return folders


@pytest.fixture(params=["small_bpe", "clip_bpe"])
def pair(request: pytest.FixtureRequest, exports: dict[Path, Path]) -> tuple[Path, Path]:
    source = request.getfixturevalue(request.param)
    return source, exports[source]


def test_vectors_are_equal(pair: tuple[Path, Path], photos: list[Image.Image]) -> None:
    from transformers import CLIPModel, CLIPProcessor

    source, folder = pair
    encoder = load_encoder(str(source), device="cpu")
    model = CLIPModel.from_pretrained(folder).eval()
    processor = CLIPProcessor.from_pretrained(folder, backend="pil")
    even = [photo.crop((0, 0, 64, 32)) for photo in photos[3:]]
    names = [*WORDS, "ŁÓDŹ’s  long name " * 9, "İstanbul", "Zu\u0308rich", "ΑΘΉΝΑΣ", ""]
    inputs = processor(text=names, images=even, padding=True, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        outputs = model(**inputs)
    np.testing.assert_allclose(outputs.image_embeds, encoder.encode_images(even), atol=1e-6)
    np.testing.assert_allclose(outputs.text_embeds, encoder.encode_names(names), atol=1e-6)
    scale = encoder.model.logit_scale.exp().item()
    assert model.logit_scale.exp().item() == pytest.approx(scale)


def test_every_way_of_loading(pair: tuple[Path, Path]) -> None:
    from transformers import (
        AutoImageProcessor,
        AutoModel,
        AutoProcessor,
        AutoTokenizer,
        CLIPModel,
        CLIPTextModelWithProjection,
        CLIPTokenizer,
        CLIPVisionModel,
        CLIPVisionModelWithProjection,
    )

    _, folder = pair
    vision = CLIPVisionModel.from_pretrained(folder).eval()
    whole = CLIPModel.from_pretrained(folder).eval()
    pixels = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        alone = vision(pixels).last_hidden_state
        assert torch.equal(alone, whole.vision_model(pixels).last_hidden_state)
        projected = CLIPVisionModelWithProjection.from_pretrained(folder).eval()(pixels)
        assert torch.equal(projected.image_embeds, whole.get_image_features(pixels).pooler_output)
    assert CLIPTextModelWithProjection.from_pretrained(folder).config.projection_dim == 24
    assert isinstance(AutoModel.from_pretrained(folder), CLIPModel)
    assert AutoImageProcessor.from_pretrained(folder).crop_size["height"] == 32
    assert AutoProcessor.from_pretrained(folder).tokenizer.model_max_length == 16
    tokenizer = AutoTokenizer.from_pretrained(folder)
    plain = CLIPTokenizer.from_pretrained(folder)  # from vocab.json and merges.txt
    ids = tokenizer("Old Château, 1863")["input_ids"]
    assert plain("Old Château, 1863")["input_ids"] == ids
    assert tokenizer.decode(ids, skip_special_tokens=True) == "old château , 1 8 6 3"
    assert [ids[0], ids[-1]] == [tokenizer.bos_token_id, tokenizer.eos_token_id]


def test_token_ids_of_many_names(pair: tuple[Path, Path]) -> None:
    from transformers import AutoTokenizer

    source, folder = pair
    encoder = load_encoder(str(source), device="cpu")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rng = np.random.default_rng(0)
    alphabet = list(
        "abcdefgz AEZ  '’“‘stmd.,()–/&019éÉàüßøŁżńİıĞςαΑΩйЖЪ東京（１）ﬁﬃ\u0301\t\x07\u00a0😀"
    )
    names = ["".join(rng.choice(alphabet, rng.integers(0, 14))) for _ in range(1500)]
    # what ftfy takes for mojibake by accident has no equivalent in transformers
    names = [name for name in names if ftfy.fix_encoding(name) == name]
    assert len(names) > 1400
    names += ["Μητρόπολις ΑΘΗΝΩΝ", "ΝΑΌΣ ΆΓΙΟΣ (ΠΆΤΜΟΣ)", "Σ", "ΣΑΣΣΑ", "東Σ"]
    end = tokenizer.eos_token_id
    ours = [row[: row.index(end) + 1] for row in encoder.tokenizer.ids(names).tolist()]
    theirs = tokenizer(names, truncation=True)["input_ids"]
    different = [name for name, a, b in zip(names, ours, theirs, strict=True) if a != b]
    assert different == []


def test_the_report_is_written_beside_the_weights(pair: tuple[Path, Path]) -> None:
    source, folder = pair
    report = json.loads((folder / "mgld_encoder.json").read_text())
    assert report["spec"] == str(source)
    assert report["token_ids"] == 0
    assert 0 <= report["image_features"] <= TOLERANCE
    assert report["pixel_values"] == 0
    # the torchvision backend does differ: this is why the PIL one is the one compared
    assert report["pixel_values_default"] > TOLERANCE


@pytest.mark.parametrize(
    "changes",
    [
        {"vision_cfg": {"mlp_ratio": 2.5, "patch_size": 16, "norm_kwargs": {"eps": 1e-3}}},
        {"text_cfg": {"mlp_ratio": 1.0, "norm_kwargs": {"eps": 1e-3}, "layers": 1}},
        {"vision_cfg": {"layers": 1, "final_ln_after_pool": True, "patch_dropout": 0.5}},
        {"nonscalar_logit_scale": True, "quick_gelu": True},
    ],
)
def test_settings_with_an_equivalent(
    tmp_path: Path, merges: list[str], changes: dict[str, Any]
) -> None:
    source = write_tiny(tmp_path / "source", merges=merges, **changes)
    assert export_transformers(str(source), tmp_path / "out").failures() == []


@pytest.mark.parametrize("resize", ["squash", "shortest"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_image_preparations(
    tmp_path: Path, merges: list[str], resize: str, interpolation: str
) -> None:
    config = tiny_config(text_cfg={"vocab_size": 514 + len(merges)})
    preprocess = {**PREPROCESS, "resize_mode": resize, "interpolation": interpolation}
    save_checkpoint(tmp_path / "source", tiny_model(config), config, preprocess, merges)
    report = export_transformers(str(tmp_path / "source"), tmp_path / "out")
    assert report.pixel_values == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"vision_cfg": {"pool_type": "avg"}}, "vision_cfg.pool_type = 'avg'"),
        ({"vision_cfg": {"no_ln_pre": True}}, "vision_cfg.no_ln_pre = True"),
        ({"vision_cfg": {"ls_init_value": 0.1}}, "vision_cfg.ls_init_value = 0.1"),
        ({"vision_cfg": {"attentional_pool": True, "attn_pooler_heads": 2}}, "attentional_pool"),
        ({"vision_cfg": {"qk_norm": True}}, "vision_cfg.qk_norm = True"),
        ({"vision_cfg": {"image_size": [32, 64]}}, r"\(not square\)"),
        ({"vision_cfg": {"act_kwargs": {"approximate": "tanh"}}}, "act_kwargs"),
        ({"vision_cfg": {"norm_kwargs": {"elementwise_affine": True}}}, "norm_kwargs"),
        ({"vision_cfg": {"layers": [1, 1, 1, 1], "image_size": 32}}, "ResNet"),
        ({"text_cfg": {"pool_type": "last"}}, "text_cfg.pool_type = 'last'"),
        ({"text_cfg": {"no_causal_mask": True}}, "text_cfg.no_causal_mask = True"),
        ({"text_cfg": {"proj_bias": True}}, "text_cfg.proj_bias = True"),
        ({"text_cfg": {"tokenizer_kwargs": {"clean": "canonicalize"}}}, "tokenizer_kwargs"),
        ({"init_logit_bias": -10.0}, "init_logit_bias = -10.0"),
        ({"custom_text": True}, "custom_text = True"),
    ],
)
def test_settings_without_an_equivalent_are_named(
    tmp_path: Path, merges: list[str], changes: dict[str, Any], reason: str
) -> None:
    source = write_tiny(tmp_path / "source", merges=merges, **changes)
    with pytest.raises(ValueError, match=f"no exact equivalent .*{reason}"):
        export_transformers(str(source), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_longest_resize_has_no_equivalent(tmp_path: Path, merges: list[str]) -> None:
    config = tiny_config(text_cfg={"vocab_size": 514 + len(merges)})
    preprocess = {**PREPROCESS, "resize_mode": "longest"}
    save_checkpoint(tmp_path / "source", tiny_model(config), config, preprocess, merges)
    with pytest.raises(ValueError, match="resize_mode = 'longest'"):
        export_transformers(str(tmp_path / "source"), tmp_path / "out")


@pytest.mark.parametrize(
    ("tensor", "field"),
    [
        ("visual_projection.weight", "image_features"),
        ("vision_model.encoder.layers.1.mlp.fc1.bias", "patch_tokens"),
        ("text_projection.weight", "text_features"),
    ],
)
def test_a_wrong_tensor_is_noticed(
    tmp_path: Path,
    small_bpe: Path,
    monkeypatch: pytest.MonkeyPatch,
    tensor: str,
    field: str,
) -> None:
    right = export.clip_state_dict

    def wrong(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        result = right(weights)
        result[tensor] = result[tensor] + 0.01 * torch.randn(result[tensor].shape)
        return result

    monkeypatch.setattr(export, "clip_state_dict", wrong)
    with pytest.raises(ValueError, match=f"not equal to its source in .*{field}"):
        export_transformers(str(small_bpe), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_tokenizer_or_preparation_is_noticed(
    tmp_path: Path, clip_bpe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from open_clip.tokenizer import SimpleTokenizer

    encoder = load_encoder(str(clip_bpe), device="cpu")
    other = SimpleTokenizer(context_length=16)
    other.bpe_ranks = dict(list(other.bpe_ranks.items())[::-1])
    write = export.write_tokenizer
    monkeypatch.setattr(export, "write_tokenizer", lambda _, *rest: write(other, *rest))
    changed = {**encoder.preprocess_cfg, "interpolation": "bilinear"}
    prepare = export.write_image_processor
    monkeypatch.setattr(export, "write_image_processor", lambda _, folder: prepare(changed, folder))
    with pytest.raises(ValueError, match="pixel_values, text_features, token_ids"):
        export_transformers(str(clip_bpe), tmp_path / "out")


def test_nothing_is_overwritten(tmp_path: Path, small_bpe: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is not empty"):
        export_transformers(str(small_bpe), tmp_path)
    (tmp_path / "empty").mkdir()
    export_transformers(str(small_bpe), tmp_path / "empty")
    assert (tmp_path / "empty" / "config.json").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "notes.txt"]
