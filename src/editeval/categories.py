"""One category, two vocabularies: v2 files say 物理, ours say physical.

Data keep their own word; matching ignores the difference.
"""

from __future__ import annotations

CATEGORIES = ("physical", "environmental", "cultural", "causal", "referential")
ALIASES = {
    "物理": "physical",
    "环境": "environmental",
    "社会": "cultural",
    "文化": "cultural",
    "social": "cultural",
    "因果": "causal",
    "指代": "referential",
}


def canonical(name: str) -> str:
    """The English word where `name` is one of the known Chinese ones, else `name` itself."""
    return ALIASES.get(name, name)
