"""How does a file of records become traces, with no database in sight?"""

from grace_engine.ingest.answer_marks import answer_in, find_answer
from grace_engine.ingest.build import (
    APPENDED_ANSWER,
    build_trace,
    parts_of_rows,
    traces_of,
    traces_of_rows,
)
from grace_engine.ingest.discovery import Found, FoundFile, PassedOver, discover
from grace_engine.ingest.drafts import Draft, GivenStep, ProblemDraft, RejectedDraft, Schema
from grace_engine.ingest.guessing import FieldSample, field_samples, guess_mapping
from grace_engine.ingest.label_fields import label_names, likely_labels
from grace_engine.ingest.mapping import FieldMap, mapped_schema, parse_mapping
from grace_engine.ingest.problems import build_problem
from grace_engine.ingest.readers import (
    READERS,
    absent,
    no_rows,
    read_block,
    read_rows,
    readable_endings,
    split,
)
from grace_engine.ingest.rollouts import FileRollouts, rollouts_of
from grace_engine.ingest.rows import Block, Reader, Row
from grace_engine.ingest.schemas import SCHEMAS, detect, detect_among
from grace_engine.ingest.segmenters import Segmenter, parse_segmenter

__all__ = [
    "APPENDED_ANSWER",
    "READERS",
    "SCHEMAS",
    "Block",
    "Draft",
    "FieldMap",
    "FieldSample",
    "FileRollouts",
    "Found",
    "FoundFile",
    "GivenStep",
    "PassedOver",
    "ProblemDraft",
    "Reader",
    "RejectedDraft",
    "Row",
    "Schema",
    "Segmenter",
    "absent",
    "answer_in",
    "build_problem",
    "build_trace",
    "detect",
    "detect_among",
    "discover",
    "field_samples",
    "find_answer",
    "guess_mapping",
    "label_names",
    "likely_labels",
    "mapped_schema",
    "no_rows",
    "parse_mapping",
    "parse_segmenter",
    "parts_of_rows",
    "read_block",
    "read_rows",
    "readable_endings",
    "rollouts_of",
    "split",
    "traces_of",
    "traces_of_rows",
]
