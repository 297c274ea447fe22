import sys
from pathlib import Path

# Tables and helpers stand next to the tests that read them, samples of primitives in tests/rules.
for folder in (Path(__file__).parent, Path(__file__).parent.parent / "rules"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
