"""Who is asking: the API key in the Authorization header, looked up for every request, and what its role may do."""

from collections.abc import Callable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from api.errors import Refused
from billing.store.engine import Database
from billing.use_cases.api_keys import KeyFault, KeyHolder, Role, find_key

Connection = ASGIConnection[Any, Any, Any, Any]
Guard = Callable[[Connection, BaseRouteHandler], None]

_SENTENCES = {
    KeyFault.MALFORMED: "this is not an API key; one looks like sk_test_ and 58 more characters",
    KeyFault.MISTYPED: "the check at the end of the API key does not fit the rest: it was mistyped or cut",
    KeyFault.UNKNOWN: "there is no such API key",
    KeyFault.REVOKED: "this API key was revoked",
}


def guard(database: Database, *roles: Role) -> Guard:
    """Admit holders of a key with one of `roles`; the holder is the request's `auth` from then on.

    Refuses with 401 without a key that opens, and 403 with one of another role.
    """

    def admit(connection: Connection, _: BaseRouteHandler) -> None:
        holder = find_key(database, _presented(connection))
        if isinstance(holder, KeyFault):
            raise _unauthorized(_SENTENCES[holder])
        if holder.role not in roles:
            raise Refused(403, "forbidden", f"a key of role {holder.role} may not do this; {' or '.join(roles)} may")
        connection.scope["auth"] = holder

    return admit


def holder_of(connection: Connection) -> KeyHolder:
    """The holder whom the guard admitted."""
    holder = connection.scope["auth"]
    assert isinstance(holder, KeyHolder), "an address behind a guard has a holder"
    return holder


def _presented(connection: Connection) -> str:
    header = connection.headers.get("authorization", "")
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise _unauthorized("an API key is needed: Authorization: Bearer sk_...")
    return text.strip()


def _unauthorized(detail: str) -> Refused:
    return Refused(401, "unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})
