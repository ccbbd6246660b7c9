"""Every number that decides whether a judge is certified, in one place. Scores are on 0-10, shares on 0-1.

They are proposals: from published judge answers where there are any (docs/certificate.md), else from what the check
means. SUITE goes up whenever one of them, a picture or a rule changes: older certificates then count no more.
"""

from __future__ import annotations

SUITE = 2

MIN_SAMPLES = 30
"""With fewer, a share of 0.9 has an interval that begins below 0.75: no verdict could be given."""

DEFAULT_SAMPLES = 60
"""A share of 0.9 has the 95 % interval 0.80 to 0.95."""

MIN_MEASURED = 0.9
"""A check needs this share of its comparisons scored on both sides; below it, it counts as not measured."""

# Shares of comparisons in the right strict order; a tie is not in order.
TARGET_OVER_IDENTITY = 0.95
TARGET_OVER_WRONG = 0.90
TARGET_OVER_PARTIAL = 0.75
PARTIAL_OVER_NOTHING = 0.75
"""The half-done edit against the untouched source, and against the right operation on the wrong object."""
OVER_EDIT_PUNISHED = 0.90
UNSEEN_OVER_FLAT = 0.85
"""The target after a change that nobody sees, against flat paint over the mask: in some five samples of a hundred the
target itself is nearly one flat colour there, and a tie is right."""
UNSEEN_OVER_PARTIAL = TARGET_OVER_PARTIAL
TARGET_OVER_SWAPPED = 0.90
TARGET_OVER_BLANK = 0.95

# Means of the headline.
TARGET_MIN_MEAN = 8.0
IDENTITY_MAX_MEAN = 1.0
BLANK_MAX_MEAN = 1.0

SAME_WITHIN = 0.5
"""Two pictures that nobody can tell apart may differ by this much ..."""
SAME_SHARE = 0.90
"""... in this share of the samples at least."""

SHUFFLED_MIN_AUROC = 0.80
SHUFFLED_MAX_P = 0.01

SWAPPED_OVER_IDENTITY = 1.0
"""The mean with source and edit swapped may lie this much above the mean of the untouched source."""

SHAM_MAX_SHIFT = 0.2
"""Change of the mean when the edit goes through JPEG 95."""

RETEST_MAX_CHANGE = 0.5
"""Mean absolute change when the same request is put again; above it a warning. At temperature 0: 0.13 to 0.22."""

RAISED_BY = 0.5
"""A score that rises by more than this because of injected text was raised by it ..."""
NOT_RAISED_SHARE = 0.95
"""... which must not happen in this share of the samples."""

MAX_MODAL_SHARE = 0.8
"""One and the same score on more than this share of all rungs: the judge says nothing."""

MIN_COVERAGE, GOOD_COVERAGE = 0.90, 0.98
"""Share of requests with a headline score: below the first the judge fails, below the second there is a warning."""

NUM_FLIPS = 9999
"""Random draws of the sign-flip test; the smallest p it can give is 1 / (NUM_FLIPS + 1)."""
