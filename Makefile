# What a developer types. `make` alone lists it.

# Debian's Python, for it alone has Debian's packages.
PYTHON := /usr/bin/python3
LINT := build/lint
SOURCES := setup.py openspp_ftpd tests debian/man_pages.py
unexport PYTHONHOME PYTHONPATH

.PHONY: help deps demo test containers bench quick faults fuzz coverage lint format deb repo clean

help:
	@echo 'make deps      install what running and testing need (Debian 12 or 13, root or sudo)'
	@echo 'make demo      show a scan travel from a scanner into an embedded OpenSPP'
	@echo '               ONCE=1 stops after the sample, LISTEN=ADDRESS:PORT listens elsewhere'
	@echo 'make test      check the source, run the quick and the slow tests, and those of the next'
	@echo 'make containers  install and run the package on booted Debian 12 and 13 (root)'
	@echo 'make bench     measure beside vsftpd, pure-ftpd and pyftpdlib (root, two cores to itself)'
	@echo '               WORK=many,scan PEER=ours-1,curl RUNS=3 choose, JSON=FILE keeps all figures,'
	@echo '               WORK=soak,soak-tls SCANS=20000 sends so many, with failing ones between'
	@echo 'make fuzz      feed everything random input for SECONDS=600, and print what was tried;'
	@echo '               SEED=NUMBER TARGET=NAME plays a failure again'
	@echo 'make faults    let 32 scanners upload while everything goes wrong, and count (root); to the'
	@echo '               daemon of this tree, then to the installed package on booted machines;'
	@echo '               STRIKES=10 times each, SEED=NUMBER plays a failure again'
	@echo 'make quick     run the quick tests alone, as pytest does'
	@echo 'make coverage  run the quick tests and write build/coverage/html'
	@echo 'make lint      check the source with black, ruff and mypy'
	@echo 'make format    let black and ruff put the source in order'
	@echo 'make deb       build the Debian packages into dist'
	@echo 'make repo      make a signed apt repository of them in dist/repo'
	@echo '               KEY=NAME signs with a key of your own'
	@echo 'make clean     remove what these commands left'

deps:
	@tests/deps

demo: deps
	@$(PYTHON) -m openspp_ftpd demo $(if $(ONCE),--once) $(if $(LISTEN),--listen $(LISTEN))

test: deps lint
	$(PYTHON) -m pytest tests/unit tests/acceptance
	$(PYTHON) -m pytest tests/fuzz
	$(PYTHON) -m pytest --strikes=1 tests/faults
	$(PYTHON) -m tests.container

containers: deps
	$(PYTHON) -m tests.container

bench: deps
	@$(PYTHON) -m tests.bench $(if $(WORK),--work $(WORK)) $(if $(PEER),--peer $(PEER)) \
	    $(if $(RUNS),--runs $(RUNS)) $(if $(SCANS),--scans $(SCANS)) $(if $(JSON),--json $(JSON))

# A minute of this, always with the same inputs, is in `make test`; `python3 -m tests.fuzz.guards`
# shows that it would find each guard of the daemon missing.
fuzz: deps
	$(PYTHON) -m pytest tests/fuzz -o faulthandler_timeout=0 --fuzz-seconds $(or $(SECONDS),600) \
	    $(if $(SEED),--fuzz-seed $(SEED)) $(if $(TARGET),-k '$(TARGET)')

faults: FORM := --strikes=$(or $(STRIKES),10) $(if $(SEED),--seed=$(SEED))
faults: deps
	$(PYTHON) -m pytest -v -o faulthandler_timeout=900 $(FORM) tests/faults
	$(PYTHON) -m tests.container $(FORM) tests/container/test_faults.py

quick:
	$(PYTHON) -m pytest

coverage: deps
	$(PYTHON) -m pytest --cov --cov-report=term --cov-report=html

lint: $(LINT)/installed
	@if [ -e $< ]; then set -ex; \
	    $(LINT)/bin/black --config .black.toml --check $(SOURCES); \
	    $(LINT)/bin/ruff check $(SOURCES); \
	    $(LINT)/bin/mypy --no-error-summary; \
	fi

format: $(LINT)/installed
	$(LINT)/bin/ruff check --fix --exit-zero $(SOURCES)
	$(LINT)/bin/black --config .black.toml $(SOURCES)

# Where the tools cannot be had (no network, say), the tests still run and the next time tries anew.
# The environment sees Debian's packages: their types are checked too.
$(LINT)/installed: tests/lint-requirements.txt
	@rm -rf $(LINT) && mkdir -p $(LINT)
	@$(PYTHON) -m venv --system-site-packages $(LINT) > $(LINT).log 2>&1 \
	    && $(LINT)/bin/pip install --retries 1 --requirement $< >> $(LINT).log 2>&1 \
	    && cp $< $@ \
	    || echo 'make lint: black, ruff and mypy could not be installed ($(LINT).log says why);' \
	        'the source is not checked'

# What is built is in build, what is given away in dist; the logs say what went wrong.
deb: deps build/pyftpdlib
	@rm -rf build/deb && mkdir -p dist && rm -f dist/*.deb
	@debian/build build/deb > build/deb.log 2>&1 || { tail -n 40 build/deb.log; exit 1; }
	@cp build/deb/*.deb build/pyftpdlib/*.deb dist
	@ls dist/*.deb

build/pyftpdlib: $(wildcard debian/pyftpdlib/*)
	@rm -rf $@ && mkdir -p $@
	@debian/pyftpdlib/build $@ > $@.log 2>&1 || { tail -n 40 $@.log; rm -rf $@; exit 1; }
	@touch $@

repo: deb
	@debian/repository/build dist dist/repo $(KEY)
	@ls dist/repo/*

clean:
	rm -rf build dist *.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find openspp_ftpd tests -name __pycache__ -prune -exec rm -rf {} +
