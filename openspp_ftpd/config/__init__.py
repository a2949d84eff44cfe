"""The configuration: from /etc/openspp-ftpd.conf to settings, or to all that is wrong with it.

- `ini`: the file's text as entries that know their lines
- `values`: how a value is written
- `schema`: the one table of options
- `shipped_file`: the file that is shipped, from that table
- `world`: whether the machine fits the settings
- `loading`: all of it together
"""

from openspp_ftpd.config.loading import (
    ConfigurationError,
    Loaded,
    Mistake,
    load,
    settings_of,
)
from openspp_ftpd.config.shipped_file import shipped

__all__ = ["ConfigurationError", "Loaded", "Mistake", "load", "settings_of", "shipped"]
