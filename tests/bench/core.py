"""What one core does at best with the bytes of a scan: `python3 -m tests.bench.core FILE`.

Both passes that every gateway must make: base64, for the JSON body, and SHA-256. In CPU time: the
core is this program's alone, whatever else runs.
"""

from __future__ import annotations

import binascii
import hashlib
import json
import mmap
import sys
import time
from pathlib import Path

_PIECE = 192 * 1024


def main(path: Path) -> None:
    """Print the seconds of CPU time of each as JSON."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        content = memoryview(mapped)
        for start in range(0, len(content), mmap.PAGESIZE):  # the pages are there when it counts
            content[start]
        began = time.process_time()
        for start in range(0, len(content), _PIECE):
            binascii.b2a_base64(content[start : start + _PIECE], newline=False)
        encoded = time.process_time()
        hashlib.sha256(content).digest()
        hashed = time.process_time()
        content.release()
    print(json.dumps({"base64": encoded - began, "sha256": hashed - encoded}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
