"""The five categories of the built-in benchmark, of RE-Edit's data, and of v2's under other words (config/legacy)."""

from __future__ import annotations

CATEGORIES = ("physical", "environmental", "cultural", "causal", "referential")
