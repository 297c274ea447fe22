import sys
from pathlib import Path

# The tables of samples stand in tests/rules.
sys.path.insert(0, str(Path(__file__).parent.parent / "rules"))
