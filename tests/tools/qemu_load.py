# SPDX-License-Identifier: GPL-2.0-or-later
"""Starts a QEMU, saves its guest or loads a stream, and says how that went.

Nothing of the guest runs: what is wanted is QEMU's own verdict.
"""

import contextlib
import json
import os
import select
import subprocess
import tempfile
import time

TIMEOUT = 120

_FIRMWARE = None


def firmware():
    """A directory with all that a pseries needs to start, and no more."""
    global _FIRMWARE            # pylint: disable=global-statement
    if not _FIRMWARE:
        _FIRMWARE = tempfile.TemporaryDirectory(prefix='ppc-insns-')
        # Option ROMs are as large as those of 2.6 were.
        for name, size in (('spapr-rtas.bin', 8), ('slof.bin', 8),
                           ('efi-virtio.rom', 0x40000),
                           ('efi-e1000.rom', 0x40000)):
            with open(os.path.join(_FIRMWARE.name, name), 'wb') as f:
                f.write(bytes(size))
    return _FIRMWARE.name


class Ended(Exception):
    """QEMU ended; the text is what it said."""


class Qemu:
    """A QEMU whose guest does not run, with QMP on its standard input."""

    def __init__(self, binary, machine, cpu, options=(), accel='tcg'):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [binary, '-L', firmware(), '-bios',
             os.path.join(firmware(), 'slof.bin'), '-m', '256', '-nodefaults',
             '-vga', 'none', '-display', 'none', '-S', '-qmp', 'stdio',
             '-chardev', 'null,id=vt', '-serial', 'chardev:vt',
             '-M', machine, '-accel', accel, '-cpu', cpu, *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)
        self.buffer = b''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        self.errors.close()

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors='replace')

    def _message(self):
        end = time.monotonic() + TIMEOUT
        while b'\n' not in self.buffer:
            if not select.select([self.process.stdout], [], [],
                                 max(0, end - time.monotonic()))[0]:
                raise TimeoutError('QEMU does not answer')
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                self.process.wait()
                raise Ended(self.said())
            self.buffer += data
        line, self.buffer = self.buffer.split(b'\n', 1)
        return json.loads(line)

    def start(self):
        """Waits until QEMU is ready; Ended if it does not start."""
        self._message()
        self.command('qmp_capabilities')

    def command(self, name, **arguments):
        request = {'execute': name, 'arguments': arguments}
        try:
            self.process.stdin.write(json.dumps(request).encode() + b'\n')
            self.process.stdin.flush()
        except BrokenPipeError:
            self.process.wait()
            raise Ended(self.said()) from None
        while True:
            answer = self._message()
            if 'return' in answer:
                return answer['return']
            if 'error' in answer:
                raise Ended(answer['error']['desc'])

    def wait(self, name, field, busy, failed):
        """What FIELD of a query becomes when it is none of BUSY any more."""
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            value = self.command(name).get(field)
            if value in failed:
                raise Ended(f'{value}: {self.said()}')
            if value not in busy:
                return value
            time.sleep(0.02)
        raise TimeoutError(f'{name} does not end')


def save(binary, machine, cpu, path, options=()):
    """Writes the stream of a guest that has just been started to PATH."""
    with Qemu(binary, machine, cpu, options) as vm:
        vm.start()
        vm.command('migrate', uri=f'exec:cat > {path}')
        vm.wait('query-migrate', 'status',
                (None, 'setup', 'active', 'device', 'completing'),
                ('failed', 'cancelled'))
    # The command may still be writing when QEMU says that it has completed.
    size = -1
    while size != os.path.getsize(path):
        size = os.path.getsize(path)
        time.sleep(0.05)


def load(binary, machine, cpu, path, options=()):
    """Does it load? Returns whether, and what QEMU said."""
    with Qemu(binary, machine, cpu,
              [*options, '-incoming', f'exec:cat {path}']) as vm:
        try:
            vm.start()
            vm.wait('query-status', 'status', ('inmigrate',),
                    ('internal-error', 'io-error'))
        except Ended as ended:
            return False, str(ended)
        return True, vm.said()
