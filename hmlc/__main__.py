"""``python -m hmlc`` is the command line."""

import sys

from hmlc.cli import main

sys.exit(main())
