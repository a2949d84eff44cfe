"""OpenSPP as the gateway sees it: what it answers, what can come between, and what is certain."""
