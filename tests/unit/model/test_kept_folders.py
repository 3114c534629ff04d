import os
from pathlib import Path

from model.kept_folders import mark_used


def make_folders(cache: Path, *names: str) -> None:
    for age, name in enumerate(names):
        (cache / name).mkdir()
        os.utime(cache / name, (1_000_000 + age, 1_000_000 + age))


def test_the_folders_used_longest_ago_are_removed(tmp_path: Path) -> None:
    make_folders(tmp_path, "engine-1", "engine-2", "engine-3", "notes")

    mark_used(tmp_path / "engine-1", "engine-*", kept=2)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["engine-1", "engine-3", "notes"]


def test_a_folder_that_is_gone_is_no_error(tmp_path: Path) -> None:
    make_folders(tmp_path, "engine-1", "engine-2")
    mark_used(tmp_path / "engine-0", "engine-*", kept=1)
    assert len(list(tmp_path.iterdir())) == 2
