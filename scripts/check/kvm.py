# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs tests/kvm under KVM, on POWER hosts that TCG emulates.

A powernv or pseries machine under TCG boots the distribution's ppc64el kernel,
with KVM. tests/kvm/test_kvm.py runs in it, with the distribution's ppc64el QEMU
and the patched one, which is cross-built in build/PLACE/kvm-bin. Everything else
is made below build/PLACE/kvm, without root and without installing anything:

    root        packages for ppc64el, unpacked: kernel, QEMU, Python, libraries
    share       what the emulated host mounts: tests, streams, guests
    initramfs   what it boots from
    HOST.log    what HOST wrote on its console, the last time
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections import namedtuple
from pathlib import Path

import build
import packages
import series
from build import EMULATOR, PROJECT, TARGET_LIST
from process import BuildError, child, run, say

sys.path[:0] = [str(PROJECT / 'tests' / d) for d in ('linux', 'migration-compat')]
import guest  # noqa: E402  (found through the line above)
import harness  # noqa: E402

ARCHITECTURE, TRIPLET = 'ppc64el', 'powerpc64le-linux-gnu'
# What the emulated host runs, and what the patched QEMU is built with.
PACKAGES = ['qemu-system-ppc', 'python3', 'busybox-static', 'libglib2.0-dev',
            'libpixman-1-dev', 'zlib1g-dev', 'libfdt-dev', 'libc6-dev',
            'libgcc-12-dev']
MODULES = ['virtio_pci', '9pnet_virtio', '9p', 'kvm', 'kvm-hv']
LIBRARIES = [f'lib/{TRIPLET}', f'usr/lib/{TRIPLET}',
             *(f'usr/lib/{TRIPLET}/{d}' for d in ('pulseaudio', 'blas', 'lapack'))]
# Parts of Python's library that no test needs.
NO_PYTHON = re.compile(r'__pycache__|/(test|idlelib|lib2to3|ensurepip|'
                       r'pydoc_data|tkinter|turtledemo|config-[^/]*)(/|$)')

# An emulated host. machine, cpu: of the outer QEMU; append: to its kernel's
# command line; bus: where it has its PCI devices.
Host = namedtuple('Host', 'title machine cpu append bus')
HOSTS = {
    'power8': Host('POWER8, hash', 'powernv8', 'POWER8', '', ',bus=pcie.0'),
    'power9': Host('POWER9, hash', 'powernv9', 'POWER9', 'disable_radix',
                   ',bus=pcie.0'),
    'power9-radix': Host('POWER9, radix', 'powernv9', 'POWER9', '', ',bus=pcie.0'),
    'nested': Host('POWER9, nested HV, radix',
                   'pseries,cap-nested-hv=on,cap-cfpc=broken,cap-sbbc=broken,'
                   'cap-ibs=broken,x-vof=on', 'POWER9', '', ''),
}
LIMIT = 1800        # seconds for the tests on one host, most of which it waits


class Lab:
    """What the tests of one build.Place need."""

    def __init__(self, place, kernel=None):
        """kernel: a directory with boot/vmlinux-* and lib/modules of another
        kernel than the distribution's, or None."""
        self.place, self.dir = place, place.dir / 'kvm'
        self.root, self.share, self.initramfs = (
            self.dir / name for name in ('root', 'share', 'initramfs'))
        self.bin = place.dir / 'kvm-bin'
        self.kernel = Path(kernel).absolute() if kernel else self.root

    def set_up(self):
        """Makes what is missing or has changed."""
        self.dir.mkdir(parents=True, exist_ok=True)
        try:
            self.get_root()
            self.build()
            self.make_share()
            self.make_initramfs()
        except harness.HarnessError as e:
            raise BuildError(str(e)) from e

    def get_root(self):
        """Unpacks the packages, in the release of the place's base."""
        if self.root.exists():
            return
        system = packages.machine()
        base = series.load_bases(PROJECT)['bases'].get(self.place.base, {})
        suite = base.get('suite', system[1])
        say(f'getting packages of {suite} for {ARCHITECTURE}')
        with packages.workplace(self.root) as (work, lock):
            if self.root.exists():      # another run was at it
                return
            apt = packages.updated_apt(suite, packages.serving(suite, system),
                                       'deb', work, lock, ARCHITECTURE)
            kernel = [name for name in apt.depends(guest.METAPACKAGE)
                      if name.startswith('linux-image-')]
            if not kernel:
                raise BuildError(f'{guest.METAPACKAGE} of {suite} names no kernel')
            new = work / 'unpacked'
            apt.unpack([kernel[0], *PACKAGES], new, True)
            for path in new.rglob('*'):     # or they would leave the directory
                if path.is_symlink() and path.readlink().is_absolute():
                    target = os.path.relpath(f'{new}{path.readlink()}', path.parent)
                    path.unlink()
                    path.symlink_to(target)
            new.rename(self.root)
            shutil.rmtree(work)

    def build(self):
        """The patched QEMU, for the emulated host."""
        self.place.get_source()
        self.place.get_meson()
        self.place.make_patched()
        os.environ.update({
            'PKG_CONFIG': 'pkg-config', 'PKG_CONFIG_SYSROOT_DIR': str(self.root),
            'PKG_CONFIG_LIBDIR': f'{self.root}/usr/lib/{TRIPLET}/pkgconfig:'
                                 f'{self.root}/usr/share/pkgconfig'})
        sysroot = f'--sysroot={self.root}'
        build.build_tree(self.place.patched, self.bin, [
            *TARGET_LIST, f'--cross-prefix={TRIPLET}-', f'--cc={TRIPLET}-gcc',
            f'--extra-cflags={sysroot}', f'--extra-ldflags={sysroot}',
            '--enable-tcg', '--enable-kvm', '--enable-fdt=system'], [EMULATOR])

    def make_share(self):
        """A directory with all that the tests read."""
        shutil.rmtree(self.share, ignore_errors=True)
        for name in 'kvm', 'migration-compat':
            shutil.copytree(PROJECT / 'tests' / name, self.share / name,
                            ignore=shutil.ignore_patterns('__pycache__'))
        (self.share / 'unit').mkdir()
        shutil.copy(PROJECT / 'tests/unit/tap.py', self.share / 'unit')
        harness.firmware(self.share / 'firmware')
        run([f'{TRIPLET}-gcc', f'--sysroot={self.root}', '-O2', '-shared', '-fPIC',
             '-o', self.share / 'nohw.so', PROJECT / 'tests/kvm/nohw.c'])

    def make_initramfs(self):
        """busybox, Python, both QEMUs with their libraries, modules, init."""
        stripped = self.dir / 'qemu-patched'
        run([f'{TRIPLET}-strip', '-o', stripped, self.bin / EMULATOR])
        files = {'init': PROJECT / 'tests/kvm/init',
                 'bin/busybox': self.root / 'bin/busybox',
                 f'usr/bin/{EMULATOR}': self.root / 'usr/bin' / EMULATOR,
                 'usr/bin/qemu-patched': stripped}
        python = next(p for p in (self.root / 'usr/bin').glob('python3.*')
                      if re.fullmatch(r'python3\.\d+', p.name))
        files['usr/bin/python3'] = python
        library = self.root / 'usr/lib' / python.name
        for path in sorted(library.rglob('*')):
            name = str(path.relative_to(self.root))
            if path.is_file() and not NO_PYTHON.search(name):
                files[name] = path
        for path in [p for p in files.values() if p.suffix not in ('.py', '.txt')]:
            self.add_libraries(files, path)
        for number, path in enumerate(guest.modules_in_order(
                self.kernel / 'lib/modules', MODULES)):
            files[f'modules/{number:02}-{guest.module_name(path)}.ko'] = path
        directories = {'dev', 'proc', 'sys', 'tmp', 'share'} | {
            str(parent) for name in files for parent in Path(name).parents
            if parent.name}
        entries = [(name, 0o040755, b'') for name in sorted(directories)]
        for name, path in files.items():
            program = path.stat().st_mode & 0o111 or name == 'init'
            data = guest.module_bytes(path) if name.startswith('modules/') \
                else path.read_bytes()
            entries.append((name, 0o100755 if program else 0o100644, data))
        new = self.initramfs.with_suffix('.new')
        new.write_bytes(guest.cpio(entries))
        new.replace(self.initramfs)

    def add_libraries(self, files, path):
        """Adds the libraries that an ELF file needs, and what they need."""
        with open(path, 'rb') as f:
            if f.read(4) != b'\x7fELF':
                return
        said = run([f'{TRIPLET}-readelf', '-dl', path])
        for name in re.findall(r'\(NEEDED\).*\[(.*)\]', said) + \
                re.findall(r'interpreter: .*/(\S+)\]', said):
            place = f'lib64/{name}' if name.startswith('ld64') else \
                f'lib/{TRIPLET}/{name}'
            if place in files:
                continue
            found = [self.root / d / name for d in LIBRARIES
                     if (self.root / d / name).exists()]
            if not found:
                raise BuildError(f'{path} needs {name}, which no package has')
            files[place] = found[0].resolve()
            self.add_libraries(files, files[place])

    def boot(self, name, pattern=None):
        """Runs the tests on a host, or those whose names contain a pattern; yields
        the lines of its console. Ends QEMU after LIMIT seconds."""
        host, kernels = HOSTS[name], [*(self.kernel / 'boot').glob('vmlinux-*')]
        if len(kernels) != 1:
            raise BuildError(f'{self.kernel}/boot has {len(kernels)} files '
                             'vmlinux-*; it needs to have one')
        (self.share / 'command').write_text(
            'TMPDIR=/tmp PYTHONDONTWRITEBYTECODE=1 python3 /share/kvm/test_kvm.py '
            f'--host {name}' + (f' -k {shlex.quote(pattern)}' if pattern else '') +
            ' 2>&1\n')
        command = [
            EMULATOR, '-M', host.machine, '-cpu', host.cpu, '-m', '3072',
            '-accel', 'tcg', '-net', 'none', '-display', 'none', '-vga', 'none',
            '-monitor', 'none', '-chardev', 'stdio,id=c,signal=off', '-serial', 'chardev:c',
            '-kernel', kernels[0], '-initrd', self.initramfs,
            '-append', f'console=hvc0 quiet {host.append}',
            '-fsdev', f'local,id=s,path={self.share},security_model=none,'
                      'readonly=on',
            '-device', f'virtio-9p-pci,fsdev=s,mount_tag=share{host.bus}']
        with open(self.dir / f'{name}.log', 'w') as log, child(
                command, text=True, errors='replace', stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
            timer = threading.Timer(LIMIT, p.kill)
            timer.start()
            try:
                for line in p.stdout:
                    log.write(line)
                    log.flush()
                    yield line.strip('\r\n')
            finally:
                timer.cancel()
                p.kill()        # there is nothing in it to be saved


def check(tally, place, options):
    """Sets up, and runs the tests on each host, or on that of the options."""
    p = argparse.ArgumentParser(prog='check.py kvm --')
    p.add_argument('--host', choices=HOSTS, help='only on this host')
    p.add_argument('-k', metavar='PATTERN',
                   help='only tests whose names contain this expression')
    p.add_argument('--kernel', metavar='DIR',
                   help="DIR/boot/vmlinux-* and DIR/lib/modules instead of the "
                   "distribution's, as for one with transactional memory")
    args = p.parse_args(options)
    lab = Lab(place, args.kernel)
    lab.set_up()
    for name in [args.host] if args.host else HOSTS:
        print(f'KVM on {HOSTS[name].title}:', end=' ', flush=True)
        lines, status = [], 1
        for line in progress(lab.boot(name, args.k)):
            if m := re.match(r'# ended with status (\d+)', line):
                status = int(m[1])
            lines.append(line)
        tally.count('\n'.join(lines), f'see {lab.dir}/{name}.log', status,
                    'transactional memory|takes no more threads|XIVE of an emulated host')


def progress(lines):
    """The lines, as they come. Shows how far the tests are: on a terminal the
    last one, otherwise one now and then."""
    tty, shown = sys.stderr.isatty(), time.monotonic()
    for line in lines:
        if re.match(r'(not )?ok \d+', line):
            if tty:
                print(f'\r\033[K{line[:79]}', end='', file=sys.stderr, flush=True)
            elif time.monotonic() - shown > 20:
                print(f'    {line}', file=sys.stderr, flush=True)
                shown = time.monotonic()
        yield line
    if tty:
        print('\r\033[K', end='', file=sys.stderr, flush=True)
