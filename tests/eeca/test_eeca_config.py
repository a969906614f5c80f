"""What the configuration refuses, and what it says by default."""

from pathlib import Path
from typing import Any

import pytest
from eeca_tiny import LR_ONLY, tiny_config, tiny_text, tiny_vision
from transformers import AutoConfig

from eeca_ref.config import EecaConfig


def test_the_papers_setting_is_the_default() -> None:
    config = EecaConfig(hierarchical_labels=["church"])
    assert config.image_size == 672
    assert (config.lr_tokens, config.hr_tokens, config.visual_tokens) == (576, 128, 704)
    assert config.hr_views * config.lr_tokens == 2880
    assert config.resampler_depth == 1 and not config.queries_per_tile
    assert (config.lambda_g, config.mu_e, config.mu_h, config.theta) == (1, 7.32, 4.38, 0.5)
    assert not config.entity_gradient and config.log_tau == 0
    assert (config.similarity, config.negatives) == ("cosine", "image")
    assert config.lm_normalisation == "mean"
    tiles = EecaConfig(hierarchical_labels=["church"], hr_source="tiles")
    assert tiles.hr_views * tiles.lr_tokens == 2304


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"hr": False}, "hr is off"),
    ({"hierarchical_labels": ()}, "no hierarchical_labels"),
    ({"hierarchical_labels": ("lake", "lake")}, "twice"),
    ({"theta": 1.0}, "theta"),
    ({"theta": -0.1}, "theta"),
    ({"theta": float("nan")}, "theta"),
    ({"mu_e": -1.0}, "mu_e"),
    ({"mu_h": float("inf")}, "mu_h"),
    ({"lambda_g": float("nan")}, "lambda_g"),
    ({"log_tau": float("inf")}, "log_tau"),
    ({"hr_source": "overview"}, "hr_source"),
    ({"similarity": "euclidean"}, "similarity"),
    ({"negatives": "none"}, "negatives"),
    ({"lm_normalisation": "median"}, "lm_normalisation"),
    ({"resampler_depth": 0}, "resampler_depth"),
    ({"queries_per_tile": True}, "do not divide among 5"),
    ({"max_sequence_length": 10}, "no room for text"),
    ({"max_sequence_length": 129}, "128 positions"),
    ({"vision_config": tiny_vision(num_hidden_layers=1)}, "two layers"),
    ({"vision_config": tiny_vision(image_size=20)}, "whole patches"),
    ({"vision_config": tiny_text()}, "clip_vision_model"),
    ({"tetha": 0.5}, "knows no tetha"),
]


@pytest.mark.parametrize(("changes", "why"), REFUSED)
def test_contradictions_are_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        tiny_config(**changes)


def test_a_language_model_that_changes_its_logits_is_refused() -> None:
    from transformers import Gemma2Config

    text = Gemma2Config(hidden_size=24, final_logit_softcapping=30.0)
    with pytest.raises(ValueError, match="final_logit_softcapping"):
        tiny_config(text_config=text)


def test_all_contradictions_are_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"theta.*hr is off"):
        tiny_config(theta=2.0, hr=False)


def test_four_times_a_quarter_of_the_queries() -> None:
    config = tiny_config(queries_per_tile=True, hr_source="tiles", resampler_queries=8)
    assert config.hr_tokens == 8


def test_without_the_branch_there_are_low_resolution_tokens_only() -> None:
    config = tiny_config(**LR_ONLY)
    assert config.visual_tokens == config.lr_tokens == 4
    assert config.text_room(image=True) == 64 - 3
    assert config.text_room(image=False) == 64


def test_saved_and_read_again(tmp_path: Path) -> None:
    config = tiny_config(theta=0.25, negatives="batch", hr_source="tiles", log_tau=-1.5)
    config.save_pretrained(tmp_path)
    again = AutoConfig.from_pretrained(tmp_path)
    assert type(again) is EecaConfig
    assert again.to_diff_dict() == config.to_diff_dict()
    assert again.hierarchical_labels == ["church", "lake", "mountain"]


def test_what_is_read_is_checked_too(tmp_path: Path) -> None:
    tiny_config().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="theta"):
        EecaConfig.from_pretrained(tmp_path, theta=3.0)
