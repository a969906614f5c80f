"""The nearest names of an image or a text: the index, and `mgld nearest` on a real build."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from scoring_families import last_bits, unit

import mgld
from mgld.build import BuildView
from mgld.cli import main
from mgld.scoring import exact_sim, name_index
from mgld.scoring.name_index import NameIndex, Near, write_index
from mgld.scoring.rescore import rescore

MADE_BY = {"encoder": "nano", "fingerprint": "sha256:x", "template": "{name}"}


def cone(rng, rows, dim):
    """Unit rows around a common direction, as a text encoder's are."""
    x = 1.5 * dim**-0.5 + rng.normal(size=(rows, dim)) * np.linspace(2, 0.2, dim) * dim**-0.5
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def exact_nearest(query, vectors, names, k):
    sims = exact_sim(np.repeat(query[None], len(vectors), 0), vectors)
    order = np.lexsort((np.arange(len(vectors)), -sims))[:k]
    return [Near(names[row], float(sims[row])) for row in order]


class TestIndex:
    def test_few_names_are_compared_one_by_one(self, tmp_path):
        rng = np.random.default_rng(0)
        vectors = cone(rng, 300, 24)
        vectors[200:220] = vectors[10]  # equal names come by row
        names = [f"name {i}" for i in range(300)]
        write_index(tmp_path, names, vectors, MADE_BY)
        index = NameIndex(tmp_path)
        assert (index.names, index.made_by, index.dim) == (names, MADE_BY, 24)
        assert np.array_equal(index.vectors(), vectors)
        for query in (vectors[10], *cone(rng, 20, 24)):
            assert index.nearest(query, 7) == exact_nearest(query, vectors, names, 7)
        assert len(index.nearest(vectors[0], 1000)) == 300

    def test_equal_names_come_by_row_where_float32_sees_better_ones(self, tmp_path):
        """More ties for the last places than a search in float32 returns, in its own order."""
        rng = np.random.default_rng(3)
        vectors = unit(rng.normal(size=(300, 16)))
        vectors[1:41] = unit(vectors[:1] + 0.1 * vectors[1:2])
        for row in range(100, 107):
            vectors[row] = unit(vectors[:1] + 0.01 * vectors[row : row + 1])[0]
        names = [f"name {i}" for i in range(300)]
        write_index(tmp_path, names, vectors, MADE_BY)
        index = NameIndex(tmp_path)
        for k in (8, 10, 15, 41):
            assert index.nearest(vectors[0], k) == exact_nearest(vectors[0], vectors, names, k)
        expected = [f"name {i}" for i in (1, 2)]
        assert [near.name for near in index.nearest(vectors[0], 10)][8:] == expected

    @pytest.mark.parametrize("dim", [5, 64])
    def test_names_nearer_than_float32_can_tell(self, tmp_path, dim):
        queries, vectors = last_bits(np.random.default_rng(0), 10, 300, dim)
        names = [f"name {i}" for i in range(300)]
        write_index(tmp_path, names, vectors, MADE_BY)
        index = NameIndex(tmp_path)
        for query in queries:
            for k in (1, 10, 300):
                assert index.nearest(query, k) == exact_nearest(query, vectors, names, k)

    def test_many_names_nearer_than_float32_can_tell(self, tmp_path, monkeypatch):
        """Of those that codes find, all are compared exactly."""
        monkeypatch.setattr(name_index, "SCANNED_WHOLE", 100)
        queries, vectors = last_bits(np.random.default_rng(0), 10, 300, 64)
        names = [f"name {i}" for i in range(300)]
        write_index(tmp_path, names, vectors, MADE_BY)
        index = NameIndex(tmp_path)
        for query in queries:
            assert index.nearest(query, 10) == exact_nearest(query, vectors, names, 10)

    def test_many_names_by_their_codes(self, tmp_path, monkeypatch):
        monkeypatch.setattr(name_index, "SCANNED_WHOLE", 1000)
        rng = np.random.default_rng(1)
        vectors = cone(rng, 4000, 32)
        names = [f"name {i}" for i in range(4000)]
        write_index(tmp_path / "a", names, vectors, MADE_BY)
        write_index(tmp_path / "b", names, vectors, MADE_BY)
        for file in (name_index.INDEX_FILE, name_index.NAMES_FILE):
            assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
        index = NameIndex(tmp_path / "a")
        assert np.array_equal(index.vectors(), vectors)
        found = 0
        for query in cone(rng, 50, 32):
            expected = exact_nearest(query, vectors, names, 10)
            answer = index.nearest(query, 10)
            assert [near.sim for near in answer] == sorted(
                (near.sim for near in answer), reverse=True
            )
            found += len(set(expected) & set(answer))  # names with their exact similarities
        assert found >= 0.99 * 500

    def test_one_name(self, tmp_path):
        vectors = np.array([[0.6, 0.8]], np.float32)
        write_index(tmp_path, ["alone"], vectors, MADE_BY)
        assert NameIndex(tmp_path).nearest(np.array([1, 0], np.float32)) == [
            Near("alone", float(np.float32(0.6)))
        ]

    def test_refusals(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="has no index of names"):
            NameIndex(tmp_path)
        vectors = cone(np.random.default_rng(0), 5, 4)
        write_index(tmp_path, list("abcde"), vectors, MADE_BY)
        index = NameIndex(tmp_path)
        with pytest.raises(ValueError, match="the query has 3 dimensions, the names 4"):
            index.nearest(np.array([1, 0, 0], np.float32))
        with pytest.raises(ValueError, match="query row 0: length 2"):
            index.nearest(np.array([2, 0, 0, 0], np.float32))
        other = tmp_path / "other"
        write_index(other, list("abcd"), vectors[:4], MADE_BY)
        shutil.copy(other / name_index.INDEX_FILE, tmp_path / name_index.INDEX_FILE)
        with pytest.raises(ValueError, match="they are not of one index"):
            NameIndex(tmp_path)
        table = bytearray((other / name_index.NAMES_FILE).read_bytes())
        table[4:40] = b"\xff" * 36  # pages; its footer can be read
        (other / name_index.NAMES_FILE).write_bytes(table)
        with pytest.raises(ValueError, match="the index of names cannot be read"):
            NameIndex(other)
        (tmp_path / name_index.INDEX_FILE).write_bytes(b"cut")
        with pytest.raises(ValueError, match="the index of names cannot be read"):
            NameIndex(tmp_path)


@pytest.fixture(scope="module")
def photograph(nano_build, tmp_path_factory):
    """The chosen image of a landmark, with that landmark's row of the build's scores."""
    view = BuildView(nano_build)
    row = next(r for r in view.table("scores", "part").to_pylist() if r["status"] == "ok")
    chosen = view.table("selection", "part").to_pylist()
    place = next(r for r in chosen if r["landmark_id"] == row["landmark_id"])
    path = tmp_path_factory.mktemp("image") / "photograph.jpg"
    path.write_bytes(view.image_bytes(place["source"], place["offset"], place["size"]))
    return path, row


def ask(*arguments, code=0):
    result = CliRunner().invoke(main, ["nearest", *map(str, arguments)])
    assert result.exit_code == code, (result.output, result.exception)
    return result


class TestCommand:
    def test_an_image_of_the_build_has_the_names_of_its_scores(self, nano_build, photograph):
        path, row = photograph
        body = json.loads(ask(path, nano_build, "--json").stdout)
        assert body["kind"] == "image"
        assert body["checked"]
        assert [near["name"] for near in body["nearest"]] == row["nearest"]
        sims = [near["sim"] for near in body["nearest"]]
        assert sims == pytest.approx(row["nearest_sim"], abs=1e-5)

    def test_a_name_is_nearest_to_itself(self, nano_build):
        name = BuildView(nano_build).table("catalog", "names", ["name"])["name"].to_pylist()[3]
        result = ask(name, nano_build, "-k", 3)
        lines = result.stdout.splitlines()
        assert lines[0] == f"1.0000\t{name}"
        assert len(lines) == 3
        assert "text among 12 names by nano: loaded in " in result.stderr
        assert " searched in " in result.stderr

    def test_scores_of_a_dataset_answer_too(self, nano_build, photograph, tmp_path, monkeypatch):
        import datasets

        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
        rescore(nano_build, encoder="nano", folder=tmp_path / "scores")
        path, row = photograph
        body = json.loads(ask(path, tmp_path / "scores", "--json").stdout)
        assert [near["name"] for near in body["nearest"]] == row["nearest"]

        view = BuildView(nano_build)
        ids = [row["id"] for part in mgld.load(nano_build).values() for row in part]
        names = view.table("embeddings", "names", ["name", "vector"]).to_pydict()
        np.savez(
            tmp_path / "made.npz",
            image_ids=np.array(ids),
            images=cone(np.random.default_rng(0), len(ids), len(names["vector"][0])),
            name_strings=np.array(names["name"]),
            names=np.array(names["vector"], np.float32),
        )
        rescore(nano_build, embeddings=tmp_path / "made.npz", folder=tmp_path / "given")
        assert "were made elsewhere" in ask("a text", tmp_path / "given", code=1).output
        known = ask(names["name"][0], tmp_path / "given", "--encoder", "nano")
        assert known.stdout.startswith(f"1.0000\t{names['name'][0]}\n")
        assert "not known to be the encoder of the index" in known.stderr

    def test_refusals(self, nano_build, photograph, tmp_path):
        def refused(*arguments):
            return ask(*arguments, code=1).output

        assert "there is no folder" in refused("a text", tmp_path / "nowhere")
        assert "give a build, or a folder" in refused("a text", tmp_path)
        assert "there is no image away.jpg" in refused("away.jpg", nano_build)
        damaged = tmp_path / "damaged.jpg"
        damaged.write_bytes(photograph[0].read_bytes()[:300])
        assert "damaged.jpg: damaged" in refused(damaged, nano_build)
        copy = tmp_path / "copy"
        shutil.copytree(nano_build / "embeddings", copy / "embeddings")
        shutil.copy(nano_build / "config.yaml", copy)
        other = NameIndex(nano_build / "embeddings")
        made_by = other.made_by | {"fingerprint": "sha256:" + 64 * "0"}
        write_index(copy / "embeddings", other.names, other.vectors(), made_by)
        text = refused("a text", copy)
        assert "was made with another encoder (nano, sha256:000000000000...)" in text
        (copy / "embeddings" / "index.faiss").unlink()
        shutil.copy(nano_build / "manifest.json", copy)
        assert "has no index of names yet; `mgld build --out" in refused("a text", copy)
