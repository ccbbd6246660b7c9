"""`python -m editeval` is `editeval`."""

import sys

if not sys.flags.safe_path:
    del sys.path[0]  # the current folder: a file there would be taken for the module of a library that has its name

from editeval.cli.main import main

main()
