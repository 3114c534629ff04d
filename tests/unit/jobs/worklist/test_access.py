from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jobs.worklist.access import (
    PACS,
    PROXY_VARIABLE,
    READER,
    SECRET_HEADER,
    TOKEN_VARIABLE,
    AccessMode,
    AccessPolicy,
    AccessRefusedError,
    Reader,
    identify,
    is_form_key,
    issue_token,
    make_form_key,
    make_policy,
    read_token,
    require_name,
)
from model.errors import ConfigurationError

SECRET = b"a secret of the tests, long enough"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ANNA = Reader("a.muster", frozenset({READER, PACS}))
HERE = Reader("here", frozenset({READER}))


def policy(mode: AccessMode, host: str, **environ: str) -> AccessPolicy:
    return make_policy(
        mode,
        host,
        environ,
        local_reader=HERE,
        user_header="X-Forwarded-User",
        roles_header="X-Forwarded-Groups",
        role_names={"neuro": READER, "pacs-users": PACS},
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_on_this_machine_nobody_needs_a_token(host: str) -> None:
    assert identify(policy("local", host), {}, "", NOW) == HERE


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "worklist.example"])  # noqa: S104
def test_any_other_address_refuses_to_start_without_protection(host: str) -> None:
    with pytest.raises(ConfigurationError, match="let everybody in"):
        policy("local", host)


@pytest.mark.parametrize(
    ("mode", "variable"), [("token", TOKEN_VARIABLE), ("proxy", PROXY_VARIABLE)]
)
@pytest.mark.parametrize("secret", ["", "short"])
def test_a_protection_without_a_secret_refuses_to_start(
    mode: AccessMode, variable: str, secret: str
) -> None:
    with pytest.raises(ConfigurationError, match=variable):
        policy(mode, "10.0.0.5", **{variable: secret})


def test_a_token_names_its_reader_until_it_expires() -> None:
    token = issue_token(SECRET, ANNA, NOW + timedelta(days=1))

    assert read_token(SECRET, token, NOW) == ANNA
    with pytest.raises(AccessRefusedError, match="expired"):
        read_token(SECRET, token, NOW + timedelta(days=1))


def test_a_token_that_was_changed_or_signed_with_another_key_is_refused() -> None:
    token = issue_token(SECRET, HERE, NOW + timedelta(days=1))
    body, _, signature = token.partition(".")
    other, _, _ = issue_token(SECRET, ANNA, NOW + timedelta(days=1)).partition(".")

    for forged in (f"{other}.{signature}", f"{body}.{'0' * 64}", body, "", "ä.ö", f"{token}0"):
        with pytest.raises(AccessRefusedError, match="not valid"):
            read_token(SECRET, forged, NOW)
    with pytest.raises(AccessRefusedError, match="not valid"):
        read_token(b"another secret, long enough too", token, NOW)


def test_a_form_s_key_is_no_token_and_no_one_else_s() -> None:
    key = make_form_key(SECRET, ANNA)

    assert is_form_key(SECRET, ANNA, key)
    assert not is_form_key(SECRET, HERE, key)
    with pytest.raises(AccessRefusedError):
        read_token(SECRET, f"{ANNA.name}.{key}", NOW)


def test_a_bearer_counts_before_the_cookie_and_nothing_is_refused() -> None:
    at = policy("token", "10.0.0.5", **{TOKEN_VARIABLE: SECRET.decode()})
    anna, here = (issue_token(SECRET, one, NOW + timedelta(days=1)) for one in (ANNA, HERE))

    assert identify(at, {"authorization": f"Bearer {anna}"}, here, NOW) == ANNA
    assert identify(at, {}, here, NOW) == HERE
    with pytest.raises(AccessRefusedError, match="a token is needed"):
        identify(at, {}, "", NOW)


def test_a_reverse_proxy_is_believed_only_if_it_proves_itself() -> None:
    at = policy("proxy", "10.0.0.5", **{PROXY_VARIABLE: SECRET.decode()})
    told = {"x-forwarded-user": "b.beispiel", "x-forwarded-groups": "neuro, pacs-users, cooks"}

    found = identify(at, {**told, SECRET_HEADER: SECRET.decode()}, "", NOW)

    assert found == Reader("b.beispiel", frozenset({READER, PACS}))
    for proof in ({}, {SECRET_HEADER: "guess"}):
        with pytest.raises(AccessRefusedError, match="reverse proxy"):
            identify(at, {**told, **proof}, "", NOW)


@pytest.mark.parametrize("groups", ["", "cooks", "pacs-users"])
def test_whoever_has_not_the_role_of_a_reader_stays_outside(groups: str) -> None:
    at = policy("proxy", "10.0.0.5", **{PROXY_VARIABLE: SECRET.decode()})
    told = {"x-forwarded-user": "b", "x-forwarded-groups": groups, SECRET_HEADER: SECRET.decode()}

    with pytest.raises(AccessRefusedError, match="role reader"):
        identify(at, told, "", NOW)


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "../x", "<b>"])
def test_a_reader_s_name_is_a_name(name: str) -> None:
    with pytest.raises(ConfigurationError):
        require_name(name)
