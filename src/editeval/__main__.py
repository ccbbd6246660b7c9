"""`python -m editeval` is `editeval`."""

from editeval.cli.main import main

main()
