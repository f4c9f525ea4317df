"""The report of a run: journal and truth log in, numbers and one HTML page out."""

from __future__ import annotations

from pacetomo.report.page import write_report
from pacetomo.report.records import RunLog, read_journal
from pacetomo.report.summary import Summary, format_summary, summarise
from pacetomo.report.truth import TruthLog, read_truth

__all__ = [
    "RunLog",
    "Summary",
    "TruthLog",
    "format_summary",
    "read_journal",
    "read_truth",
    "summarise",
    "write_report",
]
