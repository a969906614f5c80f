"""The head's cross entropy without its logits: against torch's own, with gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eeca_ref import head_loss
from eeca_ref.head_loss import summed_cross_entropy

torch.set_num_threads(1)
WIDTH, VOCABULARY, POSITIONS = 6, 11, 7


def parts(
    dtype: torch.dtype = torch.float64, *, bias: bool = False
) -> tuple[nn.Linear, Tensor, Tensor]:
    torch.manual_seed(0)
    head = nn.Linear(WIDTH, VOCABULARY, bias=bias, dtype=dtype)
    hidden_NC = torch.randn(POSITIONS, WIDTH, dtype=dtype, requires_grad=True)
    return head, hidden_NC, torch.tensor([3, 0, 10, 3, 5, 1, 9])


def plain(head: nn.Module, hidden_NC: Tensor, targets_N: Tensor) -> Tensor:
    return F.cross_entropy(head(hidden_NC), targets_N, reduction="sum")


@pytest.fixture(params=[1, 3 * VOCABULARY, 2**26], ids=["a row", "three rows", "all rows"])
def at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_loss, "LOGITS_AT_ONCE", request.param)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("bias", [False, True])
def test_value_and_gradients_are_those_of_all_logits(bias: bool) -> None:
    head, hidden_NC, targets_N = parts(bias=bias)
    learned = [hidden_NC, *head.parameters()]
    value, expected = (f(head, hidden_NC, targets_N) for f in (summed_cross_entropy, plain))
    torch.testing.assert_close(value, expected, rtol=1e-13, atol=0)
    gradients, wanted = (torch.autograd.grad(0.3 * each, learned) for each in (value, expected))
    torch.testing.assert_close(gradients, wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.usefixtures("at_once")
def test_gradients_are_those_of_finite_differences() -> None:
    head, hidden_NC, targets_N = parts()

    def loss(hidden_NC: Tensor, weight_VC: Tensor) -> Tensor:
        head.weight = nn.Parameter(weight_VC, requires_grad=False)
        return summed_cross_entropy(head, hidden_NC, targets_N)

    torch.autograd.gradcheck(loss, (hidden_NC, head.weight.detach().clone()))


def test_a_backward_pass_leaves_the_graph_for_another() -> None:
    head, hidden_NC, targets_N = parts()
    loss = summed_cross_entropy(head, hidden_NC, targets_N)
    first, second = (torch.autograd.grad(loss, hidden_NC, retain_graph=True) for _ in range(2))
    assert torch.equal(first[0], second[0]) and first[0].any()


def test_a_frozen_head_has_no_gradient_and_what_is_before_it_has() -> None:
    head, hidden_NC, targets_N = parts()
    head.requires_grad_(False)
    (expected,) = torch.autograd.grad(plain(head, hidden_NC, targets_N), hidden_NC)
    summed_cross_entropy(head, hidden_NC, targets_N).backward()
    assert head.weight.grad is None
    torch.testing.assert_close(hidden_NC.grad, expected)
    with torch.no_grad():
        alone = summed_cross_entropy(head, hidden_NC, targets_N)
    assert not alone.requires_grad
    torch.testing.assert_close(alone, plain(head, hidden_NC, targets_N).detach())


def test_without_positions_it_is_0_and_all_gradients_are_there() -> None:
    head, hidden_NC, targets_N = parts()
    loss = summed_cross_entropy(head, hidden_NC[:0], targets_N[:0])
    loss.backward()
    assert loss == 0 and not head.weight.grad.any() and not hidden_NC.grad.any()


def test_of_bfloat16_the_sum_is_float32() -> None:
    head, hidden_NC, targets_N = parts(torch.bfloat16)
    many_NC, targets_N = hidden_NC.repeat(200, 1), targets_N.repeat(200)
    loss = summed_cross_entropy(head, many_NC, targets_N)
    expected = F.cross_entropy(head(many_NC).float(), targets_N, reduction="sum")
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=0)  # bfloat16 has 3 digits
    gradients = torch.autograd.grad(loss, [hidden_NC, head.weight])
    wanted = torch.autograd.grad(expected, [hidden_NC, head.weight])
    torch.testing.assert_close(gradients, wanted, rtol=0.02, atol=0.02)
    assert gradients[0].dtype == torch.bfloat16


def test_under_autocast_it_is_what_the_head_gives() -> None:
    head, hidden_NC, targets_N = parts(torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = summed_cross_entropy(head, hidden_NC, targets_N)
        expected = F.cross_entropy(head(hidden_NC).float(), targets_N, reduction="sum")
    assert torch.equal(loss, expected)
