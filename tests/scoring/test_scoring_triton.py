"""The GPU's kernels: in Triton's interpreter against the oracle, and compiled for Hopper."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scoring_families import FAMILIES, gaussian, unit

from mgld.scoring import exact_sim
from mgld.scoring.half_precision import HalfNames, round_rows

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
pytest.importorskip("triton", reason="this torch comes without Triton")


def program(*arguments, interpret=True):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE), *sys.path])}
    if interpret:
        environment["TRITON_INTERPRET"] = "1"
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=environment,
        timeout=250,
    )


def test_interpreted_kernels_equal_the_oracle():
    """And would not without their bound; sums are exact; what they leave open is rechecked."""
    done = program(HERE / "interpreted_triton.py")
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    # Images went both ways, and names were counted without being listed.
    assert seen["as_it_is"]["images"] > 300
    assert seen["as_it_is"]["sifts_of_overflowed"] > 3
    assert seen["as_it_is"]["certainly_above"] > 1000
    assert seen["all_unsure"]["unsure"] > 500


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dim", [3, 64, 768])
def test_rounding_to_float16_stays_within_the_bound(family, dim):
    """And the bound is worth something: within a factor of 100 of the worst error met."""
    images, names = family(np.random.default_rng(dim), 20, 300, dim)
    half_names = HalfNames.of(torch.from_numpy(names), 16)
    rounded = round_rows(torch.from_numpy(images), 16)
    assert rounded.half.shape[1] % 16 == 0
    products = rounded.half.float() @ half_names.rounded.half.float().T
    offset = half_names.offset(torch.from_numpy(images))[:, None]
    sims = (products.double() / 2**16 + offset).numpy()
    exact = np.stack([exact_sim(np.repeat(row[None], len(names), 0), names) for row in images])
    bound = half_names.error_bound(rounded).numpy()[:, None]
    error = np.abs(sims - exact)
    assert (error <= bound).all()
    if family is gaussian:
        assert error.max() > bound.min() / 100


def test_extreme_elements_are_rounded_within_what_is_said():
    rows = unit(np.diag([1.0, 1.0, 1.0, 1.0]) + 2.0 ** -np.arange(1, 161, 10).reshape(4, 4))
    rounded = round_rows(torch.from_numpy(rows), 4)
    missed = rows.astype(float) - rounded.half.double().numpy() / 256
    assert np.allclose(rounded.missed, np.linalg.norm(missed, axis=1), rtol=1e-9, atol=0)
    assert torch.isfinite(rounded.half).all()


def test_the_kernel_compiles_for_hopper():
    """With Hopper's matrix instructions and tensor copies, and without a spilled register."""
    done = program(HERE / "compiled_triton.py", interpret=False)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["wgmma"] > 0
    assert facts["tensor_copies"] > 0
    assert facts["stack_bytes"] == 0
    assert facts["shared_bytes"] <= 227 * 1024


def test_the_benchmark_runs_end_to_end_in_the_interpreter(tmp_path):
    """And then claims no time."""
    out = tmp_path / "result.json"
    arguments = ["-m", "benchmarks.speed.rsr_gpu", "--tiny", "--oracle", 2, "--out", out]
    done = program(*arguments)
    assert done.returncode == 0, done.stderr
    assert "not measured; equal to the oracle: 2 images and 2 images" in done.stdout
    result = json.loads(out.read_text())
    assert not result["measured"]
    assert result["bf16_flops"] is None
    assert result["ours"].keys() == {
        "listed_pairs_per_image",
        "overflowed_images",
        "equal_to_the_oracle",
    }
    assert 0 < result["worst_error_over_bound"] <= 1
