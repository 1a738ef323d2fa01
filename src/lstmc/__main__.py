"""`python -m lstmc`: see `lstmc.cli`."""

import sys

from lstmc.cli import main

if __name__ == "__main__":
    sys.exit(main())
