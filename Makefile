# SPDX-License-Identifier: GPL-2.0-or-later
#
# A thin front on scripts/ and meson. Everything lands under build/.

BASE ?= debian/bookworm
QEMU ?=
OUT ?=
SIGNOFF ?=

PYTHON ?= python3
from = $(if $(QEMU),--qemu '$(QEMU)',--base $(BASE))
flags = $(if $(OUT),--out '$(OUT)') $(if $(SIGNOFF),--signoff)

.PHONY: help series qemu demo check check-unit check-qemu check-series check-mutations setup clean

help:
	@echo 'make demo          build QEMU with the series; what becomes of old guests there'
	@echo 'make check         all tests; what is missing is built first'
	@echo 'make check-unit    only the tests that need no QEMU (seconds)'
	@echo "make check-qemu    QEMU's own unit tests and qtests, with the series"
	@echo 'make check-series  each patch alone: applies, builds, tests, checkpatch (long)'
	@echo 'make check-mutations  take away one thing at a time: does a test fail? (long)'
	@echo 'make series        write the patches'
	@echo 'make qemu          build QEMU with the series'
	@echo 'make clean         remove build/'
	@echo
	@echo 'BASE=debian/bookworm   for which QEMU (series/bases.toml lists them)'
	@echo 'QEMU=/path/to/tree     for that source tree instead; it is not changed'
	@echo 'OUT=dir                make series: where to (default: below build/)'
	@echo 'SIGNOFF=1              make series: add your own Signed-off-by'

setup:
	@scripts/setup.sh

series: setup
	@$(PYTHON) scripts/build.py $(from) series $(flags)

qemu: setup
	@$(PYTHON) scripts/build.py $(from) qemu

demo: setup
	@$(PYTHON) scripts/build.py $(from) demo

check: setup
	@$(PYTHON) scripts/check.py $(from) all

check-unit: setup
	@$(PYTHON) scripts/check.py $(from) unit

check-qemu: setup
	@$(PYTHON) scripts/check.py $(from) qemu

check-series: setup
	@$(PYTHON) scripts/check.py $(from) series

check-mutations: setup
	@$(PYTHON) scripts/mutate.py

clean:
	rm -rf build
