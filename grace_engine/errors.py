"""Which faults does the engine raise, and what does each one mean to a user?

The tree, every leaf a sentence that says what happened, where, and what to do:

    GraceError
    ├── InputError               a file, value or flag that cannot be used
    │   ├── ReadError            a file that cannot be read as what it claims to be
    │   ├── SchemaError          records in which no prompt, trace or answer can be found
    │   └── TraceRejected        one trace that cannot be used, with a reason code
    ├── NotFoundError            a run, trace, selection or dataset that the workspace lacks
    ├── ModelError               a model, adapter or tokenizer that cannot be used
    ├── ResourceError            memory, disk or a server that does not suffice
    │   └── UnreachableError     a server at whose address nobody answers
    ├── MissingExtraError        an optional library that is not installed
    └── StoreError               the workspace database cannot be used
        ├── DiskFullError        there is no room; what was stored before is safe
        ├── StoreBusyError       another process holds it; names the holder
        └── StoreVersionError    written by a newer version of the studio
"""


class GraceError(Exception):
    """Base of every fault that the shell prints as a sentence, without a traceback.

    Attributes:
        on_page: The same for a page, where a flag of the shell is a box to tick.
    """

    def __init__(self, sentence: str = "", *, on_page: str = "") -> None:
        super().__init__(sentence)
        self.on_page = on_page or sentence


class InputError(GraceError):
    """A file, value or flag that cannot be used as it is."""


class ReadError(InputError):
    """A file that cannot be read as what it claims to be."""


class SchemaError(InputError):
    """Records in which no prompt, trace or answer can be found."""


class TraceRejected(InputError):  # noqa: N818 - a verdict on a trace, not a fault
    """One trace that cannot be used; it is stored with its reason, never dropped in silence.

    Attributes:
        reason: A stable kebab-case code, such as ``no-answer`` or ``too-long``.
        detail: What was seen, for a person to read.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class NotFoundError(GraceError):
    """A run, trace, selection or dataset that the workspace does not hold."""


class ModelError(GraceError):
    """A model, adapter or tokenizer that cannot be used."""


class ResourceError(GraceError):
    """Memory, disk or a server that does not suffice for what was asked."""


class UnreachableError(ResourceError):
    """A server at whose address nobody answers, whatever it is asked."""


class MissingExtraError(GraceError):
    """An optional library that is not installed; the message holds the exact install line."""


class StoreError(GraceError):
    """The workspace database cannot be used."""


class DiskFullError(StoreError):
    """The disk has no room for what was to be written; what was stored before is safe."""


class StoreBusyError(StoreError):
    """Another process holds the workspace database; the message names it."""


class StoreVersionError(StoreError):
    """The workspace was written by a newer version of the studio."""
