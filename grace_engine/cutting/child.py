"""What does a process that cuts traces run? ``python -m grace_engine.cutting.child DESCRIPTOR``."""

import sys
from importlib.abc import MetaPathFinder

from grace_engine.cutting.pool import serve


class _NoPandas(MetaPathFinder):
    """Spares a process pandas, which takes as long to import as all else here.

    pyarrow imports it where it is installed, to ask whether a list is one of its columns.
    """

    def find_spec(self, fullname: str, _path: object, _target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError(f"{fullname} is not for this process", name=fullname)


if __name__ == "__main__":
    sys.meta_path.insert(0, _NoPandas())
    serve(int(sys.argv[1]))
