"""Who may see the worklist, and who one is.

Three ways in, one of them in force:

* ``local``: whoever can reach a loopback address; no token. Refused on any other address.
* ``token``: a signed token with a name, roles and an expiry date, made by
  ``mri-triage worklist-token``. Nothing is stored: the signature is the proof.
* ``proxy``: a reverse proxy that has asked who it is. It proves itself by a shared secret, and
  tells name and roles in headers.
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from model.errors import ConfigurationError

AccessMode = Literal["local", "token", "proxy"]

READER: Final = "reader"
"""Sees the worklist and answers."""

PACS: Final = "pacs"
"""May open a study in the PACS viewer, which resolves who the patient is."""

ROLES: Final = frozenset({READER, PACS})

TOKEN_VARIABLE: Final = "MRI_TRIAGE_WORKLIST_KEY"  # noqa: S105 - the name of a variable
PROXY_VARIABLE: Final = "MRI_TRIAGE_PROXY_SECRET"
MINIMUM_SECRET_BYTES: Final = 16

SECRET_HEADER: Final = "x-mri-triage-proxy-secret"  # noqa: S105 - the name of a header
COOKIE: Final = "mri_triage_worklist"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,63}")


class AccessRefusedError(Exception):
    """A request that is not let in; the message may be shown to whoever made it."""


@dataclass(frozen=True)
class Reader:
    """Whoever makes a request.

    Attributes:
        name: an account's, never a patient's.
        roles: of `ROLES`.
    """

    name: str
    roles: frozenset[str]


@dataclass(frozen=True)
class AccessPolicy:
    """How requests are let in.

    Attributes:
        mode: see the module.
        secret: of the tokens or of the proxy; empty in mode ``local``.
        local_reader: who one is in mode ``local``.
        user_header: of the proxy, in small letters.
        roles_header: of the proxy, in small letters; names separated by commas.
        role_names: what the proxy's names mean.
    """

    mode: AccessMode
    secret: bytes
    local_reader: Reader
    user_header: str = "x-forwarded-user"
    roles_header: str = "x-forwarded-groups"
    role_names: Mapping[str, str] = field(default_factory=dict)


def make_policy(  # noqa: PLR0913 - the settings of one section, and the environment
    mode: AccessMode,
    host: str,
    environ: Mapping[str, str],
    *,
    local_reader: Reader,
    user_header: str,
    roles_header: str,
    role_names: Mapping[str, str],
) -> AccessPolicy:
    """Make the policy, or refuse to start without protection.

    Args:
        mode: see the module.
        host: the address to listen on.
        environ: the environment; the secret is read from it.
        local_reader: who one is in mode ``local``.
        user_header: of the proxy.
        roles_header: of the proxy.
        role_names: what the proxy's group names mean: one of `ROLES` each.

    Raises:
        ConfigurationError: if anybody in the network could get in, or a secret is missing.
    """
    if mode == "local":
        if not is_loopback(host):
            message = (
                f"the worklist would listen on {host} and let everybody in: expected a token or a "
                "reverse proxy for any address but 127.0.0.1; set worklist.access to token or proxy"
            )
            raise ConfigurationError(message)
        return AccessPolicy(mode, b"", local_reader)
    variable = TOKEN_VARIABLE if mode == "token" else PROXY_VARIABLE
    return AccessPolicy(
        mode,
        read_secret(variable, environ),
        local_reader,
        user_header.lower(),
        roles_header.lower(),
        dict(role_names),
    )


def read_secret(variable: str, environ: Mapping[str, str]) -> bytes:
    """Read a secret from the environment.

    Raises:
        ConfigurationError: if it is absent or too short.
    """
    secret = environ.get(variable, "").strip().encode("utf-8", "surrogateescape")
    if len(secret) < MINIMUM_SECRET_BYTES:
        found = f"{len(secret)} bytes" if secret else "nothing"
        message = (
            f"{variable} holds {found}: expected a secret of at least {MINIMUM_SECRET_BYTES} "
            "bytes; make one with `openssl rand -hex 32`, and keep it like a password"
        )
        raise ConfigurationError(message)
    return secret


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_name(name: str) -> str:
    """Return a reader's name if it can be one.

    Raises:
        ConfigurationError: if not.
    """
    if _NAME.fullmatch(name) is None:
        message = (
            "a reader's name is up to 64 letters, digits and _ . @ + -, as in m.muster; it is "
            "written beside every answer"
        )
        raise ConfigurationError(message)
    return name


def require_roles(roles: Iterable[str]) -> frozenset[str]:
    """Return roles if all of them are known.

    Raises:
        ConfigurationError: if one is not.
    """
    wanted = frozenset(roles)
    if not wanted or not wanted <= ROLES:
        message = f"roles are {', '.join(sorted(ROLES))}: found {', '.join(sorted(wanted))}"
        raise ConfigurationError(message)
    return wanted


def issue_token(secret: bytes, reader: Reader, expires_at: datetime) -> str:
    """Make a signed token; `expires_at` has a time zone."""
    content = {
        "name": require_name(reader.name),
        "roles": sorted(reader.roles),
        "expires": int(expires_at.timestamp()),
    }
    body = base64.urlsafe_b64encode(json.dumps(content, sort_keys=True).encode()).decode()
    return f"{body}.{_sign(secret, 'token', body)}"


def read_token(secret: bytes, token: str, now: datetime) -> Reader:
    """Return whom a token names.

    Raises:
        AccessRefusedError: if it was not made with this secret, or has expired.
    """
    body, _, signature = token.partition(".")
    expected = _sign(secret, "token", body)
    if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
        message = "this token is not valid here: ask for a new one"
        raise AccessRefusedError(message)
    content = json.loads(base64.urlsafe_b64decode(body))
    if now.timestamp() >= content["expires"]:
        message = "this token has expired: ask for a new one"
        raise AccessRefusedError(message)
    return Reader(content["name"], frozenset(content["roles"]) & ROLES)


def identify(
    policy: AccessPolicy, headers: Mapping[str, str], cookie: str, now: datetime
) -> Reader:
    """Say who makes a request.

    Args:
        policy: in force.
        headers: of the request, names in small letters.
        cookie: the token that the browser keeps, or an empty text.
        now: with a time zone.

    Raises:
        AccessRefusedError: if nobody who may.
    """
    if policy.mode == "local":
        return policy.local_reader
    if policy.mode == "token":
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        token = bearer.strip() if scheme.lower() == "bearer" else cookie
        if not token:
            message = "a token is needed"
            raise AccessRefusedError(message)
        return _require_reader(read_token(policy.secret, token, now))
    return _require_reader(_read_proxy(policy, headers))


def make_form_key(secret: bytes, reader: Reader) -> str:
    """Return what a form of this reader carries, so that no other site can send one for them."""
    return _sign(secret, "form", reader.name)


def is_form_key(secret: bytes, reader: Reader, given: str) -> bool:
    """Whether a form carries its reader's key; takes as long for every wrong one."""
    expected = make_form_key(secret, reader)
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))


def _read_proxy(policy: AccessPolicy, headers: Mapping[str, str]) -> Reader:
    given = headers.get(SECRET_HEADER, "").encode("utf-8", "replace")
    if not hmac.compare_digest(policy.secret, given):
        message = "this address is for the hospital's reverse proxy: open the worklist through it"
        raise AccessRefusedError(message)
    name = headers.get(policy.user_header, "").strip()
    if _NAME.fullmatch(name) is None:
        message = "the reverse proxy did not say who you are: sign in there again"
        raise AccessRefusedError(message)
    told = (text.strip() for text in headers.get(policy.roles_header, "").split(","))
    roles = frozenset(policy.role_names[text] for text in told if text in policy.role_names)
    return Reader(name, roles & ROLES)


def _require_reader(reader: Reader) -> Reader:
    if READER not in reader.roles:
        message = "your account may not open the worklist: ask for the role reader"
        raise AccessRefusedError(message)
    return reader


def _sign(secret: bytes, purpose: str, text: str) -> str:
    # The purpose is part of what is signed: a form's key can never pass as a token.
    return hmac.digest(secret, f"{purpose}\n{text}".encode("utf-8", "replace"), "sha256").hex()
