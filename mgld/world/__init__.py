"""A procedural stand-in for Google Landmarks v2 with known ground truth.

`write_world` writes landmarks in GLDv2's own layout; `read_ground_truth` reads what only such a
world knows, `read_landmarks` its landmarks. The parts: `lexicon` (regions, looks, syllables),
`landmark` (one landmark), `article` (what can be read about it), `views` (how photographs differ),
`canvas`, `shapes`, `scene` (drawing), `curriculum` (what the shipped encoder was taught), `write`
(files).
"""

from mgld.world.write import read_ground_truth, read_landmarks, write_world

__all__ = ["read_ground_truth", "read_landmarks", "write_world"]
