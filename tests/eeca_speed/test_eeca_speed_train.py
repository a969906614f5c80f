"""The training benchmarks: what is switched off computes the same; the GPU's runs anywhere."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from transformers import CLIPVisionModel

sys.path.insert(0, str(Path(__file__).parents[1] / "eeca"))

from eeca_tiny import LR_ONLY, tiny_batch, tiny_model, tiny_vision

from benchmarks.speed import train_gpu, train_off, train_same
from benchmarks.speed.train_llava import llava_of
from eeca_ref.tiling import lr_from_hr

torch.set_num_threads(1)
OFF = ("head_everywhere", "plain_loss", "views_apart", "whole_tower", "all_off")


@pytest.mark.parametrize("settings", [{}, LR_ONLY], ids=["eeca", "low resolution"])
@pytest.mark.parametrize("name", OFF)
def test_what_an_optimisation_leaves_out_changes_nothing(name: str, settings: dict) -> None:
    model = tiny_model(**settings)
    torch.manual_seed(0)
    clip = CLIPVisionModel(tiny_vision()).eval()
    kept = {k: v for k, v in clip.state_dict().items() if "layers.2." not in k}
    model.vision_tower.clip.load_state_dict(kept)
    as_it_is = train_same.loss_and_gradients(model, **tiny_batch())
    takes_tower = name in ("whole_tower", "all_off")
    arguments = [model, clip] if takes_tower else [model] if name == "views_apart" else []
    with getattr(train_off, name)(*arguments):
        off = train_same.loss_and_gradients(model, **tiny_batch())
    train_same.compared(as_it_is, off)


def test_llava_has_our_loss(tmp_path: Path) -> None:
    model = tiny_model(**LR_ONLY, image_token_id=7)  # LLaVA looks it up
    torch.manual_seed(0)
    clip = CLIPVisionModel(tiny_vision()).eval()
    kept = {k: v for k, v in clip.state_dict().items() if "layers.2." not in k}
    model.vision_tower.clip.load_state_dict(kept)
    clip.save_pretrained(tmp_path)
    llava = llava_of(model, str(tmp_path))
    ids = torch.tensor([[0, 7, 12, 13, 14, 15]])
    labels = torch.tensor([[-100, -100, -100, 13, 14, 15]])
    pixels = torch.randn(1, 3, 32, 32)
    loss, _ = train_same.loss_and_gradients(
        model, input_ids=ids, labels=labels, pixel_values=pixels
    )
    repeats = torch.tensor([1, 4, 1, 1, 1, 1])
    spliced = {
        "input_ids": ids.repeat_interleave(repeats, 1),
        "labels": labels.repeat_interleave(repeats, 1),
        "pixel_values": lr_from_hr(pixels),
    }
    theirs, _ = train_same.loss_and_gradients(llava, **spliced)
    assert loss == pytest.approx(theirs, rel=1e-5)


def test_the_gpu_benchmark_runs_from_end_to_end(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    arguments = ["--shapes", "tiny", "--batch", "2", "--repeats", "1", "--workers", "0"]
    train_gpu.main([*arguments, "--out", str(out)])
    result = json.loads(out.read_text())
    assert result["measured"].keys() == {"tiny stage1", "tiny stage3"}
    for figures in result["measured"].values():
        assert figures["whole_step"]["tokens_per_second"] > 0
        if not torch.cuda.is_available():  # what a CPU cannot tell is not made up
            assert figures["whole_step"]["mfu"] is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_large_shapes_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        train_gpu.main(["--shapes", "llama-8b"])
    assert "only --shapes tiny" in capsys.readouterr().err
