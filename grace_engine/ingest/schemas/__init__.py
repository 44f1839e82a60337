"""Which shape is a record of?

A schema is one module of this package that declares ``SCHEMA``; detection goes by content.
"""

from collections.abc import Sequence

from grace_engine.config import require_one_of
from grace_engine.errors import SchemaError
from grace_engine.ingest.drafts import Fields, Schema, names_of
from grace_engine.ingest.guessing import guess_mapping
from grace_engine.ingest.plugins import declared

_SCHEMAS: tuple[Schema, ...] = declared(__name__, __path__, "SCHEMA")
SCHEMAS: dict[str, Schema] = {schema.name: schema for schema in _SCHEMAS}


def detect(fields: Fields) -> Schema | None:
    """The schema whose shape a record has; None when no schema fits."""
    return next((schema for schema in _SCHEMAS if schema.matches(fields)), None)


def detect_among(records: Sequence[Fields]) -> Schema | None:
    """The schema of the first record that one fits, and that enough of the others are of."""
    passed_over: set[str] = set()
    for record in records:
        schema = detect(record)
        if schema is None or schema.name in passed_over:
            continue
        if not schema.share or sum(map(schema.matches, records)) >= schema.share * len(records):
            return schema
        passed_over.add(schema.name)
    return None


def schema_named(name: str) -> Schema:
    """The schema that ``--format`` names; ``InputError`` when there is none of that name."""
    require_one_of("Format", name, tuple(SCHEMAS))
    return SCHEMAS[name]


def no_schema_fits(path: str, records: Sequence[Fields]) -> SchemaError:
    """The error for a file in which no schema fits, with a guess from its first records."""
    guess = guess_mapping(records)
    mapping = ",".join(f"{role}={field}" for role, field in guess.items())
    guessed = f"It looks like --map '{mapping}'. If that is not so, say" if guess else "Say"
    return SchemaError(
        f"{path}: no known format fits records with the fields {names_of(records[0])}. {guessed} "
        "which field is which with --map prompt=FIELD,trace=FIELD,answer=FIELD (of problems "
        "without a trace --map prompt=FIELD,reference=FIELD), or name a format with --format "
        f"({', '.join(SCHEMAS)})."
    )
