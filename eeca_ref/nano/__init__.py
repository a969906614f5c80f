"""The trainer's small parts, made on the spot: nothing is downloaded, two CPU cores will do.

`prepare(build, out, seed)` makes, from a build of a procedural world (`mgld world`, then
`mgld build --encoder nano`), all that the recipes of preset `nano` start from:

    OUT/vision/           the `nano` encoder as a CLIP checkpoint: 64 pixels, 64 patches, width 128
    OUT/language_model/   a randomly initialised Llama and its own tokenizer
    OUT/stage1/           chat.json, images/: captions without names
    OUT/stage2/           mix.json, images/: questions about pictures, and text that tells of names
    OUT/nano.json         what it was made of

`make nano` lays a run out as the recipes expect it: `out/nano/world`, `out/nano/build` (600
landmarks: subsets of 67, 130 and 330), `out/nano/parts` (the above), `out/nano/stage1_pretrain`,
`out/nano/stage2_instruct`, `out/nano/stage3_eeca` (training runs), `out/nano/answers`.
"""

from eeca_ref.nano.parts import prepare

__all__ = ["prepare"]
