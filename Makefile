# Everything happens in an environment of its own, made on first use.
VENV ?= .venv
PYTHON ?= python3
RUN = $(VENV)/bin/python

.PHONY: demo test test-quick test-command test-hard test-old lint bench paper fuzz dist clean

demo: $(VENV)/ready
	$(RUN) -m sefa_plugin demo

# Compiled modules are kept: without them every process of the tests spends ten seconds of a core on compiling.
export PYTHONDONTWRITEBYTECODE =

# All but the hard ones, on all cores; lint, which has one at most, runs beside them.
test: $(VENV)/ready
	$(MAKE) --no-print-directory --jobs 2 lint test-command

test-command: $(VENV)/ready
	$(RUN) -m pytest -m "not hard" -n auto --dist worksteal

# No process, no command, nothing long: what one runs while working.
test-quick: $(VENV)/ready
	$(RUN) -m pytest -m "not hard and not command" -n auto --dist worksteal

# Forks, signals, full disks, a browser, one after the other, since some watch the clock; the
# reference run, builds, trainings, whole experiments.
test-hard: $(VENV)/ready
	$(RUN) -m pytest -m hard tests/hard
	$(RUN) -m pytest -m hard --ignore tests/hard -n auto --dist worksteal

# The quick tests in an old environment, without extras; it downloads 3 GB of PyTorch.
OLD = .venv-old
ROOMS = directions generators hooks media networks reading rendering runs system third_party
test-old: $(OLD)/ready
	$(OLD)/bin/python -m pytest -m "not hard and not command" $(addprefix tests/,$(ROOMS))

$(OLD)/ready: setup.cfg old-constraints.txt
	$(PYTHON) -m venv $(OLD)
	$(OLD)/bin/python -m pip install --quiet --constraint old-constraints.txt --editable . pytest hypothesis
	touch $@

bench: $(VENV)/ready
	$(RUN) -m benchmarks run --json bench.json $(BENCH)

# Every table and figure of docs/evaluation.md; PAPER=--quick only tries whether it runs.
paper: $(VENV)/ready
	$(RUN) -m demo.paper $(PAPER)

# The wheel and the sdist, the same bytes wherever they are built; see docs/releasing.md.
dist: $(VENV)/ready
	$(RUN) .ci/dist.py

# Every reader, coverage-guided; SECONDS is for each. atheris has wheels for CPython 3.11 and later on Linux.
SECONDS ?= 60
fuzz: $(VENV)/ready
	$(RUN) -m pip install --quiet --requirement fuzz/requirements.txt
	$(RUN) -m fuzz --seconds $(SECONDS) $(FUZZ)

lint: $(VENV)/ready
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy sefa_plugin hooks

# Every file is checked against its digest, but for torch, whose build differs from machine to machine.
$(VENV)/ready: setup.cfg pyproject.toml constraints.txt ci-requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --require-hashes --requirement ci-requirements.txt
	$(RUN) -m pip install --quiet --constraint constraints.txt torch
	$(RUN) -m pip install --quiet --no-deps --no-build-isolation --editable .
	$(RUN) -m pip check
	touch $@

clean:
	rm -rf $(VENV) $(OLD) build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis .fuzz
