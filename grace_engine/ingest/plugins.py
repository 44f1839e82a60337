"""Which readers and schemas are there? One for each file of their folder."""

import pkgutil
from collections.abc import Iterable
from importlib import import_module
from typing import Any


def declared(package: str, folders: Iterable[str], name: str) -> tuple[Any, ...]:
    """Import every module of a package and return what each declares under ``name``.

    Args:
        package: Dotted name of the package.
        folders: Its ``__path__``.
        name: The constant that every module there has to define.

    Returns:
        The values, in the order of the modules' names.
    """
    modules = sorted(module.name for module in pkgutil.iter_modules(folders))
    return tuple(getattr(import_module(f"{package}.{module}"), name) for module in modules)
