from jobs.code_version import code_version, scoring_sources


def test_the_code_version_covers_what_scores_depend_on() -> None:
    names = {path.name for path in scoring_sources()}

    assert {
        "preprocessing.py",
        "head_region.py",
        "inference.py",
        "decoding_dicom.py",
        "decoding_child.py",
        "scoring_rows.py",
        "schemas.py",
    } <= names
    assert not {"train_bundle.py", "training.py", "overlay.py", "lake.py", "publish.py"} & names


def test_the_code_version_is_the_same_every_time() -> None:
    release, _, digest = code_version().partition("+")

    assert release
    assert len(digest) == 12
    assert code_version() == f"{release}+{digest}"
