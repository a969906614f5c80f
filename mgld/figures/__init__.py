"""Figures: drawn once, used by reports, benchmarks and docs.

Each function returns a `Drawing`: a matplotlib figure with the table it shows. `draw_build` draws
all that a build folder supports; the single functions draw from plain arrays.
"""

from mgld.figures.build import draw_build
from mgld.figures.categories import category_table, draw_categories
from mgld.figures.drawing import Drawing
from mgld.figures.exposure import draw_exposure
from mgld.figures.funnel import draw_funnel, funnel_table
from mgld.figures.images_per_landmark import draw_images_per_landmark
from mgld.figures.known_unknown import draw_known_unknown, rank_auc
from mgld.figures.records import ScoredRecords, read_records
from mgld.figures.sim_rsr import draw_sim_rsr
from mgld.figures.style import NARROW, WIDE

__all__ = [
    "NARROW",
    "WIDE",
    "Drawing",
    "ScoredRecords",
    "category_table",
    "draw_build",
    "draw_categories",
    "draw_exposure",
    "draw_funnel",
    "draw_images_per_landmark",
    "draw_known_unknown",
    "draw_sim_rsr",
    "funnel_table",
    "rank_auc",
    "read_records",
]
