"""The same numbers as the status socket's, for Prometheus, and health for a load balancer.

`page` writes a snapshot in Prometheus' format and is alone in needing its library; `server` is the
small HTTP server, in threads of its own beside the event loop.
"""
