import subprocess
import sys
from pathlib import Path

from jobs.cluster import find_shipped, write_code


def test_the_shipped_code_can_be_imported_as_it_is(tmp_path: Path) -> None:
    archive = write_code(tmp_path)
    code = (
        f"import sys; sys.path[:0] = [{str(archive)!r}]\n"
        "import jobs.decoding_child, jobs.scoring_steps, model.decision\n"
        "print(model.decision.__file__)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.startswith(str(archive))


def test_a_worker_on_the_driver_s_machine_uses_the_driver_s_bundle(tmp_path: Path) -> None:
    assert find_shipped(tmp_path) == tmp_path
