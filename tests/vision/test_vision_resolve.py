"""Specs become local files, or an error that says what to do; never a download."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from open_clip import pretrained
from open_clip.constants import INCEPTION_MEAN
from PIL import Image
from safetensors.torch import save_file
from vision_tiny import open_clips_bytes, put_into_hub_cache, tiny_config, tiny_model

from mgld.vision import DEFAULT_ENCODER, load_encoder
from mgld.vision.fetch import fetch
from mgld.vision.resolve import nano_folder, resolve


@pytest.fixture
def tiny_in_open_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """open_clip knows a model "tiny" with tags on the Hub, by address and with a wrong checksum.

    Its caches are folders of this test.
    """
    from huggingface_hub import constants
    from open_clip import factory

    config = tiny_config(text_cfg={"vocab_size": 49408})
    path = tmp_path / "configs" / "tiny.json"
    path.parent.mkdir()
    path.write_text(json.dumps(config))
    monkeypatch.setattr(factory, "_MODEL_CONFIG_PATHS", [*factory._MODEL_CONFIG_PATHS])
    monkeypatch.setattr(factory, "_MODEL_CONFIGS", dict(factory._MODEL_CONFIGS))
    open_clip.add_model_config(path)
    tags = {
        "hub": pretrained._pcfg(hf_hub="org/tiny/", quick_gelu=True, mean=INCEPTION_MEAN),
        "named": pretrained._pcfg(hf_hub="org/named/tiny.pt"),
        "address": pretrained._pcfg(url="https://openaipublic.example/clip/00ff00/tiny.pt"),
    }
    monkeypatch.setitem(pretrained._PRETRAINED, "tiny", tags)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return config


@pytest.fixture
def loopback(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address where a real web server on this machine serves it."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            """Keep the tests' output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_missing_weights_name_the_command(
    tiny_in_open_clip: dict[str, Any], connections: list[Any]
) -> None:
    for spec in ("tiny:hub", "tiny:named", "tiny:address", DEFAULT_ENCODER):
        with pytest.raises(FileNotFoundError, match=f"get them with: mgld encoder fetch {spec}$"):
            load_encoder(spec, device="cpu")
    assert connections == []


def test_fetch_is_what_uses_the_network(
    tiny_in_open_clip: dict[str, Any], connections: list[Any]
) -> None:
    with pytest.raises(
        OSError,
        match=r"from openaipublic\.example .*no network.*/clip/tiny.pt to here; or write tiny:FILE",
    ):
        fetch("tiny:address")
    assert connections == ["openaipublic.example"]


def test_an_unreachable_hub_is_said_at_once(
    tiny_in_open_clip: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "https://hub.example")
    # It does not offer tiny:FILE, which would not know how this tag's images are prepared.
    with pytest.raises(
        OSError, match=r"tiny:hub .* from hub\.example \(no connection.*--org--tiny to here; or use"
    ):
        fetch("tiny:hub")
    assert caplog.text == ""  # no tries of the Hub's own client
    save_file(tiny_model(tiny_in_open_clip).state_dict(), tmp_path / "open_clip_model.safetensors")
    put_into_hub_cache(tmp_path / "hub", "org/tiny", tmp_path / "open_clip_model.safetensors")
    assert fetch("tiny:hub").is_file()


def test_fetch_downloads_and_checks(
    tiny_in_open_clip: dict[str, Any],
    tmp_path: Path,
    loopback: tuple[Path, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    served, address = loopback
    torch.save(tiny_model(tiny_in_open_clip).state_dict(), served / "tiny.pt")
    digest = hashlib.sha256((served / "tiny.pt").read_bytes()).hexdigest()
    tag = pretrained._PRETRAINED["tiny"]["address"]
    for folder in (f"openaipublic/{digest}", f"openaipublic/{'f' * 64}"):
        (served / folder).mkdir(parents=True)
        shutil.copy(served / "tiny.pt", served / folder)
    monkeypatch.setitem(tag, "url", f"{address}/openaipublic/{'f' * 64}/tiny.pt")
    with pytest.raises(OSError, match=r"tiny:address: .*checksum"):
        fetch("tiny:address")
    monkeypatch.setitem(tag, "url", f"{address}/openaipublic/{digest}/tiny.pt")
    assert fetch("tiny:address") == tmp_path / ".cache" / "clip" / "tiny.pt"
    assert load_encoder("tiny:address", device="cpu").embed_dim == 24


def test_cached_weights_load_without_network(
    tiny_in_open_clip: dict[str, Any],
    tmp_path: Path,
    connections: list[Any],
    photos: list[Image.Image],
) -> None:
    state = tiny_model(tiny_in_open_clip).state_dict()
    save_file(state, tmp_path / "open_clip_model.safetensors")
    put_into_hub_cache(tmp_path / "hub", "org/tiny", tmp_path / "open_clip_model.safetensors")
    encoder = load_encoder("tiny:hub", device="cpu")
    assert encoder.preprocess_cfg["mean"] == INCEPTION_MEAN
    # open_clip 3.3 must be told of the tag's QuickGELU; without it the vectors are others
    vectors = {}
    for quick_gelu in (True, False):
        model, preprocess = open_clip.create_model_from_pretrained(
            "tiny",
            str(encoder.resolved.weights),
            force_quick_gelu=quick_gelu,
            image_mean=INCEPTION_MEAN,
        )
        with torch.inference_mode():
            pixels = torch.stack([preprocess(photo) for photo in photos])
            vectors[quick_gelu] = model.encode_image(pixels, normalize=True).numpy()
    (ours,) = encoder.encode_prepared(open_clips_bytes(preprocess, photos))
    np.testing.assert_allclose(ours, vectors[True], atol=1e-6)
    assert np.abs(ours - vectors[False]).max() > 1e-4
    assert connections == []


def test_a_tag_that_names_its_file(tiny_in_open_clip: dict[str, Any], tmp_path: Path) -> None:
    torch.save({"state_dict": tiny_model(tiny_in_open_clip).state_dict()}, tmp_path / "tiny.pt")
    put_into_hub_cache(tmp_path / "hub", "org/named", tmp_path / "tiny.pt")
    assert load_encoder("tiny:named", device="cpu").resolved.weights.name == "tiny.pt"


def test_a_download_by_address_is_held_to_its_checksum(
    tiny_in_open_clip: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ".cache" / "clip" / "tiny.pt"
    path.parent.mkdir(parents=True)
    torch.save(tiny_model(tiny_in_open_clip).state_dict(), path)
    with pytest.raises(ValueError, match=r"is damaged .* mgld encoder fetch tiny:address"):
        resolve("tiny:address")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    address = f"https://openaipublic.example/clip/{digest}/tiny.pt"
    monkeypatch.setitem(pretrained._PRETRAINED["tiny"]["address"], "url", address)
    assert resolve("tiny:address").weights == path


def test_a_weights_file_after_the_colon(tiny_in_open_clip: dict[str, Any], tmp_path: Path) -> None:
    save_file(tiny_model(tiny_in_open_clip).state_dict(), tmp_path / "mine.safetensors")
    spec = f"tiny:{tmp_path / 'mine.safetensors'}"
    assert load_encoder(spec, device="cpu").embed_dim == 24
    assert fetch(spec) == tmp_path / "mine.safetensors"


def test_a_file_called_like_a_tag_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "openai").write_text("notes")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="mgld encoder fetch"):
        resolve(DEFAULT_ENCODER)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nanno", "did you mean nano"),
        ("ViT-L-14-366:openai", "did you mean ViT-L-14-336"),
        ("ViT-L-14:opnai", "did you mean openai"),
        ("ViT-L-14-336", "which weights: write ViT-L-14-336:openai$"),
        ("nllb-clip-base", "which weights: write .*"),
        ("no-such", "An encoder is 'nano', NAME:PRETRAINED"),
        ("hf-hub:org/model", "unknown encoder 'hf-hub'"),
        ("", "unknown encoder ''"),
    ],
)
def test_unknown_names(spec: str, message: str, connections: list[Any]) -> None:
    with pytest.raises(ValueError, match=message):
        load_encoder(spec)
    assert connections == []


def test_folders_that_are_no_encoder(tmp_path: Path, small_bpe: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no encoder folder"):
        resolve(str(tmp_path / "absent"))
    with pytest.raises(FileNotFoundError, match=r"it has no open_clip_config\.json"):
        resolve(str(tmp_path))
    config = tmp_path / "open_clip_config.json"
    for text in ("{", "[]", '{"model_cfg": {}}'):
        config.write_text(text)
        with pytest.raises(ValueError, match="is not an open_clip configuration"):
            resolve(str(tmp_path))
    config.write_text((small_bpe / config.name).read_text())
    with pytest.raises(FileNotFoundError, match=r"has no weights: .*safetensors"):
        resolve(str(tmp_path))


def test_a_text_tower_from_the_hub_is_not_fetched(connections: list[Any]) -> None:
    spec = "roberta-ViT-B-32:laion2b_s12b_b32k"
    with pytest.raises(FileNotFoundError, match=f"mgld encoder fetch {spec}"):
        load_encoder(spec)
    assert connections == []


def test_nano() -> None:
    encoder = load_encoder("nano", device="cpu")
    weights = encoder.resolved.weights
    assert weights.parent == nano_folder()
    assert weights.stat().st_size <= 10_000_000
    assert encoder.resolved.merges is not None
    assert encoder.name_flags(["Abbey of Varn (Solmere)"]) == [""]
    assert (nano_folder() / "CARD.md").is_file()
