"""Why a scanner does not get through: the checks behind `check`, and `try`, which plays a scanner.

- `findings`: what a check finds
- `machine`: certificate, spool, swap and clock
- `ports`: listeners, passive ports, the address told to scanners
- `firewall`: what nft and ufw let through
- `openspp`: what answers where OpenSPP should be
- `service`: the systemd unit and the running daemon
- `checks`: all of them in order
- `command`: `openspp-ftpd check` as it is typed
- `trial`, `trial_command`: `openspp-ftpd try`
"""
