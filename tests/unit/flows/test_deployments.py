from __future__ import annotations

import os
from typing import Any

import pytest

from conf.settings import load_settings
from flows.local_prefect import keep_quiet

keep_quiet(os.environ)  # before Prefect is imported for the first time

from flows.deployments import make_deployments  # noqa: E402

LAKE = "s3://mri-lake"
DATE, TEXT, SWITCH, NUMBER, WHOLE = "date", "string", "boolean", "number", "integer"

FORMS = {
    "nightly": {
        "night": f"{DATE} or null = None",
        "relist_nights": f"{WHOLE} or null = None",
        "lake": f"{TEXT} = ''",
        "place": f"{TEXT} = 'base'",
        "threshold": f"{NUMBER} or null = None",
        "allow_fewer": f"{SWITCH} = False",
        "publish_anyway": f"{SWITCH} = False",
    },
    "backfill": {
        "first_night": DATE,
        "last_night": DATE,
        "mode": "missing | missing_and_failed | all = 'missing'",
        "preview": f"{SWITCH} = True",
        "order": "oldest_first | newest_first = 'oldest_first'",
        "bundle_version": f"{TEXT} = ''",
        "allow_fewer": f"{SWITCH} = False",
        "publish_anyway": f"{SWITCH} = False",
        "lake": f"{TEXT} = ''",
        "place": f"{TEXT} = 'base'",
    },
    "training": {
        "data": TEXT,
        "imagenet": TEXT,
        "out": TEXT,
        "version": TEXT,
        "small_epochs": f"{WHOLE} = 8",
        "full_epochs": f"{WHOLE} = 24",
        "continue_packaged": f"{SWITCH} = False",
    },
    "evaluation": {
        "data": TEXT,
        "bundle": f"{TEXT} or null = None",
        "part": "test | all | calibration | fit or null = None",
        "prevalence": f"{NUMBER} = 0.05",
        "json_file": f"{TEXT} or null = None",
        "html": f"{TEXT} or null = None",
    },
}
"""What an operator meets. A change of it is a change of what people are used to."""


def schema_of(name: str) -> dict[str, Any]:
    deployments = make_deployments(load_settings("hospital", {}), "hospital", LAKE)
    [found] = [one for one in deployments if one.name == name]
    return found._parameter_openapi_schema.model_dump()


def describe(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Write a field of a form in a line: kind, choices, default."""
    kinds = [one for one in field.get("anyOf", [field]) if one.get("type") != "null"]
    [kind] = kinds
    kind = definitions.get(str(kind.get("$ref", "")).rpartition("/")[2], kind)
    text = " | ".join(kind["enum"]) if "enum" in kind else kind.get("format", kind.get("type"))
    optional = " or null" if "anyOf" in field else ""
    default = f" = {field['default']!r}" if "default" in field else ""
    return f"{text}{optional}{default}"


@pytest.mark.parametrize("name", FORMS)
def test_the_form_of_a_deployment_is_what_operators_are_used_to(name: str) -> None:
    schema = schema_of(name)

    shown = {
        field: describe(content, schema["definitions"])
        for field, content in schema["properties"].items()
    }

    assert shown == FORMS[name]
    assert schema["required"] == [field for field, text in FORMS[name].items() if "=" not in text]


@pytest.mark.parametrize("name", FORMS)
def test_every_field_says_what_it_is_for(name: str) -> None:
    assert all(field.get("description") for field in schema_of(name)["properties"].values())


def test_the_nightly_run_keeps_the_hospitals_clock_and_runs_alone() -> None:
    settings = load_settings("hospital", {"MRI_TRIAGE__NIGHT__TIME_ZONE": "America/New_York"})
    nightly = make_deployments(settings, "hospital", LAKE)[0]

    [schedule] = nightly.schedules or []
    assert schedule.schedule is not None
    assert schedule.schedule.model_dump(include={"cron", "timezone"}) == {
        "cron": "15 4 * * *",
        "timezone": "America/New_York",
    }
    assert nightly.concurrency_limit == 1
    assert nightly.parameters == {"place": "hospital", "lake": LAKE}


def test_flows_are_named_as_modules_so_that_no_source_folder_is_needed() -> None:
    deployments = make_deployments(load_settings("hospital", {}), "hospital", LAKE)

    assert [one.entrypoint for one in deployments] == [
        "flows.nightly.nightly",
        "flows.backfill.backfill",
        "flows.training_flow.training",
        "flows.evaluation_flow.evaluation",
    ]
