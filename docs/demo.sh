#!/bin/sh
# The main job without a browser, on the shipped GSM8K solutions: every command is shown, then run.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
say() { printf '\n\033[1m$ %s\033[0m\n' "$*" >&2; "$@"; }
cd "$(dirname "$0")/.."
export GRACE_WORKSPACE="$folder/workspace"
say grace ingest sample_data/gsm8k/model_solutions.jsonl --dataset gsm8k-solutions
say grace rejects
say grace score
say grace traces --limit 5
say grace show "$(grace traces --json | python3 -c 'import json, sys; print(next(t["trace_id"] for t in json.load(sys.stdin)["traces"] if t["n_steps"] > 3))')"
say grace curate --budget 20% --name demo
say grace export demo --to "$folder/chosen.jsonl" --as messages
say grace replay "$folder/manifest.json" --to "$folder/again.jsonl"
say cmp "$folder/chosen.jsonl" "$folder/again.jsonl"
printf '\nThe same bytes. First exported line:\n' >&2
head -c 600 "$folder/chosen.jsonl"
printf '\n' >&2
