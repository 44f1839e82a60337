"""What does the text of a reasoning trace look like in numbers, before anyone trains on it?"""

from grace_engine.supervision.language import language_of
from grace_engine.supervision.measuring import LANGUAGE, WITHOUT_MODEL, Measurer, TextPair
from grace_engine.supervision.metrics import METRICS, Measured, Metric
from grace_engine.supervision.settings import MeasureConfig
from grace_engine.supervision.texts import redundancy, sentences_of, symbolic_fraction
from grace_engine.supervision.vectors import alignment, flow

__all__ = [
    "LANGUAGE",
    "METRICS",
    "WITHOUT_MODEL",
    "MeasureConfig",
    "Measured",
    "Measurer",
    "Metric",
    "TextPair",
    "alignment",
    "flow",
    "language_of",
    "redundancy",
    "sentences_of",
    "symbolic_fraction",
]
