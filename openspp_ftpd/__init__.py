"""A scan gateway: scanners send by FTP or FTPS, the scan arrives in OpenSPP.

226 means that OpenSPP has the scan, byte for byte. README.md tells how to use it.
"""

from typing import Final

__version__: Final = "0.1.0"
