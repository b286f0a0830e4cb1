"""What the answer to a revocation changes: the token is gone, and at an erasure its sealed record too. Called by
`settle` alone.
"""

from sqlmodel import Session

from billing.domain.operations import OperationStatus, Trigger
from billing.store.customers import StoredToken, TokenStatus, set_token_status
from billing.use_cases.settle_scene import TokenScene


def revoke_succeeded(scene: TokenScene) -> None:
    """The provider has canceled the token, or knew it no longer: nothing can be charged through it, ever."""
    revoke = scene.row
    revoke.status = OperationStatus.SUCCEEDED.value
    set_token_status(scene.session, [revoke.subject], TokenStatus.REVOKED)
    token = scene.session.get_one(StoredToken, revoke.subject, populate_existing=True)
    if revoke.trigger == Trigger.ERASURE:
        erase_record(scene.session, token)
    scene.tell("token.revoked", token=token.id.hex)


def erase_record(session: Session, token: StoredToken) -> None:
    """Delete what could ever be opened of a token, its wrapped key in it, and what finds it again; its row stays for
    the books.
    """
    token.sealed, token.blind_index, token.status = b"", None, TokenStatus.ERASED.value
    session.add(token)
