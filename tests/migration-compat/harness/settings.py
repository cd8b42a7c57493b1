# SPDX-License-Identifier: GPL-2.0-or-later
"""What the command line decides for everything here, and the exceptions that everything here raises."""
import os

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))     # tests/migration-compat
STREAMS = os.path.join(ROOT, "streams")

# Where the assembled guests go. A directory in firmware has them already, for machines without an assembler.
work = os.path.join(ROOT, "..", "..", "build", "migration-compat")
firmware = None

# Limit for one step, in seconds. A load takes about half a second on an idle machine. The limit is there for one that is slow and
# not idle, and for valgrind.
timeout = 120

# ppc-insns, if it is there: a second reader of streams, which must see what the first one sees.
tool = None


class HarnessError(Exception):
    """Something about the set-up, not about what is tested: a missing tool, a damaged stream, a machine that is too slow."""


class Skip(Exception):
    """Raised by a test that cannot run here; the text says why."""
