"""`python main.py --config X` is `editeval run X`; works from a checkout, installed or not."""

import sys

if not sys.flags.safe_path:
    del sys.path[0]  # this folder: a file in it would be taken for the module of a library that has its name
sys.path.insert(0, __file__.removesuffix("main.py") + "src")

if __name__ == "__main__":
    from editeval.cli.main import legacy_main

    legacy_main(sys.argv[1:])
