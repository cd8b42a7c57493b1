#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Installs the Debian packages that building and testing need, and those given
# as arguments, if any of them is missing; with sudo where not root.

set -eu

packages='
    git gcc libc6-dev make meson ninja-build ccache pkg-config perl patch
    pycodestyle pyflakes3 mypy
    flex bison python3 python3-venv python3-yaml python3-sphinx python3-jinja2
    libglib2.0-dev libpixman-1-dev libfdt-dev zlib1g-dev
    dpkg-dev quilt xz-utils ca-certificates libjson-glib-dev
    liblzma-dev libbz2-dev libzstd-dev liblzo2-dev bzip2 lzop zstd
    qemu-system-ppc qemu-system-data seabios ipxe-qemu u-boot-qemu
    binutils-powerpc64-linux-gnu valgrind clang libclang-rt-dev
'
packages="$packages $*"

if ! command -v dpkg-query >/dev/null; then
    echo "setup.sh: this is not Debian; install what these packages have, then" \
         "run the scripts:" $packages >&2
    exit 1
fi

missing=
for package in $packages; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || :)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "setup.sh: as root, install:$missing" >&2
        exit 1
    fi
    sudo=sudo
fi
echo "Installing:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
apt() {
    $sudo apt-get -qq -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 "$@"
}
apt update
# shellcheck disable=SC2086
apt install -y --no-install-recommends $missing >&2
