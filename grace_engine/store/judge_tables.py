"""Which tables hold what judge models say of steps?

A judgement belongs to what was read, so that a step that is read again is not asked again; where it
stands is a row of its own. The long tables have no keys, for the reason that stands at those of
traces.
"""

FIRST_TABLES = """
CREATE TABLE judges (
    judge_id VARCHAR PRIMARY KEY,        -- digest of all that decides what it says
    spec JSON NOT NULL,
    created_at VARCHAR NOT NULL,
    updated_at VARCHAR NOT NULL,
    touched BIGINT NOT NULL              -- larger is later; clocks are set back
);
CREATE TABLE judged_places (
    judge_id VARCHAR NOT NULL,
    trace_id VARCHAR NOT NULL,
    step_start INTEGER NOT NULL,         -- its characters of the full text: they outlive its number
    step_end INTEGER NOT NULL,           -- at most one row a judge, trace and place
    step_key VARCHAR NOT NULL            -- digest of the judge and of all that it reads
);
CREATE TABLE judgements (
    judge_id VARCHAR NOT NULL,
    step_key VARCHAR NOT NULL,
    part VARCHAR NOT NULL,               -- atoms or a metric: at most one row a key and part
    label BOOLEAN,                       -- null of atoms and where it failed
    claims JSON NOT NULL,                -- of atoms with types, else numbers of those at fault
    premises JSON NOT NULL,
    reason VARCHAR NOT NULL,
    failure VARCHAR NOT NULL,            -- why there is no label; "" where there is one
    detail VARCHAR NOT NULL,
    n_requests BIGINT NOT NULL,          -- these and the rest: of all attempts, earlier runs' too
    tokens_in BIGINT NOT NULL,
    tokens_out BIGINT NOT NULL,
    n_estimated BIGINT NOT NULL,
    cost DOUBLE,
    judged_at VARCHAR NOT NULL
);
"""
