"""How is each dataset cut into steps: as it stands now, or as a run saw it?"""

CUTS = """
SELECT
    name AS dataset,
    coalesce(
        (SELECT segmenters[list_position(datasets, name)] FROM runs WHERE run_id = $run), segmenter
    ) AS segmenter
FROM datasets
"""
"""A row a dataset; ``$run`` is a run's id, or NULL for how datasets are cut now."""

CUT_TRACES = f"""
traces
JOIN ({CUTS}) AS cuts ON cuts.dataset = traces.dataset
JOIN segmentations
    ON segmentations.position = traces.position AND segmentations.segmenter = cuts.segmenter
"""
"""Traces with their steps, for a FROM; takes ``$run`` as ``CUTS`` does."""
