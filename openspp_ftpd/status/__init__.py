"""What the administrator sees of a running daemon: counted, told as JSON, and put into words.

`figures` counts what happens, `snapshot` is the state at one moment as JSON and merged over
processes, `text` puts it into words, `door` hands it out on a socket, `command` is
`openspp-ftpd status`.
"""
