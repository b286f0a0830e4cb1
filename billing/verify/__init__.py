"""The checker: every invariant of the charging rules on any database of the service, in SQL of its own.

It shares no code with the service. `check` is all there is to call.
"""

from billing.verify.checking import check
from billing.verify.reading import NotVerifiable
from billing.verify.report import Finding, Report, Verdict

__all__ = ["Finding", "NotVerifiable", "Report", "Verdict", "check"]
