"""What can be done with a workspace? The verbs; each is a ``grace`` command and a page's action.

Names stand in ``__init__.pyi`` and are imported when they are first asked for, so that ``grace
--help`` and the pages answer at once: torch, pandas and DuckDB come with the verb that needs them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
