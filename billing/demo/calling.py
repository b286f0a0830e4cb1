"""One kept-open HTTP client, and one error for every answer that the story did not expect."""

from types import TracebackType
from typing import Any, Self

import httpx

_TIMEOUT_SECONDS = 30


class UnexpectedAnswer(RuntimeError):
    """A call of the demo was refused: its method, path, status and what the answer says was wrong."""


class Caller:
    """JSON in, JSON out. Safe to use from several threads."""

    def __init__(self, base_url: str, *, auth: tuple[str, str] | None = None, bearer: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        self._client = httpx.Client(
            base_url=base_url, auth=auth, headers=headers, timeout=_TIMEOUT_SECONDS, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()

    def get(self, path: str, **query: str) -> Any:
        """Raises UnexpectedAnswer for anything but success."""
        return _checked(self._client.get(path, params=query), f"GET {path}").json()

    def post(self, path: str, body: dict[str, Any], key: str | None = None, *, named: str | None = None) -> Any:
        """Raises UnexpectedAnswer for anything but success, under the name `named` where the path holds a secret."""
        return self.post_once(path, body, key, named=named)[0]

    def post_once(
        self, path: str, body: dict[str, Any], key: str | None = None, *, named: str | None = None
    ) -> tuple[Any, bool]:
        """The answer, and whether it had been given before under this idempotency key."""
        headers = {"Idempotency-Key": key} if key else {}
        answer = _checked(self._client.post(path, json=body, headers=headers), f"POST {named or path}")
        return answer.json(), answer.headers.get("Idempotency-Replayed") == "true"


def _checked(answer: httpx.Response, call: str) -> httpx.Response:
    if answer.is_success:
        return answer
    raise UnexpectedAnswer(f"{call} answered {answer.status_code}: {_complaint(answer)}")


def _complaint(answer: httpx.Response) -> str:
    """What the service or the sandbox says is wrong; never the body as such, which may repeat what was sent."""
    try:
        body = answer.json()
    except ValueError:
        return "no JSON"
    said = body.get("detail") or body.get("error_messages") or body.get("error_code") or "no reason given"
    where = ", ".join(f"{e.get('where')}: {e.get('message')}" for e in body.get("errors") or [] if isinstance(e, dict))
    return f"{said} {where}".strip()
