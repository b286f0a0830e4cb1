"""The one merchant of the sandbox, as both interfaces of the older generation know it."""

EID = 4711
SECRET = "sharedSecret"  # noqa: S105  what a sandbox shares with everybody is no secret
