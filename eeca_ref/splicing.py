"""Where the visual tokens go: `<image>` in the ids is replaced by [X^L; X^H]."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from eeca_ref.losses import IGNORED


@dataclass(frozen=True)
class Splice:
    """From L positions of ids to S positions of the language model.

    Attributes:
        source_BS: int64 [B, S], the position of the ids that each position comes from.
        visual_BS: bool [B, S], positions that hold visual tokens: as many in each row with an image
            as an image has, in their order.
        attention_mask_BS: bool [B, S].
    """

    source_BS: Tensor
    visual_BS: Tensor
    attention_mask_BS: Tensor

    def embeddings(self, text_BLC: Tensor, visual_RVC: Tensor | None) -> Tensor:
        """[B, S, C]: rows of the embedding table, and the visual tokens of the R rows with images.

        `visual_RVC` may be None where there are none.
        """
        width = text_BLC.shape[-1]
        index_BSC = self.source_BS.unsqueeze(-1).expand(-1, -1, width)
        spliced_BSC = text_BLC.gather(1, index_BSC)
        if visual_RVC is None:
            return spliced_BSC
        visual_RVC = visual_RVC.to(spliced_BSC.dtype)
        return spliced_BSC.masked_scatter(self.visual_BS.unsqueeze(-1), visual_RVC)

    def labels(self, labels_BL: Tensor) -> Tensor:
        """int64 [B, S]; -100 at visual tokens and padding."""
        hidden_BS = self.visual_BS | ~self.attention_mask_BS
        return labels_BL.gather(1, self.source_BS).masked_fill(hidden_BS, IGNORED)


def splice(
    input_ids_BL: Tensor, attention_mask_BL: Tensor, *, image_token_id: int, visual_tokens: int
) -> tuple[Splice, list[bool]]:
    """Plan the replacement of `<image>`, and say which rows have an image.

    A row with an image holds `<image>` once, as training batches do, or as many times as an image
    has tokens, as the processor writes it. In the first case rows become longer: their padding,
    wherever it is, is dropped and what is needed follows them. In the second all stays in place.

    Args:
        input_ids_BL: int64 [B, L].
        attention_mask_BL: bool [B, L]; False is padding.
        image_token_id: of `<image>`.
        visual_tokens: of an image.

    Raises:
        ValueError: a row holds another number of `<image>`; rows of both kinds are mixed.
    """
    image_BL = (input_ids_BL == image_token_id) & attention_mask_BL
    counts = image_BL.sum(1).tolist()
    for row, count in enumerate(counts):
        if count not in (0, 1, visual_tokens):
            raise ValueError(f"row {row} holds <image> {count} times, once is meant")
    kinds = {count for count in counts if count}
    if len(kinds) > 1:
        raise ValueError(f"rows hold <image> once and {visual_tokens} times in the same batch")
    has_image = [count > 0 for count in counts]
    batch, length = input_ids_BL.shape
    if kinds <= {visual_tokens}:
        source_L = torch.arange(length, device=input_ids_BL.device)
        return Splice(source_L.expand(batch, -1), image_BL, attention_mask_BL), has_image

    width_BL = torch.where(image_BL, visual_tokens, attention_mask_BL.long())
    end_BL = width_BL.cumsum(1)
    length_B1 = end_BL[:, -1:]
    position_S = torch.arange(int(length_B1.max()), device=input_ids_BL.device)
    position_BS = position_S.expand(batch, -1).contiguous()
    source_BS = torch.searchsorted(end_BL, position_BS, right=True).clamp_max(length - 1)
    mask_BS = position_BS < length_B1
    return Splice(source_BS, image_BL.gather(1, source_BS) & mask_BS, mask_BS), has_image
