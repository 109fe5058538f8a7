"""Run the `trilemma` command by `python -m trilemma`, for where the script is not on PATH."""

import sys

from trilemma.cli import main

sys.exit(main())
