"""Figures: drawn once, used by reports, benchmarks and docs.

Each function returns a `Drawing`: a matplotlib figure with the table it shows. `BUILD_FIGURES` has
what a build folder supports, `draw_build` draws those of its report; the single functions draw from
plain arrays. `mgld figures FOLDER` draws all that a folder supports.
"""

from mgld.figures.build import BUILD_FIGURES, BuildData, LackingError, draw_build
from mgld.figures.categories import category_table, draw_categories
from mgld.figures.data_size import draw_data_size
from mgld.figures.dispersion import draw_dispersion
from mgld.figures.drawing import Drawing
from mgld.figures.exposure import draw_exposure
from mgld.figures.funnel import draw_funnel, funnel_table
from mgld.figures.gldv2_tables import draw_gldv2_tables, gldv2_tables
from mgld.figures.images_per_landmark import draw_images_per_landmark
from mgld.figures.known_unknown import draw_known_unknown, rank_auc
from mgld.figures.level_examples import LevelExample, ShownAnswer, draw_level_examples
from mgld.figures.records import ScoredRecords, read_records
from mgld.figures.robustness import draw_robustness
from mgld.figures.seeds import SeedMean, seed_mean
from mgld.figures.sim_rsr import draw_sim_rsr
from mgld.figures.style import NARROW, WIDE
from mgld.figures.top_three import ShownCandidate, TopThree, draw_top_three
from mgld.figures.tsne import draw_tsne, tsne_map, tsne_sample

__all__ = [
    "BUILD_FIGURES",
    "NARROW",
    "WIDE",
    "BuildData",
    "Drawing",
    "LackingError",
    "LevelExample",
    "ScoredRecords",
    "SeedMean",
    "ShownAnswer",
    "ShownCandidate",
    "TopThree",
    "category_table",
    "draw_build",
    "draw_categories",
    "draw_data_size",
    "draw_dispersion",
    "draw_exposure",
    "draw_funnel",
    "draw_gldv2_tables",
    "draw_images_per_landmark",
    "draw_known_unknown",
    "draw_level_examples",
    "draw_robustness",
    "draw_sim_rsr",
    "draw_top_three",
    "draw_tsne",
    "funnel_table",
    "gldv2_tables",
    "rank_auc",
    "read_records",
    "seed_mean",
    "tsne_map",
    "tsne_sample",
]
