from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.bundle import BUNDLE_FILES, open_bundle
from model.errors import BundleError
from tests.builders import write_tiny_bundle


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny").folder


@st.composite
def any_change(draw: st.DrawFn) -> tuple[str, float, bytes, int]:
    """A file, a place in it, what is written there, and how many bytes that replaces."""
    return (
        draw(st.sampled_from(sorted(BUNDLE_FILES))),
        draw(st.floats(0, 1)),
        draw(st.binary(max_size=20)),
        draw(st.integers(0, 2000)),
    )


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(change=any_change())
def test_a_bundle_in_which_anything_was_changed_is_refused(
    folder: Path, tmp_path: Path, change: tuple[str, float, bytes, int]
) -> None:
    name, share, written, replaced = change
    digest = open_bundle(folder).digest
    content = {path.name: path.read_bytes() for path in folder.iterdir()}
    place = int(share * len(content[name]))
    before = content[name]
    after = before[:place] + written + before[place + replaced :]
    changed = tmp_path / "changed"
    changed.mkdir(exist_ok=True)
    for file, data in (content | {name: after}).items():
        (changed / file).write_bytes(data)

    if after == before:
        assert open_bundle(changed, digest).digest == digest
    else:
        with pytest.raises(BundleError):
            open_bundle(changed, digest)
