PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

SEEDS ?= 10000
ROUNDS ?= 100
EVENTS ?= 1000
INVOCATIONS ?= 50000

.PHONY: help setup demo test suite check simulate kill kill-events bench-host leases fleet mutants bench test-slow fix lock

help:
	@echo "make demo   run the main job on an embedded AWS-compatible server"
	@echo "make test   checks and the whole test suite"
	@echo "make suite  the test suite alone"
	@echo "make check  ruff, mypy --strict, import contracts"
	@echo "make simulate SEEDS=n   the worker in virtual time under n seeded fault plans"
	@echo "make kill ROUNDS=n      real processes, killed at random moments"
	@echo "make leases             the lease protocol: all pairs of mishaps in a small world"
	@echo "make fleet ROUNDS=n     real workers that share a table: restarted, killed, stopped, and measured"
	@echo "make kill-events EVENTS=n  asynchronous events through a poller that is killed"
	@echo "make bench-host INVOCATIONS=n  throughput of the function host, and that it leaks nothing"
	@echo "make ruler RULER=checkout  event patterns beside event-ruler (needs a JDK and libjackson2-databind-java)"
	@echo "make mutants            seeded faults in our own code, each caught by the simulation"
	@echo "make bench              CPU per 1,000 records beside the floor and the naive loops"
	@echo "make test-slow          iterators that take five minutes to expire, on a real server"
	@echo "make fix    let ruff repair what it can"
	@echo "make lock   resolve requirements.lock again (needs uv), and print what changed in the models of AWS"

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

demo: setup
	$(BIN)/poller demo

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Beside each other: the suite mostly waits.
test: setup
	$(MAKE) --jobs=2 check suite

suite: setup
	$(BIN)/pytest

simulate: setup
	$(BIN)/python -m tests.simulation $(SEEDS) --jobs 2

kill: setup
	$(BIN)/python -m tests.kill $(ROUNDS)

fleet: setup
	$(BIN)/python -m tests.fleet rounds $(ROUNDS)
	$(BIN)/python -m tests.fleet shards 1000

leases: setup
	$(BIN)/python -m tests.leases

kill-events: setup
	$(BIN)/python -m tests.invoking.killing $(EVENTS)
	$(BIN)/python -m tests.fleet.killing_events $(EVENTS)

bench-host: setup
	$(BIN)/python -m tests.functions.throughput $(INVOCATIONS)

test-slow: setup
	TEST_SERVERS_SLOW=1 $(BIN)/pytest tests/servers

ruler: setup
	$(BIN)/python -m tests.ruler $(RULER)

mutants: setup
	$(BIN)/python -m tests.simulation.mutation --jobs 2

bench: setup
	$(BIN)/python -m tests.bench

fix: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

LOCK := uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --quiet

# The image's two are cut from the first: the same versions, less of them.
lock:
	$(LOCK) --python-version 3.11 --extra dev pyproject.toml -o requirements.lock
	$(LOCK) --python-version 3.11 --extra functions -c requirements.lock --no-annotate pyproject.toml -o docker/runtime.lock
	$(LOCK) --python-version 3.11 -c requirements.lock --no-annotate docker/build.in -o docker/build.lock
	$(LOCK) --python-version 3.12 tests/helm/requirements.in -o tests/helm/requirements.lock
	$(BIN)/python -m tests.models
