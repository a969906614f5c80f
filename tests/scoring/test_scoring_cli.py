"""`mgld subset` and `mgld score` as a user meets them."""

import json

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from scoring_folders import NAMES, unit

from mgld.cli import main
from mgld.keyed import order_key
from mgld.scoring import sim_rsr


def mgld(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


class TestSubset:
    def test_ids_in_order_from_a_build(self, build_folder):
        out = mgld("subset", build_folder, "--method", "hss", "--size", 4).stdout
        assert out.split() == ["0", "1", "2", "4"]  # 3 is a test record

    def test_hds_from_a_dataset_equals_that_from_a_build(self, build_folder, dataset_folder):
        arguments = ["--method", "hds", "--size", 4]
        expected = ["9", "6", "0", "10"]  # rank 1 by margin, then rank 2
        assert mgld("subset", build_folder, *arguments).stdout.split() == expected
        assert mgld("subset", dataset_folder, *arguments).stdout.split() == expected

    def test_brs_uses_the_seed_of_the_build(self, build_folder):
        rows = [i for i in range(11) if i != 3]
        for flags, seed in (([], 7), (["--seed", 1], 1)):
            out = mgld("subset", build_folder, "--method", "brs", "--size", 10, *flags).stdout
            expected = sorted(rows, key=lambda i: order_key(seed, "brs", i))
            assert [int(line) for line in out.split()] == expected

    @pytest.mark.parametrize("suffix", [".parquet", ".csv"])
    def test_out(self, build_folder, tmp_path, suffix):
        path = tmp_path / f"subset{suffix}"
        result = mgld("subset", build_folder, "--method", "lcs", "--size", 3, "--out", path)
        assert "lcs3: 3 records written to" in result.stdout
        table = pq.read_table(path) if suffix == ".parquet" else pyarrow.csv.read_csv(path)
        assert table.column_names == ["position", "landmark_id", "sim", "rank", "rsr", "margin"]
        assert table["position"].to_pylist() == [0, 1, 2]
        # Low Sim is a high number here, low RSR a number of 2 modulo 3.
        assert table["landmark_id"].to_pylist()[0] == 8

    def test_json(self, build_folder):
        out = mgld("subset", build_folder, "--method", "hss", "--size", 2, "--json").stdout
        assert json.loads(out) == {
            "config": "hss2",
            "method": "hss",
            "size": 2,
            "landmark_ids": [0, 1],
        }

    def test_errors(self, build_folder, tmp_path):
        def refused(*arguments, code=1):
            return mgld("subset", *arguments, code=code).output

        text = refused(build_folder, "--method", "hds", "--size", 11)
        assert "size 11: there are 10 candidates" in text
        assert "must end in" in refused(
            build_folder, "--method", "hds", "--size", 1, "--out", tmp_path / "x.txt"
        )
        assert "no folder" in refused(tmp_path / "nowhere", "--method", "hds", "--size", 1)
        refused(build_folder, "--method", "best", "--size", 1, code=2)
        refused(build_folder, "--method", "hds", "--size", 0, code=2)
        (build_folder / "splits" / "records.parquet").unlink()
        text = refused(build_folder, "--method", "hds", "--size", 1)
        assert "has no scores and splits yet" in text

    def test_a_build_that_lacks_scores_of_its_records_is_refused(self, build_folder):
        (build_folder / "scores" / "part-00001.parquet").unlink()
        text = mgld("subset", build_folder, "--method", "hds", "--size", 1, code=1).output
        assert "5 training records have no scores (first: landmark 6)" in text


@pytest.mark.usefixtures("colour_encoder")
class TestScore:
    def test_table_is_right(self, dataset_folder, tmp_path):
        path = tmp_path / "scores.parquet"
        result = mgld("score", dataset_folder, "--encoder", "any", "--out", path)
        assert "11 of 12 records scored among 6 names with colour" in result.stdout
        assert "records: 12 of 12" in result.stderr
        rows = pq.read_table(path).to_pylist()
        assert [row["landmark_id"] for row in rows] == [*range(3), *range(4, 12), 3]
        assert [row["split"] for row in rows] == ["train"] * 11 + ["test"]
        for row in rows:
            if row["landmark_id"] == 5:
                assert (row["status"], row["sim"], row["rank"]) == ("damaged", None, None)
                assert row["nearest"] is None
                assert row["reason"]
                continue
            assert row["status"] == "ok"
            assert len(row["nearest"]) == len(row["nearest_sim"]) == 6  # all names, not only k
            if row["landmark_id"] == 7:
                assert row["nearest"][0] == "Fort Tolm"
                assert row["rank"] > 1
                assert row["margin"] < 0
            else:
                assert row["nearest"][0] == row["landmark_name"]
                assert (row["rank"], row["rsr"]) == (1, 1.0)
                assert row["margin"] == row["nearest_sim"][0] - row["nearest_sim"][1]

    def test_printed_table_and_summary(self, dataset_folder):
        out = mgld("score", dataset_folder, "--encoder", "any", "--split", "test").stdout
        lines = out.splitlines()
        assert lines[0] == "id\tlandmark_name\tstatus\tsim\trank\trsr\tmargin"
        assert lines[1].split("\t")[:3] == ["image-3", "Lake Orrin", "ok"]
        assert "median RSR 1.0000, rank 1 for 100.0%" in lines[-1]
        assert len(lines) == 3

    def test_json_and_csv(self, dataset_folder, tmp_path):
        body = json.loads(mgld("score", dataset_folder, "--encoder", "any", "--json").stdout)
        assert body["summary"] == {
            "records": 12,
            "scored": 11,
            "names": 6,
            "median_rsr": 1.0,
            "share_rank_1": 10 / 11,
            "encoder": "colour",
            "fingerprint": "sha256:colour",
            "template": "{name}",
        }
        path = tmp_path / "scores.csv"
        flags = ["--encoder", "any", "--json", "--out", path]
        assert json.loads(mgld("score", dataset_folder, *flags).stdout)["out"] == str(path)
        written = pyarrow.csv.read_csv(path).to_pylist()
        assert [row["id"] for row in written] == [row["id"] for row in body["rows"]]
        assert json.loads(written[0]["nearest"]) == body["rows"][0]["nearest"]

    def test_template(self, dataset_folder):
        flags = ["--encoder", "any", "--template", "negative of {name}"]
        out = mgld("score", dataset_folder, *flags).stdout
        assert 'names as "negative of {name}": median RSR' in out
        assert 'names as "{name}": median' in mgld("score", dataset_folder, *flags[:2]).stdout
        body = json.loads(mgld("score", dataset_folder, *flags, "--json").stdout)
        assert body["summary"]["template"] == "negative of {name}"
        for row in body["rows"]:
            if row["status"] == "ok" and row["landmark_id"] != 7:
                assert (row["rank"], row["nearest"][-1]) == (6, row["landmark_name"])

    def test_eval_counts_each_record_once(self, dataset_folder):
        def ids(*flags):
            arguments = ["--encoder", "any", "--config", "eval", "--json", *flags]
            body = json.loads(mgld("score", dataset_folder, *arguments).stdout)
            assert body["summary"]["records"] == len(body["rows"])
            return [row["landmark_id"] for row in body["rows"]]

        assert ids() == ids("--split", "test") == [3, 4, 5, 6]
        assert ids("--split", "test_paper") == [3, 4]

    def test_errors(self, dataset_folder):
        def refused(*arguments, code=1):
            return mgld("score", dataset_folder, *arguments, code=code).output

        assert "either --encoder or --embeddings" in refused(code=2)
        assert "either" in refused("--encoder", "x", "--embeddings", "y", code=2)
        flags = ["--embeddings", "y.npz", "--template", "a photo of {name}"]
        assert "--template is for --encoder" in refused(*flags, code=2)
        assert "must contain {name} exactly once" in refused(
            "--encoder", "any", "--template", "a photo"
        )
        assert "no split 'dev'" in refused("--encoder", "any", "--split", "dev")
        assert "no config 'hds25k'" in refused("--encoder", "any", "--config", "hds25k")
        assert "must end in" in refused("--encoder", "any", "--out", "scores.txt")


class TestEmbeddings:
    def write(self, path, **changes):
        """Vectors in another order than the dataset's, and one image more than it has."""
        rng = np.random.default_rng(0)
        arrays = {
            "image_ids": np.array([f"image-{i}" for i in reversed(range(13))]),
            "images": unit(rng.normal(size=(13, 5))),
            "name_strings": np.array(NAMES[::-1]),
            "names": unit(rng.normal(size=(6, 5))),
        } | changes
        np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
        return arrays

    @pytest.mark.parametrize("backend", ["auto", "faiss", "oracle"])
    def test_vectors_are_joined_by_id_and_name(self, dataset_folder, tmp_path, backend):
        arrays = self.write(tmp_path / "e.npz")
        flags = ["--embeddings", tmp_path / "e.npz", "--backend", backend, "--json"]
        body = json.loads(mgld("score", dataset_folder, *flags).stdout)
        expected = sim_rsr(
            arrays["images"][::-1][:12],
            arrays["names"][::-1],
            np.arange(12) % 6,
            backend="oracle",
        )
        assert body["summary"]["template"] is None
        assert body["summary"]["scored"] == 12  # the damaged image is not needed
        for row in body["rows"]:
            i = row["landmark_id"]
            assert (row["sim"], row["rank"]) == (expected.sim[i], expected.rank[i])
            assert row["nearest"] == [NAMES[j] for j in expected.nearest[i] if j >= 0]

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"images": None}, "lacks images"),
            ({"name_strings": np.array([*NAMES[:5], "Other"])}, "1 of 6 names: 'Tower of Ysk'"),
            ({"image_ids": np.array([f"x{i}" for i in range(13)])}, "12 of 12 images: 'image-0'"),
            ({"image_ids": np.array(["a"] * 13)}, r"image_ids[1] = 'a' occurs twice"),
            ({"image_ids": np.arange(13)}, "image_ids: expected text [13]"),
            ({"names": np.ones((6, 5), np.float32)}, "name row 0: length"),
            ({"names": unit(np.ones((6, 4)))}, "images have 5 dimensions, names 4"),
            ({"images": unit(np.ones((12, 5)))}, "image_ids: expected text [12]"),
            ({"image_ids": np.array([object()] * 13)}, "Expected an .npz"),
        ],
    )
    def test_what_is_wrong_is_named(self, dataset_folder, tmp_path, changes, words):
        self.write(tmp_path / "e.npz", **changes)
        result = mgld("score", dataset_folder, "--embeddings", tmp_path / "e.npz", code=1)
        assert words in result.output
        assert "Traceback" not in result.output

    @pytest.mark.parametrize("data", [b"", b"not a zip", b"PK\x03\x04 cut"])
    def test_not_an_npz(self, dataset_folder, tmp_path, data):
        path = tmp_path / "e.npz"
        path.write_bytes(data)
        result = mgld("score", dataset_folder, "--embeddings", path, code=1)
        assert "Expected an .npz" in result.output

    def test_missing_file_and_single_array(self, dataset_folder, tmp_path):
        text = mgld("score", dataset_folder, "--embeddings", tmp_path / "no.npz", code=1).output
        assert "no.npz" in text
        np.save(tmp_path / "one.npy", np.ones(3))
        text = mgld("score", dataset_folder, "--embeddings", tmp_path / "one.npy", code=1).output
        assert "not an .npz of several" in text


@pytest.mark.usefixtures("colour_encoder")
def test_a_record_whose_name_is_no_candidate(dataset_folder):
    from datasets import Dataset

    path = dataset_folder / "names" / "train.parquet"
    Dataset.from_list([{"name": n, "landmark_ids": [0]} for n in NAMES[1:]]).to_parquet(path)
    text = mgld("score", dataset_folder, "--encoder", "any", code=1).output
    assert "2 records have a name that is not in the `names` config: 'Abbey of Varn'" in text
