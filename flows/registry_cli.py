"""The commands ``mri-triage model …``.

As in `flows.cli`, heavy imports stand inside the commands.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.evaluation_cli import make_console
from flows.options import BundleOption, LakeOption, PlaceOption

if TYPE_CHECKING:
    from conf.settings import Settings
    from flows.registry import RegistryShelf
    from jobs.lake import Lake

model_app = typer.Typer(
    no_args_is_help=True,
    help="The registry of models in the lake: models/<name>/<version>/ and models/<name>/CURRENT. "
    "Nights whose settings say bundle.name score with the CURRENT of their start.",
    rich_markup_mode=None,
)

NameOption = Annotated[
    str | None,
    typer.Option(help="Model; else bundle.name, or the only one of the registry."),
]
BecauseOption = Annotated[
    str | None,
    typer.Option(help="Why. It is kept, so no patient's name."),
]


@model_app.command("register")
def register(
    bundle: BundleOption = None,
    lake: LakeOption = None,
    place: PlaceOption = "base",
) -> None:
    """Upload a bundle as models/<name>/<version>/ and verify it there; it does not score yet."""
    from jobs.registry import register_bundle
    from model.bundle import open_bundle, packaged_bundle_folder

    store, _ = _open_lake(place, lake)
    opened = open_bundle(bundle or packaged_bundle_folder())
    is_new = register_bundle(store, opened, datetime.now(UTC))
    card = opened.card
    done = "registered" if is_new else "was registered already:"
    typer.echo(f"{done} {card.name} {card.version}, digest {opened.digest}")
    typer.echo(f"to score with it: mri-triage model promote {card.version} --name {card.name}")


@model_app.command("list")
def list_models(lake: LakeOption = None, place: PlaceOption = "base") -> None:
    """List the registered bundles, with their figures and which of them scores."""
    from flows.registry_tables import versions_table
    from jobs.registry import list_versions
    from jobs.registry_current import read_current

    store, _ = _open_lake(place, lake)
    versions = list_versions(store)
    names = {entry.name for entry in versions}
    current = {name: read_current(store, name).current for name in names}
    make_console().print(versions_table(versions, current))


@model_app.command("show")
def show(
    version: Annotated[str | None, typer.Argument(help="Else the one that scores.")] = None,
    name: NameOption = None,
    lake: LakeOption = None,
    place: PlaceOption = "base",
) -> None:
    """Fetch a version, verify its digest, and show its card and how CURRENT has changed."""
    from flows.evaluation import tell
    from flows.registry_tables import bundle_lines, history_table
    from jobs.registry_bundles import RegisteredBundle, open_source
    from jobs.registry_current import read_current

    shelf = _open_shelf(name, place, lake)
    console = make_console()
    bundle = open_source(shelf.lake, RegisteredBundle(shelf.name, version, shelf.cache))
    tell(bundle_lines(bundle), console)
    current = read_current(shelf.lake, shelf.name).current
    if current is not None:
        console.print(history_table(current))


@model_app.command("promote")
def promote(
    version: Annotated[str, typer.Argument(help="A registered version.")],
    name: NameOption = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Labelled images with index.csv: run both bundles on the test part."),
    ] = None,
    because: BecauseOption = None,
    lake: LakeOption = None,
    place: PlaceOption = "base",
) -> None:
    """Let a version score the nights that start from now on.

    It is compared with the current one, on the images of --data or else by the two cards, and
    refused if it is worse beyond noise or cannot be compared, unless --because says why.
    """
    from flows.registry import apply_promotion, examine_promotion, read_reason
    from flows.registry_tables import comparison_table

    reason = read_reason(because)
    shelf = _open_shelf(name, place, lake)
    console = make_console()
    promotion = examine_promotion(shelf, version, data, console)
    before = promotion.seen.current
    if promotion.is_current:
        typer.echo(f"{shelf.name} {version} is CURRENT already")
        return
    if before is not None and promotion.comparison is not None:
        console.print(comparison_table(promotion.comparison, before.version, version))
    after = apply_promotion(shelf, promotion, reason, datetime.now(UTC))
    replaced = f", in the place of {before.version}" if before else ", the first one"
    typer.echo(f"CURRENT of {shelf.name} is {after.version}, digest {after.digest}{replaced}")


@model_app.command("rollback")
def roll_back(
    name: NameOption = None,
    because: BecauseOption = None,
    lake: LakeOption = None,
    place: PlaceOption = "base",
) -> None:
    """Let the version of the promotion before score again; once more goes back once more."""
    from flows.registry import read_reason
    from jobs.registry_current import change_current, make_rollback, read_current

    reason = read_reason(because)
    shelf = _open_shelf(name, place, lake)
    now = datetime.now(UTC)
    seen = read_current(shelf.lake, shelf.name)
    change = make_rollback(seen, reason, now)
    shelf.fetch(change.version, seen.current)
    after = change_current(shelf.lake, seen, change, now)
    typer.echo(f"CURRENT of {shelf.name} is {after.version} again, digest {after.digest}")


def _open_lake(place: str, lake: str | None) -> tuple[Lake, Settings]:
    from flows.arguments import make_lake_address, resolve_settings
    from jobs.lake import open_lake

    settings = resolve_settings(place, os.environ, lake=lake)
    store = open_lake(make_lake_address(settings.lake, Path.cwd()))
    store.require()
    return store, settings


def _open_shelf(name: str | None, place: str, lake: str | None) -> RegistryShelf:
    from flows.bundle_choice import cache_folder
    from flows.registry import RegistryShelf, choose_only_model
    from jobs.registry import list_versions

    store, settings = _open_lake(place, lake)
    chosen = name or settings.bundle.name or choose_only_model(list_versions(store))
    return RegistryShelf(store, chosen, cache_folder(settings.bundle))
