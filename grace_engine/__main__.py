"""Run ``python -m grace_engine`` as ``grace``."""

from grace_engine.cli import main

main()
