"""The demonstration: a scan made on the spot, sent by a client, followed into OpenSPP."""
