"""`python main.py --config X` is `editeval run X`; works from a checkout, installed or not."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "src"))

if __name__ == "__main__":
    from editeval.cli.main import legacy_main

    legacy_main(sys.argv[1:])
