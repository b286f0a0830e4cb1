"""The CSV form of what was sent to customers: every row is read, or every bad one is named."""

import pytest

from billing.domain.dispatches import COLUMNS, ROWS_MAX, read_csv
from billing.domain.errors import BadRows, Invalid

HEAD = ",".join(COLUMNS)
ROW = "inv_1,BOX,2,PostNord,PN-1,https://post.example/PN-1,,,"


def file(*rows: str, head: str = HEAD, end: str = "\n") -> str:
    return end.join((head, *rows)) + end


def test_each_row_is_read_with_its_line_and_its_fields_by_column() -> None:
    ((number, fields), (other, _)) = read_csv(file(ROW, ROW))
    assert (number, other) == (2, 3)
    assert fields == dict(zip(COLUMNS, ROW.split(","), strict=True))


def test_empty_lines_are_passed_over_and_still_counted() -> None:
    assert [number for number, _ in read_csv(file("", ROW, "", ROW))] == [3, 5]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_as_on_any_machine(end: str) -> None:
    assert read_csv(file(ROW, end=end)) == read_csv(file(ROW))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names the columns: invoice_id,article_number,quantity"),
        (file(ROW, head=HEAD.replace("carrier", "driver")), "names the columns"),
        (file(), f"1 to {ROWS_MAX} rows, not 0$"),
        (file(*[ROW] * (ROWS_MAX + 1)), f"1 to {ROWS_MAX} rows, not {ROWS_MAX + 1}$"),
        (file(ROW.replace("BOX", '"BOX')), "not CSV"),
        (file(ROW.replace("BOX", '"BO"X')), "not CSV"),
    ],
)
def test_a_file_of_another_form_is_refused(text: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        read_csv(text)


def test_a_file_may_have_as_many_rows_as_the_limit_says() -> None:
    assert len(read_csv(file(*[ROW] * ROWS_MAX))) == ROWS_MAX


@pytest.mark.parametrize("quantity", ["0", "", "-1", "1.5", "two", "1000000", "\u0662", "\u00b2"])
def test_a_quantity_is_a_whole_number_from_1_to_999999(quantity: str) -> None:
    with pytest.raises(BadRows) as refused:
        read_csv(file(ROW.replace(",2,", f",{quantity},")))
    assert refused.value.faults == (("line 2", "quantity is not a whole number from 1 to 999999"),)


@pytest.mark.parametrize("quantity", ["1", "999999"])
def test_the_smallest_and_the_largest_quantity_are_read(quantity: str) -> None:
    assert read_csv(file(ROW.replace(",2,", f",{quantity},")))[0][1]["quantity"] == quantity


def test_every_bad_row_is_named_with_everything_that_is_wrong_with_it() -> None:
    with pytest.raises(BadRows) as refused:
        read_csv(file(",BOX,1,,,,,,", ROW, "inv_1, ,0,,,,,,", "inv_1,BOX,1"))
    assert refused.value.faults == (
        ("line 2", "invoice_id is missing"),
        ("line 4", "article_number is missing"),
        ("line 4", "quantity is not a whole number from 1 to 999999"),
        ("line 5", "3 fields instead of 9"),
    )
