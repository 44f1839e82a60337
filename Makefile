# Every target makes the environment it needs: a machine with Python >= 3.11 (with venv) and make is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKSPACE ?= workspace

.PHONY: run demo test test-long test-slow lint bench lock wheel clean

run: $(READY) ## Prepare the sample workspace and open the studio on 127.0.0.1
	$(BIN)/grace sample --workspace $(WORKSPACE)
	$(BIN)/grace app --workspace $(WORKSPACE)

demo: $(READY) ## The main job without a browser: ingest, score, choose, export
	@PATH="$(BIN):$$PATH" sh docs/demo.sh

SPREAD := -n auto --dist loadfile --no-loadscope-reorder

test: $(READY) lint ## Checks, then all quick tests; browser tests alone, so that nothing disturbs them
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q $(SPREAD) -m "not browser and not slow and not long"
	$(BIN)/python -m pytest -q -m "browser and not slow and not long"

test-long: $(READY) ## What takes seconds each, and together as long as make test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q $(SPREAD) -m "long and not browser"
	$(BIN)/python -m pytest -q -m "long and browser"

test-slow: $(READY) ## What takes minutes: many users at once, runs killed thirty times, restarts
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m slow

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY) ## Speed and memory as ratios to peers measured in the same run
	$(BIN)/python -m benchmarks.scoring
	$(BIN)/python -m benchmarks.ingest
	$(BIN)/python -m benchmarks.supervision

lock: ## Write requirements.lock anew from pyproject.toml
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --upgrade pip
	build/lock/bin/python -m pip install --quiet --group dev .
	build/lock/bin/python -m pip freeze --all --exclude pip --exclude grace-studio | sed 's/+cpu//' | grep -v '^nvidia-\|^triton==' > requirements.lock
	rm -rf build/lock

wheel: $(READY)
	$(BIN)/python -m build --wheel

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "This Python lacks venv. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

clean:
	rm -rf $(VENV) build dist
