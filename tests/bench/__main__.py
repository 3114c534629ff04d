"""`python -m tests.bench`: how much of the bare model's speed a night keeps (`make bench`).

All arms score the same files on the same cores, interleaved, several times; what is compared are
medians. The arms a, b and c call the same functions for an image.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from model.bundle import Bundle, open_bundle, packaged_bundle_folder
from model.derived_network import derive_or_find
from model.engine_choice import EngineChoice
from model.errors import ConfigurationError
from tests.bench.arms import Arm, LoopArm, RayArm, SparkArm
from tests.bench.image_work import Work
from tests.bench.nights import make_night
from tests.bench.results import format_markdown, make_report, print_tables
from tests.bench.serving import ROOT

ENGINES: Final = (
    EngineChoice(),
    EngineChoice("openvino"),
    EngineChoice("openvino", "bf16"),
)
CACHE: Final = Path("~/.cache/mri-triage/engines").expanduser()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark, print its table, write it as JSON and Markdown."""
    options = _parse(arguments)
    console = Console(width=100 if "COLUMNS" not in os.environ else None)
    out = Path(options.out).absolute()
    lake = out / "lake"
    shutil.rmtree(lake / "runs", ignore_errors=True)
    shutil.rmtree(lake / "incoming", ignore_errors=True)
    console.print(f"making a night of {options.images} images in {lake}")
    keys = make_night(lake, options.images)
    bundle = open_bundle(Path(options.bundle))
    works = _derive(bundle, lake, options.batch, console)
    arms = _make_arms(options, works, keys, out)
    rounds = _measure(arms, options.repeats, console)
    report = make_report(arms, rounds, cores=options.cores)
    print_tables(report, console)
    (out / "bench.json").write_text(json.dumps(report, indent=1), "utf-8")
    (out / "bench.md").write_text(format_markdown(report), "utf-8")
    console.print(f"written: {out / 'bench.json'}, {out / 'bench.md'}")
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--images", type=int, default=10_000, help="of the night (10000)")
    parser.add_argument("--subset", type=int, default=2_000, help="of arms d and e at most (2000)")
    parser.add_argument("--plain", type=int, default=640, help="of arm d (640)")
    parser.add_argument("--repeats", type=int, default=3, help="rounds of every arm (3)")
    parser.add_argument("--cores", type=int, default=os.cpu_count(), help="cores used (all)")
    parser.add_argument("--batch", type=int, default=16, help="images a call of the network (16)")
    parser.add_argument("--arms", default="abcde", help="letters of the arms to run (abcde)")
    parser.add_argument("--bundle", default=str(packaged_bundle_folder()), help="folder")
    parser.add_argument(
        "--ray-python", default=str(ROOT / ".bench-ray/bin/python"), help="of arm c"
    )
    parser.add_argument("--out", default=".bench", help="folder of the night and the results")
    return parser.parse_args(arguments)


def _derive(bundle: Bundle, lake: Path, batch: int, console: Console) -> dict[str, Work]:
    """Make the network ready for every engine that this machine has."""
    works = {}
    for choice in ENGINES:
        try:
            derived = derive_or_find(bundle, choice, batch, CACHE)
        except ConfigurationError as error:
            console.print(f"without {choice.label}: {error}")
            continue
        works[choice.label] = Work(str(lake), str(bundle.folder), str(derived.folder), batch)
    return works


def _make_arms(
    options: argparse.Namespace,
    works: dict[str, Work],
    keys: list[str],
    out: Path,
) -> dict[str, Arm]:
    default = works[ENGINES[0].label]
    cores, few = options.cores, min(options.subset, len(keys))
    files = {
        count: _write_keys(out / f"keys-{count}.txt", keys[:count])
        for count in {len(keys), few, min(options.plain, len(keys))}
    }
    everything, plain = files[len(keys)], files[min(options.plain, len(keys))]
    arms: dict[str, Arm] = {
        "a": LoopArm("bare loop, a process a core", "loop", default, everything, cores),
        "b": SparkArm("this project on Spark", default, len(keys), cores),
        "c": RayArm("Ray Data", default, everything, cores, options.ray_python),
        "d": LoopArm("decode, Keras predict of ResNet-50 by 32", "resnet", default, plain, 1),
    }
    for label, work in works.items():
        name = f"bare engine, {label}"
        arms[f"e {label}"] = LoopArm(name, "engine", work, files[few], cores)
    return {name: arm for name, arm in arms.items() if name[0] in options.arms}


def _write_keys(path: Path, keys: Sequence[str]) -> Path:
    path.write_text("\n".join(keys), "utf-8")
    return path


def _measure(
    arms: dict[str, Arm],
    repeats: int,
    console: Console,
) -> dict[str, list[dict[str, Any]]]:
    """Run every arm once a round, so that a busy moment hits all of them alike."""
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in arms}
    try:
        for name, arm in arms.items():
            _tell(console, f"starting {name}: {arm.name}", arm.start)
        for number in range(repeats):
            for name, arm in arms.items():
                found = arm.run()
                rounds[name].append(found)
                rate = found["images"] / found["seconds"]
                console.print(f"round {number + 1}, {name}: {rate:.1f} images/s")
    finally:
        for arm in arms.values():
            arm.stop()
    return rounds


def _tell(console: Console, text: str, action: Callable[[], None]) -> None:
    console.print(text)
    action()


if __name__ == "__main__":
    raise SystemExit(main())
