"""`python -m bench quick|full [SCENARIO…]`."""

import sys

from bench.run import main

sys.exit(main(sys.argv[1:]))
