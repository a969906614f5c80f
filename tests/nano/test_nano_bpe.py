"""The nano encoder's tokenizer splits every name of the world into its syllables."""

from pathlib import Path

import pytest
from open_clip.tokenizer import SimpleTokenizer

from benchmarks.nano.bpe import nano_merges
from mgld.vision.checkpoint import check_merges, pack_merges
from mgld.world.landmark import make_landmark


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> SimpleTokenizer:
    path: Path = tmp_path_factory.mktemp("bpe") / "merges.txt.gz"
    path.write_bytes(pack_merges(nano_merges()))
    return SimpleTokenizer(str(path), context_length=32)


def _pieces(tokenizer: SimpleTokenizer, text: str) -> list[str]:
    return [tokenizer.decode([i]).strip() for i in tokenizer.encode(text)]


def test_merges_are_valid() -> None:
    merges = nano_merges()
    check_merges(merges, vocab_size=514 + len(merges))


def test_every_proper_name_is_three_syllable_tokens(tokenizer: SimpleTokenizer) -> None:
    for landmark_id in range(500):
        mark = make_landmark(0, landmark_id)
        assert _pieces(tokenizer, mark.proper) == [code.syllable for code in mark.codes]


def test_full_names_are_short_and_other_text_falls_back_to_bytes(
    tokenizer: SimpleTokenizer,
) -> None:
    assert max(len(tokenizer.encode(make_landmark(0, i).name)) for i in range(500)) <= 9
    text = "Храм 東京 — café & Co."
    assert tokenizer.decode(tokenizer.encode(text)).replace(" ", "") == text.lower().replace(
        " ", ""
    )
