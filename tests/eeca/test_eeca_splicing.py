"""`<image>` is replaced by the visual tokens, whatever stands around it."""

import pytest
import torch

from eeca_ref.losses import IGNORED
from eeca_ref.splicing import splice

IMAGE, VISUAL = 99, 3
IDS = torch.tensor([[5, IMAGE, 6, 7, 0], [8, 9, 4, 3, 2], [IMAGE, 1, 0, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 1, 1], [1, 1, 0, 0, 0]], dtype=torch.bool)
TEXT = IDS[..., None].float()
PICTURES = torch.tensor([[101.0, 102, 103], [201, 202, 203]])[..., None]
EXPECTED = [[5, 101, 102, 103, 6, 7], [8, 9, 4, 3, 2], [201, 202, 203, 1]]


def spliced_rows(ids: torch.Tensor, mask: torch.Tensor) -> list[list[float]]:
    plan, has_image = splice(ids, mask, image_token_id=IMAGE, visual_tokens=VISUAL)
    assert has_image == [True, False, True]
    rows = plan.embeddings(ids[..., None].float(), PICTURES)[..., 0]
    return [row[keep].tolist() for row, keep in zip(rows, plan.attention_mask_BS, strict=True)]


def test_visual_tokens_take_the_place_of_the_placeholder() -> None:
    assert spliced_rows(IDS, MASK) == EXPECTED


def test_padding_is_dropped_on_either_side_and_within() -> None:
    left = torch.tensor([[0, 5, IMAGE, 6, 7], [8, 9, 4, 3, 2], [0, IMAGE, 0, 1, 0]])
    mask = torch.tensor([[0, 1, 1, 1, 1], [1, 1, 1, 1, 1], [0, 1, 0, 1, 0]], dtype=torch.bool)
    assert spliced_rows(left, mask) == EXPECTED
    plan, _ = splice(left, mask, image_token_id=IMAGE, visual_tokens=VISUAL)
    assert plan.attention_mask_BS.sum(1).tolist() == [6, 5, 4]
    assert plan.attention_mask_BS.shape == (3, 6)
    assert plan.attention_mask_BS[:, 0].all()


def test_labels_move_with_their_tokens() -> None:
    plan, _ = splice(IDS, MASK, image_token_id=IMAGE, visual_tokens=VISUAL)
    labels_BL = torch.where(MASK, IDS, 77)
    labels_BL[0, 0] = IGNORED
    assert plan.labels(labels_BL).tolist() == [
        [IGNORED] * 4 + [6, 7],
        [8, 9, 4, 3, 2, IGNORED],
        [IGNORED] * 3 + [1] + [IGNORED] * 2,
    ]


def test_the_processors_placeholders_stay_where_they_are() -> None:
    ids = torch.tensor([[0, 5, IMAGE, IMAGE, IMAGE, 6], [8, 9, 4, 3, 2, 1]])
    mask = torch.tensor([[0, 1, 1, 1, 1, 1], [1] * 6], dtype=torch.bool)
    plan, has_image = splice(ids, mask, image_token_id=IMAGE, visual_tokens=VISUAL)
    assert has_image == [True, False]
    rows = plan.embeddings(ids[..., None].float(), PICTURES[:1])[..., 0]
    assert rows.tolist() == [[0, 5, 101, 102, 103, 6], [8, 9, 4, 3, 2, 1]]
    assert torch.equal(plan.attention_mask_BS, mask)


def test_text_only_batches_stay_as_they_are() -> None:
    ids, mask = IDS[1:2], MASK[1:2]
    plan, has_image = splice(ids, mask, image_token_id=IMAGE, visual_tokens=VISUAL)
    assert has_image == [False]
    assert torch.equal(plan.embeddings(TEXT[1:2], None), TEXT[1:2])


def test_gradients_reach_visual_tokens_and_text() -> None:
    text, pictures = TEXT.clone().requires_grad_(), PICTURES.clone().requires_grad_()
    plan, _ = splice(IDS, MASK, image_token_id=IMAGE, visual_tokens=VISUAL)
    embeds = plan.embeddings(text, pictures)
    embeds[plan.attention_mask_BS].sum().backward()
    assert pictures.grad is not None and text.grad is not None
    assert torch.equal(pictures.grad, torch.ones_like(pictures))
    assert torch.equal(text.grad[..., 0], (MASK & (IDS != IMAGE)).float())


def test_other_numbers_of_placeholders_are_refused() -> None:
    twice = torch.tensor([[1, 2, 3, 4], [IMAGE, 5, IMAGE, 6]])
    mask = torch.ones_like(twice, dtype=torch.bool)
    with pytest.raises(ValueError, match="row 1 holds <image> 2 times"):
        splice(twice, mask, image_token_id=IMAGE, visual_tokens=VISUAL)
    mixed = torch.tensor([[IMAGE, 2, 3, 4], [IMAGE, IMAGE, IMAGE, 6]])
    with pytest.raises(ValueError, match="once and 3 times"):
        splice(mixed, mask, image_token_id=IMAGE, visual_tokens=VISUAL)
