"""What is published of an encoder's spec: never the folder of its files."""

import pytest

from mgld.vision.spec import public_encoder


@pytest.mark.parametrize(
    ("spec", "published"),
    [
        ("nano", "nano"),
        ("ViT-L-14-336:openai", "ViT-L-14-336:openai"),
        ("ViT-B-32:w.pt", "ViT-B-32:w.pt"),
        ("ViT-B-32:/home/me/secret/w.pt", "ViT-B-32:w.pt"),
        ("ViT-B-32:../secret/w.pt", "ViT-B-32:w.pt"),
        (r"ViT-B-32:C:\Users\me\w.pt", "ViT-B-32:w.pt"),
        ("/home/me/my-encoder", "my-encoder"),
        ("/home/me/my-encoder/", "my-encoder"),
        ("/home/me/run:3/encoder", "encoder"),
        ("/home/me/encoder:3", "encoder:3"),
        ("./encoder", "encoder"),
        (r"C:\Users\me\encoder", "C:encoder"),
        ("..", "unnamed"),
    ],
)
def test_a_path_is_cut_to_its_last_name(spec, published):
    assert public_encoder(spec) == published
