"""Cross entropy of a language model's head, without keeping its logits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

LOGITS_AT_ONCE = 2**26
"""Logits that exist at a time: 256 MB in float32. All of them would take 0.5 MB for each position
of a vocabulary of 128,256, twice or three times over."""


def summed_cross_entropy(head: nn.Module, hidden_NC: Tensor, targets_N: Tensor) -> Tensor:
    """Cross entropy of `head(hidden)` at N positions, summed; float32 (float64 stays), 0 if N = 0.

    The logits are those of the head in its own dtype, as if they were all made at once. Rows are
    taken some at a time, and the gradients are computed while their logits are there, so that
    backward only scales them. torch 2.13 has `linear_cross_entropy`, whose sum comes back rounded
    to bfloat16: a third digit of the loss would be lost.

    Args:
        head: a linear layer. One with a bias, under autocast, or sharded by ZeRO-3 (whose hooks
            bring the weight to a module that is called) is run as any module is, and keeps its
            logits.
        hidden_NC: float [N, C].
        targets_N: int64 [N], each a row of the head.
    """
    plain = type(head) is nn.Linear and head.bias is None and not hasattr(head.weight, "ds_id")
    if not plain or torch.is_autocast_enabled(hidden_NC.device.type):
        return F.cross_entropy(_full(head(hidden_NC)), targets_N, reduction="sum")
    total: Tensor = _LinearCrossEntropy.apply(  # type: ignore[no-untyped-call]
        hidden_NC, head.weight, targets_N, torch.is_grad_enabled()
    )
    return total


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden_NC: Tensor, weight_VC: Tensor, targets_N: Tensor, learns: bool
    ) -> Tensor:
        of_hidden, of_weight = (learns and needed for needed in ctx.needs_input_grad[:2])
        hidden_grad_NC = torch.empty_like(hidden_NC) if of_hidden else None
        weight_grad_VC = torch.zeros_like(weight_VC) if of_weight else None
        total = _full(hidden_NC.new_zeros(()))
        rows = max(1, LOGITS_AT_ONCE // len(weight_VC))
        for first in range(0, len(hidden_NC), rows):
            some_NC, target_N1 = (x[first : first + rows] for x in (hidden_NC, targets_N[:, None]))
            logits_NV = _full(F.linear(some_NC, weight_VC))
            norm_N1 = logits_NV.logsumexp(-1, keepdim=True)
            total += (norm_N1 - logits_NV.gather(1, target_N1)).sum()
            if not (of_hidden or of_weight):
                continue
            # the gradient at the logits, softmax - one hot, in their place
            logits_NV.sub_(norm_N1).exp_()
            logits_NV.scatter_add_(1, target_N1, -torch.ones_like(norm_N1))
            grad_NV = logits_NV.to(weight_VC.dtype)
            if hidden_grad_NC is not None:
                torch.mm(grad_NV, weight_VC, out=hidden_grad_NC[first : first + rows])
            if weight_grad_VC is not None:
                weight_grad_VC.addmm_(grad_NV.T, some_NC)
        ctx.save_for_backward(hidden_grad_NC, weight_grad_VC)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, ...]:
        gradients = (None if each is None else each * scale for each in ctx.saved_tensors)
        return (*gradients, None, None)


def _full(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()
