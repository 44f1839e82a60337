"""Which tables hold answers of a policy to problems, and the policy gradients of these?

A set holds its problems as they were asked, so that it stays whole when their dataset goes. The
long tables have no keys, for the reason that stands at those of traces.
"""

FIRST_TABLES = """
CREATE TABLE rollout_sets (
    set_id VARCHAR PRIMARY KEY,
    name VARCHAR NOT NULL,
    spec JSON NOT NULL,
    created_at VARCHAR NOT NULL,
    updated_at VARCHAR NOT NULL,
    touched BIGINT NOT NULL              -- larger is later; clocks are set back
);
CREATE TABLE rollout_problems (
    set_id VARCHAR NOT NULL,
    problem_id VARCHAR NOT NULL,         -- at most one row a set
    position BIGINT NOT NULL,            -- order of arrival in the set
    dataset VARCHAR NOT NULL,
    prompt VARCHAR NOT NULL,
    reference VARCHAR,
    labels JSON NOT NULL,
    record_digest VARCHAR NOT NULL,
    reason VARCHAR,                      -- why it has no rollouts; null when it has some
    detail VARCHAR
);
CREATE TABLE rollouts (
    set_id VARCHAR NOT NULL,
    problem_id VARCHAR NOT NULL,
    number INTEGER NOT NULL,             -- within its group, from 1
    text VARCHAR NOT NULL,
    token_ids INTEGER[] NOT NULL,        -- empty where only the text is known
    logprobs FLOAT[] NOT NULL,           -- nats, at temperature 1; empty where not known
    finished BOOLEAN NOT NULL,
    reward DOUBLE,
    outcome VARCHAR NOT NULL,
    detail VARCHAR NOT NULL
);
CREATE TABLE policy_runs (
    run_id VARCHAR PRIMARY KEY,
    set_id VARCHAR NOT NULL,
    target_id VARCHAR NOT NULL,          -- "" without a target set
    fingerprint VARCHAR NOT NULL,
    spec JSON NOT NULL,
    target_norm DOUBLE,                  -- null until the target's mean gradient is known
    created_at VARCHAR NOT NULL,
    updated_at VARCHAR NOT NULL,
    touched BIGINT NOT NULL
);
CREATE TABLE policy_gradients (
    run_id VARCHAR NOT NULL,
    problem_id VARCHAR NOT NULL,         -- at most one row a run
    dot DOUBLE,                          -- with the target's mean gradient
    norm DOUBLE NOT NULL,
    sketch FLOAT[] NOT NULL,             -- the gradient or its projection; empty for none
    reason VARCHAR,                      -- why there is no gradient; null when there is one
    detail VARCHAR
);
"""

# dot and norm of two halves of a problem's rollouts, four numbers; empty or null where not taken
HALVES = "ALTER TABLE policy_gradients ADD COLUMN halves DOUBLE[]"
