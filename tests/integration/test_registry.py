"""The registry on a real S3 server, and what a night makes of it."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from flows.cli import main
from jobs.lake import Lake, LakeAddress, open_lake
from jobs.night_run import NightRequest, Progress
from jobs.registry import list_versions, register_bundle
from jobs.registry_bundles import RegisteredBundle, open_source
from jobs.registry_current import change_current, make_rollback, read_current
from jobs.registry_record import Change
from jobs.score_night import open_night, run_night
from model.bundle import CARD_FILE, Bundle
from model.errors import BundleError, PromotionError
from tests.builders import BUSY_NIGHT, MINI_LAKE, make_request
from tests.integration.conftest import S3Server
from tests.integration.spark_fixtures import ignore_progress, read_results
from tests.unit.jobs.registry_builders import make_version

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


@pytest.fixture
def second(tiny_bundle: Bundle, tmp_path: Path) -> Bundle:
    return make_version(tiny_bundle, tmp_path / "made", "2")


def promote(lake: Lake, bundle: Bundle) -> None:
    change = Change(
        at=NOW.isoformat(),
        action="promote",
        version=bundle.card.version,
        digest=bundle.digest,
    )
    change_current(lake, read_current(lake, "tiny"), change, NOW)


def test_a_bundle_is_registered_promoted_fetched_and_rolled_back_on_object_storage(
    s3_lake: LakeAddress,
    tiny_bundle: Bundle,
    second: Bundle,
    tmp_path: Path,
) -> None:
    lake = open_lake(s3_lake)
    source = RegisteredBundle("tiny", None, tmp_path / "cache")
    for bundle in (tiny_bundle, second):
        assert register_bundle(lake, bundle, NOW) is True
        assert register_bundle(lake, bundle, NOW) is False
        promote(lake, bundle)
    newer = open_source(lake, source)
    seen = read_current(lake, "tiny")
    change_current(lake, seen, make_rollback(seen, "a try", NOW), NOW)

    assert newer.digest == second.digest
    assert open_source(lake, source).digest == tiny_bundle.digest
    assert [entry.version for entry in list_versions(lake)] == ["1", "2"]


def test_of_two_promotions_at_once_on_object_storage_one_wins(
    s3_lake: LakeAddress,
    tiny_bundle: Bundle,
    second: Bundle,
) -> None:
    lake, elsewhere = open_lake(s3_lake), open_lake(s3_lake)
    before_the_first = read_current(elsewhere, "tiny")
    promote(lake, tiny_bundle)
    before_the_second = read_current(elsewhere, "tiny")
    promote(lake, second)
    change = Change(at=NOW.isoformat(), action="promote", version="9", digest="9" * 64)

    for seen in (before_the_first, before_the_second):
        with pytest.raises(PromotionError, match="changed by someone else meanwhile"):
            change_current(elsewhere, seen, change, NOW)

    current = read_current(lake, "tiny").current
    assert current is not None
    assert [entry.version for entry in current.changes] == ["1", "2"]


def test_another_bundle_of_a_registered_version_is_refused_on_object_storage(
    s3_lake: LakeAddress,
    tiny_bundle: Bundle,
    tmp_path: Path,
) -> None:
    lake = open_lake(s3_lake)
    register_bundle(lake, tiny_bundle, NOW)

    with pytest.raises(BundleError, match="registered already"):
        register_bundle(lake, make_version(tiny_bundle, tmp_path, "1", threshold=0.4), NOW)

    assert lake.read(f"models/tiny/1/{CARD_FILE}") == (tiny_bundle.folder / CARD_FILE).read_bytes()


def test_files_in_a_bucket_that_are_not_those_of_current_are_refused(
    s3_server: S3Server,
    tiny_bundle: Bundle,
    tmp_path: Path,
) -> None:
    bucket = s3_server.new_bucket()
    lake = open_lake(s3_server.address(f"s3://{bucket}"))
    register_bundle(lake, tiny_bundle, NOW)
    promote(lake, tiny_bundle)
    other = make_version(tiny_bundle, tmp_path, "1", threshold=0.4)
    s3_server.client().upload_file(
        str(other.folder / CARD_FILE),
        bucket,
        f"models/tiny/1/{CARD_FILE}",
    )

    with pytest.raises(BundleError, match=f"{other.digest}, expected {tiny_bundle.digest}"):
        open_source(lake, RegisteredBundle("tiny", None, tmp_path / "cache"))


def test_the_commands_work_on_a_bucket(
    s3_server: S3Server,
    tiny_bundle: Bundle,
    second: Bundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bucket = s3_server.new_bucket()
    monkeypatch.setenv("MRI_TRIAGE__LAKE__URL", f"s3://{bucket}/lake")
    monkeypatch.setenv("MRI_TRIAGE__LAKE__ENDPOINT_URL", s3_server.endpoint_url)
    monkeypatch.setenv("MRI_TRIAGE__BUNDLE__CACHE", str(tmp_path / "cache"))
    commands = (
        ("register", "--bundle", str(tiny_bundle.folder)),
        ("register", "--bundle", str(second.folder)),
        ("promote", "1"),
        ("promote", "2", "--because", "the cards of the tests hold no figures"),
        ("rollback",),
        ("list",),
        ("show",),
    )

    codes = [main(["model", *command]) for command in commands]

    stored = s3_server.client().get_object(Bucket=bucket, Key="lake/models/tiny/CURRENT")
    assert codes == [0] * len(commands)
    assert json.loads(stored["Body"].read())["digest"] == tiny_bundle.digest


def small_lake(folder: Path) -> Path:
    """Make a lake whose night holds two images."""
    night = f"incoming/night={BUSY_NIGHT.isoformat()}"
    (folder / night).mkdir(parents=True)
    for path in sorted((MINI_LAKE / night).rglob("*.jpg"))[:2]:
        shutil.copyfile(path, folder / night / path.name)
    return folder


def night_request(lake: Path, cache: Path, run_id: str) -> NightRequest:
    return make_request(lake, RegisteredBundle("tiny", None, cache), run_id=run_id)


def test_a_promotion_concerns_the_next_run_and_not_the_one_that_is_running(
    spark: SparkSession,
    tiny_bundle: Bundle,
    second: Bundle,
    tmp_path: Path,
) -> None:
    root = small_lake(tmp_path / "lake")
    lake = open_lake(LakeAddress(root.as_uri()))
    for bundle in (tiny_bundle, second):
        register_bundle(lake, bundle, NOW)
    promote(lake, tiny_bundle)

    def promote_when_listed(progress: Progress) -> None:
        if progress.step == "list":
            promote(lake, second)

    first_request = night_request(root, tmp_path / "cache", "20261121T041500-000001")
    running = read_results(root, run_night(first_request, spark, promote_when_listed))
    next_request = night_request(root, tmp_path / "cache", "20261121T041500-000002")
    following = read_results(root, run_night(next_request, spark, ignore_progress))

    assert running["bundle_digest"].to_pylist() == [tiny_bundle.digest] * 2
    assert following["bundle_digest"].to_pylist() == [second.digest] * 2
    assert following["bundle"].to_pylist() == ["tiny 2"] * 2


def test_a_night_whose_current_bundle_was_changed_does_not_start(
    tiny_bundle: Bundle,
    tmp_path: Path,
) -> None:
    root = small_lake(tmp_path / "lake")
    lake = open_lake(LakeAddress(root.as_uri()))
    register_bundle(lake, tiny_bundle, NOW)
    promote(lake, tiny_bundle)
    other = make_version(tiny_bundle, tmp_path, "1", threshold=0.4)
    shutil.copyfile(other.folder / CARD_FILE, root / "models/tiny/1" / CARD_FILE)

    with pytest.raises(BundleError, match=f"expected {tiny_bundle.digest}"):
        open_night(night_request(root, tmp_path / "cache", "20261121T041500-000001"))

    assert not (root / "results").exists()
