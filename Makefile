# The Derivative Ladder. Each target first sets up what it needs, and does nothing twice.
#
#   make book    build the book (executes the chapters whose code changed)
#   make test    run every test, the built book in a browser included
#   make rooms   run the tests of the package alone, with the python in BIN
#   make notebooks  the chapters as plain notebooks, for any Jupyter, in _build/notebooks
#   make lab     open your own copy of these in JupyterLab
#   make write   open the sources of the chapters in JupyterLab, to change the book
#   make pdf     the book for paper, in _build/derivative-ladder.pdf (needs Chromium)
#   make slides  slides of chapters 4, 8 and 16, in _build/slides; CHAPTERS="06_jets" makes others
#   make bench   compare with other packages, in environments of their own
#   make conformance  try other projects' lists of functions; ARGUMENTS="--seed 7" draws other samples
#   make gpu     run the book on a GPU: chapters, the tests that need one, what a step costs
#   make lock    renew requirements.txt from requirements.in
#   make clean   remove what was built (the environments stay: rm -r .venv .venv-bench .venv-peers)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH_VENV := .venv-bench
NEEDS_311 := import sys; sys.exit("Python 3.11 or newer is needed; name one with: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)
INSTALL_COMPANION := install --quiet --no-deps --no-build-isolation --editable .

# These look at the book, its pins and its stored runs.
BOOK_TESTS := $(addprefix tests/test_,$(addsuffix .py,benchmarks book book_planted chapter_rules claims conformance error_messages findable glossary maths moving_equations moving_figures mutation mutation_operators notation notebooks own_copies package page_numbers peers plain_nodes plain_notebooks print_book project readme recipes redirects rosetta slides teaching types)) $(wildcard tests/test_experiments*.py)

# Where it is set, each process compiles again all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: book test rooms notebooks lab write pdf slides bench conformance gpu lock clean
.DEFAULT_GOAL := book

# The stamp is newer than the lists when the environment matches them. To compile all that is never imported takes half a
# minute; what nearly every process imports is compiled here, on two cores, and not by each of those that come first.
$(VENV)/.ready: requirements.txt pyproject.toml
	@$(PYTHON) -c '$(NEEDS_311)'
	@echo "$(VENV): installing what requirements.txt pins, about 160 packages, 2 GB; one to five minutes."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --upgrade pip  # an old one thinks about the list for half a minute
	$(BIN)/python -m pip install --progress-bar on --no-compile --requirement requirements.txt
	$(BIN)/python -m pip $(INSTALL_COMPANION)
	$(BIN)/python -c 'import sympy, torch._dynamo' & \
	$(BIN)/python -c 'import hypothesis, ipykernel.kernelapp, jax, matplotlib.pyplot, myst_nb, playwright.sync_api, scipy.stats'; wait
	@touch $@

# Sphinx does not read a page again, nor repeat its warnings, so after a failure it must forget what it has read.
book: $(VENV)/.ready
	@echo "make book: runs the chapters whose code changed (all: three to six minutes on two cores), then writes the"
	@echo "pages whose text changed (all: a minute). Where nothing changed it takes some seconds."
	@$(BIN)/jupyter-book build . -W -n --keep-going || { rm -rf _build/.doctrees; exit 1; }
	@echo
	@echo "The book is in _build/html. Open it with:"
	@echo "    $(BIN)/python -m webbrowser -t file://$(CURDIR)/_build/html/index.html"

# The book is built by the first test that looks at it (tests/conftest.py), on its cores; one worker more than cores, so
# that the others go on with the rest meanwhile. Threads of torch would wait for each other.
test: $(VENV)/.ready
	@echo "make test: builds the book and runs some 10000 tests on all cores; ten to twenty minutes on two."
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=$$($(BIN)/python -c 'import os; print(os.cpu_count() + 1)') --dist=worksteal

# Whatever versions BIN has: what the bounds of pyproject.toml promise.
rooms:
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=auto --dist=loadfile companion $(filter-out $(BOOK_TESTS),$(wildcard tests/test_*.py))

# They are made with the pages, of what the pages are made of.
notebooks: book
	@echo "The plain notebooks are in _build/notebooks."

# No target writes over or deletes notebooks/: they are the reader's.
lab: notebooks
	@$(BIN)/python tools/own_copies.py _build/notebooks notebooks
	$(BIN)/jupyter lab notebooks

write: $(VENV)/.ready
	$(BIN)/jupyter lab chapters

# Chromium prints twice: the first print says on which page everything is.
pdf: book
	@echo "make pdf: some 600 pages, printed twice, with Chromium; some minutes."
	@$(BIN)/python -m tools.print_book _build/html _build/derivative-ladder.pdf

CHAPTERS ?= 04_tape 08_derivative_as_op 16_sir_forward
slides: book
	@$(BIN)/python -m tools.slides _build/html _build/slides $(CHAPTERS)

# The peers may not agree with each other's needs or with the book's, so the book's own versions win.
$(BENCH_VENV)/.ready: benchmarks/requirements.txt requirements.txt pyproject.toml
	@$(PYTHON) -c '$(NEEDS_311)'
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet --requirement benchmarks/requirements.txt --constraint requirements.txt
	$(BENCH_VENV)/bin/python -m pip $(INSTALL_COMPANION)
	@touch $@

bench: $(VENV)/.ready $(BENCH_VENV)/.ready $(VENV)/.ready
	@for script in benchmarks/bench_*.py; do $(BENCH_VENV)/bin/python $$script || exit 1; done

conformance: $(VENV)/.ready
	@echo "make conformance: some 900 functions and 100000 random programs, on all cores; a quarter of an hour on two."
	$(BIN)/python -m conformance $(ARGUMENTS)

gpu: $(VENV)/.ready
	@$(BIN)/python -m experiments.gpu

# torch's wheel brings its own GPU packages, or none, so they are not pinned.
lock:
	@$(PYTHON) -c '$(NEEDS_311)'
	rm -rf _build/lock
	$(PYTHON) -m venv _build/lock
	_build/lock/bin/python -m pip install --requirement requirements.in
	_build/lock/bin/python -m pip freeze --all --exclude pip > _build/lock/all.txt
	sed -E -e '/^(nvidia|cuda|triton)/d' -e 's/^(torch==[0-9.]+)\+.*/\1/' _build/lock/all.txt > requirements.txt

clean:
	rm -rf _build .pytest_cache .ruff_cache .hypothesis *.egg-info
