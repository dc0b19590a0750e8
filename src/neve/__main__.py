"""`python -m neve` is the command `neve`."""

import sys

from neve.cli.main import main

sys.exit(main())
