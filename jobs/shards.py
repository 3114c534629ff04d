"""Shards: slices of a night that are scored by one Spark job each and kept until publish.

A shard's name says everything that its scores depend on, so that a stored one can be reused by
whoever needs the same: first the digest of the terms (bundle, engine, limits ...), then that of the
objects. Reuse goes by object, not by shard: when a late image arrives, or one failed for a reason
that may pass, only that image is scored again.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.dealing import cut_by_cost, measure_costs
from jobs.lake import Lake
from jobs.night_keys import shard_key, shards_prefix
from jobs.parquet_objects import read_table, write_table
from jobs.schemas import INVENTORY, SCORES
from model.errors import AuditError, NotRetrievedError
from model.reasons import PASSING_REASONS

SLICES_AN_OBJECT: Final = 4
"""In a shard, at most so many slices for every object that it may hold; see `dealing`."""

_TERMS_CHARACTERS: Final = 16
_OBJECTS_CHARACTERS: Final = 24
_PASSING: Final = pa.array(sorted(str(reason) for reason in PASSING_REASONS))

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ShardTerms:
    """What a row of scores depends on besides its object.

    Attributes:
        bundle_digest: network, preprocessing and card.
        engine: what runs the network.
        decoding: the decoding limits, as text.
        study_from: what study an image belongs to.
        night_folder: the night's root in the lake; folders are named from there.
        key_id: of the key behind image and study ids.
        code_version: of this program.
    """

    bundle_digest: str
    engine: str
    decoding: str
    study_from: str
    night_folder: str
    key_id: str
    code_version: str

    @property
    def digest(self) -> str:
        """The first part of the names of all shards with these terms."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:_TERMS_CHARACTERS]


@dataclass(frozen=True)
class Shard:
    """Objects to score in one Spark job.

    Attributes:
        name: see the module.
        objects: `INVENTORY`.
    """

    name: str
    objects: pa.Table


@dataclass(frozen=True)
class ShardPlan:
    """What of a night is scored already, and what is to do.

    Attributes:
        reused: `SCORES` rows of stored shards, for objects as they are listed now.
        shards_reused: how many stored shards they come from.
        missing: what is to be scored.
    """

    reused: pa.Table
    shards_reused: int
    missing: tuple[Shard, ...]


def plan_shards(
    lake: Lake,
    night: date,
    inventory: pa.Table,
    terms: ShardTerms,
    shard_objects: int,
) -> ShardPlan:
    """Look which objects stored shards have scored, and slice the rest.

    Args:
        lake: where.
        night: which.
        inventory: `INVENTORY`, sorted by key.
        terms: of the scores that are wanted.
        shard_objects: objects a shard.
    """
    stored = [read_shard(lake, night, name) for name in stored_shards(lake, night, terms)]
    readable = [scores for scores in stored if scores is not None]
    reused, shards_reused = choose_reusable(inventory, readable)
    scored = pc.is_in(references(inventory), value_set=_unique_references(reused))
    missing = split_inventory(inventory.filter(pc.invert(scored)), terms, shard_objects)
    return ShardPlan(reused, shards_reused, missing)


def split_inventory(
    objects: pa.Table,
    terms: ShardTerms,
    shard_objects: int,
) -> tuple[Shard, ...]:
    """Cut objects, `INVENTORY`, into shards of at most `shard_objects`, in their order.

    Long series count for more, so that no shard is too long to lose.
    """
    starts = range(0, objects.num_rows, shard_objects)
    slices = (objects.slice(start, shard_objects) for start in starts)
    limit = float(SLICES_AN_OBJECT * shard_objects)
    parts = (
        whole.slice(start, length)
        for whole in slices
        for start, length in cut_by_cost(measure_costs(whole), limit)
    )
    return tuple(Shard(shard_name(part, terms), part) for part in parts)


def shard_name(objects: pa.Table, terms: ShardTerms) -> str:
    """Name the shard of these objects, `INVENTORY`, under these terms."""
    text = json.dumps([objects["object_key"].to_pylist(), objects["etag"].to_pylist()])
    digest = hashlib.sha256(text.encode()).hexdigest()[:_OBJECTS_CHARACTERS]
    return f"{terms.digest}-{digest}"


def stored_shards(lake: Lake, night: date, terms: ShardTerms) -> list[str]:
    """Return the names of the stored shards of a night that have these terms, sorted."""
    folder = shards_prefix(night)
    listed = lake.list_objects(f"{folder}{terms.digest}-")
    names = (item.key.removeprefix(folder).removesuffix(".parquet") for item in listed)
    return sorted(names)


def write_shard(lake: Lake, night: date, shard: Shard, scores: pa.Table) -> None:
    """Store the scores of a shard as one object.

    Raises:
        AuditError: if the rows are not those of exactly the shard's objects.
        OutputError: if the lake cannot be written.
    """
    wanted = _unique_references(shard.objects)
    found = _unique_references(scores)
    lost = pc.sum(pc.invert(pc.is_in(wanted, value_set=found))).as_py() or 0
    foreign = pc.sum(pc.invert(pc.is_in(found, value_set=wanted))).as_py() or 0
    if lost or foreign:
        message = (
            f"a shard of night {night} has no row for {lost} of its {len(wanted)} objects and rows "
            f"for {foreign} others: expected rows of its own objects only; nothing was stored; "
            "this is a defect of the scoring, please report it"
        )
        raise AuditError(message)
    metadata = {"shard": shard.name, "objects": str(len(wanted))}
    write_table(lake, shard_key(night, shard.name), scores.select(SCORES.names), metadata)


def read_shard(lake: Lake, night: date, name: str) -> pa.Table | None:
    """Return the `SCORES` of a stored shard; None if it is gone or damaged, to be scored again."""
    try:
        scores, _ = read_table(lake, shard_key(night, name))
        return scores.select(SCORES.names).cast(SCORES)
    except (NotRetrievedError, pa.ArrowException, OSError, KeyError, ValueError) as error:
        _log.warning("night %s: a stored shard is scored again: %s", night, type(error).__name__)
        return None


def choose_reusable(inventory: pa.Table, shards: Sequence[pa.Table]) -> tuple[pa.Table, int]:
    """Choose, for every listed object, the rows of one stored shard that may be used again.

    They may if the object is listed with the same etag and none of its frames failed for a reason
    that may pass. Of several such shards the first one is taken.

    Args:
        inventory: `INVENTORY`.
        shards: `SCORES` tables.

    Returns:
        `SCORES` rows, and the number of shards that they come from.
    """
    if not shards:
        return SCORES.empty_table(), 0
    rows = pa.concat_tables(shards)
    sources = np.repeat(np.arange(len(shards)), [shard.num_rows for shard in shards])
    encoded = references(rows).combine_chunks().dictionary_encode()
    objects = encoded.indices.to_numpy(zero_copy_only=False)
    listed = pc.is_in(encoded.dictionary, value_set=_unique_references(inventory))

    passing = pc.is_in(rows["failure"], value_set=_PASSING).to_numpy().astype(bool)
    attempts = objects.astype(np.int64) * len(shards) + sources
    usable = ~np.isin(attempts, np.unique(attempts[passing]))
    first = np.full(len(encoded.dictionary), len(shards))
    np.minimum.at(first, objects[usable], sources[usable])
    is_listed = listed.to_numpy(zero_copy_only=False).astype(bool)[objects]
    chosen = usable & is_listed & (sources == first[objects])
    return rows.filter(pa.array(chosen)), len(np.unique(sources[chosen]))


def join_scores(tables: Iterable[pa.Table]) -> pa.Table:
    """Put the `SCORES` of reused and fresh shards together."""
    return pa.concat_tables([SCORES.empty_table(), *tables])


def references(rows: pa.Table) -> pa.ChunkedArray:
    """Return (n,) text, one for each version of an object: key and etag."""
    return pc.binary_join_element_wise(rows["object_key"], rows["etag"], "\0")


def _unique_references(rows: pa.Table) -> pa.Array:
    return references(rows.select(INVENTORY.names[:2])).unique()
