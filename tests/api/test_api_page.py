"""The list of calls in docs/api.md is the document's own."""

from pathlib import Path

import httpx

from tests.api.document import calls, listed

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
BEGIN, END = (
    "<!-- The list below is made from the OpenAPI document; a test compares them. -->",
    "<!-- End of the list. -->",
)


def test_the_page_lists_every_call_as_the_document_describes_it(client: httpx.Client, tmp_path: Path) -> None:
    said = PAGE.read_text().partition(BEGIN)[2].partition(END)[0].strip()
    wanted = listed(calls(client))
    (tmp_path / "calls.md").write_text(wanted)
    assert said == wanted, f"put {tmp_path / 'calls.md'} between the two marks of docs/api.md"
