"""The benchmark: works of scanners, done by our daemon and by its peers, measured in turns."""
