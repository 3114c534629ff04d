"""Small real things for the tests: a bundle, a lake, a request for a night."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.explain_night import ExplanationOptions
from jobs.identifiers import IdentifierKey
from jobs.lake import LakeAddress
from jobs.registry_bundles import BundleSource
from jobs.score_night import DecodingOptions, EngineOptions, NightRequest, PublishOptions
from model.bundle import Bundle, write_bundle
from model.card import Card, ScopeStatistics
from model.preflight import DecodingLimits
from model.preprocessing import PICTURE_FEATURE_NAMES, PreprocessingParameters

if TYPE_CHECKING:
    import keras

MINI_LAKE = Path(__file__).parent / "mini_lake" / "lake"
BUSY_NIGHT = date(2026, 11, 20)
"""The mini lake's night with the most kinds of bad files."""

SIZE = 64
TINY_FEATURES = 8
"""Channels of the tiny network, and the length of its scope embedding."""

MEBIBYTE = 1024 * 1024


def build_tiny_network() -> keras.Model:
    """Build an untrained network with the outputs of the real one; always the same weights."""
    import keras  # noqa: PLC0415 - slow
    from keras import layers  # noqa: PLC0415

    keras.utils.set_random_seed(20261120)
    levels = keras.Input((SIZE, SIZE, 1), name="levels", dtype="float32")
    x = layers.Rescaling(1 / 255.0, name="scaled")(levels)
    x = layers.Conv2D(
        TINY_FEATURES, 5, strides=4, padding="same", activation="relu", name="features"
    )(x)
    tumor_map = layers.Conv2D(1, 1, activation="sigmoid", name="tumor_map")(x)
    embedding = layers.GlobalAveragePooling2D(name="scope_embedding")(x)
    logit = layers.Dense(1, name="logit")(layers.GlobalMaxPooling2D(name="strongest")(x))
    outputs = {"logit": logit, "tumor_map": tumor_map, "scope_embedding": embedding}
    return keras.Model(levels, outputs, name="tiny")


def make_card(**changes: object) -> Card:
    """Make a card for the tiny network: every picture is in scope."""
    features = len(PICTURE_FEATURE_NAMES)
    content: dict[str, Any] = {
        "name": "tiny",
        "version": "1",
        "date": "2026-11-20",
        "intended_use": "tests",
        "preprocessing": PreprocessingParameters(size=SIZE),
        "threshold": 0.5,
        "threshold_method": "none",
        "minimum_scope_score": 0.5,
        "map_threshold": 0.5,
        "temperature": 0.1,
        "scope": ScopeStatistics(
            embedding_limit=1000.0,
            embedding_scale=100.0,
            evidence_weights=(0.0,) * TINY_FEATURES,
            evidence_limit=-20.0,
            feature_mean=(0.0,) * features,
            feature_precision=((0.0,) * features,) * features,
            feature_limit=1.0,
            feature_scale=0.1,
        ),
        "data_digest": "none",
        "training": {},
        "metrics": {},
        "code_version": "test",
    }
    return Card(**(content | changes))


def write_tiny_bundle(folder: Path, **changes: object) -> Bundle:
    """Write a real bundle with the tiny network; `changes` go into its card."""
    return write_bundle(folder, build_tiny_network(), make_card(**changes))


def copy_mini_lake(folder: Path, *nights: date) -> Path:
    """Copy nights of the mini lake to a folder of the test's own, and return the lake's root."""
    for night in nights or (BUSY_NIGHT,):
        name = f"incoming/night={night.isoformat()}"
        shutil.copytree(MINI_LAKE / name, folder / name)
    return folder


def make_request(lake: Path, bundle: BundleSource, **changes: object) -> NightRequest:
    """Make a request for `BUSY_NIGHT` with small shards and no explanations."""
    request = NightRequest(
        night=BUSY_NIGHT,
        lake=LakeAddress(lake.as_uri()),
        night_template="incoming/night={night}/",
        study_from="dicom_or_folder",
        decoding=DecodingOptions(
            DecodingLimits(
                maximum_bytes=64 * MEBIBYTE,
                maximum_pixels=16 * MEBIBYTE,
                maximum_frames=200,
            ),
            timeout_seconds=20.0,
            memory_bytes=1024 * MEBIBYTE,
        ),
        engine=EngineOptions(master="local[2]", batch_size=8, shard_objects=15, fetch_threads=4),
        bundle=bundle,
        threshold=None,
        explanation=ExplanationOptions(enabled=False),
        publish=PublishOptions(maximum_failed_share=1.0),
        identifier_key=IdentifierKey(b"a key for the tests only"),
        run_id="20261121T041500-000001",
        now=lambda: datetime.now(UTC),
    )
    return replace(request, **changes)  # type: ignore[arg-type]
