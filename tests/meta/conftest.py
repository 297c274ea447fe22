import sys
from pathlib import Path

# Tables and helpers stand next to the tests that read them, samples of primitives in tests/rules,
# published functions in tests/corpus.
for folder in (Path(__file__).parent, *(Path(__file__).parent.parent / name for name in ("rules", "corpus"))):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
