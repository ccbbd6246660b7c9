"""`python -m editeval` is `editeval`."""

from editeval.cli import main

main()
