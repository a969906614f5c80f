"""The losses against loops in Python floats, their gradients and their corner cases."""

import math

import eeca_reference as reference
import pytest
import torch

from eeca_ref.losses import (
    IGNORED,
    entity_contrastive_loss,
    entity_embeddings,
    entity_weights,
    hierarchical_loss,
    language_modelling_loss,
    mean_token,
    predicting_positions,
    token_loss,
)

torch.set_num_threads(1)
MASK = torch.tensor([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 1, 0]], dtype=torch.bool)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


TOKENS, ENTITIES = draw(3, 9, 5), draw(3, 4, 5, seed=1)
ZERO = torch.zeros((), dtype=torch.float64)


@pytest.mark.parametrize("theta", [0.0, 0.5, 0.9, 1 - 1e-7])
def test_weights_against_the_reference(theta: float) -> None:
    weights_BEQ = entity_weights(TOKENS, ENTITIES, theta=theta)
    for i in range(3):
        for j in range(4):
            expected = reference.weights(TOKENS[i].tolist(), ENTITIES[i, j].tolist(), theta)
            torch.testing.assert_close(weights_BEQ[i, j], torch.tensor(expected).double())
    torch.testing.assert_close(weights_BEQ.sum(-1), torch.ones(3, 4).double())


@pytest.mark.parametrize("theta", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("tau", [1.0, 0.2])
def test_contrastive_loss_against_the_reference(theta: float, tau: float) -> None:
    log_tau = torch.tensor(math.log(tau)).double()
    loss = entity_contrastive_loss(TOKENS, ENTITIES, MASK, log_tau, theta=theta)
    expected = reference.contrastive(TOKENS, ENTITIES, MASK, math.exp(log_tau), theta)
    assert expected > 0.01
    torch.testing.assert_close(loss.item(), expected, rtol=1e-9, atol=1e-12)


def test_in_batch_negatives_against_the_reference() -> None:
    phrases_BE = torch.tensor([[0, 1, 2, 3], [0, 9, 4, 9], [9, 9, 2, 9]])
    loss = entity_contrastive_loss(
        TOKENS, ENTITIES, MASK, ZERO, phrases_BE=phrases_BE, theta=0.5, negatives="batch"
    )
    expected = reference.contrastive_in_batch(TOKENS, ENTITIES, MASK, phrases_BE, 1.0, 0.5)
    torch.testing.assert_close(loss.item(), expected, rtol=1e-9, atol=1e-12)
    # a phrase that comes again would otherwise be its own negative
    unmasked = entity_contrastive_loss(TOKENS, ENTITIES, MASK, ZERO, theta=0.5, negatives="batch")
    assert unmasked > loss > entity_contrastive_loss(TOKENS, ENTITIES, MASK, ZERO)


@pytest.mark.parametrize("negatives", ["image", "batch"])
@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_gradients_of_the_contrastive_loss(similarity: str, negatives: str) -> None:
    tokens, entities = TOKENS.clone().requires_grad_(), ENTITIES.clone().requires_grad_()
    log_tau = torch.tensor(-0.7).double().requires_grad_()

    def loss(tokens: torch.Tensor, entities: torch.Tensor, log_tau: torch.Tensor) -> torch.Tensor:
        return entity_contrastive_loss(
            tokens, entities, MASK, log_tau, similarity=similarity, negatives=negatives
        )

    assert torch.autograd.gradcheck(loss, (tokens, entities, log_tau), eps=1e-7, atol=1e-5)


def test_one_entity_per_image_is_exactly_zero() -> None:
    mask_BE = torch.tensor([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], dtype=torch.bool)
    tokens = TOKENS.float().requires_grad_()
    loss = entity_contrastive_loss(tokens, ENTITIES.float(), mask_BE, torch.tensor(-2.0))
    loss.backward()
    assert loss.item() == 0
    assert tokens.grad is not None and not tokens.grad.any()


@pytest.mark.parametrize("entities", [4, 0])
def test_no_valid_entity_is_zero_with_a_graph(entities: int) -> None:
    tokens, log_tau = TOKENS.clone().requires_grad_(), ZERO.clone().requires_grad_()
    nothing = torch.full((3, entities, 5), math.nan).double()
    mask_BE = torch.zeros(3, entities, dtype=torch.bool)
    loss = entity_contrastive_loss(tokens, nothing, mask_BE, log_tau)
    loss.backward()
    assert loss.item() == 0
    for parameter in (tokens, log_tau):
        assert parameter.grad is not None and not parameter.grad.any()


def test_masked_entities_may_hold_anything() -> None:
    spoiled = ENTITIES.masked_fill(~MASK[..., None], math.nan)
    tokens = TOKENS.clone().requires_grad_()
    loss = entity_contrastive_loss(tokens, spoiled, MASK, ZERO)
    loss.backward()
    assert loss.item() == entity_contrastive_loss(TOKENS, ENTITIES, MASK, ZERO).item()
    assert tokens.grad is not None and tokens.grad.isfinite().all()


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("size", [1.0, 1e-3, 100.0])
def test_equal_similarities_give_uniform_weights(
    similarity: str, dtype: torch.dtype, size: float
) -> None:
    same = (draw(2, 1, 64) * size).expand(2, 128, 64).to(dtype).clone().requires_grad_()
    weights_BEQ = entity_weights(same, draw(2, 3, 64, seed=2).to(dtype), similarity=similarity)
    torch.testing.assert_close(weights_BEQ, torch.full_like(weights_BEQ, 1 / 128))
    weights_BEQ.square().sum().backward()
    assert same.grad is not None and same.grad.isfinite().all()


def test_theta_zero_keeps_all_but_the_least_and_near_one_keeps_the_best() -> None:
    least = entity_weights(TOKENS, ENTITIES, theta=0.0)
    assert ((least == 0).sum(-1) == 1).all()
    best = entity_weights(TOKENS.float(), ENTITIES.float(), theta=1 - 1e-7)
    assert ((best > 0).sum(-1) == 1).all()
    assert torch.equal(best.argmax(-1), least.argmax(-1))


@pytest.mark.parametrize("theta", [-0.1, 1.0, math.nan])
def test_theta_outside_is_refused(theta: float) -> None:
    with pytest.raises(ValueError, match="theta"):
        entity_weights(TOKENS, ENTITIES, theta=theta)


def test_dot_products_differ_from_cosines_where_lengths_do() -> None:
    tokens = torch.tensor([[[1.0, 0.1], [0.0, 1.0], [9.0, 9.0]]])
    entity = torch.tensor([[[1.0, 0.0]]])
    assert entity_weights(tokens, entity).argmax() == 0
    assert entity_weights(tokens, entity, similarity="dot").argmax() == 2


@pytest.mark.parametrize("autocast", [False, True])
def test_bfloat16_inputs_are_computed_in_float32(autocast: bool) -> None:
    tokens, entities = TOKENS.bfloat16(), ENTITIES.bfloat16()
    exact = entity_contrastive_loss(tokens.float(), entities.float(), MASK, torch.tensor(0.0))
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        loss = entity_contrastive_loss(tokens, entities, MASK, torch.tensor(0.0).bfloat16())
    assert loss.dtype == torch.float32 and loss == exact


@pytest.mark.parametrize(("log_tau", "tau"), [(-20.0, 0.01), (20.0, 100.0)])
def test_the_temperature_is_clamped(log_tau: float, tau: float) -> None:
    loss = entity_contrastive_loss(TOKENS, ENTITIES, MASK, torch.tensor(log_tau).double())
    expected = reference.contrastive(TOKENS, ENTITIES, MASK, tau, 0.5)
    torch.testing.assert_close(loss.item(), expected, rtol=1e-9, atol=1e-12)


def test_micro_batches_add_up() -> None:
    whole = entity_contrastive_loss(TOKENS, ENTITIES, MASK, ZERO)
    parts = [
        entity_contrastive_loss(TOKENS[i], ENTITIES[i], MASK[i], ZERO, images=3)
        for i in (slice(0, 1), slice(1, 3))
    ]
    torch.testing.assert_close(sum(parts), whole)


def test_an_entity_is_the_mean_of_its_tokens() -> None:
    embeddings = draw(1, 3, 4, 5)
    embeddings[0, 0, 2:] = math.nan
    mask_BET = torch.tensor([[[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0]]], dtype=torch.bool)
    entities = entity_embeddings(embeddings, mask_BET)
    torch.testing.assert_close(entities[0, 0], (embeddings[0, 0, 0] + embeddings[0, 0, 1]) / 2)
    torch.testing.assert_close(entities[0, 1], (embeddings[0, 1, 1] + embeddings[0, 1, 3]) / 2)
    assert not entities[0, 2].any()
    assert entity_embeddings(embeddings.bfloat16(), mask_BET).dtype == torch.float32


def test_hierarchical_loss_against_the_reference() -> None:
    logits_BK, class_B = draw(4, 6), torch.tensor([2, IGNORED, 0, 5])
    chosen = [reference.log_softmax_at(logits_BK[i].tolist(), int(class_B[i])) for i in (0, 2, 3)]
    loss = hierarchical_loss(logits_BK, class_B)
    torch.testing.assert_close(loss.item(), -math.fsum(chosen) / 3)
    torch.testing.assert_close(
        hierarchical_loss(logits_BK, class_B, labelled=12).item(), -math.fsum(chosen) / 12
    )


def test_hierarchical_loss_without_labels_is_zero_with_a_graph() -> None:
    logits_BK = draw(2, 6).requires_grad_()
    loss = hierarchical_loss(logits_BK, torch.full((2,), IGNORED))
    loss.backward()
    assert loss.item() == 0
    assert logits_BK.grad is not None and not logits_BK.grad.any()


def test_mean_token_is_in_float32() -> None:
    tokens = torch.full((1, 704, 2), 1.0).bfloat16()
    tokens[0, 0] = 100
    assert mean_token(tokens)[0].tolist() == pytest.approx([803 / 704] * 2, rel=1e-6)


LABELS = torch.tensor([[7, IGNORED, 3, 1, IGNORED], [IGNORED, IGNORED, IGNORED, IGNORED, 0]])


def test_language_modelling_loss_against_the_reference() -> None:
    logits_BLV = draw(2, 5, 8)
    predicted = [(0, 1, 3), (0, 2, 1), (1, 3, 0)]  # the label of position 0 has nothing before it
    total = -math.fsum(
        reference.log_softmax_at(logits_BLV[b, t].tolist(), label) for b, t, label in predicted
    )
    mean = language_modelling_loss(logits_BLV, LABELS)
    torch.testing.assert_close(mean.item(), total / 3)
    printed = language_modelling_loss(logits_BLV, LABELS, normalisation="sum")
    torch.testing.assert_close(printed.item(), total / 2)


def test_logits_at_predicting_positions_are_enough() -> None:
    logits_BLV = draw(2, 5, 8)
    at_BL = predicting_positions(LABELS)
    assert at_BL.nonzero().tolist() == [[0, 1], [0, 2], [1, 3]]
    few = token_loss(logits_BLV[at_BL], torch.tensor([3, 1, 0]))
    assert few == language_modelling_loss(logits_BLV, LABELS)


def test_nothing_supervised_is_zero_with_a_graph() -> None:
    logits_BLV = draw(1, 3, 8).requires_grad_()
    loss = language_modelling_loss(logits_BLV, torch.full((1, 3), IGNORED))
    loss.backward()
    assert loss.item() == 0
    assert logits_BLV.grad is not None and not logits_BLV.grad.any()
