"""Memory does not grow with the number of pairs."""

import json
import subprocess
import sys

import pytest
from scoring_families import fast_bytes

SCRIPT = """
import json, resource, sys
import numpy as np
from mgld.scoring import sim_rsr

backend, family = sys.argv[1:]
if backend == "int8":
    import mgld.scoring.blocked

    backend = "cpu"
    mgld.scoring.blocked.int8_pays = lambda *shape: True
images, few, many = (150, 40_000, 240_000) if family == "spread" else (40, 20_000, 120_000)
rng = np.random.default_rng(0)
peaks = []
for names in (few, many):
    if family == "spread":
        rows = rng.normal(size=(names, 8))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        rows = rows.astype(np.float32)
    else:  # all within the error bound of each other: every pair must be rechecked
        rows = (8**-0.5 + rng.integers(0, 16, (names, 8)) * 2.0**-25).astype(np.float32)
    sim_rsr(rows[:images], rows, np.arange(images), backend=backend)
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
print(json.dumps(peaks))
"""


@pytest.mark.parametrize(
    ("backend", "family"),
    [
        ("cpu", "spread"),
        ("cpu", "near"),
        ("faiss", "spread"),
        ("faiss", "near"),
        pytest.param("int8", "near", marks=fast_bytes),
    ],
)
def test_peak_memory_is_flat_when_names_grow(backend, family):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, backend, family],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    # One float32 per pair would add 114 MiB (spread); one float64 and two indices per recheck
    # 92 MiB (near). The inputs, their working copies and the allocators' pools add a few tens.
    fewer, more = json.loads(done.stdout)
    assert more - fewer < 80
