"""Scripts in fresh Python processes, for tests of what concerns a whole process."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path


def python(script, timeout=60, **environment):
    """Run a script in a new interpreter in which only the given LSTMC_* and OMP_* variables are set."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LSTMC_", "OMP_", "GOMP_", "KMP_"))}
    return subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=timeout,
                          env=kept | environment)


def printed(script, timeout=60, **environment):
    """What a script that must succeed printed."""
    done = python(script, timeout, **environment)
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    return done.stdout.strip()


def bound_memory(more):
    """Let this process take so many bytes more than it has, so that who asks for much gets a MemoryError; where the system tells what it has."""
    used = Path("/proc/self/statm")
    if used.exists():
        import resource
        limit = int(used.read_text().split()[0]) * resource.getpagesize() + more
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
