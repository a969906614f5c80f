"""`mgld encoder`: what a user sees, and exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mgld.cli.encoder import encoder
from mgld.vision import DEFAULT_ENCODER, load_encoder


def test_info(small_bpe: Path) -> None:
    result = CliRunner().invoke(encoder, ["info", str(small_bpe), "--json"])
    assert result.exit_code == 0, result.output
    facts = json.loads(result.output)
    loaded = load_encoder(str(small_bpe), device="cpu")
    assert facts["fingerprint"] == loaded.fingerprint
    assert facts["embed_dim"] == 24
    assert facts["context_length"] == 16
    assert facts["dtype"] == "float32"
    assert facts["image_size"] == [32, 32]
    assert facts["parameters"] == sum(p.numel() for p in loaded.model.parameters())
    plain = CliRunner().invoke(encoder, ["info", str(small_bpe)])
    assert loaded.fingerprint in plain.output


def test_export(small_bpe: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = CliRunner().invoke(encoder, ["export", str(small_bpe), str(out), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == json.loads((out / "mgld_encoder.json").read_text())
    plain = CliRunner().invoke(encoder, ["export", str(small_bpe), str(tmp_path / "plain")])
    assert "largest difference from the source, over" in plain.stdout
    again = CliRunner().invoke(encoder, ["export", str(small_bpe), str(out)])
    assert again.exit_code == 1
    assert "is not empty" in again.output


def test_errors_are_one_line_and_exit_1(connections: list[Any]) -> None:
    for command, message in (
        (["info", "nanno"], "did you mean nano"),
        (["info", DEFAULT_ENCODER], f"mgld encoder fetch {DEFAULT_ENCODER}"),
        (["fetch", "ViT-L-14:opnai"], "did you mean openai"),
        (["fetch", "nanno"], "did you mean nano"),
    ):
        result = CliRunner().invoke(encoder, command)
        assert result.exit_code == 1
        assert result.output.startswith("Error: ")
        assert message in result.output
    assert connections == []


def test_weights_by_hand_keep_their_activation(
    connections: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """NAME:FILE does not know that a tag was trained with QuickGELU: the name must say it."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "https://hub.example")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    result = CliRunner().invoke(encoder, ["fetch", DEFAULT_ENCODER])
    assert result.exit_code == 1
    assert "cannot be downloaded from hub.example" in result.output
    assert "; or write ViT-L-14-336-quickgelu:FILE for" in result.output


def test_fetch_of_what_is_here(small_bpe: Path) -> None:
    result = CliRunner().invoke(encoder, ["fetch", str(small_bpe)])
    assert result.exit_code == 0
    assert "open_clip_model.safetensors" in result.output


def test_wrong_usage_exits_2() -> None:
    assert CliRunner().invoke(encoder, ["info"]).exit_code == 2


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, mgld.vision, mgld.cli.encoder; print('torch' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"
