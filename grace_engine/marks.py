"""Which marks would turn the direction of the text around them, and how do they read by name?"""

import re

DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Marks that turn the direction of text."""


def marks_named(text: str) -> str:
    """``text`` with ``[U+202E]`` in place of a mark that would turn the text around it."""
    return DIRECTION.sub(lambda mark: f"[U+{ord(mark[0]):04X}]", text)
