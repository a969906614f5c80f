"""The store: as encoded, whole or not there, remade when it must be, resumable at any kill."""

from __future__ import annotations

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import chat_tokenizers
import pytest
from listed_source import ListedSource, sample

from eeca_ref.data import store_write
from eeca_ref.data.chat import ChatFormat
from eeca_ref.data.entities import entity_token_ids
from eeca_ref.data.samples import Sample, Skipped, Turn
from eeca_ref.data.store import TokenStore
from eeca_ref.data.store_write import TokenSettings, make_store, tokenizer_fingerprint
from eeca_ref.data.tokens import truncate

SETTINGS = TokenSettings(max_length=80, visual_tokens=12)
ITEMS: list[Sample | Skipped] = [
    sample(0),
    sample(1, image=False),
    Skipped("bad", "bad_row", "no object"),
    sample(3, words=60),  # truncated
    Sample("special", (Turn("user", "<|eot_id|>?"), Turn("assistant", "x"))),
    sample(5),
    sample(6),
    sample(7, image=False, words=20),
]


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_write, "SHARD_ROWS", 3)
    monkeypatch.setattr(store_write, "BATCH_ROWS", 2)


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {p.name: (p.read_bytes(), p.stat().st_ino) for p in sorted(folder.glob("s*"))}


def test_what_comes_out_is_what_was_encoded(tmp_path: Path) -> None:
    tokenizer = chat_tokenizers.llama3()
    chat = ChatFormat(tokenizer)
    store = make_store(tmp_path, ListedSource(ITEMS), tokenizer, SETTINGS)
    assert len(store) == len(ITEMS)
    assert store.usable.tolist() == [0, 1, 3, 5, 6, 7]
    for row in store.usable.tolist():
        item, got = ITEMS[row], store[row]
        assert isinstance(item, Sample)
        expected = truncate(chat.encode(item.turns), max_length=80, visual_tokens=12)
        assert got.tokens.ids.tolist() == expected.ids.tolist()
        assert got.tokens.roles.tolist() == expected.roles.tolist()
        assert (got.row, got.id, got.image, got.label) == (row, item.id, item.image, item.label)
        assert got.entity_ids == entity_token_ids(item.entities, tokenizer)
        assert store.lengths[row] == expected.spliced_length(12) <= 80
        assert store.supervised[row] == expected.supervised.sum()
        assert store.has_image[row] == (item.image is not None)
    assert [image for images in store.images() for image in images] == [
        None if isinstance(item, Skipped) else item.image for item in ITEMS
    ]
    assert store.lengths[3] == 80
    with pytest.raises(ValueError, match="row 2 is no sample: bad_row: no object"):
        store[2]
    for row in (-1, len(ITEMS)):
        with pytest.raises(IndexError):
            store[row]


def test_counts_add_up(tmp_path: Path) -> None:
    store = make_store(tmp_path, ListedSource(ITEMS), chat_tokenizers.llama3(), SETTINGS)
    counts = store.counts()
    skipped = {key: number for key, number in counts.items() if key.startswith("skipped")}
    assert skipped == {"skipped: bad_row": 1, "skipped: special_token": 1}
    assert counts["rows"] == counts["samples"] + sum(skipped.values()) == len(ITEMS)
    assert counts["text_only"] == 2
    assert counts["truncated"] == 1
    assert counts["without_entities"] == 1  # number 0; text-only rows are not counted
    assert counts["with_one_entity"] == 1  # number 5
    assert counts["without_label"] == 3  # numbers 0, 3, 6
    assert counts["tokens"] == store.lengths.sum()
    assert store.labels == ["lake"]
    assert [row[:3] for row in store.skipped()] == [
        (2, "bad", "bad_row"),
        (4, "special", "special_token"),
    ]


def test_a_finished_store_is_only_opened(tmp_path: Path) -> None:
    source = ListedSource(ITEMS)
    tokenizer = chat_tokenizers.llama3()
    make_store(tmp_path, source, tokenizer, SETTINGS)
    before = files(tmp_path)
    make_store(tmp_path, source, tokenizer, SETTINGS)
    assert source.started == [0]
    assert files(tmp_path) == before


def test_using_a_tokenizer_does_not_change_its_fingerprint() -> None:
    tokenizer = chat_tokenizers.chatml()
    before = tokenizer_fingerprint(tokenizer)
    tokenizer(["a", "a longer text"], padding=True, max_length=9, truncation=True)
    assert tokenizer_fingerprint(tokenizer) == before
    tokenizer.add_special_tokens({"additional_special_tokens": ["<more>"]})
    assert tokenizer_fingerprint(tokenizer) != before


@pytest.mark.parametrize("change", ["source", "template", "length", "visual", "format"])
def test_a_change_makes_it_again(tmp_path: Path, change: str) -> None:
    items = [sample(number) for number in range(8)]
    tokenizer = chat_tokenizers.llama3()
    old = make_store(tmp_path, ListedSource(items), tokenizer, SETTINGS)
    first = old[0].tokens
    source, settings = ListedSource(items), SETTINGS
    if change == "source":
        source = ListedSource([sample(number + 1) for number in range(4)], name="other")
    elif change == "template":
        tokenizer.chat_template = tokenizer.chat_template.replace("\n\n", "\n")
    elif change == "length":
        settings = TokenSettings(max_length=int(old.lengths[0]) - 1, visual_tokens=12)
    elif change == "visual":
        settings = TokenSettings(max_length=80, visual_tokens=13)
    else:
        settings = TokenSettings(format="plain", max_length=80, visual_tokens=12)
    new = make_store(tmp_path, source, tokenizer, settings)
    assert source.started == [0]
    assert new.binding != old.binding
    assert len(new) == len(source.items)
    assert len(list(tmp_path.glob("*.arrow"))) == -(-len(source.items) // 3)
    if change == "visual":
        assert new.lengths[0] == len(first) + 12
    else:
        assert new[0].tokens.ids.tolist() != first.ids.tolist()


class KilledSource(ListedSource):
    """Stops the process, so to speak, at a row."""

    def __init__(self, items: Any, at: int) -> None:
        super().__init__(items)
        self.at = at

    def rows(self, start: int = 0) -> Any:
        for number, row in enumerate(super().rows(start), start):
            if number == self.at:
                raise KeyboardInterrupt
            yield row


@pytest.mark.parametrize("at", range(len(ITEMS)))
def test_killed_at_any_row_it_goes_on_at_its_last_shard(tmp_path: Path, at: int) -> None:
    tokenizer = chat_tokenizers.llama3()
    whole = make_store(tmp_path / "whole", ListedSource(ITEMS), tokenizer, SETTINGS)
    folder = tmp_path / "killed"
    with pytest.raises(KeyboardInterrupt):
        make_store(folder, KilledSource(ITEMS, at), tokenizer, SETTINGS)
    with pytest.raises(FileNotFoundError, match="no finished token store"):
        TokenStore(folder)
    source = ListedSource(ITEMS)
    done: list[int] = []
    make_store(folder, source, tokenizer, SETTINGS, on_rows=done.append)
    assert source.started == [at // 3 * 3]
    assert sum(done) == len(ITEMS)
    for name, (content, _) in files(whole.folder).items():
        assert (folder / name).read_bytes() == content


def test_a_process_killed_for_good_leaves_nothing_that_is_taken_for_a_store(tmp_path: Path) -> None:
    """SIGKILL while a shard is being written, from another process."""
    script = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "import chat_tokenizers, test_eeca_data_store as t\n"
        "from eeca_ref.data import store_write\n"
        "store_write.SHARD_ROWS, store_write.BATCH_ROWS = 3, 2\n"
        "class Slow(t.ListedSource):\n"
        "    def rows(self, start=0):\n"
        "        for number, row in enumerate(super().rows(start), start):\n"
        "            if number == 5:\n"
        "                print('here', flush=True); time.sleep(60)\n"
        "            yield row\n"
        "store_write.make_store(sys.argv[2], Slow(t.ITEMS), chat_tokenizers.llama3(), t.SETTINGS)\n"
    )
    folder = tmp_path / "killed"
    command = [sys.executable, "-c", script, str(Path(__file__).parent), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        process.kill()
    assert len(list(folder.glob(".shard-*.tmp"))) == 1
    source = ListedSource(ITEMS)
    tokenizer = chat_tokenizers.llama3()
    make_store(folder, source, tokenizer, SETTINGS)
    assert source.started == [3]
    whole = make_store(tmp_path / "whole", ListedSource(ITEMS), tokenizer, SETTINGS)
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        path.name for path in whole.folder.iterdir()
    )
    for name, (content, _) in files(whole.folder).items():
        assert (folder / name).read_bytes() == content


def test_of_several_processes_one_makes_it(tmp_path: Path) -> None:
    source = ListedSource(ITEMS)

    def make(_: int) -> int:
        return len(make_store(tmp_path, source, chat_tokenizers.llama3(), SETTINGS))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(make, range(4))) == [len(ITEMS)] * 4
    assert source.started == [0]


def test_a_damaged_shard_is_made_again(tmp_path: Path) -> None:
    tokenizer = chat_tokenizers.llama3()
    whole = make_store(tmp_path / "whole", ListedSource(ITEMS), tokenizer, SETTINGS)
    folder = tmp_path / "damaged"
    make_store(folder, ListedSource(ITEMS), tokenizer, SETTINGS)
    (folder / "store.json").unlink()
    shard = folder / "shard-00001.arrow"
    shard.write_bytes(shard.read_bytes()[:100])
    make_store(folder, ListedSource(ITEMS), tokenizer, SETTINGS)
    for name, (content, _) in files(whole.folder).items():
        assert (folder / name).read_bytes() == content


def test_nothing_to_train_on_is_an_error_with_a_reason(tmp_path: Path) -> None:
    tokenizer = chat_tokenizers.llama3()
    with pytest.raises(ValueError, match=r"none of 1 rows is a sample .*bad_row: no object"):
        make_store(tmp_path / "a", ListedSource([ITEMS[2]]), tokenizer, SETTINGS)
    with pytest.raises(ValueError, match=r"none of 0 rows is a sample \(no rows"):
        make_store(tmp_path / "b", ListedSource([]), tokenizer, SETTINGS)


def test_it_pickles_as_its_path(tmp_path: Path) -> None:
    store = make_store(tmp_path, ListedSource(ITEMS), chat_tokenizers.llama3(), SETTINGS)
    store[0]
    data = pickle.dumps(store)
    assert len(data) < 300
    assert pickle.loads(data)[0].id == "id0"


def test_half_a_surrogate_pair_is_a_skipped_row(tmp_path: Path) -> None:
    from eeca_ref.data.llava import LlavaSource

    path = tmp_path / "chat.json"
    turns = '[{"from": "human", "value": "Who?"}, {"from": "gpt", "value": "%s"}]'
    rows = [
        f'{{"id": "{name}", "conversations": {turns % said}}}'
        for name, said in (("\\ud83d", "x"), ("b", "\\ud83d"))
    ]
    path.write_text(f"[{','.join(rows)}]")
    source = LlavaSource(path, {"": tmp_path})
    store = make_store(tmp_path / "store", source, chat_tokenizers.llama3(), SETTINGS)
    assert store[0].id == "?"
    assert store.skipped() == [(1, "b", "bad_text", "half a surrogate pair")]
