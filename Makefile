# The two main commands are `make demo` and `make test`. Each first installs its requirements into .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo test system-packages lint generate mutation fuzz tamper faults killed-load bench bench-bulk asyncapi api diagram questions capacity lock deploy wheel sbom release clean help

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 10

$(VENV)/run.stamp: requirements/run.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(VENV)/run.stamp  ## Run the main job on the embedded broker (needs only Python)
	$(BIN)/sharing demo

system-packages:  ## Unpack what tests need and is not installed into build/: Prometheus, SoftHSM, Chromium, axe-core
	@sh monitoring/system-packages.sh

test: $(VENV)/dev.stamp system-packages  ## Run the whole suite, on the embedded broker and on a real Kafka; JOBS=3
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(or $(JOBS),3) --dist loadfile --no-loadscope-reorder

lint: $(VENV)/dev.stamp  ## Run ruff, mypy --strict and import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

mutation: $(VENV)/dev.stamp  ## Change each rule of each pack in one place; for each change a case must fail
	$(BIN)/sharing law mutate --equivalent tests/law/equivalent_mutants.yaml

fuzz: $(VENV)/dev.stamp  ## Feed malformed input to every decoder and importer; INPUTS=1000000 SEED=1
	$(BIN)/python -m tests.fuzz --inputs $(or $(INPUTS),1000000) --seed $(or $(SEED),1)

tamper: $(VENV)/dev.stamp  ## Alter a stored audit log in ten thousand ways; each must be found and named; NUMBER=10000 SEED=1
	$(BIN)/python -m tests.audit.tampering $(or $(NUMBER),10000) $(or $(SEED),1)

faults: $(VENV)/dev.stamp  ## Inject faults under load on a real Kafka, then check the topics; ROUNDS=200 SEED=1 BROKERS=3
	$(BIN)/python -m tests.faults --rounds $(or $(ROUNDS),200) --seed $(or $(SEED),1) --brokers $(or $(BROKERS),3) $(ARGS)

killed-load: $(VENV)/dev.stamp  ## Kill a bulk load of 200,000 items three times, and count the decisions; LINES=200000
	KILLED_LOAD_LINES=$(or $(LINES),200000) $(BIN)/python -m pytest -n 0 tests/cli/test_publish_receipt.py -k killed_three_times

bench: $(VENV)/dev.stamp  ## Measure on a real Kafka and compare with limits and other engines (BENCH_ONLY=rates,latency…)
	$(BIN)/python -m tests.bench

bench-bulk: $(VENV)/dev.stamp  ## Measure a bulk load of ten million indicators
	BENCH_BULK=10000000 BENCH_ONLY=bulk $(BIN)/python -m tests.bench

asyncapi: $(VENV)/run.stamp  ## Generate docs/asyncapi.yaml from the topics, schemas, headers and principals
	$(BIN)/python -m sharing.tools.asyncapi docs/asyncapi.yaml

api: $(VENV)/dev.stamp  ## Generate docs/api.md from the docstrings of the public interface
	$(BIN)/python -m sharing.tools.api_reference docs/api.md

generate: asyncapi api diagram questions deploy  ## Generate all generated files again; tests compare each of them with its source
	$(BIN)/python -m monitoring.generate

diagram: $(VENV)/run.stamp  ## Draw the state machines of the conversation into docs/conversation.md
	$(BIN)/python -m sharing.tools.conversation_diagram docs/conversation.md

questions: $(VENV)/run.stamp  ## Generate docs/questions: what each shipped pack asks an officer
	$(BIN)/python -m sharing.tools.question_pages docs/questions

capacity: $(VENV)/run.stamp  ## Generate the capacity tables of docs/maintain.md; BENCH=build/bench.json uses its figures
	$(BIN)/python -m sharing.tools.capacity docs/capacity.json docs/maintain.md $(BENCH)

lock: $(VENV)/dev.stamp  ## Pin the dependencies again, with hashes
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml requirements/build.in --extra gate -o requirements/run.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -c requirements/run.txt pyproject.toml requirements/build.in --extra gate --extra desk --extra kafka-local --group dev -o requirements/dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -c requirements/run.txt pyproject.toml --extra gate --extra desk --extra registry --extra pkcs11 --extra timestamps -o requirements/image.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -c requirements/run.txt requirements/build.in -o requirements/build.txt

deploy: $(VENV)/run.stamp  ## Generate the deployment files from deploy/partners.yaml
	$(BIN)/python -m sharing.tools.manifests deploy/partners.yaml deploy

wheel: $(VENV)/dev.stamp  ## Build the wheel into dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

sbom: wheel  ## List what the image contains, with licences and hashes, as CycloneDX: dist/sharing-bus.cdx.json
	rm -rf build/release
	$(PYTHON) -m venv --without-pip build/release
	$(BIN)/python -m pip --python build/release/bin/python install --quiet --disable-pip-version-check --require-hashes -r requirements/image.txt
	$(BIN)/python -m pip --python build/release/bin/python install --quiet --disable-pip-version-check --no-deps --no-index dist/*.whl
	$(BIN)/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml -o dist/sharing-bus.cdx.json build/release/bin/python

release: wheel sbom  ## Build what a release consists of into dist/: the wheel and its SBOM

clean:  ## Remove everything that the targets above created
	rm -rf $(VENV) build dist
