"""Which texts are the same, or nearly so?"""

from grace_engine.duplicates.bands import N_HASHES, chance_met, rows_per_band
from grace_engine.duplicates.grouping import Group, Member, Text, find_groups, require_threshold
from grace_engine.duplicates.shingles import WORDS, folded, jaccard, shingles

__all__ = [
    "N_HASHES",
    "WORDS",
    "Group",
    "Member",
    "Text",
    "chance_met",
    "find_groups",
    "folded",
    "jaccard",
    "require_threshold",
    "rows_per_band",
    "shingles",
]
