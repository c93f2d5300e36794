PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: attack fuzz-api bench-gateway help demo test test-kubernetes test-claims check prove kill-matrix kill-matrix-kubernetes soak rolling idle watch-cost stays bench bench-rollback bench-scale bench-recovery bench-detection bench-calibration bench-live bench-kubernetes replay-recorded score-data format lock clean fuzz-messages races alerts storm

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' Makefile
	@echo "  ARGS=… is passed on, as in: make test ARGS='-k plan'"

demo: .venv/ready ## a small real world, one bad release, and the way back from it
	@$(BIN)/rollback-manager demo $(ARGS)
test: .venv/ready ## all tests, three files at a time, for they mostly wait; ARGS="-n 0" for one
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --maxfail 40 $(ARGS)
test-kubernetes: .venv/ready ## the tests on a real Kubernetes control plane, the long ones too
	$(BIN)/python -m pytest -n 0 tests/kubernetes -m "long or not long" $(ARGS)
test-claims: .venv/ready ## only the gateway writes: on Temporal's own server with an authorizer, built once with Go in 5 to 10 minutes
	$(BIN)/python -m pytest -n 0 -m claims tests/claims $(ARGS)
check: .venv/ready ## formatting, lint, import contracts, types
	$(BIN)/ruff format --check && $(BIN)/ruff check && $(BIN)/lint-imports && $(BIN)/mypy
prove: .venv/ready ## the whole proof, or with ARGS=--quick a sample in ten minutes
	$(BIN)/rollback-manager prove $(ARGS)
kill-matrix: .venv/ready ## workers killed, frozen and cut off at every step; ARGS="--json --quick" for figures of a sample
	$(BIN)/python -m proof.kill_matrix $(ARGS)
kill-matrix-kubernetes: .venv/ready ## the same at requests to a real Kubernetes API; ARGS="--json --quick"
	$(BIN)/python -m proof.kubernetes $(ARGS)
soak: .venv/ready ## random rollbacks with several faults at once; ARGS="--json --runs N --seed S"
	$(BIN)/python -m proof.soak $(ARGS)
fuzz-messages: .venv/ready ## random messages against the automaton; ARGS="--json --sequences N --seed S"
	$(BIN)/python -m proof.messages $(ARGS)
races: .venv/ready ## double starts, one winner each; ARGS="--json --races N"
	$(BIN)/python -m proof.races $(ARGS)
alerts: .venv/ready ## many alerts within ten seconds are one question; ARGS="--json --alerts N --budget N"
	$(BIN)/python -m proof.alerts $(ARGS)
storm: .venv/ready ## 500 alarms about one release within ten seconds are one incident; ARGS="--json --alarms N"
	$(BIN)/python -m proof.storm $(ARGS)
.PHONY: bench-clicks tamper encrypted test-pages
test-pages: .venv/ready ## pages and sign-in in a real browser, whole
	$(BIN)/python -m pytest -n 0 -m "long or not long" tests/starters/gateway/test_pages*.py tests/starters/gateway/test_sign_in*.py $(ARGS)
# Each test of these files, as it is, with the product's own setting for all clients and workers; the
# last one reads every history that they leave.
ENCRYPTED := tests/starters tests/workflows/test_secured.py tests/workflows/test_break_glass.py \
	tests/workflows/test_approval.py tests/workflows/test_incident.py tests/workflows/test_tree.py \
	tests/workflows/test_budget.py tests/workflows/test_seals.py tests/workers/test_audited.py \
	tests/workers/test_rotation.py tests/workers/test_canaries.py tests/activities/test_incidents.py \
	tests/proof/test_attack.py tests/proof/test_ci_attack.py tests/proof/test_tampering.py \
	tests/end_to_end/test_same_words.py tests/end_to_end/test_same_words_in_ci.py \
	tests/end_to_end/test_all_encrypted.py
encrypted: .venv/ready ## with all payloads encrypted: command line, serve, Web UI, pages, chat, CI, alerts, decisions
	$(BIN)/python -m pytest -n 0 -m long -k "encrypt or keys" tests/end_to_end tests/workers/test_serve.py $(ARGS)
	$(BIN)/python -m pytest -n 0 --encrypted $(ENCRYPTED) $(ARGS)
tamper: .venv/ready ## audit chains tampered with at random, all of it found; ARGS="--json --trials N --seed S --rows N"
	$(BIN)/python -m proof.tampering $(ARGS)
fuzz-api: .venv/ready ## Schemathesis over the description of the gateway, 20,000 requests; ARGS="--json --each N --seed S"
	$(BIN)/python -m proof.fuzz_api $(ARGS)
attack: .venv/ready ## forged, bent and repeated requests at every door of the gateway; ARGS="--json --quick"
	$(BIN)/python -m proof.attack $(ARGS)
rolling: .venv/ready ## seconds below the floor beside a naive script; ARGS="--json --runs N"
	$(BIN)/python -m proof.rolling $(ARGS)
idle: .venv/ready ## what many waiting approvals cost; ARGS="--json --count N --seconds S"
	$(BIN)/python -m proof.idle $(ARGS)
stays: .venv/ready ## does an undo stay undone, with our hold and without; twenty minutes; ARGS="--json --seconds S"
	$(BIN)/python -m proof.stays $(ARGS)
watch-cost: .venv/ready ## what it costs to watch many releases; ARGS="--json --releases N --seconds S"
	$(BIN)/python -m proof.watch_cost $(ARGS)
bench: .venv/ready ## ratios against the plain alternative
	$(BIN)/python -m benchmarks $(ARGS)
bench-rollback: .venv/ready ## the time from a bad release to users who are well
	$(BIN)/python -m benchmarks.rollback $(ARGS)
bench-clicks: .venv/ready ## from a click in Slack to the workflow that has the decision; ARGS="--json --clicks N"
	$(BIN)/python -m benchmarks.clicks $(ARGS)
bench-gateway: .venv/ready ## aborts in a flood, decisions, and a storm of alerts at the gateway; ARGS="--json --decisions N"
	$(BIN)/python -m benchmarks.gateway $(ARGS)
bench-scale: .venv/ready ## one rollback of 1, 10, 100, 1,000 services; ARGS="--json --sizes 1,10 --server postgres"
	$(BIN)/python -m benchmarks.scale $(ARGS)
bench-recovery: .venv/ready ## the worker killed with 100 rollbacks in flight; ARGS="--json --rollbacks N"
	$(BIN)/python -m benchmarks.recovery $(ARGS)
bench-detection: .venv/ready ## false rollbacks and delays in simulated releases; ARGS="--json --quick"
	$(BIN)/python -m benchmarks.detection $(ARGS)
bench-calibration: .venv/ready ## how often a stated confidence comes true; ARGS="--json --quick"
	$(BIN)/python -m benchmarks.calibration $(ARGS)
replay-recorded: .venv/ready ## verdicts on recorded demo incidents under ARGS="--policy FILE"
	$(BIN)/python -m benchmarks.replayed $(ARGS)
bench-live: .venv/ready ## from the first bad answer to users who are well, live; ARGS="--json --runs N --scenario error_rate,healthy"
	$(BIN)/python -m benchmarks.live $(ARGS)
bench-kubernetes: .venv/ready ## beside kubectl on a real control plane; ARGS="--json --sizes 5,50 --pairs N --fan-out N"
	$(BIN)/python -m benchmarks.kubernetes $(ARGS)
score-data: .venv/ready ## labelled data of others, and what our judges say of it; ARGS="--json --data DIR"
	$(BIN)/python -m benchmarks.score_data $(ARGS)
format: .venv/ready ## mend what ruff can mend
	$(BIN)/ruff check --fix && $(BIN)/ruff format
lock: .venv/ready ## requirements.lock from pyproject.toml; ARGS=--upgrade for newer versions
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --exclude-newer "1 week" \
		--custom-compile-command "make lock" --output-file requirements.lock --quiet $(ARGS)
clean: ## remove the environment, caches and built packages
	rm -rf .venv dist .*_cache .coverage htmlcov

# Each package that pip collects is one line on the screen: the rest of its output helps nobody, and
# a silent minute looks like a hang. The pipe hides pip's exit code, so the file it leaves decides.
.venv/locked: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, and \
	$(PYTHON) is %d.%d. Name another: make PYTHON=python3.12" % sys.version_info[:2])'
	@echo "Installing into .venv what requirements.lock names (about a minute the first time):"
	@$(PYTHON) -m venv --clear .venv
	@{ $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --require-hashes --no-deps \
		--requirement requirements.lock && touch $@; } | awk '/^Collecting / { print "  " $$2; fflush() }'
	@test -e $@
.venv/ready: .venv/locked pyproject.toml
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable . \
		&& touch $@
