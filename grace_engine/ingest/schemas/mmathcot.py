"""How does an MMathCoT row become a trace?

``image_url, instruction, output``: steps are marked "Step n:", the answer "†Answer:". The image is
kept as a reference.
"""

from collections.abc import Iterator

from grace_engine.ingest.drafts import Draft, Fields, Schema, kind_of, mismatch, text_field


def _matches(fields: Fields) -> bool:
    texts = (fields.get("instruction"), fields.get("output"))
    return all(isinstance(text, str) for text in texts) and "image_url" in fields


def _drafts(fields: Fields) -> Iterator[Draft]:
    yield Draft(
        prompt=text_field(fields, "instruction"),
        text=text_field(fields, "output"),
        images=_images(fields.get("image_url")),
    )


def _images(value: object) -> tuple[str, ...]:
    """One image, several, or null for none."""
    images = value if isinstance(value, list) else [] if value is None else [value]
    for image in images:
        if not isinstance(image, str):
            detail = f"field 'image_url' is or holds {kind_of(image)}, not text"
            raise mismatch(detail)
    return tuple(images)


SCHEMA = Schema(name="mmathcot", matches=_matches, drafts=_drafts)
