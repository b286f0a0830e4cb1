"""Customer numbers of the older generation: a shop's own name for a person, kept beside the personal number."""

from billing.sandbox.arguments import Arguments
from billing.sandbox.wire import XmlRpcFault
from billing.sandbox.world import World

BAD_PNO, NO_SUCH_CUSTOMER = 2202, 2302


def get_customer_no(world: World, arguments: Arguments) -> list[str]:
    """All numbers of a person, oldest first; none of one whom nobody named."""
    found = world.ledger.rows("SELECT number FROM customer_numbers WHERE pno = ? ORDER BY rowid", arguments.text("pno"))
    return [row["number"] for row in found]


def set_customer_no(world: World, arguments: Arguments) -> str:
    """One number is one person's: said again of another, it is that one's from then on (a guess)."""
    pno, number = arguments.text("pno"), arguments.text("custno")
    if not pno:
        raise XmlRpcFault(BAD_PNO, "The personal number is missing.")
    if not number:
        raise XmlRpcFault(NO_SUCH_CUSTOMER, "The customer number is missing.")
    world.ledger.write("INSERT OR REPLACE INTO customer_numbers (number, pno) VALUES (?, ?)", number, pno)
    return "ok"


def remove_customer_no(world: World, arguments: Arguments) -> str:
    number = arguments.text("custno")
    if world.ledger.row("SELECT number FROM customer_numbers WHERE number = ?", number) is None:
        raise XmlRpcFault(NO_SUCH_CUSTOMER, "There is no such customer number.")
    world.ledger.write("DELETE FROM customer_numbers WHERE number = ?", number)
    return "ok"
