"""What all tests of the FTP side need."""

import importlib

# Before pyftpdlib's handlers: its loop alone is silent about asyncore, which Python 3.11 has for
# the last time and Debian goes on to ship.
importlib.import_module("openspp_ftpd.ftp.loop")
