"""Images and names to unit vectors: the same as open_clip's own, reproducible, honest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from vision_tiny import WORDS, open_clips_bytes, tiny_config, tiny_model, write_tiny

from mgld.vision import Encoder, load_encoder, save_checkpoint
from mgld.vision.openclip import OpenClipEncoder


@pytest.fixture(scope="module")
def encoder(small_bpe: Path) -> OpenClipEncoder:
    return load_encoder(str(small_bpe), device="cpu")


def test_it_is_an_encoder(encoder: OpenClipEncoder, small_bpe: Path) -> None:
    described: Encoder = encoder
    assert described.spec == str(small_bpe)
    assert described.embed_dim == 24
    assert described.dtype == "float32"
    assert len(described.fingerprint.removeprefix("sha256:")) == 64


def test_vectors_are_open_clips_own(
    encoder: OpenClipEncoder, small_bpe: Path, photos: list[Image.Image]
) -> None:
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{small_bpe}")
    tokenizer = open_clip.get_tokenizer(
        f"local-dir:{small_bpe}", bpe_path=str(small_bpe / "bpe_merges.txt.gz")
    )
    with torch.inference_mode():
        images = model.encode_image(torch.stack([preprocess(p) for p in photos]), normalize=True)
        names = model.encode_text(tokenizer(WORDS), normalize=True)
    prepared = open_clips_bytes(preprocess, photos)
    (ours,) = encoder.encode_prepared(prepared)
    np.testing.assert_allclose(ours, images.numpy(), atol=1e-6)
    # its own preparation is close to open_clip's (tests/vision/test_vision_prepare.py)
    cosines = (encoder.encode_images(photos) * images.numpy()).sum(axis=1)
    assert cosines.min() > 0.99999
    np.testing.assert_allclose(encoder.encode_names(WORDS), names.numpy(), atol=1e-6)


def test_float32_unit_vectors(encoder: OpenClipEncoder, photos: list[Image.Image]) -> None:
    for vectors, count in (
        (encoder.encode_images(photos, batch_size=3), 7),
        (encoder.encode_names(WORDS, batch_size=3), 4),
    ):
        assert vectors.dtype == np.float32
        assert vectors.shape == (count, 24)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_nothing_in_nothing_out(encoder: OpenClipEncoder) -> None:
    assert encoder.encode_images([]).shape == (0, 24)
    assert encoder.encode_names([]).shape == (0, 24)
    assert encoder.name_flags([]) == []


def test_same_batches_same_bits(
    encoder: OpenClipEncoder, small_bpe: Path, photos: list[Image.Image]
) -> None:
    again = load_encoder(str(small_bpe), device="cpu")
    first = encoder.encode_images(photos, batch_size=4)
    assert np.array_equal(first, encoder.encode_images(photos, batch_size=4))
    assert np.array_equal(first, again.encode_images(photos, batch_size=4))
    # the rows of a batch do not depend on what other batches hold
    assert np.array_equal(first[:4], encoder.encode_images(photos[:4], batch_size=4))
    assert np.array_equal(first[4:], encoder.encode_images(photos[4:], batch_size=4))
    assert np.array_equal(encoder.encode_names(WORDS), again.encode_names(WORDS))
    np.testing.assert_allclose(first, encoder.encode_images(photos, batch_size=1), atol=1e-6)


def test_template(encoder: OpenClipEncoder) -> None:
    bare = encoder.encode_names(["Old Bridge"])
    photo = encoder.encode_names(["Old Bridge"], template="a {x} photo of {name}")
    spelt = encoder.encode_names(["a {x} photo of Old Bridge"])
    assert np.array_equal(photo, spelt)
    assert not np.allclose(bare, photo)
    # braces in a name mean themselves
    assert encoder.encode_names(["{name} {0}"]).shape == (1, 24)
    with pytest.raises(ValueError, match=r"contains \"\{name\}\""):
        encoder.encode_names(["Old Bridge"], template="a photo")


def test_images_of_other_modes_are_seen_in_colour(
    encoder: OpenClipEncoder, photos: list[Image.Image]
) -> None:
    palette = photos[5].quantize(200)
    assert palette.mode == "P"
    expected = encoder.encode_images([palette.convert("RGB")])
    assert np.array_equal(encoder.encode_images([palette]), expected)
    grey = photos[0].convert("L")
    rgba = photos[0].convert("RGBA")
    vectors = encoder.encode_images([grey, rgba, photos[0]])
    np.testing.assert_allclose(vectors[1], vectors[2], atol=1e-6)
    assert not np.allclose(vectors[0], vectors[2])


def test_features_that_are_not_finite_raise(tmp_path: Path, merges: list[str]) -> None:
    config = tiny_config(text_cfg={"vocab_size": 514 + len(merges)})
    model = tiny_model(config)
    with torch.no_grad():
        model.visual.ln_post.bias[0] = float("nan")
        model.text_projection.zero_()
    save_checkpoint(tmp_path / "broken", model, config, {}, merges)
    broken = load_encoder(str(tmp_path / "broken"), device="cpu")
    with pytest.raises(ValueError, match=r"no unit vector for image 0 \(2 such in its b"):
        broken.encode_images([Image.new("RGB", (32, 32))] * 2)
    with pytest.raises(ValueError, match="no unit vector for name 0"):
        broken.encode_names(["Old Bridge"])


def test_bad_calls(small_bpe: Path, encoder: OpenClipEncoder) -> None:
    with pytest.raises(ValueError, match="bfloat16 needs a GPU"):
        load_encoder(str(small_bpe), device="cpu", dtype="bfloat16")
    with pytest.raises(ValueError, match="dtype is one of"):
        load_encoder(str(small_bpe), device="cpu", dtype="int8")
    with pytest.raises(ValueError, match="batch_size"):
        encoder.encode_names(["Old Bridge"], batch_size=0)


def test_weights_that_do_not_fit(tmp_path: Path, small_bpe: Path, merges: list[str]) -> None:
    folder = write_tiny(tmp_path / "encoder", merges=merges)
    config = folder / "open_clip_config.json"
    text = config.read_text()
    config.write_text(text.replace('"layers": 3', '"layers": 4'))
    with pytest.raises(ValueError, match="does not fit its configuration"):
        load_encoder(str(folder), device="cpu")
    config.write_text(text.replace('"head_width"', '"head_widht"'))
    with pytest.raises(ValueError, match="head_widht"):
        load_encoder(str(folder), device="cpu")
    config.write_text(text)
    weights = folder / "open_clip_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(ValueError, match="does not fit its configuration"):
        load_encoder(str(folder), device="cpu")


def test_pickled_code_is_not_run(tmp_path: Path, merges: list[str]) -> None:
    import pickle

    class Touch:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "ran",)

    folder = write_tiny(tmp_path / "encoder", merges=merges)
    (folder / "open_clip_model.safetensors").unlink()
    torch.save({"weight": Touch()}, folder / "open_clip_pytorch_model.bin")
    with pytest.raises(ValueError, match="does not fit its configuration"):
        load_encoder(str(folder), device="cpu")
    assert not (tmp_path / "ran").exists()
    pickle.loads(pickle.dumps(Touch()))  # the trap itself works
    assert (tmp_path / "ran").exists()


def test_a_bin_is_the_same_encoder(tmp_path: Path, small_bpe: Path, merges: list[str]) -> None:
    from safetensors.torch import load_file

    folder = write_tiny(tmp_path / "encoder", merges=merges)
    weights = folder / "open_clip_model.safetensors"
    torch.save(load_file(weights), folder / "open_clip_pytorch_model.bin")
    weights.unlink()
    expected = load_encoder(str(small_bpe), device="cpu").fingerprint
    assert load_encoder(str(folder), device="cpu").fingerprint == expected


def test_flags_of_a_small_vocabulary(encoder: OpenClipEncoder) -> None:
    names = [
        "Abbey of Varn (Solmere)",
        "Kościół Łódź",
        "北京",
        "a b " * 10,
        "北京" * 10,
        "",
        "1863",
    ]
    assert encoder.name_flags(names) == [
        "",
        "",
        "unfamiliar_script",
        "truncated",
        "truncated+unfamiliar_script",
        "",
        "",
    ]


def test_flags_of_clips_vocabulary(clip_bpe: Path) -> None:
    encoder = load_encoder(str(clip_bpe), device="cpu")
    names = {
        "Château de Fontainebleau": "",
        "Cha\u0302teau": "",
        "Исаакиевский": "unfamiliar_script",
        "清水寺": "unfamiliar_script",
        "Dera (清水寺)": "",
        "ꦧꦫꦧꦸ": "unfamiliar_script",
        "1863 – 42": "",
    }
    assert dict(zip(names, encoder.name_flags(list(names)), strict=True)) == names


def test_truncated_means_that_the_end_is_not_seen(encoder: OpenClipEncoder) -> None:
    fits = "a " * 14  # with both markers the context of 16
    assert encoder.name_flags([fits, fits + "a"]) == ["", "truncated"]
    vectors = encoder.encode_names([fits, fits + "a", fits + "x y z"])
    assert np.array_equal(vectors[0], vectors[1])
    assert np.array_equal(vectors[1], vectors[2])
    # the template counts as well
    assert encoder.name_flags([fits], template="the {name}") == ["truncated"]
