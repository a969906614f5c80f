"""The folder format: what is written is what open_clip and we read, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import open_clip
import pytest
import torch
from open_clip.tokenizer import SimpleTokenizer
from vision_tiny import PREPROCESS, tiny_config, tiny_model, write_tiny

from mgld.vision import load_encoder, save_checkpoint
from mgld.vision.checkpoint import MERGES_FILE, check_merges, pack_merges, read_merges


def test_open_clip_itself_reads_the_folder(small_bpe: Path, merges: list[str]) -> None:
    config = tiny_config(text_cfg={"vocab_size": 514 + len(merges)})
    theirs = open_clip.create_model(f"local-dir:{small_bpe}", require_pretrained=True)
    written = tiny_model(config).state_dict()
    assert theirs.state_dict().keys() == written.keys()
    assert all(torch.equal(theirs.state_dict()[name], written[name]) for name in written)
    assert theirs.visual.preprocess_cfg["mean"] == PREPROCESS["mean"]


def test_simple_tokenizer_reads_few_merges(tmp_path: Path, merges: list[str]) -> None:
    for count in (0, 1, len(merges)):
        path = tmp_path / f"{count}.txt.gz"
        path.write_bytes(pack_merges(merges[:count]))
        assert read_merges(path) == merges[:count]
        tokenizer = SimpleTokenizer(str(path))
        assert tokenizer.vocab_size == 514 + count
        assert tokenizer.eot_token_id == 513 + count
        assert tokenizer.decode(tokenizer.encode("Abbey of Łódź")) == "abbey of łódź "
    assert len(tokenizer.encode("Abbey of Varn")) < len("AbbeyofVarn")


def test_same_merges_same_bytes(merges: list[str]) -> None:
    assert pack_merges(merges) == pack_merges(list(merges))


@pytest.mark.parametrize(
    ("merges", "vocab_size", "message"),
    [
        (["t h"], 514, "make a vocabulary of 515"),
        (["t h", "th e", "t h"], 517, "merge 2 makes a token that exists already"),
        (["th e"], 515, "merge 0 is not two known tokens"),
        (["t h e"], 515, "merge 0 is not two known tokens"),
        ([""], 515, "merge 0 is not two known tokens"),
    ],
)
def test_merges_that_make_no_vocabulary(merges: list[str], vocab_size: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_merges(merges, vocab_size=vocab_size)


def test_writing_again_keeps_the_card_and_drops_old_merges(
    tmp_path: Path, merges: list[str]
) -> None:
    folder = write_tiny(tmp_path / "encoder", merges=merges)
    (folder / "CARD.md").write_text("a card")
    before = load_encoder(str(folder), device="cpu").fingerprint
    write_tiny(folder)
    assert (folder / "CARD.md").read_text() == "a card"
    assert not (folder / MERGES_FILE).exists()
    assert load_encoder(str(folder), device="cpu").fingerprint != before
    assert [path.name for path in tmp_path.iterdir()] == ["encoder"]


def test_a_failed_write_leaves_the_old_folder(tmp_path: Path, merges: list[str]) -> None:
    folder = write_tiny(tmp_path / "encoder", merges=merges)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    config = tiny_config()
    model = tiny_model(config)

    def fail() -> dict[str, torch.Tensor]:
        raise OSError("No space left on device")

    model.state_dict = fail  # type: ignore[method-assign]  # a fault on purpose
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(folder, model, config, PREPROCESS, None)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["encoder"]
