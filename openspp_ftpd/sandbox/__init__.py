"""An embedded OpenSPP for trying and testing: it answers as the recorded one does (WIRE.md).

Nothing here is shared with the gateway, so that the two halves cannot agree on a mistake: only the
standard library is imported.
"""
