import sys
from pathlib import Path

# The tables of samples stand next to the tests that read them.
sys.path.insert(0, str(Path(__file__).parent))
