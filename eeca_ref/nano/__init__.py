"""What the preset `nano` starts from: small parts, nothing downloaded, two CPU cores will do.

`prepare(build, out, seed)` makes, from a build of a procedural world (`mgld world`, then
`mgld build --encoder nano`), all that the recipes of preset `nano` start from:

    OUT/vision/           the build's encoder as a CLIP checkpoint: 64 pixels, 64 patches, width 128
    OUT/language_model/   the nano language model, which has read of every landmark, its tokenizer
    OUT/stage1/           chat.json, images/: captions without names
    OUT/stage2/           mix.json, images/: some landmarks named, others asked about, and articles
    OUT/nano.json         what it was made of

`python -m benchmarks.nano` runs the paper's tables on it (benchmarks/nano/RESULTS.md).
"""

from eeca_ref.nano.parts import prepare

__all__ = ["prepare"]
