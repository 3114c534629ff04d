from __future__ import annotations

import pickle
import re

import pytest

from jobs.identifiers import IdentifierKey, load_identifier_key
from model.errors import ConfigurationError

KEY = IdentifierKey(b"a secret of this hospital")


def test_an_image_id_is_24_lowercase_hex_characters_and_never_changes() -> None:
    image_id = KEY.image_id("incoming/night=2026-11-20/a.png", "e1", None)

    assert image_id == "8e8ceda8c3f3e4106be7b22d"
    assert re.fullmatch("[0-9a-f]{24}", image_id)


def test_key_etag_and_frame_all_change_an_image_id() -> None:
    ids = {
        KEY.image_id("a.dcm", "e1", None),
        KEY.image_id("a.dcm", "e1", 0),
        KEY.image_id("a.dcm", "e1", 1),
        KEY.image_id("a.dcm", "e2", 0),
        KEY.image_id("b.dcm", "e1", 0),
    }

    assert len(ids) == 5


def test_text_moved_from_one_part_to_the_next_gives_another_id() -> None:
    assert KEY.image_id("ab", "c", None) != KEY.image_id("a", "bc", None)


def test_the_same_text_has_different_ids_as_study_and_as_folder() -> None:
    assert KEY.study_id("patient-7") != KEY.folder_id("patient-7")


def test_another_key_gives_another_id() -> None:
    other = IdentifierKey(b"a secret of another place")

    assert KEY.study_id("1.2.3") != other.study_id("1.2.3")
    assert KEY.key_id != other.key_id


def test_the_secret_does_not_show_when_the_key_is_printed_but_survives_pickling() -> None:
    assert "secret of" not in repr(KEY)
    assert pickle.loads(pickle.dumps(KEY)) == KEY  # noqa: S301


def test_the_key_comes_from_the_environment() -> None:
    environ = {"MRI_TRIAGE_IDENTIFIER_KEY": "0123456789abcdef"}

    assert load_identifier_key(environ, demo=False) == IdentifierKey(b"0123456789abcdef")


@pytest.mark.parametrize("environ", [{}, {"MRI_TRIAGE_IDENTIFIER_KEY": "fifteen-bytes.."}])
def test_outside_the_demo_an_absent_or_short_key_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="at least 16 bytes") as caught:
        load_identifier_key(environ, demo=False)

    assert "fifteen-bytes.." not in str(caught.value)


def test_the_demo_needs_no_key_and_always_gives_the_same_ids() -> None:
    first = load_identifier_key({}, demo=True)
    second = load_identifier_key({"MRI_TRIAGE_IDENTIFIER_KEY": "x" * 32}, demo=True)

    assert first.study_id("1.2.3") == second.study_id("1.2.3")
