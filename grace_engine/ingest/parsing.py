"""What does one record say, or why can it not be used?"""

import base64
from collections.abc import Mapping

import orjson

from grace_engine.ingest.rows import Row, excerpt_of
from grace_engine.records import Reject

MOST_BYTES = 32 << 20
"""Bytes of one record. The longest reasoning traces have a few MB; a record is held some times over
while it is parsed, cut and stored, so that this keeps a process under a GB or so."""

# orjson reads 1,024 lists and objects inside one another, and writes 254. No dataset has ten.
_TOO_DEEP = ("depth limit exceeded", "Recursion limit reached")


def row_of_json(path: str, line: int, raw: bytes) -> Row | Reject:
    """A record that stands in a larger text: ``raw`` is written anew, as compact JSON."""
    try:
        fields = orjson.loads(raw)
    except orjson.JSONDecodeError as fault:
        return rejected_json(path, line, raw, fault)
    if isinstance(fields, dict):
        return row_of_values(path, line, fields)
    return not_an_object(path, line, raw, fields)


def row_of_values(path: str, line: int, values: Mapping[str, object]) -> Row | Reject:
    """A record of Python values, as compact JSON in their order, and what that JSON holds.

    The fields are read back from the JSON, so that a stored record means the same as the row did.
    """
    try:
        raw = orjson.dumps(values, default=_json_value)
    except TypeError as fault:  # also of text with lone surrogates
        if str(fault) in _TOO_DEEP:
            return _too_deep(path, line)
        detail = f"a value in the record cannot be written as JSON: {fault}"
        return Reject(path=path, line=line, reason="not-json", detail=detail)
    if len(raw) > MOST_BYTES:
        return too_large(path, line, raw)
    return Row(path=path, line=line, raw=raw, fields=orjson.loads(raw))


def rejected_json(path: str, line: int, raw: bytes, fault: orjson.JSONDecodeError) -> Reject:
    """Why ``raw`` could not be parsed."""
    if fault.msg in _TOO_DEEP:
        return _too_deep(path, line, raw)
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as undecodable:
        return not_utf8(path, line, raw, undecodable)
    detail = f"{fault.msg}, at character {fault.pos + 1} of the record"
    return rejected(path, line, raw, "not-json", detail)


def not_utf8(path: str, line: int, raw: bytes, fault: UnicodeDecodeError) -> Reject:
    """Why ``raw`` is no text."""
    detail = f"byte {fault.start + 1} of the record is not UTF-8"
    return rejected(path, line, raw, "not-utf8", detail)


def not_an_object(path: str, line: int, raw: bytes, value: object) -> Reject:
    """Why a value cannot be a record."""
    seen = "an array" if isinstance(value, list) else "a single value"
    detail = f"the record is {seen}, not an object with named fields"
    return rejected(path, line, raw, "not-an-object", detail)


def too_large(path: str, line: int, beginning: bytes) -> Reject:
    """Why a record was passed over without being held."""
    detail = f"the record has more than {MOST_BYTES >> 20} MiB"
    return rejected(path, line, beginning, "record-too-large", detail)


def rejected(path: str, line: int, raw: bytes, reason: str, detail: str) -> Reject:
    """A verdict on a record of which ``raw`` is the text, or its beginning."""
    return Reject(path=path, line=line, reason=reason, detail=detail, excerpt=excerpt_of(raw))


def _too_deep(path: str, line: int, raw: bytes = b"") -> Reject:
    detail = "lists and objects stand too deep inside one another"
    return rejected(path, line, raw, "nested-too-deep", detail)


def _json_value(value: object) -> str:
    """Bytes as base64; decimals, durations and the like as they print."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
