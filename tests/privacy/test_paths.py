"""Whatever a key says, nothing outside of the lake is read, written, removed or shown."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jobs.lake import LakeAddress, open_lake
from model.errors import OutputError, TriageError
from tests.integration.conftest import S3Server, s3_lake, s3_server  # noqa: F401 - fixtures

ODD_KEYS: Final = (
    "incoming/../../outside.txt",
    "/etc/passwd",
    "incoming\\..\\..\\outside.txt",
    "incoming/\0/outside.txt",
    "incoming/\uff0e\uff0e/\uff0e\uff0e/outside.txt",
    "incoming/%2e%2e/%2e%2e/outside.txt",
    "incoming/..%c0%af../outside.txt",
    "incoming/\u202e/txt.edistuo",
    "incoming/a\nb\r\n\tc",
    "incoming/\x1b[2J",
    "incoming/" + "x" * 5000,
    "incoming/" + "x/" * 900 + "x",
    "incoming/ /. /.. ",
    "incoming/~/$HOME/`id`",
    "%!%2e%2e/outside.txt",
    "%!..",
)


def keys() -> st.SearchStrategy[str]:
    parts = st.one_of(
        st.sampled_from(["..", ".", "", "incoming", "%2e%2e", "%!%2e%2e", "\\", "~", "link"]),
        st.text(max_size=8),
    )
    return st.lists(parts, min_size=1, max_size=5).map("/".join)


@pytest.fixture
def surroundings(tmp_path: Path) -> Path:
    """A lake beside a file that is none of its business, with a link that leads there."""
    (tmp_path / "outside.txt").write_text("outside", "utf-8")
    (tmp_path / "lake" / "incoming").mkdir(parents=True)
    (tmp_path / "lake" / "incoming" / "link").symlink_to(tmp_path)
    return tmp_path


def outside_of(surroundings: Path) -> dict[str, str]:
    return {
        path.name: path.read_text("utf-8") if path.is_file() else ""
        for path in surroundings.iterdir()
    }


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(keys())
@example("incoming/link/outside.txt")
def test_no_key_leads_out_of_a_folder(surroundings: Path, key: str) -> None:
    lake = open_lake(LakeAddress((surroundings / "lake").as_uri()))

    with contextlib.suppress(TriageError, ValueError):
        lake.delete(key)
    with contextlib.suppress(TriageError, ValueError):
        lake.write(key, b"x")
    with contextlib.suppress(TriageError):
        assert lake.read(key) != b"outside"

    assert outside_of(surroundings) == {"outside.txt": "outside", "lake": ""}


@pytest.mark.parametrize("key", ODD_KEYS)
def test_odd_keys_stay_in_their_folder_and_harmless_on_a_terminal(
    surroundings: Path,
    key: str,
) -> None:
    lake = open_lake(LakeAddress((surroundings / "lake").as_uri()))

    with contextlib.suppress(TriageError):
        lake.write(key, b"x")
        assert lake.read(key) == b"x"
        assert lake.locate(key).isprintable()

    assert outside_of(surroundings) == {"outside.txt": "outside", "lake": ""}


def test_nothing_is_removed_through_a_link(surroundings: Path) -> None:
    lake = open_lake(LakeAddress((surroundings / "lake").as_uri()))

    with pytest.raises(OutputError, match="leads out of the lake"):
        lake.delete("incoming/link/outside.txt")

    assert (surroundings / "outside.txt").exists()


@pytest.mark.parametrize("key", ODD_KEYS)
def test_odd_keys_stay_below_the_prefix_of_a_bucket(
    s3_server: S3Server,  # noqa: F811 - the fixture
    s3_lake: LakeAddress,  # noqa: F811 - as above
    key: str,
) -> None:
    bucket, _, prefix = s3_lake.url.removeprefix("s3://").partition("/")
    s3_server.client().put_object(Bucket=bucket, Key="outside.txt", Body=b"outside")
    lake = open_lake(s3_lake)

    with contextlib.suppress(TriageError):
        lake.write(key, b"x")
        assert lake.locate(key).isprintable()
        lake.delete(key)
        lake.write(key, b"x")

    listed = s3_server.client().list_objects_v2(Bucket=bucket)["Contents"]
    others = {item["Key"] for item in listed if not item["Key"].startswith(f"{prefix}/")}
    assert others == {"outside.txt"}
