"""What do the stored step Grams say? Pure arrays in, arrays out: no model, no store, no device."""

from grace_engine.signals.gram import GramTable, cosine_matrix, pack, packed_size, unpack
from grace_engine.signals.history import history_weights
from grace_engine.signals.table import SignalTable, signals_of, trace_tokens
from grace_engine.signals.values import peak_losses, step_scores, trace_values

__all__ = [
    "GramTable",
    "SignalTable",
    "cosine_matrix",
    "history_weights",
    "pack",
    "packed_size",
    "peak_losses",
    "signals_of",
    "step_scores",
    "trace_tokens",
    "trace_values",
    "unpack",
]
