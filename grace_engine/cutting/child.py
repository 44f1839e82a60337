"""What does a process that cuts traces run? ``python -m grace_engine.cutting.child DESCRIPTOR``."""

import sys

from grace_engine.cutting.pool import serve

if __name__ == "__main__":
    serve(int(sys.argv[1]))
