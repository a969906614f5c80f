"""A written world is GLDv2 to the rest of the program, whole after a break, and repeatable."""

import hashlib
from pathlib import Path

import pytest

from mgld.gldv2 import find_archives, iter_images, read_catalog
from mgld.world import read_ground_truth, write_world


def _hashes(root: Path) -> dict[str, str]:
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(root.rglob("*"))
        if p.is_file()
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("worlds") / "w"
    write_world(out, landmarks=40, seed=3)
    return out


def test_reads_back_as_gldv2(world: Path) -> None:
    catalog = read_catalog(world)
    truth = read_ground_truth(world)
    assert truth is not None
    assert catalog.rejects.num_rows == 0
    assert catalog.landmarks.column("landmark_id").to_pylist() == list(range(40))
    assert catalog.landmarks.column("name").to_pylist() == truth.column("name").to_pylist()
    entries = [e for shard in find_archives(world) for e in iter_images(world, shard.id)]
    assert {e.status for e in entries} == {"ok"}
    assert sorted(e.image_id for e in entries) == catalog.images.column("image_id").to_pylist()
    views = [v["image_id"] for row in truth.column("views").to_pylist() for v in row]
    assert sorted(views) == catalog.images.column("image_id").to_pylist()
    assert not any(catalog.images.column("license").is_null().to_pylist())


def test_md5_files_agree(world: Path) -> None:
    for path in (world / "train").glob("*.tar"):
        published = (world / "md5sum" / "train" / f"md5.{path.stem}.txt").read_text().split()[0]
        assert hashlib.md5(path.read_bytes()).hexdigest() == published


def test_same_bytes_again_and_after_an_interruption(world: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    write_world(again, landmarks=40, seed=3, workers=1)
    assert _hashes(again) == _hashes(world)
    (again / "md5sum" / "train" / "md5.images_000.txt").unlink()
    (again / "ground_truth.parquet").unlink()
    write_world(again, landmarks=40, seed=3)
    assert _hashes(again) == _hashes(world)


def test_refuses_a_folder_that_holds_something_else(world: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds another world"):
        write_world(world, landmarks=41, seed=3)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="not empty"):
        write_world(tmp_path, landmarks=1)
    with pytest.raises(ValueError, match="at least one landmark"):
        write_world(tmp_path / "x", landmarks=0)


def test_one_landmark_is_the_same_in_a_larger_world(world: Path, tmp_path: Path) -> None:
    larger = tmp_path / "larger"
    write_world(larger, landmarks=41, seed=3)
    a, b = read_ground_truth(world), read_ground_truth(larger)
    assert a is not None and b is not None
    assert a.to_pylist() == b.to_pylist()[:40]


def test_tar_members_follow_gldv2s_layout(world: Path) -> None:
    import tarfile

    with tarfile.open(world / "train" / "images_000.tar") as archive:
        names = archive.getnames()
        assert names
        for name in names:
            image = Path(name).stem
            assert name == f"{image[0]}/{image[1]}/{image[2]}/{image}.jpg"
