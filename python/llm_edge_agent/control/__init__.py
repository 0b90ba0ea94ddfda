"""The control plane: metrics, probes and the admin API, on ports of their own beside the traffic.

Its load or failure never touches a request: the data path does not know that it exists.
"""
