# SPDX-License-Identifier: GPL-2.0-or-later
#
# Makes the package qemu-system-ppc alone, with the distribution's own
# debian/rules. scripts/build/deb.py runs it in a source tree with the series:
#
#   make -f deb.mk DEB_VERSION=STOCK version=VERSION source_version=VERSION insns-deb
#
# DEB_VERSION is the version of the distribution's package, from its own build.
# It goes into QEMU's version and so into the stamp that QEMU compares before it
# loads a module: those of the distribution's qemu-system-common are used, and
# qemu-system-common is not built. debian/changelog begins with that version,
# too, for what debian/control makes of it; debian/changelog.insns is the one for
# the package.

include debian/rules

# of the packages qemu-system-*, only this one (7.2 and older; newer)
systems = ppc
system-packages = ppc
p = -pqemu-system-ppc
binaries = qemu-system-ppc qemu-system-ppc64

# All options are those of the distribution, as QEMU has to know the modules.
QEMU_CONFIGURE_OPTIONS = --target-list=ppc-softmmu,ppc64-softmmu

# 5.2 has one target for three builds of QEMU, two of which are for others
own_configure := $(shell grep -q '^configure-qemu:' debian/rules || echo insns-configure)
configured = $(or ${own_configure},configure-qemu)

insns-configure:
	rm -rf b/qemu; mkdir -p b/qemu
	cd b/qemu && ../../configure ${common_configure_opts} --disable-user \
	    --enable-system --disable-linux-user \
	    --enable-modules --enable-module-upgrades \
	    $(shell sh debian/extract-config-opts \
	        $(DEB_HOST_ARCH_OS)-$(DEB_HOST_ARCH) debian/control) \
	    ${QEMU_CONFIGURE_OPTIONS}

# Generated headers first: some objects do not say that they need theirs.
insns-build: ${configured}
	ninja -C b/qemu $$(ninja -C b/qemu -t targets rule CUSTOM_COMMAND | grep '\.h$$')
	ninja -C b/qemu ${binaries}
	python3 deb-modules.py b/qemu $$(sed -n 's|^+++ b/\(.*\.h\)$$|\1|p' \
	    debian/patches/insns-compat-*.patch)

# 5.2 has these two in the package
	if grep -qs '^b/qemu/pc-bios/.*dtb' debian/qemu-system-ppc.install; then \
	    for f in bamboo canyonlands; do \
	        dtc -o b/qemu/pc-bios/$$f.dtb pc-bios/$$f.dts; done; fi

insns-install: insns-build
	install -D -t debian/tmp/usr/bin $(addprefix b/qemu/,${binaries})
	$(if $(value install-all-system),${install-all-system},\
	    $(foreach s,${systems},$(call inst-system,$s)))

insns-deb: insns-install
	dh_install $p
	mv debian/changelog debian/changelog.stock
	cp debian/changelog.insns debian/changelog
	$(if $(value install-all-system),,dh_installdocs $p)
	dh_installchangelogs $p -XChangelog
	mv debian/changelog.stock debian/changelog
	dh_link $p
	dh_lintian $p
	dh_compress $p
	dh_fixperms $p
	dh_strip $p --no-automatic-dbgsym
	dh_shlibdeps $p
	dh_installdeb $p
	dh_gencontrol $p -- -DVersion='${version}' -DSource='qemu (${source_version})'
	dh_md5sums $p
	mkdir -p result
	dh_builddeb $p --destdir=result

.PHONY: insns-configure insns-build insns-install insns-deb
