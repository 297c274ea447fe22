import sys
from pathlib import Path

# Tables and helpers stand next to the tests that read them, the laws of functions in tests/linalg.
for folder in (Path(__file__).parent, Path(__file__).parent.parent / "linalg"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
