# SPDX-License-Identifier: GPL-2.0-or-later
#
# A thin front on scripts/ and meson. Everything lands under build/.

BASE ?= debian/bookworm
QEMU ?=
OUT ?=
SIGNOFF ?=
FORMAT ?=
TOPIC ?=
ALSO ?=
OLD_MACHINES ?= yes
PREFIX ?= /usr/local
FUZZ_TIME ?= 600
TREES ?=
STREAMS ?=
LINUX ?=
KVM ?=

PYTHON ?= python3
from = $(if $(QEMU),--qemu '$(QEMU)',--base $(BASE)) $(if $(filter no,$(OLD_MACHINES)),--without old-machines)
flags = $(if $(OUT),--out '$(OUT)') $(if $(SIGNOFF),--signoff) $(if $(FORMAT),--format '$(FORMAT)') $(if $(TOPIC),--topic '$(TOPIC)')

# The distribution's QEMU, and the one with the series
patched = build/$(subst /,-,$(BASE))/bin/qemu-system-ppc64
stock = $(or $(wildcard build/$(subst /,-,$(BASE))/stock/qemu-system-ppc64),$(shell command -v qemu-system-ppc64))

# analyze-migration.py is compared with if its tree is there
analyze = $(addprefix --qemu ,$(or $(QEMU),$(firstword $(wildcard build/*/qemu))))

.PHONY: help series deb-src deb rpm qemu demo matrix tools install bench check check-unit check-qemu check-series check-bases check-mutations check-deb check-rpm check-gitlab check-faults fuzz fuzz-qemu soak check-linux check-kvm check-libvirt check-tool setup clean

help:
	@echo 'make demo          build QEMU with the series; what becomes of old guests there'
	@echo 'make matrix        what works between which QEMUs: a table, HTML and SVG'
	@echo 'make check         all tests; what is missing is built first'
	@echo 'make check-unit    only the tests that need no QEMU (seconds)'
	@echo "make check-qemu    QEMU's own unit tests and qtests, with the series"
	@echo 'make check-series  each patch alone: applies, builds, tests, checkpatch (long)'
	@echo 'make check-bases   does the series fit all bases, or the trees in TREES=dir?'
	@echo 'make check-mutations  take away one thing at a time: does a test fail? (long)'
	@echo 'make check-libvirt  virsh save, restore and migrate between stock and patched QEMU'
	@echo 'make check-tool    does ppc-insns check say what QEMU does? (some minutes)'
	@echo 'make check-deb, check-rpm  make the package, install it, and load old guests'
	@echo 'make check-gitlab  run the job for GitLab as GitLab does'
	@echo 'make check-faults  kill things at random moments, silent mirrors (long)'
	@echo 'make fuzz          libFuzzer on the stream tool and the history (FUZZ_TIME=600)'
	@echo "make fuzz-qemu     QEMU's fuzzer on the cpu sections that it loads (long)"
	@echo 'make check-kvm     migration under KVM, on POWER hosts that TCG emulates (long)'
	@echo 'make check-linux   a Debian Linux guest, saved, loaded and migrated (20 minutes)'
	@echo 'make series        write the patches'
	@echo "make deb-src       the distribution's source package with the patches"
	@echo "make deb           the distribution's package qemu-system-ppc with the series"
	@echo 'make rpm           an RPM of qemu-system-ppc64 with the series'
	@echo 'make tools         build ppc-insns, which reads, judges and rewrites streams'
	@echo 'make install       install it (DESTDIR=, PREFIX=)'
	@echo 'make bench         what the series costs, and how fast ppc-insns is'
	@echo 'make soak          one guest, sent around 200 times'
	@echo 'make qemu          build QEMU with the series'
	@echo 'make clean         remove build/'
	@echo
	@echo 'BASE=debian/bookworm   for which QEMU (series/bases.toml lists them)'
	@echo 'QEMU=/path/to/tree     for that source tree instead; it is not changed'
	@echo 'OUT=dir                make series: where to (default: below build/)'
	@echo 'OLD_MACHINES=no        without the machine versions that upstream removed'
	@echo 'ALSO="BASE ..."         make check: then these bases, too, in brief'
	@echo 'FORMAT=quilt           make series: for debian/patches; or rpm (default: mail)'
	@echo 'STREAMS=dir            make check-linux: also load the Linux guests recorded there'
	@echo 'LINUX="--rounds 5 ..."  make check-linux: options of tests/linux/test_linux.py'
	@echo 'KVM="--host power8"    make check-kvm: options of scripts/check/kvm.py, see docs/kvm.md'
	@echo 'TOPIC=fixes            make series: only this topic; README says which there are'
	@echo 'SIGNOFF=1              make series: add your own Signed-off-by'

setup:
	@scripts/setup.sh

series: setup
	@$(PYTHON) scripts/build/build.py $(from) series $(flags)

deb-src: setup
	@$(PYTHON) scripts/build/build.py $(from) deb-src $(if $(SIGNOFF),--signoff)

deb: setup
	@scripts/setup.sh mmdebstrap
	@$(PYTHON) scripts/build/deb.py $(from)

rpm: setup
	@scripts/setup.sh rpm
	@$(PYTHON) scripts/build/rpm.py $(from)

qemu: setup
	@$(PYTHON) scripts/build/build.py $(from) qemu

demo: setup
	@$(PYTHON) scripts/build/build.py $(from) demo

matrix: setup
	@$(PYTHON) scripts/build/build.py $(from) matrix

tools: setup
	@test -f build/tools/build.ninja || meson setup --buildtype=release build/tools
	@meson compile -C build/tools

install: tools
	@meson configure -Dprefix='$(PREFIX)' build/tools
	meson install -C build/tools

bench: tools
	$(PYTHON) tests/bench/bench_stream.py --tool build/tools/tools/ppc-insns $(analyze)
	@$(PYTHON) scripts/build/build.py $(from) bench

soak: setup
	@$(PYTHON) scripts/build/build.py $(from) soak

check: setup
	@$(PYTHON) scripts/check/check.py $(from) $(addprefix --also ,$(ALSO)) all

check-unit: setup
	@$(PYTHON) scripts/check/check.py $(from) unit

check-qemu: setup
	@scripts/setup.sh socat genisoimage
	@$(PYTHON) scripts/check/check.py $(from) qemu

check-series: setup
	@$(PYTHON) scripts/check/check.py $(from) series

check-bases: setup
	@$(PYTHON) scripts/check/check_bases.py $(if $(TREES),--trees '$(TREES)' --compile)
check-libvirt: tools qemu
	@$(PYTHON) tests/libvirt/check_libvirt.py --install --tool build/tools/tools/ppc-insns --stock $(stock) --patched $(patched)

check-tool: tools qemu
	@$(PYTHON) tests/tools/test_check_qemu.py --tool build/tools/tools/ppc-insns --stock $(stock) --patched $(patched)

check-deb: deb
	@$(PYTHON) tests/packages/test_deb.py --base $(BASE)

check-rpm: rpm
	@scripts/setup.sh mmdebstrap
	@$(PYTHON) tests/packages/test_rpm.py $(if $(QEMU),--qemu '$(QEMU)',--base $(BASE))

check-gitlab: setup
	@$(PYTHON) scripts/check/gitlab.py $(from)

check-faults: setup
	@$(PYTHON) scripts/check/check.py $(from) faults

check-linux: setup
	@$(PYTHON) scripts/check/check.py $(from) linux -- $(if $(STREAMS),--streams '$(STREAMS)') $(LINUX)

check-kvm: setup
	@scripts/setup.sh gcc-powerpc64le-linux-gnu
	@$(PYTHON) scripts/check/check.py $(from) kvm -- $(KVM)

check-mutations: setup
	@$(PYTHON) scripts/check/mutate.py $(from)

fuzz: setup
	@$(PYTHON) scripts/check/fuzz.py --time $(FUZZ_TIME)

fuzz-qemu: setup
	@$(PYTHON) scripts/check/fuzz-qemu.py $(from)

clean:
	rm -rf build
