"""Several workers under one supervisor (`[ftp] workers` > 1).

    scanners ── connections ──> supervisor ── by client address (SCM_RIGHTS) ──> workers
                                   ^                                               │
                                   └─── sessions over, logins, requests needed ────┘

- `shares`: which worker serves whom, and what part is its own
- `lending`: which of them has how many of the requests to OpenSPP
- `messages`, `channel`: what the two sides say, and how
- `processes`: making a process that never outlives this one
- `team`: the workers' processes: started, minded, replaced
- `loop`, `replies`: what the supervisor runs on
- `supervisor`: listens, counts, speaks to systemd and the administrator
- `worker`: serves the sessions handed over
"""
