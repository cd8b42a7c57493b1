# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs guests under QEMUs, loads streams into them, migrates them, and says what the guests then see.

This is a library for the tests beside it, for scripts/show/demo.py and others; it needs nothing but Python 3.11 and, to assemble the
guests, binutils for powerpc64. Each part says at its top what it is for:

    settings    what the command line decides
    expect      what a guest is expected to see; releases, machine versions, devices
    guests      the guests: how they are assembled, read and judged
    sections    a stream, section by section
    recorded    the recorded streams
    compare     what differs between two streams; what ppc-insns sees in one
    qmp, vm     the QEMU process and its monitor
    moments     a guest saved just when an interrupt waits
    migration   start, load, save, migrate, judge
    suite       tests as tables, TAP, the command line
    transaction the stream of a guest in a transaction
"""
from . import settings  # noqa: F401
from .compare import cpu_words, differences, structure  # noqa: F401
from .expect import (DEVICES, PROBES, compat_version, family, letters_expected, letters_of, machine_versions,  # noqa: F401
                     machines_of, output_of, release_of, stock_options, version)
from .guests import COUNTING, GUESTS, SLEEPING, SLEEPING_XIVE, Report, firmware  # noqa: F401
from .migration import Result, arrival, condense, judge, load, migrate, save_guest, start_guest  # noqa: F401
from .moments import MOMENTS, cpus, save_at  # noqa: F401
from .recorded import Stream, find_stream, read_manifest, words_text  # noqa: F401
from .settings import STREAMS, HarnessError, Skip  # noqa: F401
from .suite import NOTE, arguments, at_least, in_parallel, main, run_tests, test_arguments  # noqa: F401
from .transaction import in_transaction  # noqa: F401
from .vm import Vm  # noqa: F401
