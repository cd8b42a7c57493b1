#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes a small Linux guest for pseries from Debian's packages: a kernel and an initramfs with busybox and init.

    guest.py DIR

DIR/vmlinux, DIR/busybox and DIR/modules come from the packages linux-image-*-powerpc64le and busybox-static of the release
that this machine runs. They are got once; DIR appears when it is complete. DIR.initramfs is made anew each time, from
these and init. No root is needed and nothing is installed.
"""
import argparse
import lzma
import os
import re
import shutil
import sys
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = map(str, (HERE.parents[1] / "scripts").glob("*/"))
import packages  # noqa: E402  (found through the line above)
import process  # noqa: E402

ARCHITECTURE = "ppc64el"
METAPACKAGE = "linux-image-powerpc64le"
MODULES = ("virtio_pci", "virtio_blk", "virtio_net", "virtio-rng")


class GuestError(packages.PackageError):
    """The packages do not have what the guest needs."""


# ---- the kernel's modules -----------------------------------------------------------------------------------------------

def module_name(path):
    """The name of a module, from its file's: '-' and '_' are the same there."""
    return path.name.split(".ko")[0].replace("-", "_")


def module_bytes(path):
    """A module as insmod takes it."""
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def modules_in_order(top, wanted):
    """The files below TOP of the WANTED modules and all that they need, each after what it needs.

    A module's section .modinfo has "depends=NAME,NAME". What is built into the kernel is in modules.builtin.
    """
    there = {module_name(path): path for path in top.rglob("*.ko*")}
    builtin = {module_name(Path(line)) for path in top.rglob("modules.builtin") for line in path.read_text().splitlines()}
    order = []

    def add(name):
        name = name.replace("-", "_")
        if name in builtin:
            return
        if name not in there:
            raise GuestError(f"the kernel's package has no module {name}")
        if there[name] in order:
            return
        depends = re.search(rb"\0depends=([^\0]*)\0", module_bytes(there[name]))
        for other in depends[1].decode().split(",") if depends else ():
            if other:
                add(other)
        order.append(there[name])

    for name in wanted:
        add(name)
    return order


# ---- the packages -------------------------------------------------------------------------------------------------------

def get_parts(out):
    """Get vmlinux, busybox and the modules into the directory OUT, unless they are there."""
    if out.exists():
        return
    system = packages.machine()
    if system[0] != "debian":
        raise GuestError(f"the guest is made of Debian's packages, and this machine runs {system[0]}")
    with packages.workplace(out) as (work, lock):
        if out.exists():            # another run was at it
            return
        apt = packages.updated_apt(system[1], packages.serving(system[1], system), "deb", work, lock, ARCHITECTURE)
        kernel = next((name for name in apt.depends(METAPACKAGE) if name.startswith("linux-image-")), None)
        if not kernel:
            raise GuestError(f"{METAPACKAGE} of {system[1]} names no kernel")
        unpacked, new = work / "unpacked", work / "new"
        apt.unpack([kernel, "busybox-static"], unpacked)
        shutil.rmtree(new, ignore_errors=True)
        (new / "modules").mkdir(parents=True)
        shutil.copy(next(iter((unpacked / "boot").glob("vmlinux-*"))), new / "vmlinux")
        shutil.copy(next(path for path in (unpacked / "bin/busybox", unpacked / "usr/bin/busybox") if path.exists()), new)
        for number, path in enumerate(modules_in_order(unpacked, MODULES)):
            (new / "modules" / f"{number:02}-{module_name(path)}.ko").write_bytes(module_bytes(path))
        new.rename(out)
        shutil.rmtree(work)


# ---- the initramfs ------------------------------------------------------------------------------------------------------

def cpio(entries):
    """An archive in cpio's format newc, as the kernel unpacks it. ENTRIES: (path, mode with type, content)."""
    out = bytearray()
    for number, (path, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        name = path.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
        for part in (b"070701" + b"".join(b"%08X" % field for field in fields) + name, content):
            out += part + bytes(-len(part) % 4)
    return bytes(out)


def initramfs(parts):
    """The guest's initramfs: busybox, the modules, and init."""
    directory, program = 0o040755, 0o100755
    entries = [(name, directory, b"") for name in ("bin", "dev", "proc", "sys", "tmp", "modules")]
    entries += [("bin/busybox", program, (parts / "busybox").read_bytes()),
                ("init", program, (HERE / "init").read_bytes())]
    entries += [(f"modules/{path.name}", 0o100644, path.read_bytes()) for path in sorted((parts / "modules").iterdir())]
    return cpio(entries)


def make(out):
    """Make the guest. Returns the paths of its kernel and its initramfs."""
    out = Path(out).absolute()
    get_parts(out)
    path = out.with_name(out.name + ".initramfs")
    new = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        new.write_bytes(initramfs(out))
        new.replace(path)           # a guest that boots from the old one keeps that
    finally:
        new.unlink(missing_ok=True)
    return out / "vmlinux", path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dir", type=Path, help="where to")
    args = parser.parse_args()
    print(*make(args.dir), sep="\n")
    return 0


if __name__ == "__main__":
    process.guarded(main)
