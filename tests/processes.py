"""Scripts in fresh Python processes, for tests of what concerns a whole process."""

import os
import subprocess
import sys
import textwrap


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
