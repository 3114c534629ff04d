from __future__ import annotations

import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from jobs.audit_log import read_events
from jobs.lake import Lake
from jobs.registry import list_versions, register_bundle
from jobs.registry_bundles import RegisteredBundle, fetch_bundle, open_source
from jobs.registry_current import change_current, make_rollback, read_current
from jobs.registry_keys import bundle_key
from jobs.registry_record import Change, Current
from model.bundle import CARD_FILE, MODEL_FILE, Bundle
from model.errors import BundleError, ConfigurationError, OutputError, PromotionError
from tests.builders import write_tiny_bundle
from tests.unit.jobs.night_builders import folder_lake
from tests.unit.jobs.registry_builders import make_version

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
CURRENT_KEY = "models/tiny/CURRENT"


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="module")
def second(first: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_version(first, tmp_path_factory.mktemp("bundles"), "2")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture
def lake(root: Path) -> Lake:
    root.mkdir()
    return folder_lake(root)


def promotion_of(bundle: Bundle, because: str | None = None) -> Change:
    return Change(
        at=NOW.isoformat(),
        action="promote",
        version=bundle.card.version,
        digest=bundle.digest,
        because=because,
    )


def promote(lake: Lake, bundle: Bundle) -> Current:
    return change_current(lake, read_current(lake, "tiny"), promotion_of(bundle), NOW)


def roll_back(lake: Lake) -> Current:
    seen = read_current(lake, "tiny")
    return change_current(lake, seen, make_rollback(seen, None, NOW), NOW)


def test_a_registered_bundle_lies_under_its_name_and_version(lake: Lake, first: Bundle) -> None:
    assert register_bundle(lake, first, NOW) is True

    for file in (MODEL_FILE, CARD_FILE):
        assert lake.read(f"models/tiny/1/{file}") == (first.folder / file).read_bytes()


def test_registering_the_same_bundle_again_changes_nothing(
    lake: Lake,
    root: Path,
    first: Bundle,
) -> None:
    register_bundle(lake, first, NOW)
    before = (root / "models/tiny/1" / MODEL_FILE).stat()

    assert register_bundle(lake, first, NOW) is False

    assert (root / "models/tiny/1" / MODEL_FILE).stat() == before


def test_another_bundle_of_the_same_version_is_refused_and_the_first_one_stays(
    lake: Lake,
    first: Bundle,
    tmp_path: Path,
) -> None:
    register_bundle(lake, first, NOW)
    other = make_version(first, tmp_path, "1", threshold=0.4)

    with pytest.raises(BundleError, match=r"version 1 of tiny is registered already.*card\.json"):
        register_bundle(lake, other, NOW)

    assert fetch_bundle(lake, "tiny", "1", None, tmp_path / "cache").digest == first.digest


def test_an_upload_that_was_killed_half_way_is_listed_as_such_and_completed(
    lake: Lake,
    first: Bundle,
) -> None:
    lake.write(bundle_key("tiny", "1", MODEL_FILE), first.folder / MODEL_FILE)
    (half,) = list_versions(lake)

    assert register_bundle(lake, first, NOW) is True

    (whole,) = list_versions(lake)
    assert (half.card, half.problem) == (None, "incomplete: no card.json")
    assert (whole.card, whole.problem) == (first.card, None)


class DamagingLake:
    """A lake whose storage turns one byte of every object over."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def __getattr__(self, name: str) -> object:
        return getattr(self._lake, name)

    def read(self, key: str, etag: str | None = None) -> bytes:
        data = bytearray(self._lake.read(key, etag))
        data[len(data) // 2] ^= 1
        return bytes(data)


def test_what_arrived_is_verified_and_not_believed(lake: Lake, first: Bundle) -> None:
    damaging = cast("Lake", DamagingLake(lake))  # its rest is the lake's own

    with pytest.raises(BundleError, match=f"expected {first.digest}"):
        register_bundle(damaging, first, NOW)


@pytest.mark.parametrize("version", ["../1", "CURRENT", "a b", "1/2", ".1", ""])
def test_a_version_that_can_be_no_folder_is_refused_before_anything_is_written(
    version: str,
    lake: Lake,
    root: Path,
    first: Bundle,
) -> None:
    card = first.card.model_copy(update={"version": version})

    with pytest.raises(ConfigurationError, match="cannot name a folder of the registry"):
        register_bundle(lake, Bundle(first.folder, card, first.digest), NOW)

    assert list(root.iterdir()) == []


def test_versions_are_listed_in_their_order_and_damaged_ones_too(
    lake: Lake,
    first: Bundle,
    tmp_path: Path,
) -> None:
    for version in ("0.10.0", "0.9.0"):
        register_bundle(lake, make_version(first, tmp_path, version), NOW)
    lake.write(bundle_key("other", "7", MODEL_FILE), b"")
    lake.write(bundle_key("other", "7", CARD_FILE), b"{}")
    promote(lake, first)

    listed = list_versions(lake)

    assert [(entry.name, entry.version) for entry in listed] == [
        ("other", "7"),
        ("tiny", "0.9.0"),
        ("tiny", "0.10.0"),
    ]
    assert listed[0].problem == "damaged: card.json cannot be read"


def test_current_says_the_version_and_its_digest(lake: Lake, first: Bundle) -> None:
    register_bundle(lake, first, NOW)
    assert read_current(lake, "tiny").current is None

    promote(lake, first)

    current = read_current(lake, "tiny").current
    assert current is not None
    assert (current.version, current.digest) == ("1", first.digest)


def test_of_two_promotions_at_once_one_wins_and_the_other_is_told(
    lake: Lake,
    first: Bundle,
    second: Bundle,
) -> None:
    promote(lake, first)
    seen = read_current(lake, "tiny")
    change_current(lake, seen, promotion_of(second), NOW)

    with pytest.raises(PromotionError, match="changed by someone else meanwhile"):
        change_current(lake, seen, promotion_of(first), NOW)

    current = read_current(lake, "tiny").current
    assert current is not None
    assert [change.version for change in current.changes] == ["1", "2"]


def test_of_many_first_promotions_at_once_exactly_one_wins(lake: Lake, first: Bundle) -> None:
    seen = read_current(lake, "tiny")
    together = threading.Barrier(8)
    ends: list[str] = []

    def take_part(number: int) -> None:
        together.wait()
        try:
            change_current(lake, seen, promotion_of(first, because=f"{number}"), NOW)
        except PromotionError:
            ends.append("told")
        else:
            ends.append("won")

    threads = [threading.Thread(target=take_part, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(ends) == ["told"] * 7 + ["won"]


def test_repeated_rollbacks_walk_back_and_every_change_is_kept(
    lake: Lake,
    first: Bundle,
    second: Bundle,
    tmp_path: Path,
) -> None:
    third = make_version(first, tmp_path, "3")
    for bundle in (first, second, third):
        promote(lake, bundle)

    after = [roll_back(lake).version, roll_back(lake).version]

    assert after == ["2", "1"]
    with pytest.raises(PromotionError, match="found 1 in all"):
        roll_back(lake)
    current = read_current(lake, "tiny").current
    assert current is not None
    assert [(change.action, change.version) for change in current.changes] == [
        ("promote", "1"),
        ("promote", "2"),
        ("promote", "3"),
        ("rollback", "2"),
        ("rollback", "1"),
    ]


def test_every_change_stands_in_the_audit_log(lake: Lake, first: Bundle, second: Bundle) -> None:
    register_bundle(lake, first, NOW)
    promote(lake, first)
    promote(lake, second)
    roll_back(lake)

    events = list(read_events(lake))

    assert sorted(event.action for event in events) == [
        "promote",
        "promote",
        "register",
        "rollback",
    ]
    assert {event.facts["digest"] for event in events} == {first.digest, second.digest}


@pytest.mark.parametrize("content", [b"", b"1", b"{}", b'{"version": "1"}', b"\xff\xfe"])
def test_a_damaged_current_is_one_clear_error(content: bytes, lake: Lake) -> None:
    lake.write(CURRENT_KEY, content)

    with pytest.raises(BundleError, match=r"^models/tiny/CURRENT is damaged"):
        read_current(lake, "tiny")


def test_the_current_bundle_is_fetched_once_and_kept_under_its_digest(
    lake: Lake,
    root: Path,
    first: Bundle,
    tmp_path: Path,
) -> None:
    register_bundle(lake, first, NOW)
    promote(lake, first)
    source = RegisteredBundle("tiny", None, tmp_path / "cache")

    fetched = open_source(lake, source)
    shutil.rmtree(root / "models/tiny/1")

    assert fetched.folder == tmp_path / "cache" / first.digest
    assert open_source(lake, source) == fetched
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [first.digest]


def test_a_damaged_copy_in_the_cache_is_fetched_again(
    lake: Lake,
    first: Bundle,
    tmp_path: Path,
) -> None:
    register_bundle(lake, first, NOW)
    promote(lake, first)
    source = RegisteredBundle("tiny", None, tmp_path / "cache")
    (open_source(lake, source).folder / CARD_FILE).write_text("{}")

    assert open_source(lake, source).digest == first.digest


def test_files_that_are_not_those_of_current_are_refused(
    lake: Lake,
    root: Path,
    first: Bundle,
    tmp_path: Path,
) -> None:
    register_bundle(lake, first, NOW)
    promote(lake, first)
    other = make_version(first, tmp_path, "1", threshold=0.4)
    shutil.copyfile(other.folder / CARD_FILE, root / "models/tiny/1" / CARD_FILE)

    with pytest.raises(BundleError) as caught:
        open_source(lake, RegisteredBundle("tiny", None, tmp_path / "cache"))

    assert str(caught.value).startswith(
        f"the files of models/tiny/1 have digest {other.digest}, expected {first.digest}"
    )
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_pinned_version_scores_whatever_current_says(
    lake: Lake,
    first: Bundle,
    second: Bundle,
    tmp_path: Path,
) -> None:
    register_bundle(lake, first, NOW)
    register_bundle(lake, second, NOW)
    promote(lake, second)

    assert open_source(lake, RegisteredBundle("tiny", "1", tmp_path)).digest == first.digest


def test_a_pinned_version_that_was_in_force_must_still_be_the_same(
    lake: Lake,
    root: Path,
    first: Bundle,
    second: Bundle,
    tmp_path: Path,
) -> None:
    register_bundle(lake, first, NOW)
    promote(lake, first)
    promote(lake, second)
    other = make_version(first, tmp_path, "1", threshold=0.4)
    shutil.copyfile(other.folder / CARD_FILE, root / "models/tiny/1" / CARD_FILE)

    with pytest.raises(BundleError, match=f"expected {first.digest}"):
        open_source(lake, RegisteredBundle("tiny", "1", tmp_path / "cache"))


def test_without_a_promotion_the_error_says_what_to_do(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"mri-triage model promote, or set bundle\.version"):
        open_source(lake, RegisteredBundle("tiny", None, tmp_path))


def test_a_version_that_is_not_registered_is_named(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"models/tiny/9/card\.json is not to be had"):
        open_source(lake, RegisteredBundle("tiny", "9", tmp_path))


def test_a_folder_that_was_copied_by_hand_to_another_version_is_refused(
    lake: Lake,
    root: Path,
    first: Bundle,
    tmp_path: Path,
) -> None:
    register_bundle(lake, first, NOW)
    shutil.copytree(root / "models/tiny/1", root / "models/tiny/9")

    with pytest.raises(BundleError, match="models/tiny/9 holds the bundle tiny 1"):
        open_source(lake, RegisteredBundle("tiny", "9", tmp_path / "cache"))


def test_a_cache_that_cannot_be_written_says_which_setting_to_change(
    lake: Lake,
    first: Bundle,
    tmp_path: Path,
) -> None:
    register_bundle(lake, first, NOW)
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(OutputError, match=r"set bundle\.cache"):
        open_source(lake, RegisteredBundle("tiny", "1", tmp_path / "file"))


def test_a_folder_needs_no_registry(lake: Lake, first: Bundle) -> None:
    assert open_source(lake, first.folder) == first
