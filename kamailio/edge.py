"""What app_python3 loads: puts the packages on the path and hands over to kemi.edge.

app_python3 puts this directory, not the repository, on the path, and imports this file by its base name.
`app_python.reload` loads only this file again, so whatever of kemi is loaded is dropped first.
"""

import os
import site
import sys

for _name in [name for name in sys.modules if name == "kemi" or name.startswith("kemi.")]:
    del sys.modules[_name]
sys.path.insert(1, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120
site.addsitedir(os.environ["FMC_SITE"])

from kemi.edge.handlers import mod_init  # noqa: E402

__all__ = ["mod_init"]
