"""Own the report: computed once into a model, then only rendered."""

from trilemma_analysis.report.build import build_report
from trilemma_analysis.report.model import Report

__all__ = ["Report", "build_report"]
