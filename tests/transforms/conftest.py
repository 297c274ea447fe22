import sys
from pathlib import Path

# The table of transforms stands next to the tests that read it.
if str(Path(__file__).parent) not in sys.path:
    sys.path.insert(0, str(Path(__file__).parent))
