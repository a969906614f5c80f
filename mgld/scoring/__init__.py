"""Sim, rank, RSR and margin of images among candidate names; subsets and splits.

Definitions: docs/definitions.md; paper, section 3.2. Importing this package imports NumPy and
nothing heavier: torch and faiss are imported by the backends that use them.
"""

from mgld.scoring.dispersion import Dispersion, measure_dispersion
from mgld.scoring.exact import exact_sim, float32_error_bound
from mgld.scoring.scores import Scores, rsr_of_rank
from mgld.scoring.sim_rsr import BACKENDS, NameScorer, sim_rsr
from mgld.scoring.sizes import config_name, default_sizes, default_test_size, parse_config_name
from mgld.scoring.splits import Splits, assign_splits
from mgld.scoring.subsets import METHODS, percentiles, select

__all__ = [
    "BACKENDS",
    "METHODS",
    "Dispersion",
    "NameScorer",
    "Scores",
    "Splits",
    "assign_splits",
    "config_name",
    "default_sizes",
    "default_test_size",
    "exact_sim",
    "float32_error_bound",
    "measure_dispersion",
    "parse_config_name",
    "percentiles",
    "rsr_of_rank",
    "select",
    "sim_rsr",
]
